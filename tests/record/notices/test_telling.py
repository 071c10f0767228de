"""Entries as the nouns really write them, and what ends by itself, become deliveries; each once."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from record.approvals.rules import Act
from record.environments import service as environments
from record.environments.service import ChangeEnvironment
from record.ids import WaiverId
from record.moment import Moment
from record.notices import queries, service, telling
from record.notices.events import Trigger
from record.notices.queries import Delivery
from record.notices.rules import Channel
from record.notices.service import CreateNotice
from record.waivers import service as waivers
from record.waivers.service import RequestWaiver
from tests.record.approvals.scene import Scene
from tests.record.clocks import MovableClock
from tests.record.environments.places import Place, digest
from tests.record.judgements.court import TESTED, Court
from tests.record.organizations import Organization
from tests.record.statements import watched

URL = "https://hooks.example.com/muniment"


@pytest.fixture
async def scene(acme: Organization, clock: MovableClock) -> Scene:
    """An artifact of the flow delivery, an environment, and people who may approve."""
    clock.stop()
    made = await Scene.begin(acme)
    await acme.flow(made.people["ada"])
    await made.build(1)
    return made


async def notice(scene: Scene, *triggers: Trigger, **more: Any) -> None:
    wish = CreateNotice("alerts", Channel.WEBHOOK, triggers or tuple(Trigger), url=URL, **more)
    await service.create(scene.record, scene.people["ada"], wish)


async def deliveries(scene: Scene) -> list[Delivery]:
    """What is to be delivered, the oldest first, after a worker's look."""
    org_id = scene.organization.org_id
    await telling.tell(scene.record, org_id)
    async with scene.record.database.connection(org_id) as connection:
        (alerts,) = await queries.all_of(connection, Moment.latest(org_id, scene.record.clock.now()))
        return (await queries.deliveries_page(connection, org_id, alerts.notice_id, limit=100))[::-1]


async def titles(scene: Scene) -> list[str]:
    return [each.event["title"] for each in await deliveries(scene)]


async def test_approvals_are_told_as_they_are_requested_and_reviewed(scene: Scene) -> None:
    await notice(scene, Trigger.APPROVAL_REQUESTED, Trigger.APPROVAL_REVIEWED, flows=["delivery"])
    asked = await scene.request(1, description="Hurry.")
    await scene.review(asked, "bob", Act.COMMENT, "Which fix is it?")
    await scene.review(asked, "bob")

    assert await titles(scene) == [
        "Approval of app-1 for prod was requested",
        "app-1 was commented on for prod",
        "app-1 was approved for prod",
    ]
    requested, commented, _ = await deliveries(scene)
    assert requested.event["data"]["flow"] == commented.event["data"]["flow"] == "delivery"
    assert (commented.event["data"]["by"], commented.event["data"]["comment"]) == ("bob", "Which fix is it?")


async def test_approvals_of_other_flows_are_not_told_in_a_notice_about_one(scene: Scene) -> None:
    await scene.organization.flow(scene.people["ada"], "other")
    await notice(scene, Trigger.APPROVAL_REQUESTED, Trigger.APPROVAL_REVIEWED, flows=["other"])
    asked = await scene.request(1)
    await scene.review(asked, "bob")
    unknown = await scene.request(9)
    await scene.review(unknown, "bob")

    assert await titles(scene) == []


async def test_verdicts_are_told_as_they_were_judged_and_a_silence_once(
    acme: Organization, clock: MovableClock
) -> None:
    court = await Court.begin(acme, clock)
    scene = Scene(acme, {"ada": court.caller})
    await notice(scene, Trigger.ENVIRONMENT_VERDICT_CHANGED, Trigger.ENVIRONMENT_STALE)
    await court.flow(template=None)
    await court.trail()
    await court.artifact(1)
    place = await Place.make(acme)
    await court.policy(TESTED, "prod")
    await place.runs(1)
    await court.judge()
    await court.attest("tests", number=1)
    await place.runs(1, 2)
    await place.runs(1)
    await court.judge()
    await environments.change(court.record, court.caller, ChangeEnvironment("prod", cadence_seconds=60))
    clock.ahead = timedelta(hours=1)
    await court.judge()
    await court.attest("tests", number=1, compliant=False)
    clock.ahead = timedelta(hours=2)
    await court.judge()

    assert await titles(scene) == [
        "prod is INCOMPLETE",
        "prod is COMPLIANT (was INCOMPLETE)",
        "prod is UNKNOWN (was COMPLIANT)",
        "prod is COMPLIANT (was UNKNOWN)",
        "prod has fallen silent",
        "prod is NON_COMPLIANT (was COMPLIANT)",
    ]
    first = (await deliveries(scene))[0]
    assert "tests" in first.event["lines"][0][1]


async def test_what_starts_and_stops_is_told(scene: Scene) -> None:
    await notice(scene, Trigger.ARTIFACT_STARTED, Trigger.ARTIFACT_STOPPED, environments=["prod"])
    await scene.place.runs(1, 2)
    await scene.place.runs(2)

    assert await titles(scene) == ["2 artifacts started in prod", "app-1 stopped in prod"]


async def test_a_waiver_in_force_is_told_before_it_ends(scene: Scene, clock: MovableClock) -> None:
    await notice(scene, Trigger.WAIVER_EXPIRING, environments=["prod"])
    now, org_id = clock.now(), scene.organization.org_id

    async def request(days: int) -> WaiverId:
        wish = RequestWaiver(
            "prod", reason="Until the fix.", fingerprint=digest(1), expires_at=now + timedelta(days=days)
        )
        receipt = await waivers.request(scene.record, scene.people["ada"], wish)
        return WaiverId(UUID(receipt.body["waiver_id"]))

    accepted, _unaccepted = await request(10), await request(10)
    await waivers.accept(scene.record, scene.people["bob"], accepted)
    counts = []
    for days in (2.9, 3, 6, 9, 9.5, 10):
        clock.stop(now + timedelta(days=days))
        counts.append(await telling.tell_by_time(scene.record, org_id))

    assert counts == [0, 1, 0, 1, 0, 0]
    week, day = await deliveries(scene)
    assert week.event["title"] == "The waiver of app-1 in prod expires within 7 days"
    assert day.event["title"] == "The waiver of app-1 in prod expires within a day"
    assert week.event["data"]["waiver_id"] == str(accepted)
    assert week.event["data"]["reason"] == "Until the fix."


async def test_a_waiver_is_told_where_its_artifact_is_known_and_one_of_a_rule_everywhere(
    scene: Scene, clock: MovableClock
) -> None:
    await scene.organization.flow(scene.people["ada"], "other")
    await scene.policy(TESTED)
    await notice(scene, Trigger.WAIVER_EXPIRING, flows=["other"])
    ends = clock.now() + timedelta(days=2)
    for wish in (
        RequestWaiver("prod", reason="Known in delivery.", fingerprint=digest(1), expires_at=ends),
        RequestWaiver("prod", reason="Known nowhere.", fingerprint=digest(9), expires_at=ends),
        RequestWaiver(
            "prod", reason="Whatever runs.", policy="guarded", rule="attestation:tests:generic", expires_at=ends
        ),
    ):
        receipt = await waivers.request(scene.record, scene.people["ada"], wish)
        await waivers.accept(scene.record, scene.people["bob"], WaiverId(UUID(receipt.body["waiver_id"])))

    await telling.tell_by_time(scene.record, scene.organization.org_id)

    assert [each.event["data"]["reason"] for each in await deliveries(scene)] == ["Whatever runs."]


async def test_looking_costs_the_same_however_much_was_recorded_that_nobody_asked_for(scene: Scene) -> None:
    await notice(scene, Trigger.ARCHIVE_READY)
    await telling.tell(scene.record, scene.organization.org_id)
    await scene.build(2)
    async with watched(scene.record) as (record, few):
        await telling.tell(record, scene.organization.org_id)
    await scene.build(*range(3, 10))
    async with watched(scene.record) as (record, many):
        await telling.tell(record, scene.organization.org_id)

    assert len(many.sent) == len(few.sent) <= 8
    assert await deliveries(scene) == []


async def test_a_long_backlog_is_told_in_turns_and_whole(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telling, "ENTRIES_AT_ONCE", 4)
    await notice(scene, Trigger.TRAIL_BEGUN)
    await scene.build(*range(2, 10))
    org_id = scene.organization.org_id

    told = [await telling.tell(scene.record, org_id) for _ in range(4)]

    assert [(each.count, each.is_behind) for each in told] == [(4, True), (4, True), (0, False), (0, False)]
    assert len(await deliveries(scene)) == 8
