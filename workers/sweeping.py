"""Looks for work that nobody was told about: due jobs, jobs whose worker has died, archives whose job was lost.

This, and not the queue, is why nothing is forgotten. Due jobs are asked for every time. Archives without a job are looked for in
the ledgers that have grown since the last time, and in all of them once a minute.
"""

import asyncio
from contextlib import suppress
from typing import Final

import structlog

from record.archives import service as archives
from record.ids import OrgId
from record.jobs import queries
from record.record import Record
from workers.work import AWAY, Work

EVERY_LEDGER_SECONDS: Final = 60.0

log = structlog.get_logger(__name__)


class Sweep:
    """One per process; several processes may sweep at once."""

    def __init__(self, record: Record, work: Work) -> None:
        self._record = record
        self._work = work
        self._seen: dict[OrgId, int] = {}
        self._all_seen_at = float("-inf")

    async def run(self, stop: asyncio.Event) -> None:
        """Sweeps every few seconds until `stop`."""
        while not stop.is_set():
            try:
                await self.once()
            except AWAY as error:
                log.warning("the sweep waits", why=str(error))
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), timeout=self._record.settings.sweep_interval_seconds)

    async def once(self) -> int:
        """How many jobs it began."""
        await self._queue_forgotten()
        return await self._work.look()

    async def _queue_forgotten(self) -> None:
        now = asyncio.get_running_loop().time()
        look_at_all = now - self._all_seen_at >= EVERY_LEDGER_SECONDS
        async with self._record.database.operations() as connection:
            ledgers = await queries.ledgers(connection)
        for ledger in ledgers:
            if look_at_all or self._seen.get(ledger.org_id) != ledger.size:
                forgotten = await archives.queue_forgotten(self._record, ledger.org_id)
                self._seen[ledger.org_id] = ledger.size
                if forgotten:
                    log.warning("archives had no job", organization=ledger.organization, count=forgotten)
        if look_at_all:
            self._all_seen_at = now
