"""Trails are judged by what was recorded in them: every change once, whatever befalls the worker."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from embedded.postgres import SUPERUSER
from embedded.servers import Stack
from record.access.rules import Grant, Role
from record.environments import reporting
from record.environments import service as environments
from record.environments.reporting import ReportSnapshot
from record.environments.service import CreateEnvironment
from record.flows import service as flows
from record.flows.service import ChangeFlow
from record.judgements import progress, queries, service
from record.ledger.append import Ledger
from record.readings import rows_of
from record.record import Record
from record.scrubbing import service as scrubbing
from record.trails import service as trails
from record.trails.service import BeginTrail
from record.verdicts import Status
from tests.record.environments.places import member
from tests.record.house import DATABASE
from tests.record.judgements.court import Court
from tests.record.ledger.harness import LedgerUnderTest
from tests.record.organizations import Organization
from tests.record.statements import watched


async def test_every_change_says_what_it_was_before_when_and_why(court: Court) -> None:
    await court.flow()
    trail = await court.trail()
    assert await court.judge() == 0, "what a trail begins with is no change"
    review = await court.attest()
    await court.judge()

    (reviewed,) = await court.of(trail)
    assert (reviewed.number, reviewed.previous, reviewed.status) == (1, Status.INCOMPLETE, Status.COMPLIANT)
    assert (reviewed.cause, reviewed.size, reviewed.instant) == (review.index, review.index + 1, review.at)
    assert (reviewed.flow, reviewed.trail, reviewed.environment) == ("delivery", "t1", None)
    assert reviewed.reasons == (
        "trail t1: The reporter says that it is compliant. (template v1, line 4: review (generic))",
    )


async def test_a_change_that_is_taken_back_at_once_is_two_changes(court: Court) -> None:
    await court.flow()
    trail = await court.trail()
    await court.attest(compliant=False)
    await court.attest(compliant=True)
    await court.attest(compliant=False)

    await court.judge()

    assert await court.statuses(trail) == ["NON_COMPLIANT", "COMPLIANT", "NON_COMPLIANT"]


async def test_what_changes_nothing_is_not_recorded_and_judgements_cause_none(court: Court) -> None:
    await court.flow()
    await court.trail()
    await court.attest()
    await court.judge()
    await court.attest("lint")
    size = await court.organization.size()

    assert [await court.judge() for _ in range(3)] == [0, 0, 0]
    assert await court.organization.size() == size


async def test_a_trail_without_a_template_is_no_news_until_something_is_known_of_it(court: Court) -> None:
    await court.flow(template=None)
    trail = await court.trail()
    await court.judge()
    assert await court.of(trail) == []

    await court.attest()
    await court.judge()
    assert await court.statuses(trail) == ["COMPLIANT"]


async def test_a_trail_keeps_its_template_until_it_begins_again(court: Court) -> None:
    await court.flow(template=None)
    trail = await court.trail()
    await court.attest("lint")
    asking = "version: 1\ntrail: {attestations: [{name: review, type: generic}]}\n"
    await flows.change(court.record, court.caller, ChangeFlow("delivery", template=asking))
    await court.judge()
    assert await court.statuses(trail) == ["COMPLIANT"]

    again = await trails.begin(court.record, court.caller, BeginTrail("delivery", "t1"))
    await court.attest()
    await court.judge()
    assert await court.statuses(trail) == ["COMPLIANT", "INCOMPLETE", "COMPLIANT"]
    assert (await court.of(trail))[1].cause == again.index


async def test_an_override_that_expires_is_a_change_at_its_very_instant_without_a_cause(court: Court) -> None:
    await court.flow()
    trail = await court.trail()
    await court.attest(compliant=False)
    expires = await court.override("review", lasts=timedelta(hours=1))
    await court.judge()
    assert await court.judge() == 0

    court.pass_time(minutes=59)
    assert await court.judge() == 0
    court.pass_time(minutes=2)
    assert await court.judge() == 1

    _, overridden, expired = await court.of(trail)
    assert (overridden.status.value, overridden.cause) == ("COMPLIANT", expires.index)
    assert (expired.status.value, expired.cause) == ("NON_COMPLIANT", None)
    assert expired.instant == overridden.holds_until
    assert expired.size >= overridden.size


async def test_a_worker_that_was_away_records_the_same_changes_as_one_that_was_not(court: Court) -> None:
    await court.flow()
    watched_trail = await court.trail("watched")
    for name in ("watched", "unwatched"):
        if name == "unwatched":
            other = await court.trail(name)
        await court.attest(compliant=False, trail=name)
        await court.judge() if name == "watched" else None
        await court.override("review", lasts=timedelta(minutes=10), trail=name)
        court.pass_time(minutes=20)
        await court.judge() if name == "watched" else None
        await court.attest(compliant=True, trail=name)
    court.pass_time(hours=1)
    await court.judge()

    assert await court.statuses(watched_trail) == await court.statuses(other)
    assert [each.cause is None for each in await court.of(watched_trail)] == [
        each.cause is None for each in await court.of(other)
    ]


async def test_without_its_progress_judging_goes_on_after_the_last_judgement(court: Court) -> None:
    await court.flow()
    trail = await court.trail()
    await court.attest(compliant=False)
    await court.override("review", lasts=timedelta(hours=1))
    await court.judge()
    before = await court.of(trail)
    await court.lose_ops()

    assert await court.judge() == 0
    assert await court.of(trail) == before
    court.pass_time(hours=2)
    assert await court.judge() == 1, "the expiry was forgotten"


async def test_an_expiry_passed_while_nobody_knew_how_far_judging_was(court: Court) -> None:
    await court.flow()
    trail = await court.trail()
    await court.attest(compliant=True)
    await court.judge()
    await court.override("review", lasts=timedelta(hours=1), compliant=True)
    await court.attest(compliant=False)
    assert await court.judge() == 0, "the override covers it"
    await court.lose_ops()
    court.pass_time(hours=2)

    await court.judge()

    assert await court.statuses(trail) == ["COMPLIANT", "NON_COMPLIANT"]


async def test_a_round_that_died_before_it_moved_on_is_repeated_and_records_nothing_twice(court: Court) -> None:
    await court.flow()
    trail = await court.trail()
    await court.judge()
    before = await court.progress()
    await court.attest(compliant=False)
    await court.attest(compliant=True)
    await court.judge()
    once = await court.of(trail)

    await court.forget_the_last_round(before["size"], before["instant"])

    assert await court.judge() == 0
    assert await court.of(trail) == once


async def test_a_round_that_died_in_the_middle_of_recording_is_completed(
    court: Court, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "TOGETHER_MAX", 2)
    await court.flow()
    ids = [await court.trail(f"t{number}") for number in range(5)]
    for number in range(5):
        await court.attest(trail=f"t{number}")
    dying = Dying(court.record.database, court.clock, rows_of, appends=2)

    with pytest.raises(asyncio.CancelledError):
        await court.judge(replace(court.record, ledger=dying))
    assert len(await court.lately()) == 4

    await court.judge()
    assert [await court.statuses(trail) for trail in ids] == [["COMPLIANT"]] * 5


class Dying(Ledger):
    """A ledger whose process dies when it has appended so often."""

    def __init__(self, *given: object, appends: int) -> None:
        super().__init__(*given)  # type: ignore[arg-type]
        self._left = appends

    async def append_together(self, *given: object, **named: object):  # type: ignore[no-untyped-def]
        if self._left == 0:
            raise asyncio.CancelledError
        self._left -= 1
        return await super().append_together(*given, **named)  # type: ignore[arg-type]


async def test_two_workers_at_once_record_each_change_once(court: Court) -> None:
    await court.flow()
    ids = [await court.trail(f"t{number}") for number in range(20)]
    for number in range(20):
        await court.attest(trail=f"t{number}")

    async def work() -> None:
        for _ in range(5):
            await service.judge(court.record, court.organization.org_id, court.organization.name)

    await asyncio.gather(*(work() for _ in range(4)))

    assert [await court.statuses(trail) for trail in ids] == [["COMPLIANT"]] * 20


async def test_who_comes_second_in_spite_of_the_lock_records_nothing(
    court: Court, monkeypatch: pytest.MonkeyPatch
) -> None:
    await court.flow()
    trail = await court.trail()
    await court.attest()
    read = queries.standings

    async def read_and_be_overtaken(*given):  # type: ignore[no-untyped-def]
        found = await read(*given)
        monkeypatch.setattr(queries, "standings", read)
        monkeypatch.setattr(progress, "lock", always)
        await court.judge()
        return found

    async def always(*_: object) -> bool:
        return True

    monkeypatch.setattr(queries, "standings", read_and_be_overtaken)
    done = await service.judge(court.record, court.organization.org_id, court.organization.name)

    assert done == service.Round(0, is_behind=True)
    assert await court.statuses(trail) == ["COMPLIANT"]


async def test_a_backlog_is_judged_in_rounds(court: Court, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "ENTRIES_MAX", 7)
    await court.flow()
    ids = [await court.trail(f"t{number}") for number in range(10)]
    for number in range(10):
        await court.attest(trail=f"t{number}")

    rounds = 0
    while True:
        rounds += 1
        done = await service.judge(court.record, court.organization.org_id, court.organization.name)
        assert done is not None
        if not done.is_behind:
            break

    assert rounds == 3
    assert [await court.statuses(trail) for trail in ids] == [["COMPLIANT"]] * 10


async def test_a_round_costs_as_many_statements_for_one_trail_as_for_forty(court: Court) -> None:
    await court.flow()
    await court.judge()
    counts = []
    for number in (1, 40):
        for each in range(number):
            await court.trail(f"t{number}-{each}")
            await court.attest(trail=f"t{number}-{each}")
        async with watched(court.record) as (record, database):
            assert await court.judge(record) == number
            counts.append(len([text for text in database.sent if text not in database.appends()]))

    assert counts[0] == counts[1] <= 15


async def test_another_organization_is_not_judged_along(court: Court, globex: Organization) -> None:
    await court.flow()
    await court.trail()
    await court.attest()
    before = await globex.size()

    await court.judge()

    assert await globex.size() == before


async def test_who_may_not_read_a_flow_does_not_see_its_judgements(court: Court) -> None:
    await court.flow()
    await court.flow("secret")
    for flow in ("delivery", "secret"):
        await court.trail(flow=flow)
        await court.attest(flow=flow)
    await court.judge()
    narrow = await court.organization.hired("eve", Grant(Role.READER, flows=frozenset({"delivery"})))

    seen = await court.lately(flows=narrow.readable_flows(), environments=narrow.readable_environments())

    assert {each.flow for each in seen} == {"delivery"}
    assert {each.flow for each in await court.lately()} == {"delivery", "secret"}


async def test_judgements_are_as_they_were_at_an_earlier_size(court: Court) -> None:
    await court.flow()
    trail = await court.trail()
    await court.attest(compliant=False)
    await court.judge()
    size = await court.organization.size()
    await court.attest()
    await court.judge()

    assert await court.statuses(trail, size=size) == ["NON_COMPLIANT"]


async def test_judgements_are_clean_under_the_scrubber_and_one_that_somebody_edits_is_named(
    record: Record, stack: Stack
) -> None:
    made = await LedgerUnderTest.begin(record, stack.postgres.url(SUPERUSER, DATABASE), "scrubbed-judgements")
    await environments.create(record, made.caller, CreateEnvironment("prod", "k8s"))
    await reporting.report(record, made.caller, ReportSnapshot("prod", [member(1)]))
    await service.judge(record, made.org_id, made.caller.organization)
    await made.sign()
    assert not (await scrubbing.scrub(record, made.org_id)).findings

    await made.execute("UPDATE record.judgements SET status = 'COMPLIANT' WHERE org_id = $1")

    assert {finding.place for finding in (await scrubbing.scrub(record, made.org_id)).findings} == {"judgements"}
