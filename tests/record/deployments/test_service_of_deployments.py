"""Deployments over a real record: by fingerprint or by name, matched with snapshots, drifting when the two disagree."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from record.access.rules import Grant, Role
from record.artifacts import service as artifacts
from record.artifacts.service import ReportArtifact
from record.deployments import queries, service
from record.deployments.queries import Deployment, grace_of
from record.deployments.rules import Drifts, drift
from record.deployments.service import ReportDeployment
from record.details import Commit
from record.environments import snapshots
from record.ids import DeploymentId, EntryIndex
from record.refusals import InvalidInput, NotAllowed, NotFound
from tests.record.clocks import MovableClock
from tests.record.environments.places import Place, digest, member
from tests.record.organizations import Organization
from tests.record.statements import watched


@pytest.fixture
async def prod(acme: Organization) -> Place:
    """An environment, and a flow with two builds of one artifact."""
    place = await Place.make(acme)
    await acme.flow(place.caller)
    for number in (1, 2):
        await acme.trail(place.caller, f"t{number}")
        await artifacts.report(
            acme.record,
            place.caller,
            ReportArtifact(
                "delivery", f"t{number}", "app", digest(number), f"app-{number}", commit=Commit(f"{number}" * 40)
            ),
        )
    return place


async def deploy(place: Place, number: int | None = None, **wish: Any) -> Deployment:
    fingerprint = None if number is None else digest(number)
    receipt = await service.report(
        place.organization.record, place.caller, ReportDeployment("prod", fingerprint, **wish)
    )
    deployment_id = DeploymentId(UUID(receipt.body["deployment_id"]))
    async with place.organization.record.database.connection(place.caller.org_id) as connection:
        (found,) = await queries.by_ids(connection, await place.organization.moment(), [deployment_id])
    assert found is not None
    return found


async def deployments(place: Place, **asked: Any) -> list[Deployment]:
    environment = await place.environment()
    async with place.organization.record.database.connection(place.caller.org_id) as connection:
        moment = await place.organization.moment()
        return await queries.page(connection, moment, [environment.environment_id], limit=50, **asked)


async def drifts(place: Place, size: int | None = None) -> Drifts:
    environment = await place.environment()
    async with place.organization.record.database.connection(place.caller.org_id) as connection:
        moment = await place.organization.moment(size)
        (running,) = await snapshots.running_now(connection, moment, [environment.environment_id])
        facts = await queries.drift_facts(connection, moment, environment, running)
        return drift(*facts, grace=grace_of(environment), now=moment.instant)


def said(found: Drifts) -> list[tuple[str, str]]:
    return [(each.kind.value, each.name) for each in found.drifts]


async def test_a_deployment_by_fingerprint_knows_where_the_artifact_came_from(prod: Place) -> None:
    made = await deploy(prod, 1, build_url="https://ci.example.com/7", description="first")

    assert (made.flow, made.trail, made.template_name, made.commit) == ("delivery", "t1", "app", "1" * 40)
    assert (made.name, made.unit, made.build_url) == ("app-1", "delivery/app", "https://ci.example.com/7")
    assert (made.deployed_by, made.reported_by, made.deployed_at) == ("ada", "ada", made.at)


async def test_a_deployment_by_name_takes_the_newest_that_the_flow_made(prod: Place) -> None:
    assert (await deploy(prod, flow="delivery", artifact="app")).fingerprint == digest(2)
    assert (await deploy(prod, flow="delivery", artifact="app", commit="1" * 7)).fingerprint == digest(1)


async def test_an_artifact_that_no_flow_knows_may_be_deployed(prod: Place) -> None:
    made = await deploy(prod, 9, name="datadog/agent:7")

    assert (made.flow, made.name, made.unit) == (None, "datadog/agent:7", digest(9))


async def test_who_and_when_are_as_reported(prod: Place, clock: MovableClock) -> None:
    when = clock.now() - timedelta(hours=2)
    made = await deploy(prod, 1, deployed_by="argo", deployed_at=when)

    assert (made.deployed_by, made.deployed_at, made.reported_by) == ("argo", when, "ada")


@pytest.mark.parametrize(
    ("wish", "refusal", "reason"),
    [
        ({}, InvalidInput, "either by its fingerprint, or by its flow"),
        ({"fingerprint": digest(1), "artifact": "app", "flow": "delivery"}, InvalidInput, "either by its fingerprint"),
        ({"artifact": "app"}, InvalidInput, "Name the flow as well"),
        ({"artifact": "web", "flow": "delivery"}, NotFound, "has no artifact called web"),
        ({"artifact": "app", "flow": "delivery", "commit": "f" * 40}, NotFound, "of commit f"),
        ({"fingerprint": digest(9), "flow": "delivery"}, NotFound, "was reported in the flow delivery"),
        ({"fingerprint": "abc"}, InvalidInput, "not a SHA-256"),
        ({"fingerprint": digest(1), "build_url": "javascript:alert(1)"}, InvalidInput, "not a web address"),
    ],
)
async def test_what_names_no_artifact_is_refused(
    prod: Place, wish: dict[str, Any], refusal: type[Exception], reason: str
) -> None:
    with pytest.raises(refusal, match=reason):
        await service.report(prod.organization.record, prod.caller, ReportDeployment("prod", **wish))


async def test_a_deployment_in_the_future_or_to_a_union_is_refused(prod: Place, clock: MovableClock) -> None:
    await Place.make(prod.organization, "world", "logical", included=("prod",))

    with pytest.raises(InvalidInput, match="is in the future"):
        await deploy(prod, 1, deployed_at=clock.now() + timedelta(hours=1))
    with pytest.raises(InvalidInput, match="world is logical"):
        await service.report(prod.organization.record, prod.caller, ReportDeployment("world", digest(1)))
    with pytest.raises(NotFound, match="no environment called nowhere"):
        await service.report(prod.organization.record, prod.caller, ReportDeployment("nowhere", digest(1)))


async def test_who_may_deploy_to_one_environment_may_not_to_another(prod: Place) -> None:
    await Place.make(prod.organization, "staging")
    wendy = await prod.organization.hired("wendy", Grant(Role.WRITER, environments=frozenset({"staging"})))

    await service.report(prod.organization.record, wendy, ReportDeployment("staging", digest(1)))
    with pytest.raises(NotAllowed, match="in the environment prod"):
        await service.report(prod.organization.record, wendy, ReportDeployment("prod", digest(1)))


async def test_drift_follows_what_is_reported_and_what_is_seen(prod: Place, clock: MovableClock) -> None:
    await prod.runs(1)
    assert (await drifts(prod)).drifts == ()
    assert (await drifts(prod)).holds_until is not None

    clock.ahead += timedelta(minutes=16)
    assert said(await drifts(prod)) == [("SHADOW_CHANGE", "app-1")]
    await deploy(prod, 1)
    assert said(await drifts(prod)) == []

    await deploy(prod, 2)
    assert said(await drifts(prod)) == []
    clock.ahead += timedelta(minutes=16)
    assert said(await drifts(prod)) == [("NOT_SEEN", "app-2"), ("OTHER_VERSION", "app-1")]
    size = await prod.organization.size()

    await prod.runs(2)
    assert said(await drifts(prod)) == []
    assert said(await drifts(prod, size)) == [("NOT_SEEN", "app-2"), ("OTHER_VERSION", "app-1")]


@pytest.mark.parametrize(("deployed", "statements"), [(1, 6), (999, 7)], ids=["it runs", "it does not"])
async def test_drift_takes_the_same_statements_however_much_runs(
    prod: Place, clock: MovableClock, deployed: int, statements: int
) -> None:
    """One more, for units, when a last deployment does not run."""
    async with watched(prod.organization.record) as (record, database):
        counts = []
        for many in (2, 400):
            await prod.report(*(member(number) for number in range(1, many)))
            await deploy(prod, deployed)
            environment, moment = await prod.environment(), await prod.organization.moment()
            for _ in range(2):
                database.sent.clear()
                async with record.database.connection(prod.caller.org_id) as connection:
                    (running,) = await snapshots.running_now(connection, moment, [environment.environment_id])
                    await queries.drift_facts(connection, moment, environment, running)
            counts.append(len(database.sent))
            assert len(running) == many - 1

    assert counts == [statements, statements]


async def test_the_deployment_before_is_of_the_same_unit_and_environment(prod: Place) -> None:
    first = await deploy(prod, 1)
    await deploy(prod, 9)
    second = await deploy(prod, 2)
    async with prod.organization.record.database.connection(prod.caller.org_id) as connection:
        found = await queries.previous(connection, await prod.organization.moment(), [second, first])

    assert found == [first, None]


async def test_deployments_are_paged_newest_first(prod: Place) -> None:
    made = [await deploy(prod, number) for number in (1, 2, 1)]

    assert await deployments(prod) == made[::-1]
    assert await deployments(prod, older_than=made[2].entry_index) == [made[1], made[0]]
    assert await deployments(prod, newer_than=made[0].entry_index) == [made[2], made[1]]
    assert await deployments(prod, newer_than=EntryIndex(-1)) == made[::-1]
