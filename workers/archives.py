"""Archives as work: which failures are worth another attempt, and what is said when there is none left."""

from typing import Final

from record.archives import service
from record.archives.members import DamagedEvidence
from record.jobs.queries import Lease
from record.jobs.service import ARCHIVE, Headway
from record.record import Record
from workers.work import Hopeless, Kind

ATTEMPTS_MAX: Final = 8
"""With the pauses between them these take some nine minutes: long enough for a server to be restarted."""


async def make_archive(record: Record, lease: Lease, headway: Headway) -> None:
    """One attempt at an archive."""
    try:
        await service.make(record, lease, headway)
    except DamagedEvidence as damage:
        raise Hopeless(str(damage)) from damage


ARCHIVES: Final = Kind(ARCHIVE, do=make_archive, give_up=service.give_up, attempts_max=ATTEMPTS_MAX)
