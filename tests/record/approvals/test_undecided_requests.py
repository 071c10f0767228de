"""What is noted of requests that nobody has decided: where a queue begins to look, and never what it answers."""

from datetime import timedelta
from typing import Any

import pytest

from record.approvals import queries
from record.approvals.rules import Act, State
from record.ids import EntryIndex
from record.moment import Moment
from record.requests import queries as requests
from record.requests.service import note_anew, note_undecided
from tests.record.approvals.scene import Scene
from tests.record.clocks import MovableClock
from tests.record.environments.places import Place
from tests.record.organizations import Organization


@pytest.fixture
async def scene(acme: Organization) -> Scene:
    made = await Scene.begin(acme)
    await Place.make(acme, "staging")
    return made


async def note(scene: Scene, moment: Moment) -> None:
    async with scene.record.database.connection(moment.org_id) as connection:
        await requests.note(connection, moment, queries.QUEUE)


async def noted(scene: Scene) -> tuple[int, list[int] | None]:
    async with scene.record.database.connection(scene.organization.org_id) as connection:
        row = await connection.fetchrow(
            "SELECT size, entry_indexes FROM ops.undecided_requests WHERE org_id = $1 AND requests = 'record.approvals'",
            scene.organization.org_id,
        )
    assert row is not None
    return row["size"], row["entry_indexes"]


async def asked_of(scene: Scene, moment: Moment, **asked: Any) -> list[EntryIndex]:
    async with scene.record.database.connection(moment.org_id) as connection:
        found = await queries.page(connection, moment, **{"limit": 50, **asked})
    return [each.entry_index for each in found]


async def undecided_by_the_rules(scene: Scene, moment: Moment, **asked: Any) -> list[EntryIndex]:
    """Of all requests, looked at one by one."""
    async with scene.record.database.connection(moment.org_id) as connection:
        found = await queries.page(connection, moment, limit=50, **asked)
    return [each.entry_index for each in found if each.standing(moment.instant).state is State.REQUESTED]


async def a_history(scene: Scene, clock: MovableClock) -> int:
    """Requests that are decided at once, late and never, some with an expiry. The size at which it begins."""
    begun = await scene.organization.size()
    waiting = [
        await scene.request(number, environment="staging" if number % 2 else "prod", expires_at=expires_at)
        for number, expires_at in enumerate([None, clock.now() + timedelta(minutes=1), None, None])
    ]
    for act in (Act.APPROVE, Act.REJECT, Act.COMMENT):
        await scene.review(await scene.request(9), "bob", act, "So.")
    await scene.review(waiting[0], "bob", Act.COMMENT, "Why?")
    await scene.review(waiting[2], "bob")
    return begun


async def test_whatever_was_noted_the_queue_is_the_same_at_every_moment(scene: Scene, clock: MovableClock) -> None:
    begun = await a_history(scene, clock)
    newest = await scene.organization.size()

    for noted_at in range(begun, newest + 1, 2):
        await note(scene, await scene.organization.moment(noted_at))
        for size in range(begun, newest + 1):
            for ahead in (timedelta(), timedelta(minutes=2)):
                at = await scene.organization.moment(size)
                moment = Moment(at.org_id, at.size, at.instant + ahead)
                for where in (None, ["prod"], ["prod", "staging"], []):
                    told = await undecided_by_the_rules(scene, moment, environments=where)
                    assert await asked_of(scene, moment, environments=where, state=State.REQUESTED) == told


async def test_pages_go_forward_and_back_over_what_was_noted_and_what_came_after(scene: Scene) -> None:
    early = [(await scene.request(number)).entry_index for number in range(3)]
    await note(scene, await scene.organization.moment())
    late = [(await scene.request(number)).entry_index for number in range(3, 6)]
    moment = await scene.organization.moment()
    every = [*late[::-1], *early[::-1]]

    async def part(**asked: Any) -> list[EntryIndex]:
        return await asked_of(scene, moment, state=State.REQUESTED, **asked)

    assert await part() == every
    assert await part(limit=2, older_than=every[1]) == every[2:4]
    assert await part(limit=2, newer_than=every[4]) == every[2:4]
    assert await part(limit=2, newer_than=EntryIndex(-1)) == every[-2:]


async def test_it_is_noted_for_ledgers_that_have_grown(scene: Scene, clock: MovableClock) -> None:
    forgotten = await scene.request(1)
    await scene.request(2, expires_at=clock.now() + timedelta(minutes=1))
    clock.ahead += timedelta(minutes=2)
    await scene.review(await scene.request(3), "bob")
    size = await scene.organization.size()

    await note_undecided(scene.record, grown_by=size)
    assert await noted(scene) == (size, [forgotten.entry_index])

    asked = await scene.request(4)
    await note_undecided(scene.record, grown_by=size)
    assert await noted(scene) == (size, [forgotten.entry_index])
    await note_undecided(scene.record, grown_by=1)
    assert await noted(scene) == (size + 1, [forgotten.entry_index, asked.entry_index])


async def test_a_note_that_somebody_emptied_is_made_anew_from_the_record(scene: Scene) -> None:
    asked = await scene.request(1)
    await note_undecided(scene.record, grown_by=1)
    async with scene.record.database.connection(scene.organization.org_id) as connection:
        await connection.execute("UPDATE ops.undecided_requests SET entry_indexes = '{}'")
    assert await asked_of(scene, await scene.organization.moment(), state=State.REQUESTED) == []

    await note_anew(scene.record, scene.organization.org_id)

    assert await noted(scene) == (await scene.organization.size(), [asked.entry_index])


async def test_an_older_note_never_takes_the_place_of_a_newer_one(scene: Scene) -> None:
    before = await scene.organization.moment()
    asked = await scene.request(1)
    after = await scene.organization.moment()

    await note(scene, after)
    await note(scene, before)

    assert await noted(scene) == (after.size, [asked.entry_index])


async def test_what_is_too_much_to_note_is_looked_for_among_all(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = [(await scene.request(number)).entry_index for number in range(3)]
    moment = await scene.organization.moment()

    monkeypatch.setattr(requests, "UNDECIDED_MAX", 2)
    await note(scene, moment)

    assert await noted(scene) == (moment.size, None)
    assert await asked_of(scene, moment, state=State.REQUESTED) == asked[::-1]
