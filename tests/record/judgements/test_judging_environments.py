"""Environments are judged by whatever changes their verdict: snapshots, evidence, policies, time, silence."""

import asyncio
from datetime import timedelta

import pytest

from record.environments import service as environments
from record.environments.service import ChangeEnvironment
from record.flows import service as flows
from record.flows.service import ChangeFlow
from record.ids import EnvironmentId
from record.judgements import places, queries, service
from record.policies import service as policies
from record.policies.service import ChangePolicy
from tests.record.environments.places import Place, member
from tests.record.judgements.court import FRESH, KNOWN, STAGED, TESTED, Court
from tests.record.statements import watched


async def subject(place: Place) -> EnvironmentId:
    return (await place.environment()).environment_id


async def test_evidence_on_what_runs_changes_the_environments_verdict(court: Court, prod: Place) -> None:
    await court.judge()
    tests = await court.attest("tests", number=1)
    await court.judge()

    missing, tested = await court.of(await subject(prod))
    assert (missing.status.value, missing.previous, missing.snapshot) == ("INCOMPLETE", None, 1)
    assert "tests" in missing.reasons[0]
    assert (tested.status.value, tested.previous, tested.snapshot) == ("COMPLIANT", missing.status, None)
    assert (tested.cause, tested.instant) == (tests.index, tests.at)
    assert tested.environment == "prod"
    assert [await court.verdict_at(each) for each in (missing, tested)] == [missing.status, tested.status]


async def test_what_happens_between_two_rounds_is_all_there(court: Court, prod: Place) -> None:
    await court.attest("tests", number=1, compliant=False)
    await court.attest("tests", number=1, compliant=True)
    await policies.detach(court.record, court.caller, policy="production", environment="prod")
    await policies.attach(court.record, court.caller, policy="production", environment="prod")
    await prod.runs(2)

    await court.judge()

    found = await court.of(await subject(prod))
    assert [each.status.value for each in found] == [
        *("INCOMPLETE", "NON_COMPLIANT", "COMPLIANT", "UNKNOWN", "COMPLIANT", "UNKNOWN")
    ]
    assert [each.number for each in found] == [1, 2, 3, 4, 5, 6]
    assert [await court.verdict_at(each) for each in found] == [each.status for each in found]


async def test_evidence_on_what_does_not_run_concerns_no_environment(court: Court, prod: Place) -> None:
    await court.judge()
    await court.trail("t2")
    await court.artifact(2, trail="t2")
    await court.attest("tests", number=2, trail="t2")
    async with watched(court.record) as (record, database):
        await court.judge(record)

    assert len(await court.of(await subject(prod))) == 1
    assert not [text for text in database.sent if "snapshot_members" in text]


async def test_a_newer_version_of_a_policy_is_a_cause(court: Court, prod: Place) -> None:
    await court.judge()
    changed = await policies.change(court.record, court.caller, ChangePolicy("production", KNOWN))
    await court.judge()

    *_, newest = await court.of(await subject(prod))
    assert (newest.status.value, newest.cause) == ("COMPLIANT", changed.index)


async def test_tags_of_a_flow_are_a_cause_because_policies_select_by_them(court: Court, prod: Place) -> None:
    tagged = "version: 1\nflows: {tags: {tier: product}}\nartifacts: {provenance: {required: true}}\n"
    await policies.change(court.record, court.caller, ChangePolicy("production", tagged))
    await court.judge()
    retagged = await flows.change(court.record, court.caller, ChangeFlow("delivery", tags={"tier": "product"}))
    await court.judge()

    *_, newest = await court.of(await subject(prod))
    assert (newest.status.value, newest.cause) == ("COMPLIANT", retagged.index)


async def test_every_snapshot_keeps_the_verdict_of_its_day(court: Court, prod: Place) -> None:
    await court.attest("tests", number=1)
    await prod.runs(1, 2)
    await prod.report(member(1, instances=3))
    await court.judge()
    environment = await subject(prod)
    async with court.record.database.connection(court.caller.org_id) as connection:
        moment = await court.organization.moment()
        then = await queries.of_snapshots(connection, moment, [(environment, number) for number in (3, 1, 2, 9)])

    said = [None if each is None else (each.snapshot, each.status.value, each.changed) for each in then]
    assert said == [(3, "COMPLIANT", True), (1, "INCOMPLETE", True), (2, "UNKNOWN", True), None]


async def test_a_snapshot_that_changes_nothing_has_its_judgement_and_is_no_change(court: Court, prod: Place) -> None:
    await court.judge()
    await court.artifact(2)
    await prod.runs(1, 2)
    await court.judge()
    environment = await subject(prod)

    assert await court.statuses(environment) == ["INCOMPLETE"]
    assert [(each.snapshot, each.changed) for each in await court.of(environment, unchanged=True)] == [
        *((1, True), (2, False))
    ]
    assert [each.snapshot for each in await court.lately() if each.environment] == [1]


async def test_without_a_policy_snapshots_are_unknown_and_nothing_changes(court: Court) -> None:
    place = await Place.make(court.organization, "dev")
    await place.runs(1)
    await place.runs(2)
    await court.judge()

    found = await court.of(await subject(place), unchanged=True)
    assert [(each.snapshot, each.status.value, each.changed) for each in found] == [
        *((1, "UNKNOWN", False), (2, "UNKNOWN", False))
    ]


async def test_a_logical_environment_changes_with_its_parts(court: Court, prod: Place) -> None:
    whole = await Place.make(court.organization, "all", "logical", included=("prod",))
    await policies.attach(court.record, court.caller, policy="production", environment="all")
    await court.judge()
    await court.attest("tests", number=1)
    await court.judge()
    await prod.runs(1, 7)
    await court.judge()

    assert await court.statuses(await subject(whole)) == ["INCOMPLETE", "COMPLIANT", "UNKNOWN"]


async def test_what_ran_in_staging_long_enough_turns_production_green_by_time_alone(court: Court, prod: Place) -> None:
    await policies.change(court.record, court.caller, ChangePolicy("production", STAGED))
    staging = await Place.make(court.organization, "staging")
    await court.judge()
    await staging.runs(1)
    await court.judge()
    court.pass_time(minutes=61)
    await court.judge()
    *_, green = await court.of(await subject(prod))
    began = (await staging.running())[0].since

    assert (green.status.value, green.cause, green.instant) == ("COMPLIANT", None, began + timedelta(hours=1))


async def test_evidence_that_grows_too_old_is_a_change_at_its_instant(court: Court, prod: Place) -> None:
    await policies.change(court.record, court.caller, ChangePolicy("production", FRESH))
    tests = await court.attest("tests", number=1)
    await court.judge()
    court.pass_time(days=2)
    await court.judge()
    again = await court.attest("tests", number=1)
    await court.judge()

    *_, fresh, old, renewed = await court.of(await subject(prod))
    assert (fresh.cause, fresh.holds_until) == (tests.index, tests.at + timedelta(days=1))
    assert (old.status.value, old.cause, old.instant) == ("INCOMPLETE", None, fresh.holds_until)
    assert (renewed.status.value, renewed.cause) == ("COMPLIANT", again.index)


async def test_renewed_evidence_moves_the_instant_at_which_it_is_too_old(court: Court, prod: Place) -> None:
    await policies.change(court.record, court.caller, ChangePolicy("production", FRESH))
    await court.attest("tests", number=1)
    await court.judge()
    court.pass_time(hours=20)
    await court.attest("tests", number=1)
    await court.judge()
    court.pass_time(hours=20)
    assert await court.judge() == 0
    await court.lose_ops()
    assert await court.judge() == 0
    court.pass_time(hours=20)

    assert await court.judge() == 1


# --- silence


@pytest.fixture
async def heartbeat(court: Court) -> Place:
    """An environment that should report every ten minutes, and did."""
    place = await Place.make(court.organization, "beating", cadence_seconds=600)
    await place.runs(1)
    await court.judge()
    return place


async def test_silence_is_a_change_and_so_is_its_end(court: Court, heartbeat: Place) -> None:
    newest = await heartbeat.newest()
    assert newest is not None
    court.pass_time(minutes=11)
    assert await court.judge() == 1
    assert await court.judge() == 0
    court.pass_time(minutes=30)
    assert await court.judge() == 0
    await heartbeat.runs(1)
    assert await court.judge() == 1
    assert await court.judge() == 0

    silent, heard = await court.of(await subject(heartbeat))
    assert silent.stale_since == silent.instant == newest.at + timedelta(minutes=10)
    assert (silent.status.value, silent.cause) == ("UNKNOWN", None)
    assert (heard.stale_since, heard.cause) == (None, None)


async def test_reports_without_a_change_put_silence_off(court: Court, heartbeat: Place) -> None:
    for _ in range(4):
        court.pass_time(minutes=8)
        await heartbeat.runs(1)
        assert await court.judge() == 0


async def test_a_new_snapshot_ends_a_silence_and_is_its_cause(court: Court, heartbeat: Place) -> None:
    court.pass_time(minutes=11)
    await court.judge()
    reported = await heartbeat.runs(2)
    await court.judge()

    *_, heard = await court.of(await subject(heartbeat))
    assert (heard.stale_since, heard.snapshot, heard.cause) == (None, 2, reported.receipt.index)
    assert heard.changed


async def test_a_silent_part_makes_the_whole_silent_until_it_reports(court: Court, heartbeat: Place) -> None:
    whole = await Place.make(court.organization, "whole", "logical", included=("beating",))
    await court.judge()
    court.pass_time(minutes=11)
    await court.judge()
    await heartbeat.runs(1)
    await court.judge()

    assert [each.stale_since is not None for each in await court.of(await subject(whole))] == [True, False]


async def test_a_cadence_that_is_lifted_ends_a_silence(court: Court, heartbeat: Place) -> None:
    court.pass_time(minutes=11)
    await court.judge()
    await environments.change(court.record, court.caller, ChangeEnvironment("beating", cadence_seconds=0))
    await court.judge()

    assert [each.stale_since is not None for each in await court.of(await subject(heartbeat))] == [True, False]


async def test_an_environment_out_of_use_is_not_judged_and_not_due(court: Court, heartbeat: Place) -> None:
    await environments.archive(court.record, court.caller, "beating")
    court.pass_time(minutes=30)

    assert await court.judge() == 0
    assert await court.of(await subject(heartbeat)) == []
    async with court.record.database.connection(court.caller.org_id) as connection:
        due = await connection.fetchval("SELECT count(*) FROM ops.judging_due WHERE org_id = $1", court.caller.org_id)
    assert due == 0


async def test_whose_reports_were_lost_with_ops_is_not_called_silent_at_once(court: Court, heartbeat: Place) -> None:
    court.pass_time(minutes=8)
    await heartbeat.runs(1)
    await court.judge()
    await court.lose_ops()
    court.pass_time(minutes=5)
    assert await court.judge() == 0, "it reported five minutes ago, and nobody knows"

    court.pass_time(minutes=11)
    assert await court.judge() == 1, "now it is silent whatever was lost"


async def test_who_was_silent_is_still_so_after_ops_was_lost(court: Court, heartbeat: Place) -> None:
    court.pass_time(minutes=11)
    await court.judge()
    await court.lose_ops()

    assert await court.judge() == 0
    await heartbeat.runs(1)
    assert await court.judge() == 1


# --- cost


async def test_a_look_costs_as_many_statements_for_one_environment_as_for_twenty(court: Court) -> None:
    await court.flow(template=None)
    await court.trail()
    for number in range(1, 22):
        await court.artifact(number)
        place = await Place.make(court.organization, f"prod-{number}")
        await place.runs(number)
    await court.judge()
    counts = []
    for names in (("prod-1",), tuple(f"prod-{number}" for number in range(2, 22))):
        await court.policy(TESTED, *names, name=f"tested-{len(names)}")
        await court.judge()
        changed = ChangePolicy(f"tested-{len(names)}", KNOWN)
        await policies.change(court.record, court.caller, changed)
        async with watched(court.record) as (record, database):
            assert await court.judge(record) == len(names)
            counts.append(len([text for text in database.sent if text not in database.appends()]))

    assert counts[0] == counts[1] <= 25


async def test_very_many_entries_about_what_runs_are_looked_at_together_when_time_is_short(
    court: Court, prod: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    await court.judge()
    monkeypatch.setattr(places, "ONE_BY_ONE_SECONDS", 0.0)
    for number in range(30):
        last = await court.attest("tests", number=1, compliant=number % 2 == 1)
    async with watched(court.record) as (record, database):
        await court.judge(record)

    *_, newest = await court.of(await subject(prod))
    assert (newest.status.value, newest.cause) == ("COMPLIANT", last.index)
    assert len(database.sent) < 60


async def test_two_workers_judge_an_environment_once(court: Court, prod: Place) -> None:
    await court.attest("tests", number=1)

    async def work() -> None:
        for _ in range(3):
            await service.judge(court.record, court.organization.org_id, court.organization.name)

    await asyncio.gather(work(), work(), work())

    assert await court.statuses(await subject(prod)) == ["INCOMPLETE", "COMPLIANT"]
