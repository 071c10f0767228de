"""The worker keeps every ledger signed and published, through restarts and outages, and stops for a fork."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from embedded.servers import Stack
from record.ids import LedgerSize
from record.ledger import integrate as integration
from record.ledger import queries
from record.ledger.entries import Receipt
from record.ledger.publish import newest_published_size
from record.ledger.signing import ForkRefused
from record.refusals import Refusal, Unavailable
from tests.record.ledger.harness import LedgerUnderTest, draft
from workers import checkpoints
from workers.checkpoints import run_checkpoints
from workers.scrubbing import scrub_due


@asynccontextmanager
async def working(ledger: LedgerUnderTest) -> AsyncIterator[asyncio.Task[None]]:
    """A worker's checkpoint loop beside the test."""
    stop = asyncio.Event()
    running = asyncio.create_task(run_checkpoints(ledger.record, stop))
    try:
        yield running
        stop.set()
        await running
    finally:
        running.cancel()


async def until(holds: Callable[[], Awaitable[bool]], *, seconds: float = 20) -> None:
    """Returns as soon as it holds."""
    async with asyncio.timeout(seconds):
        while True:
            try:
                if await holds():
                    return
            except Unavailable:
                pass
            await asyncio.sleep(0.01)


async def signed_size(ledger: LedgerUnderTest) -> int:
    async with ledger.record.database.connection(ledger.org_id) as connection:
        newest = await queries.newest_checkpoint(connection, ledger.org_id)
    return 0 if newest is None else newest.size


async def published_size(ledger: LedgerUnderTest) -> int:
    return await newest_published_size(ledger.record.vault, ledger.org_id, after=LedgerSize(0)) or 0


def is_signed(ledger: LedgerUnderTest, size: int) -> Callable[[], Awaitable[bool]]:
    async def holds() -> bool:
        return await signed_size(ledger) >= size

    return holds


def is_published(ledger: LedgerUnderTest, size: int) -> Callable[[], Awaitable[bool]]:
    async def holds() -> bool:
        return await published_size(ledger) >= size

    return holds


async def test_every_ledger_is_signed_and_published_without_being_asked(ledger: LedgerUnderTest) -> None:
    other = await LedgerUnderTest.begin(ledger.record, ledger.superuser_url, "umbrella")
    async with working(ledger):
        await ledger.append(10)
        await other.append(20)

        await until(is_published(ledger, 13))
        await until(is_published(other, 23))

    assert await ledger.check() == 13
    assert await other.check() == 23


async def test_a_checkpoint_is_never_far_behind_under_load(ledger: LedgerUnderTest) -> None:
    """The lag of an entry: from its acknowledgement to a checkpoint that covers it."""
    worst = 0.0
    async with working(ledger):
        deadline = time.monotonic() + 4
        while time.monotonic() < deadline:
            receipts = await ledger.append(200)
            acknowledged = time.monotonic()
            await until(is_signed(ledger, receipts[-1].index + 1))
            worst = max(worst, time.monotonic() - acknowledged)

    assert worst < 2
    await ledger.check()


async def test_a_backlog_of_one_ledger_does_not_hold_up_another(
    ledger: LedgerUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(integration, "ENTRIES_MAX", 500)
    other = await LedgerUnderTest.begin(ledger.record, ledger.superuser_url, "umbrella")
    await ledger.load(9_000)
    async with working(ledger):
        await until(is_signed(other, 3))
        signed_meanwhile = await signed_size(ledger)
        await until(is_signed(ledger, 9_003))

    assert signed_meanwhile < 9_003


async def test_signing_goes_on_while_the_vault_is_away_and_publication_catches_up(
    ledger: LedgerUnderTest, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "PUBLICATION_PAUSE_SECONDS", 0.2)
    async with working(ledger):
        await until(is_published(ledger, 3))
        stack.stop_seaweedfs()
        try:
            await ledger.append(5)
            await until(is_signed(ledger, 8))
        finally:
            stack.start_seaweedfs()
        await until(is_published(ledger, 8))

    assert await ledger.check() == 8


async def test_a_new_process_does_not_sign_before_the_vault_has_answered(ledger: LedgerUnderTest, stack: Stack) -> None:
    stack.stop_seaweedfs()
    try:
        with pytest.raises(Unavailable):
            await ledger.sign()
    finally:
        stack.start_seaweedfs()

    assert await ledger.sign() is not None


async def test_a_fork_ends_the_worker(ledger: LedgerUnderTest) -> None:
    await ledger.sign()
    await ledger.execute("UPDATE record.entries SET leaf_hash = sha256('x') WHERE org_id = $1 AND entry_index = 1")
    await ledger.append()

    with pytest.raises(ForkRefused):
        await run_checkpoints(ledger.record, asyncio.Event())

    assert await signed_size(ledger) == 3


async def test_postgresql_killed_under_load_loses_nothing_that_was_acknowledged(
    ledger: LedgerUnderTest, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "PUBLICATION_PAUSE_SECONDS", 0.2)
    acknowledged: list[Receipt] = []
    enough = asyncio.Event()

    async def write() -> None:
        while not enough.is_set():
            try:
                acknowledged.append(await ledger.record.ledger.append(ledger.caller, draft()))
            except Refusal:
                await asyncio.sleep(0.02)

    async def has_grown(by: int = 200) -> bool:
        return len(acknowledged) > by

    async with working(ledger):
        writers = [asyncio.create_task(write()) for _ in range(8)]
        await until(has_grown)
        await asyncio.to_thread(stack.restart_postgres, kill=True)
        before = len(acknowledged)
        await until(lambda: has_grown(before + 200))
        enough.set()
        await asyncio.gather(*writers)
        ledger.receipts += acknowledged
        head = await ledger.record.ledger.head(ledger.org_id)
        await until(is_published(ledger, head.size))

    assert await ledger.check() == head.size


async def test_what_is_due_is_scrubbed_once(ledger: LedgerUnderTest) -> None:
    [report] = await scrub_due(ledger.record)

    assert report.is_clean
    assert await scrub_due(ledger.record) == []


async def test_after_a_scrub_the_queue_of_reviewers_begins_with_what_the_record_says(ledger: LedgerUnderTest) -> None:
    noted = "SELECT size FROM ops.undecided_requests WHERE org_id = $1 AND requests = 'record.approvals'"
    [report] = await scrub_due(ledger.record)

    async with ledger.record.database.operations() as connection:
        assert await connection.fetchval(noted, ledger.org_id) == report.size + 1  # and the entry about the scrub
