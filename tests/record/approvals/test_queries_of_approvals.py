"""The queue of approvals: every state at every moment, in pages, in as many statements as for one."""

from datetime import timedelta

import pytest

from record.approvals import queries, service
from record.approvals.queries import Approval
from record.approvals.rules import Act, State
from record.ids import EntryIndex
from record.moment import Moment
from tests.record.approvals.scene import Scene
from tests.record.clocks import MovableClock
from tests.record.environments.places import Place, digest
from tests.record.organizations import Organization
from tests.record.statements import watched


@pytest.fixture
async def scene(acme: Organization) -> Scene:
    made = await Scene.begin(acme)
    await Place.make(acme, "staging")
    return made


async def in_every_state(scene: Scene, clock: MovableClock) -> list[Approval]:
    """Two requests in each state, and one whose last word is a comment."""
    soon, later = clock.now() + timedelta(minutes=1), clock.now() + timedelta(days=1)
    made = []
    for environment in ("prod", "staging"):
        for number, (acts, expires_at) in enumerate(
            [
                ((), None),
                ((Act.APPROVE,), later),
                ((Act.APPROVE, Act.REJECT), soon),
                ((Act.APPROVE, Act.WITHDRAW), soon),
                ((Act.APPROVE,), soon),
                ((), soon),
                ((Act.APPROVE, Act.COMMENT), None),
            ]
        ):
            asked = await scene.request(number, environment=environment, expires_at=expires_at)
            for act in acts:
                if act is Act.WITHDRAW:
                    await service.withdraw(scene.record, scene.people["ada"], asked.approval_id)
                else:
                    await scene.review(asked, "bob", act, "So.")
            made.append(asked)
    return made


async def page(scene: Scene, moment: Moment, **asked: object) -> list[Approval]:
    async with scene.record.database.connection(scene.organization.org_id) as connection:
        return await queries.page(connection, moment, **{"limit": 50, **asked})  # type: ignore[arg-type]


async def test_the_queue_agrees_with_the_rules_at_every_moment(scene: Scene, clock: MovableClock) -> None:
    begun = await scene.organization.size()
    await in_every_state(scene, clock)
    newest = await scene.organization.size()

    for size in range(begun, newest + 1):
        for ahead in (timedelta(), timedelta(minutes=2), timedelta(days=2)):
            moment = await scene.organization.moment(size)
            moment = Moment(moment.org_id, moment.size, moment.instant + ahead)
            every = await page(scene, moment)
            for state in State:
                told = [each for each in every if each.standing(moment.instant).state is state]
                assert await page(scene, moment, state=state) == told


async def test_the_queue_is_of_an_environment_or_of_several(scene: Scene, clock: MovableClock) -> None:
    made = await in_every_state(scene, clock)
    moment = await scene.organization.moment()

    there = await page(scene, moment, environments=["staging"])
    open_there = await page(scene, moment, environments=["staging"], state=State.REQUESTED)
    both = await page(scene, moment, environments=["prod", "staging"])

    assert [each.approval_id for each in there] == [each.approval_id for each in made[:6:-1]]
    assert {each.environment for each in open_there} == {"staging"}
    assert both == await page(scene, moment)
    assert await page(scene, moment, environments=[]) == []


async def test_pages_go_forward_and_back(scene: Scene, clock: MovableClock) -> None:
    await in_every_state(scene, clock)
    moment = await scene.organization.moment()
    every = await page(scene, moment, state=State.APPROVED)

    assert await page(scene, moment, state=State.APPROVED, limit=2) == every[:2]
    assert await page(scene, moment, state=State.APPROVED, limit=2, older_than=every[1].entry_index) == every[2:4]
    assert await page(scene, moment, state=State.APPROVED, limit=2, newer_than=every[3].entry_index) == every[1:3]
    assert await page(scene, moment, limit=1, newer_than=EntryIndex(-1)) == (await page(scene, moment))[-1:]


async def test_facts_take_as_many_statements_for_many_artifacts_as_for_one(scene: Scene) -> None:
    for number in range(12):
        await scene.review(await scene.request(number), "bob")
    moment = await scene.organization.moment()

    async with watched(scene.record) as (record, database):
        counts = []
        for many in (1, 1, 12):
            database.sent.clear()
            async with record.database.connection(scene.organization.org_id) as connection:
                found = await queries.facts_about(connection, moment, [digest(number) for number in range(many)])
            counts.append(len(database.sent))
            assert len(found) == many

    assert counts[1:] == [2, 2]


async def test_an_artifact_without_requests_has_no_facts(scene: Scene) -> None:
    async with scene.record.database.connection(scene.organization.org_id) as connection:
        assert await queries.facts_about(connection, await scene.organization.moment(), [digest(1)]) == {}


async def test_what_stood_when_something_was_deployed_is_what_was_recorded_and_had_not_ended_by_then(
    scene: Scene, clock: MovableClock
) -> None:
    asked_at = clock.stop()
    asked = await scene.request(1, expires_at=asked_at + timedelta(hours=3))
    clock.stop(asked_at + timedelta(hours=1))
    reviewed = await scene.review(asked, "bob")
    found = await scene.approval(asked)

    def stood(hours: float, before: int) -> State | None:
        then = found.standing_when(asked_at + timedelta(hours=hours), EntryIndex(before))
        return None if then is None else then.state

    late = reviewed.index + 9
    assert stood(-0.5, late) is None
    assert stood(2, asked.entry_index - 1) is None
    assert stood(0.5, late) is State.REQUESTED  # deployed before the review, reported after it
    assert stood(2, reviewed.index) is State.REQUESTED
    assert stood(1, late) is State.APPROVED
    assert stood(2.99, late) is State.APPROVED
    assert stood(3, late) is State.EXPIRED
