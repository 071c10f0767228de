"""Drift as it went, over a real record: when it began, how it ended, what late reports do to it, what a page costs."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from record.artifacts import service as artifacts
from record.artifacts.service import ReportArtifact
from record.deployments import service
from record.deployments.service import ReportDeployment
from record.drift import queries
from record.drift.queries import Page
from record.drift.rules import DriftEvent
from tests.record.clocks import MovableClock
from tests.record.environments.places import Place, digest
from tests.record.organizations import Organization
from tests.record.statements import watched

GRACE = timedelta(minutes=15)


@pytest.fixture
async def prod(acme: Organization, clock: MovableClock) -> Place:
    """An environment, and a flow with three builds of one artifact. The clock moves when it is moved."""
    clock.stop()
    place = await Place.make(acme)
    await acme.flow(place.caller)
    for number in (1, 2, 3):
        await acme.trail(place.caller, f"t{number}")
        wish = ReportArtifact("delivery", f"t{number}", "app", digest(number), f"app-{number}")
        await artifacts.report(acme.record, place.caller, wish)
    return place


def later(clock: MovableClock, minutes: float) -> datetime:
    return clock.stop(clock.now() + timedelta(minutes=minutes))


async def deploy(place: Place, number: int, **wish: Any) -> int:
    made = await service.report(
        place.organization.record, place.caller, ReportDeployment(place.name, digest(number), **wish)
    )
    return int(made.index)


async def page(*places: Place, size: int | None = None, limit: int = 50, **asked: Any) -> Page:
    environments = [await place.environment() for place in places]
    organization = places[0].organization
    async with organization.record.database.connection(places[0].caller.org_id) as connection:
        return await queries.page(connection, await organization.moment(size), environments, limit=limit, **asked)


async def told(*places: Place, **asked: Any) -> list[tuple[str, str, str | None]]:
    found = (await page(*places, **asked)).events
    return [(each.kind.value, each.name, each.ending and each.ending.value) for each in found]


async def test_a_shadow_change_begins_when_grace_ends_and_a_late_report_ends_it(
    prod: Place, clock: MovableClock
) -> None:
    began = clock.now()
    await prod.runs(1)
    assert await told(prod) == []
    assert (await page(prod)).holds_until == began + GRACE

    later(clock, 15)
    (event,) = (await page(prod)).events
    assert (event.place.at, event.snapshot_number, event.ended_at) == (began + GRACE, 1, None)

    reported = later(clock, 60)
    await deploy(prod, 1, deployed_at=began)
    (event,) = (await page(prod)).events
    assert (event.place.at, event.ended_at) == (began + GRACE, reported)
    assert await told(prod) == [("SHADOW_CHANGE", "app-1", "REPORTED")]


async def test_what_stops_within_grace_or_is_reported_in_time_never_drifted(prod: Place, clock: MovableClock) -> None:
    await prod.runs(1, 2)
    later(clock, 5)
    await deploy(prod, 1)
    await prod.runs(1)
    later(clock, 60)

    assert await told(prod) == []


async def test_a_shadow_change_ends_when_it_stops(prod: Place, clock: MovableClock) -> None:
    await prod.runs(9)
    later(clock, 30)
    await prod.runs()

    assert await told(prod) == [("SHADOW_CHANGE", "app-9", "STOPPED")]


async def test_a_deployment_that_is_not_seen_and_what_runs_instead_until_it_is_seen_after_all(
    prod: Place, clock: MovableClock
) -> None:
    await deploy(prod, 1)
    await prod.runs(1)
    later(clock, 30)
    second = await deploy(prod, 2)
    due = clock.now() + GRACE
    later(clock, 30)
    size = await prod.organization.size()

    found = (await page(prod)).events
    assert [(each.kind.value, each.name, each.ending) for each in found] == [
        ("OTHER_VERSION", "app-1", None),
        ("NOT_SEEN", "app-2", None),
    ]
    assert {(each.place.at, each.deployment) for each in found} == {(due, second)}

    seen = later(clock, 5)
    await prod.runs(2)
    assert [(each.ending and each.ending.value, each.ended_at) for each in (await page(prod)).events] == [
        ("STOPPED", seen),
        ("SEEN", seen),
    ]
    assert [ending for _, _, ending in await told(prod, size=size)] == [None, None]


async def test_a_deployment_that_another_follows_within_grace_is_not_asked_for(
    prod: Place, clock: MovableClock
) -> None:
    await deploy(prod, 1)
    later(clock, 5)
    await deploy(prod, 2)
    await prod.runs(2)
    later(clock, 60)

    assert await told(prod) == []


async def test_a_deployment_that_another_follows_later_is_replaced(prod: Place, clock: MovableClock) -> None:
    await deploy(prod, 1)
    later(clock, 20)
    await deploy(prod, 2)
    await prod.runs(2)
    later(clock, 20)

    assert await told(prod) == [("NOT_SEEN", "app-1", "REPLACED")]


async def test_a_roll_back_that_nobody_reported_runs_another_version_until_it_is_reported(
    prod: Place, clock: MovableClock
) -> None:
    for number in (1, 2):
        await deploy(prod, number)
        await prod.runs(number)
        later(clock, 30)
    await prod.runs(1)
    later(clock, 30)
    assert await told(prod) == [("OTHER_VERSION", "app-1", None)]

    await deploy(prod, 1)
    assert await told(prod) == [("OTHER_VERSION", "app-1", "REPORTED")]


async def test_pages_and_periods_hold_each_beginning_once_in_both_directions(prod: Place, clock: MovableClock) -> None:
    staging = await Place.make(prod.organization, "staging", grace_seconds=60)
    for number in range(11, 16):
        await prod.runs(number)
        await deploy(staging, number)
        later(clock, 20)
    whole = (await page(prod, staging)).events
    places = [each.place for each in whole]
    assert len(places) == 10
    assert places == sorted(places, reverse=True)

    for examined in (3, 500):
        down: list[DriftEvent] = []
        up: list[DriftEvent] = []
        older = newer = None
        while True:
            found = await page(prod, staging, limit=2, older_than=older, examined_max=examined)
            down += found.events
            older = found.events[-1].place if len(found.events) == 2 else found.reached
            if older is None:
                break
        newer = queries.EARLIEST
        while True:
            found = await page(prod, staging, limit=2, newer_than=newer, examined_max=examined)
            up = found.events + up
            reached = found.events[0].place if len(found.events) == 2 else found.reached
            if reached is None:
                break
            newer = reached
        assert (down, up) == (whole, whole)

    middle = places[4].at
    early, late = (await page(prod, staging, until=middle)).events, (await page(prod, staging, since=middle)).events
    assert late + early == whole


async def test_a_page_takes_two_statements_and_examines_only_so_much_of_a_history_without_drift(
    prod: Place, clock: MovableClock
) -> None:
    for number in range(21, 29):
        await deploy(prod, number)
        await prod.runs(number)
        later(clock, 20)
    environment, moment = await prod.environment(), await prod.organization.moment()
    async with watched(prod.organization.record) as (record, database):
        counts = []
        for most in (4, 4, 500):
            database.sent.clear()
            async with record.database.connection(prod.caller.org_id) as connection:
                found = await queries.page(connection, moment, [environment], limit=5, examined_max=most)
            counts.append(len(database.sent))
            assert found.events == []
            assert (found.reached is None) == (most == 500)

    assert counts == [2, 2, 2]
