"""Signs checkpoints and carries them to the vault, for as long as the worker lives.

Two loops, because they wait for different servers: signing needs PostgreSQL, publication needs the vault as well, and a vault that
is away must not keep an entry from being signed. Neither is a queue's job: both find their work in PostgreSQL, so nothing can be
forgotten, and workers may run side by side.

A fork is the one thing that is not tried again: it ends `run_checkpoints`, and with it the process, with a status that is not zero.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import Any, Final, TypeVar
from uuid import UUID

import asyncpg
import structlog

from record.ids import OrgId
from record.ledger import queries
from record.ledger.integrate import integrate
from record.ledger.publish import publish
from record.ledger.signing import ForkRefused, Notary
from record.record import Record
from record.refusals import Refusal

LEDGERS_AT_ONCE: Final = 4
PUBLICATION_PAUSE_SECONDS: Final = 5.0
"""How long publication rests after the vault or PostgreSQL was away."""

T = TypeVar("T")
R = TypeVar("R")

log = structlog.get_logger(__name__)


async def run_checkpoints(record: Record, stop: asyncio.Event, *, notary: Notary | None = None) -> None:
    """Keeps every ledger signed and published until `stop`. Raises `ForkRefused`, which must end the process."""
    notary = notary or Notary(record.settings.signing_seed())
    ended = asyncio.Event()
    publishing = asyncio.create_task(_keep_publishing(record, ended), name="publication")
    try:
        await _keep_signing(record, stop, notary)
    except ForkRefused as refused:
        log.critical("refusing to sign: the ledger contradicts what was signed before", why=str(refused))
        raise
    finally:
        ended.set()
        publishing.cancel()  # whatever it was writing is written again by the next publication
        with suppress(asyncio.CancelledError):
            await publishing


async def integrate_now(context: dict[str, Any], organization_id: str) -> int | None:
    """For the queue: signs one ledger at once instead of within the interval. The size that is signed, if anything was new."""
    record: Record = context["record"]
    notary: Notary = context["notary"]
    signed = await integrate(record, OrgId(UUID(organization_id)), notary)
    return None if signed is None else signed.size


async def _keep_signing(record: Record, stop: asyncio.Event, notary: Notary) -> None:
    # Half of what an entry may wait: the other half is for the signing itself, and for what else keeps this machine busy.
    interval = record.settings.checkpoint_interval_seconds / 2
    clock = asyncio.get_running_loop().time
    while not stop.is_set():
        began = clock()
        backlog = False
        try:
            backlog = await _sign_all(record, notary)
        except (Refusal, asyncpg.PostgresError) as error:
            log.warning("checkpoints wait", why=str(error))
        await _pause(stop, 0 if backlog else interval - (clock() - began))


async def _sign_all(record: Record, notary: Notary) -> bool:
    """Signs each ledger once, so that a ledger with a backlog does not hold up the others; whether any has more to sign."""
    async with record.database.operations() as connection:
        ledgers = await queries.unsigned(connection)
    signed = await _each(ledgers, lambda ledger: integrate(record, ledger.org_id, notary))
    return any(
        checkpoint is not None and checkpoint.size < ledger.size
        for ledger, checkpoint in zip(ledgers, signed, strict=True)
    )


async def _keep_publishing(record: Record, ended: asyncio.Event) -> None:
    interval = record.settings.checkpoint_interval_seconds
    while not ended.is_set():
        pause = interval
        try:
            async with record.database.operations() as connection:
                ledgers = await queries.unpublished(connection)
            await _each(ledgers, lambda org_id: publish(record, org_id))
        except Exception as error:  # publication catches up later; it must not end signing
            expected = isinstance(error, Refusal | asyncpg.PostgresError)
            log.warning("checkpoints are signed but not yet in the vault", why=str(error), exc_info=not expected)
            pause = PUBLICATION_PAUSE_SECONDS
        await _pause(ended, pause)


async def _each(items: Iterable[T], work: Callable[[T], Awaitable[R]]) -> list[R]:
    """Does the work for every item, a few at a time and to the end; then raises a fork, or the first failure."""
    gate = asyncio.Semaphore(LEDGERS_AT_ONCE)

    async def gated(item: T) -> R:
        async with gate:
            return await work(item)

    outcomes = await asyncio.gather(*map(gated, items), return_exceptions=True)
    failures = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    if failures:
        raise next((failure for failure in failures if isinstance(failure, ForkRefused)), failures[0])
    return [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), timeout=max(seconds, 0))
