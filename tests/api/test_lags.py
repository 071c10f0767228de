"""How far workers are behind, as somebody who scrapes `/metrics` sees it: it grows while nobody works, and is gone afterwards."""

import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from record.ids import LedgerSize
from record.jobs import service as jobs
from record.judgements.progress import Due, Progress, save
from record.judgements.rules import Kind, Point
from record.notices import service as notices
from record.notices import telling
from record.notices.events import Trigger
from record.notices.rules import JOB, Channel
from record.notices.service import CreateNotice
from record.settings import Settings
from tests.api.serving import Served, serving
from tests.record.clocks import MovableClock
from tests.record.judgements.court import Court
from tests.record.organizations import Organization


@dataclass
class Scraped:
    """A served API with one organization, and the clock of both."""

    served: Served
    court: Court
    clock: MovableClock

    async def number(self, name: str, **labels: str) -> float:
        page = (await self.served.client.get("/metrics")).text
        of = "".join(f'{{{label}="{value}"}}' for label, value in labels.items())
        (found,) = re.findall(rf"^{name}{re.escape(of)} (\S+)$", page, re.MULTILINE)
        return float(found)


@pytest.fixture
async def scraped(make_settings: Callable[..., Settings], tmp_path: Path) -> AsyncIterator[Scraped]:
    clock = MovableClock()
    key = tmp_path / "notices_key"
    key.write_text("5e" * 32)
    async with serving(make_settings(notices_key_file=key), clock=clock) as served:
        court = await Court.begin(await Organization.begin(served.record), clock)
        await court.flow()
        yield Scraped(served, court, clock)


async def test_entries_that_nobody_judges_are_counted_until_somebody_does(scraped: Scraped) -> None:
    trail = await scraped.court.trail()
    await scraped.court.attest()
    scraped.clock.ahead += timedelta(seconds=90)

    waiting = await scraped.number("muniment_judging_entries_waiting")
    age = await scraped.number("muniment_judging_age_seconds")

    assert (waiting, 90 <= age < 120) == (await scraped.court.organization.size(), True)

    await scraped.court.judge()  # records what it found, and that is an entry of its own
    await scraped.court.judge()

    assert len(await scraped.court.of(trail)) == 1
    assert await scraped.number("muniment_judging_entries_waiting") == 0
    assert await scraped.number("muniment_judging_age_seconds") == 0


async def test_a_verdict_whose_time_has_come_waits_too(scraped: Scraped) -> None:
    trail = await scraped.court.trail()
    await scraped.court.judge()
    await scraped.court.judge()
    due_at = scraped.clock.now() + timedelta(seconds=10)
    reached = Progress(Point(LedgerSize(await scraped.court.organization.size()), scraped.clock.now()), None)
    async with scraped.served.record.database.connection(scraped.court.caller.org_id) as connection:
        await save(connection, scraped.court.caller.org_id, reached, [Due(trail, Kind.TRAIL, due_at, None)])

    early = await scraped.number("muniment_judging_age_seconds")
    scraped.clock.ahead += timedelta(seconds=40)
    late = await scraped.number("muniment_judging_age_seconds")

    assert early == 0
    assert 30 <= late < 60


async def test_what_is_not_told_yet_and_what_is_not_sent_yet_are_two_numbers(scraped: Scraped) -> None:
    record, caller = scraped.served.record, scraped.court.caller
    assert await scraped.number("muniment_notice_entries_waiting") == 0  # nobody asked to be told

    wish = CreateNotice("alerts", Channel.WEBHOOK, (Trigger.TRAIL_BEGUN,), url="https://hooks.example.com/muniment")
    await notices.create(record, caller, wish)
    await telling.tell(record, caller.org_id)
    await scraped.court.trail()
    scraped.clock.ahead += timedelta(seconds=70)

    assert await scraped.number("muniment_notice_entries_waiting") == 1
    assert 70 <= await scraped.number("muniment_notice_age_seconds") < 100
    assert await scraped.number("muniment_jobs_waiting", kind="delivery") == 0

    await telling.tell(record, caller.org_id)

    assert await scraped.number("muniment_notice_entries_waiting") == 0
    assert await scraped.number("muniment_notice_age_seconds") == 0
    assert await scraped.number("muniment_jobs_waiting", kind="delivery") == 1
    assert 0 < await scraped.number("muniment_job_age_seconds", kind="delivery") < 30
    assert await scraped.number("muniment_jobs_waiting", kind="archive") == 0


async def test_a_job_that_somebody_does_or_that_is_tried_again_later_waits_for_nobody(scraped: Scraped) -> None:
    record, caller = scraped.served.record, scraped.court.caller
    wish = CreateNotice("alerts", Channel.WEBHOOK, (Trigger.TRAIL_BEGUN,), url="https://hooks.example.com/muniment")
    await notices.create(record, caller, wish)
    await scraped.court.trail()
    await telling.tell(record, caller.org_id)
    (lease,) = await jobs.claim(record, kinds=[JOB], count_max=5)

    held = await scraped.number("muniment_jobs_waiting", kind="delivery")
    await jobs.put_back(record, lease, after_seconds=60)
    later = await scraped.number("muniment_jobs_waiting", kind="delivery")

    assert (held, later) == (0, 0)
