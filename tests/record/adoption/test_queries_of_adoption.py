"""Adoption over a real record: what was counted, where, and when."""

from datetime import UTC, datetime, timedelta

import pytest

from record.adoption import queries
from record.adoption.rules import Adoption, Bucket, Figures
from record.attestations.service import attest
from record.attestations.service.attest import About
from record.controls.rules import Window
from record.environments import service as environments
from record.environments.service import ChangeEnvironment
from record.judgements import service as judgements
from tests.record.clocks import MovableClock
from tests.record.controls.rooms import HOUR, MINUTE, Shop
from tests.record.organizations import Organization
from tests.record.statements import watched

DAY = timedelta(days=1)


@pytest.fixture
async def shop(acme: Organization, clock: MovableClock) -> Shop:
    clock.stop(datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) + DAY)
    return await Shop.open(acme, clock)


async def asked(shop: Shop, bucket: Bucket = Bucket.DAY) -> Adoption:
    window = Window(shop.began - HOUR, shop.clock.now() + HOUR)
    async with shop.record.database.connection(shop.caller.org_id) as connection:
        return await queries.adoption(connection, await shop.organization.moment(), window, bucket)


def of(found: Adoption, name: str) -> Figures:
    return next(each.whole for each in (*found.environments, *found.flows) if each.name == name)


async def test_runs_with_and_without_a_report_are_told_apart(shop: Shop) -> None:
    await shop.build(1)
    await shop.deploy(1)
    await shop.prod.runs(1, 2, 3)
    await shop.staging.runs(1)
    shop.wait(HOUR)

    found = await asked(shop)

    everything = found.everything.whole
    assert (everything.runs, everything.runs_reported, everything.shadow_changes) == (4, 1, 3)
    assert everything.reported_share == 0.25
    assert (of(found, "prod").runs, of(found, "staging").runs, of(found, "delivery").runs) == (3, 1, 2)


async def test_within_the_grace_period_a_run_is_neither_reported_nor_a_shadow_change(shop: Shop) -> None:
    await shop.grace(600)
    await shop.prod.runs(1)

    early = (await asked(shop)).everything.whole
    window = Window(shop.began - HOUR, shop.clock.now() + HOUR)
    async with shop.record.database.connection(shop.caller.org_id) as connection:
        due = await queries.next_due(connection, await shop.organization.moment(), window)
    shop.wait(timedelta(seconds=600))

    assert (early.runs, early.runs_reported, early.shadow_changes) == (1, 0, 0)
    assert due == shop.began + timedelta(seconds=600)
    assert (await asked(shop)).everything.whole.shadow_changes == 1


async def test_the_time_from_build_to_deployment_is_measured_by_median_and_ninth_of_ten(shop: Shop) -> None:
    await shop.build(1)
    for minutes in (10, 10, 20, 20, 40):
        shop.wait(minutes * MINUTE)
        await shop.deploy(1)

    figures = (await asked(shop)).everything.whole

    assert figures.build_to_deploy_median == 40 * 60
    assert figures.build_to_deploy_p90 == pytest.approx(84 * 60)


async def test_a_deployment_of_what_no_flow_built_has_no_time(shop: Shop) -> None:
    await shop.deploy(7)

    figures = (await asked(shop)).everything.whole

    assert (figures.deployments, figures.build_to_deploy_median) == (1, None)


async def test_a_deployment_that_no_snapshot_confirms_is_counted_when_the_grace_period_has_passed(shop: Shop) -> None:
    await shop.build(1)
    await shop.deploy(1)
    await shop.deploy(2)
    await shop.prod.runs(2)

    early = (await asked(shop)).everything.whole
    shop.wait(HOUR)
    late = await asked(shop)

    assert early.deployments_not_seen == 0
    assert (late.everything.whole.deployments_not_seen, of(late, "delivery").deployments_not_seen) == (1, 1)


async def test_what_ran_before_its_deployment_and_ended_is_not_its_confirmation(shop: Shop) -> None:
    await shop.prod.runs(1)
    await shop.prod.runs(2)
    shop.wait()
    await shop.deploy(1)
    shop.wait(HOUR)

    assert (await asked(shop)).everything.whole.deployments_not_seen == 1


async def test_evidence_is_counted_for_each_artifact(shop: Shop) -> None:
    await shop.build(1)
    await shop.build(2)
    file = await shop.organization.file(shop.caller, b"seen", "seen.txt")
    about = About("delivery", "t1", "review", evidence=(file,))
    await attest.generic(shop.record, shop.caller, about, compliant=True)

    figures = of(await asked(shop), "delivery")

    assert (figures.artifacts, figures.attestations, figures.evidence_files) == (2, 3, 1)
    assert (figures.attestations_per_artifact, figures.evidence_per_artifact) == (1.5, 0.5)


async def test_figures_are_those_of_their_period(shop: Shop) -> None:
    await shop.build(1)
    await shop.deploy(1)
    shop.wait(2 * DAY)
    await shop.deploy(1)
    await shop.deploy(1, "staging")

    found = await asked(shop)

    assert [figures.deployments for _, figures in found.everything.periods] == [1, 0, 2]
    assert [figures.artifacts for _, figures in found.everything.periods] == [1, 0, 0]
    assert found.everything.whole.deployments == 3


async def test_what_lies_outside_of_the_window_does_not_count(shop: Shop) -> None:
    await shop.build(1)
    await shop.deploy(1, deployed_at=shop.began - 2 * DAY)

    assert (await asked(shop)).everything.whole.deployments == 0


async def test_the_number_of_statements_does_not_depend_on_how_much_there_is(shop: Shop) -> None:
    async def statements() -> int:
        moment, window = await shop.organization.moment(), Window(shop.began - HOUR, shop.clock.now() + HOUR)
        async with watched(shop.record) as (record, database):
            async with record.database.connection(shop.caller.org_id) as connection:
                await queries.adoption(connection, moment, window, Bucket.DAY)
            return len(database.reads())

    few = await statements()
    for number in (1, 2, 3):
        await shop.build(number)
        await shop.deploy(number)
    await shop.prod.runs(*range(1, 20))

    assert await statements() == few == 5


async def rounds(shop: Shop) -> None:
    """What the judging worker does, until there is nothing more to look at."""
    while (done := await judgements.judge(shop.record, shop.caller.org_id, shop.organization.name)) is not None:
        if not done.is_behind:
            return


async def test_falling_silent_is_counted_once_for_each_silence(shop: Shop) -> None:
    change = ChangeEnvironment("prod", cadence_seconds=600)
    await environments.change(shop.record, shop.caller, change)
    for _ in range(2):
        await shop.prod.runs(1)
        await rounds(shop)
        shop.wait(HOUR)
        await rounds(shop)
        await shop.prod.runs(1, 2)
        shop.wait()
        await rounds(shop)

    found = await asked(shop)

    assert (found.everything.whole.times_stale, of(found, "prod").times_stale) == (2, 2)
