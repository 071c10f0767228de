"""Re-reads every organization's record once in a while, and says loudly what it finds.

What is due is read from the record itself: from the newest `scrub.completed` of each organization. A scrub that dies leaves none
and is therefore due again. One worker scrubs an organization at a time: the session that scrubs holds a lock, which falls with it.
"""

import asyncio
from contextlib import suppress
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import asyncpg
import structlog

from record.ids import OrgId
from record.ledger.queries import organizations
from record.record import Record
from record.refusals import Refusal
from record.requests import service as requests
from record.scrubbing import queries, service
from record.scrubbing.rules import ScrubReport

LOOK_SECONDS: Final = 60.0
"""How often workers look for organizations whose scrub is due."""

_LOCK: Final = "SELECT pg_try_advisory_lock(hashtextextended('muniment.scrub.' || $1::text, 0))"

_UNLOCK: Final = "SELECT pg_advisory_unlock(hashtextextended('muniment.scrub.' || $1::text, 0))"

log = structlog.get_logger(__name__)


async def run_scrubbing(record: Record, stop: asyncio.Event) -> None:
    """Scrubs what is due until `stop`. Cancel it to stop in the middle of a scrub, which is then due again."""
    while not stop.is_set():
        try:
            await scrub_due(record)
        except (Refusal, asyncpg.PostgresError) as error:
            log.warning("scrubbing waits", why=str(error))
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), timeout=LOOK_SECONDS)


async def scrub_due(record: Record) -> list[ScrubReport]:
    """Scrubs every organization that was not scrubbed within the interval, one after another."""
    async with record.database.operations() as connection:
        candidates = await organizations(connection)
    reports = [await _scrub_if_due(record, org_id) for org_id in candidates]
    return [report for report in reports if report is not None]


async def scrub_now(context: dict[str, Any], organization_id: str) -> int:
    """For the queue: scrubs one organization, due or not. The number of findings."""
    record: Record = context["record"]
    return (await _scrub(record, OrgId(UUID(organization_id)))).finding_count


async def _scrub_if_due(record: Record, org_id: OrgId) -> ScrubReport | None:
    async with record.database.connection(org_id) as connection:
        if not await connection.fetchval(_LOCK, str(org_id)):
            return None
        try:
            newest = await queries.newest_scrub(connection, org_id)
            interval = timedelta(hours=record.settings.scrub_interval_hours)
            if newest is not None and record.clock.now() - newest < interval:
                return None
            return await _scrub(record, org_id)
        finally:
            await connection.execute(_UNLOCK, str(org_id))


async def _scrub(record: Record, org_id: OrgId) -> ScrubReport:
    """Scrubs, says what was found, and notes anew what the queue of reviewers begins with: no scrub looks at that."""
    report, _ = await service.scrub_and_record(record, org_id)
    _tell(report)
    await requests.note_anew(record, org_id)
    return report


def _tell(report: ScrubReport) -> None:
    if report.is_clean:
        log.info("scrubbed: everything is as it was recorded", organization=report.organization, **report.counts)
        return
    for finding in report.findings:
        log.error(
            "scrubbing found damage",
            organization=report.organization,
            place=finding.place,
            entry_index=finding.entry_index,
            fact=finding.fact,
            remedy=finding.remedy,
        )
    log.critical(
        "the record is not as it was recorded", organization=report.organization, findings=report.finding_count
    )
