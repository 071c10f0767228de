"""Archives as work: which failures are worth another attempt, what is said when there is none left, and how many at a time.

Small archives are made side by side. Of large ones a worker makes one at a time, because each holds parts of an upload in memory
and all wait for the same store: two together would be no faster. The others are left for workers that have room.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from record.archives import service
from record.archives.members import DamagedEvidence
from record.jobs.queries import Lease
from record.jobs.service import ARCHIVE, Headway
from record.record import Record
from workers.work import Busy, Hopeless, Kind

ATTEMPTS_MAX: Final = 8
"""With the pauses between them these take some nine minutes: long enough for a server to be restarted."""
SMALL_BYTES: Final = 16 << 20


class Archives:
    """The archives that one worker process makes."""

    def __init__(self) -> None:
        self._large = asyncio.Lock()

    def kind(self) -> Kind:
        return Kind(ARCHIVE, do=self.make, give_up=service.give_up, attempts_max=ATTEMPTS_MAX)

    async def make(self, record: Record, lease: Lease, headway: Headway) -> None:
        """One attempt at an archive."""
        try:
            await service.make(record, lease, headway, admit=self._admit)
        except DamagedEvidence as damage:
            raise Hopeless(str(damage)) from damage

    @asynccontextmanager
    async def _admit(self, evidence_bytes: int) -> AsyncIterator[None]:
        if evidence_bytes <= SMALL_BYTES:
            yield
        elif self._large.locked():
            raise Busy
        else:
            async with self._large:
                yield
