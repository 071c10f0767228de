"""Notes once a minute, where ledgers have grown, which approvals and waivers nobody has decided: what the queue begins with.

Nothing depends on it but how long the question for the queue takes. Several processes may do it at once.
"""

import asyncio
from contextlib import suppress
from typing import Final

import structlog

from record.record import Record
from record.requests import service
from workers.work import AWAY

EVERY_SECONDS: Final = 60.0

log = structlog.get_logger(__name__)


async def run_noting(record: Record, stop: asyncio.Event) -> None:
    """Notes them until `stop`."""
    while not stop.is_set():
        try:
            await service.note_undecided(record)
        except AWAY as error:
            log.warning("what nobody has decided is not noted", why=str(error))
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), timeout=EVERY_SECONDS)
