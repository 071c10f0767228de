"""Judges every organization for as long as the worker lives: whatever changes a verdict is in the record a moment later.

It finds its work in PostgreSQL, several times a second: ledgers that have grown, verdicts whose time has come, environments that
were silent and have reported. Nothing is queued, so nothing can be forgotten; workers may run side by side.

An organization in which judging fails for an unknown reason is left alone for a while and then tried again. The others go on, and
so does the process: nobody's entries are signed later because somebody's verdict cannot be reached.
"""

import asyncio
from contextlib import suppress
from typing import Final

import asyncpg
import structlog

from record.ids import OrgId
from record.judgements import progress, service
from record.judgements.progress import Waiting
from record.record import Record
from record.refusals import Refusal

ORGANIZATIONS_AT_ONCE: Final = 4
PAUSE_SECONDS: Final = 5.0
"""How long an organization rests in which judging has failed."""

log = structlog.get_logger(__name__)


async def run_judging(record: Record, stop: asyncio.Event) -> None:
    """Judges until `stop`. Cancel it to stop in the middle of a round, which is then taken up again by whoever comes next."""
    judging = Judging(record)
    interval = record.settings.judging_interval_seconds
    clock = asyncio.get_running_loop().time
    while not stop.is_set():
        is_behind, began = False, clock()
        try:
            is_behind = await judging.once()
        except (Refusal, asyncpg.PostgresError) as error:
            log.warning("judging waits", why=str(error))
        # Under load rounds grow larger, and each entry costs less. PostgreSQL gets a rest meanwhile, unless judging is behind.
        pause = 0.001 if is_behind else max(interval, (clock() - began) / 2)
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), timeout=pause)


class Judging:
    """One per process; several processes may judge at once."""

    def __init__(self, record: Record) -> None:
        self.recorded = 0
        self._record = record
        self._rests_until: dict[OrgId, float] = {}

    async def once(self) -> bool:
        """One round for each organization that needs it. Whether any needs another at once."""
        clock = asyncio.get_running_loop().time
        async with self._record.database.operations() as connection:
            waiting = await progress.waiting(connection, self._record.clock.now() - service.SETTLING)
        self._rests_until = {org_id: until for org_id, until in self._rests_until.items() if until > clock()}
        gate = asyncio.Semaphore(ORGANIZATIONS_AT_ONCE)

        async def gated(each: Waiting) -> bool:
            async with gate:
                return await self._judge(each)

        return any(await asyncio.gather(*(gated(each) for each in waiting if each.org_id not in self._rests_until)))

    async def _judge(self, each: Waiting) -> bool:
        try:
            done = await service.judge(self._record, each.org_id, each.organization)
        except Exception as error:  # one organization's fault is not the others'
            expected = isinstance(error, Refusal | asyncpg.PostgresError)
            log.error("judging failed", organization=each.organization, why=str(error), exc_info=not expected)
            if not expected:
                self._rests_until[each.org_id] = asyncio.get_running_loop().time() + PAUSE_SECONDS
            return False
        if done is None:
            return False
        self.recorded += done.recorded
        if done.recorded:
            log.info("judged", organization=each.organization, recorded=done.recorded)
        return done.is_behind
