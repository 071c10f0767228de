"""Clears out of the vault what was never finished: uploads in parts whose server died, and staged bytes that became nothing.

Nothing of it was ever recorded, so nothing of it is evidence. A live upload looks the same, so only what is older than any may be
goes. What is whole and locked, and yet named by no entry, cannot go; it is reported.
"""

import asyncio
from contextlib import suppress
from datetime import timedelta
from typing import Final

import structlog

from record.record import Record
from record.refusals import Refusal
from record.scrubbing.orphans import orphans

OLDER_THAN: Final = timedelta(days=1)
EVERY_SECONDS: Final = 6 * 3600.0

log = structlog.get_logger(__name__)


async def run_tidying(record: Record, stop: asyncio.Event) -> None:
    """Tidies now and then until `stop`."""
    while not stop.is_set():
        try:
            for done in await record.vault.sweep(older_than=OLDER_THAN):
                log.info("tidied the vault", done=done)
            async for orphan in orphans(record):
                log.warning("an object is in the vault that no entry names", key=orphan.key, said=str(orphan))
        except Refusal as refusal:
            log.warning("the vault is not tidied", why=refusal.message)
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), timeout=EVERY_SECONDS)
