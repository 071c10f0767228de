"""Waivers over a real record: asked for by one, accepted by another, in force until their very instant."""

import asyncio
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from record.access.rules import Grant, Role
from record.environments import service as environments
from record.ids import WaiverId, uuid7
from record.ledger.entries import Receipt
from record.moment import Moment
from record.refusals import InvalidInput, NotAllowed, NotFound, Refusal
from record.verdicts import Status
from record.waivers import queries, service
from record.waivers.queries import Waiver
from record.waivers.rules import State
from record.waivers.service import RequestWaiver
from tests.record.approvals.scene import Scene
from tests.record.clocks import MovableClock
from tests.record.environments.places import Place, digest
from tests.record.organizations import Organization
from tests.record.statements import watched

TESTED = "version: 1\nartifacts: {attestations: [{name: tests, type: generic}], provenance: {required: true}}\n"
RULE = "attestation:tests:generic"


@pytest.fixture
async def scene(acme: Organization, clock: MovableClock) -> Scene:
    """Two artifacts that run, neither tested, the second unknown; time stands still."""
    clock.stop()
    made = await Scene.begin(acme)
    await acme.flow(made.people["ada"])
    await made.build(1)
    await made.place.runs(1)
    await made.policy(TESTED)
    return made


def soon(scene: Scene, hours: float = 24) -> datetime:
    return scene.record.clock.now() + timedelta(hours=hours)


async def request(scene: Scene, *, by: str = "ada", **wish: Any) -> Waiver:
    asked = {"environment": "prod", "reason": "The fix comes on Monday.", "expires_at": soon(scene), **wish}
    if not {"fingerprint", "rule"} & set(wish):
        asked["fingerprint"] = digest(1)
    return await waiver(scene, await service.request(scene.record, scene.people[by], RequestWaiver(**asked)))


async def waiver(scene: Scene, asked: Receipt | Waiver) -> Waiver:
    waiver_id = asked.waiver_id if isinstance(asked, Waiver) else UUID(asked.body["waiver_id"])
    async with scene.record.database.connection(scene.organization.org_id) as connection:
        (found,) = await queries.by_ids(connection, await scene.organization.moment(), [WaiverId(waiver_id)])
    assert found is not None
    return found


async def accept(scene: Scene, asked: Waiver, by: str = "bob") -> Receipt:
    return await service.accept(scene.record, scene.people[by], asked.waiver_id)


async def revoke(scene: Scene, asked: Waiver, by: str = "ada", reason: str = "Fixed.") -> Receipt:
    return await service.revoke(scene.record, scene.people[by], asked.waiver_id, reason=reason)


async def state(scene: Scene, asked: Waiver) -> State:
    return (await waiver(scene, asked)).state(scene.record.clock.now())


async def test_a_waiver_excuses_nothing_until_a_second_person_accepts_it(scene: Scene) -> None:
    asked = await request(scene)
    assert (await scene.verdict()).status is Status.INCOMPLETE
    before = await scene.organization.size()

    receipt = await accept(scene, asked)

    verdict = await scene.verdict()
    assert (verdict.status, verdict.holds_until) == (Status.COMPLIANT, asked.expires_at)
    assert "accepted by bob: The fix comes on Monday." in str(verdict.reasons)
    assert (receipt.kind, receipt.body["state"], receipt.body["fingerprint"]) == (
        "waiver.accepted",
        "IN_FORCE",
        digest(1),
    )
    assert (await scene.verdict(before)).status is Status.INCOMPLETE
    assert (asked.name, asked.requested_by, asked.policy) == ("app-1", "ada", None)


async def test_a_waiver_stops_at_its_very_instant(scene: Scene, clock: MovableClock) -> None:
    asked = await request(scene)
    await accept(scene, asked)

    clock.stop(asked.expires_at - timedelta(microseconds=1))
    assert (await scene.verdict()).status is Status.COMPLIANT
    clock.stop(asked.expires_at)

    verdict = await scene.verdict()
    assert (verdict.status, verdict.holds_until) == (Status.INCOMPLETE, None)
    assert await state(scene, asked) is State.EXPIRED
    with pytest.raises(InvalidInput, match="This waiver expired at"):
        await revoke(scene, asked)


async def test_a_revoked_waiver_excuses_nothing_from_then_on(scene: Scene) -> None:
    asked = await request(scene)
    await accept(scene, asked)

    receipt = await revoke(scene, asked)

    assert (receipt.kind, receipt.body["comment"]) == ("waiver.revoked", "Fixed.")
    assert (await scene.verdict()).status is Status.INCOMPLETE
    with pytest.raises(InvalidInput, match="ada revoked this waiver at .* already"):
        await accept(scene, asked)


async def test_a_rule_is_waived_for_everything_that_runs_or_for_one_artifact(scene: Scene) -> None:
    await scene.build(2)
    await scene.place.runs(1, 2)
    one = await request(scene, policy="guarded", rule=RULE, fingerprint=digest(1))
    await accept(scene, one)
    assert [reason.outcome for reason in (await scene.verdict()).reasons] == [Status.COMPLIANT, Status.INCOMPLETE]

    await accept(scene, await request(scene, policy="guarded", rule=RULE))

    assert (await scene.verdict()).status is Status.COMPLIANT
    assert (one.policy, one.rule) == ("guarded", RULE)


async def test_a_waived_rule_excuses_no_other(scene: Scene) -> None:
    await scene.place.runs(1, 9)

    await accept(scene, await request(scene, policy="guarded", rule=RULE))

    assert [reason.outcome for reason in (await scene.verdict()).reasons] == [Status.COMPLIANT, Status.INCOMPLETE]


async def test_a_waiver_counts_in_the_environment_that_it_names(scene: Scene) -> None:
    await Place.make(scene.organization, "staging")

    await accept(scene, await request(scene, environment="staging"))

    assert (await scene.verdict()).status is Status.INCOMPLETE


async def test_nobody_accepts_their_own_nor_what_was_requested_for_them_nor_as_a_program(scene: Scene) -> None:
    await scene.organization.hire("mia", Role.WRITER, Role.APPROVER)
    await scene.recognise()

    with pytest.raises(NotAllowed, match="mia requested this waiver"):
        await accept(scene, await request(scene, by="mia"), by="mia")
    with pytest.raises(NotAllowed, match="requested for bob"):
        await accept(scene, await request(scene, by="ci", requested_for="bob@acme.com"))
    with pytest.raises(NotAllowed, match="ci is not a person"):
        await accept(scene, await request(scene), by="ci")


async def test_only_approvers_accept_and_only_where_they_are(scene: Scene) -> None:
    elsewhere = frozenset({"staging"})
    await scene.organization.hire("may", Grant(Role.APPROVER, environments=elsewhere), Role.READER)
    await scene.recognise()
    asked = await request(scene)

    with pytest.raises(NotAllowed, match="may not review"):
        await accept(scene, asked, by="wes")
    with pytest.raises(NotAllowed, match="in the environment prod"):
        await accept(scene, asked, by="may")


async def test_a_waiver_is_revoked_by_its_requester_an_approver_or_an_admin(scene: Scene) -> None:
    await scene.organization.hire("wim", Role.WRITER)
    await scene.recognise()

    for who in ("wes", "bob", "ada"):
        asked = await request(scene, by="wes")
        await revoke(scene, asked, who)
        assert await state(scene, asked) is State.REVOKED
    with pytest.raises(NotAllowed, match="wes requested this waiver"):
        await revoke(scene, await request(scene, by="wes"), "wim")


async def test_a_revocation_needs_a_reason(scene: Scene) -> None:
    with pytest.raises(InvalidInput, match="Say why the waiver ends"):
        await revoke(scene, await request(scene), reason=" ")


@pytest.mark.parametrize(
    ("wish", "refusal", "reason"),
    [
        ({"reason": " "}, InvalidInput, "needs a reason"),
        ({"fingerprint": None}, InvalidInput, "waives nothing in particular"),
        ({"fingerprint": "abc"}, InvalidInput, "not a SHA-256"),
        ({"environment": "nowhere"}, NotFound, "no environment called nowhere"),
        ({"policy": "guarded"}, InvalidInput, "Name both, policy and rule"),
        ({"rule": RULE}, InvalidInput, "Name both, policy and rule"),
        ({"policy": "none", "rule": RULE}, NotFound, "no policy called none"),
        ({"policy": "guarded", "rule": "approvals"}, InvalidInput, f"Use one of {RULE}|Use one of provenance"),
    ],
)
async def test_what_cannot_be_waived_is_refused_and_nothing_is_recorded(
    scene: Scene, wish: dict[str, Any], refusal: type[Refusal], reason: str
) -> None:
    before = await scene.organization.size()

    with pytest.raises(refusal, match=reason):
        await request(scene, **{"fingerprint": digest(1), **wish})
    assert await scene.organization.size() == before


async def test_a_waiver_ends_within_the_limit(scene: Scene) -> None:
    most = scene.record.settings.waiver_days_max * 24
    for hours, reason in ((0, "is over already"), (most + 0.01, "at most 90 days")):
        with pytest.raises(InvalidInput, match=reason):
            await request(scene, expires_at=soon(scene, hours))
    assert (await request(scene, expires_at=soon(scene, most))).expires_at == soon(scene, most)


async def test_nothing_is_waived_in_an_archived_environment(scene: Scene) -> None:
    await environments.archive(scene.record, scene.people["ada"], "prod")

    with pytest.raises(InvalidInput, match="prod is archived"):
        await request(scene)


async def test_what_is_not_there_is_not_found(scene: Scene) -> None:
    with pytest.raises(NotFound, match="no waiver"):
        await service.accept(scene.record, scene.people["bob"], WaiverId(uuid7()))


async def test_of_an_acceptance_and_a_revocation_at_once_the_revocation_remains(scene: Scene) -> None:
    for _ in range(5):
        asked = await request(scene)
        made = await asyncio.gather(accept(scene, asked), revoke(scene, asked), return_exceptions=True)

        acts = (await waiver(scene, asked)).acts
        assert await state(scene, asked) is State.REVOKED
        assert len(acts) + sum(isinstance(each, InvalidInput) for each in made) == 2


async def test_of_two_acceptances_at_once_one_is_recorded(scene: Scene) -> None:
    asked = await request(scene)

    made = await asyncio.gather(*(accept(scene, asked, who) for who in ("bob", "cyd")), return_exceptions=True)

    assert len((await waiver(scene, asked)).acts) == 1
    (refused,) = [each for each in made if isinstance(each, InvalidInput)]
    assert "accepted this waiver at" in str(refused)


async def in_every_state(scene: Scene) -> list[Waiver]:
    """A waiver in each state, of which some are about to change."""
    made = []
    for acts, hours in (("", 9), ("a", 9), ("ar", 1), ("a", 1), ("", 1), ("r", 9)):
        asked = await request(scene, expires_at=soon(scene, hours))
        for act in acts:
            await (accept if act == "a" else revoke)(scene, asked)
        made.append(asked)
    return made


async def test_pages_by_state_agree_with_the_rules_at_every_moment(scene: Scene) -> None:
    begun = await scene.organization.size()
    await in_every_state(scene)
    newest, place = await scene.organization.size(), await scene.place.environment()

    for size in range(begun, newest + 1):
        for ahead in (0, 2, 20):
            at = await scene.organization.moment(size)
            moment = Moment(at.org_id, at.size, at.instant + timedelta(hours=ahead))
            async with scene.record.database.connection(moment.org_id) as connection:
                every = await queries.page(connection, moment, limit=50)
                there = await queries.page(connection, moment, limit=50, environments=["prod"])
                assert there == every
                for each in State:
                    told = [one for one in every if one.state(moment.instant) is each]
                    assert await queries.page(connection, moment, limit=50, state=each) == told
                    assert told == await queries.page(
                        connection, moment, limit=50, state=each, environments=["prod", "staging"]
                    )
                in_force = [str(one.waiver_id) for one in every if one.state(moment.instant) is State.IN_FORCE]
                facts = await queries.facts_about(connection, moment, [digest(1)], [place.environment_id])
                assert [fact.waiver_id for fact in facts] == in_force[::-1]


async def test_what_ends_soon_is_in_force_until_then(scene: Scene) -> None:
    made = await in_every_state(scene)
    moment = await scene.organization.moment()

    async with scene.record.database.connection(moment.org_id) as connection:
        soonest = await queries.expiring(connection, moment, moment.instant + timedelta(hours=1))
        later = await queries.expiring(connection, moment, moment.instant + timedelta(hours=9))
        none = await queries.expiring(connection, moment, moment.instant)

    assert [each.waiver_id for each in soonest] == [made[3].waiver_id]
    assert [each.waiver_id for each in later] == [made[3].waiver_id, made[1].waiver_id]
    assert none == []


async def test_facts_take_one_statement_however_many_there_are(scene: Scene) -> None:
    environment = await scene.place.environment()
    counts, found = [], []
    async with watched(scene.record) as (record, database):
        for many in (1, 1, 12):
            for number in range(many):
                await accept(scene, await request(scene, fingerprint=digest(number)))
            moment = await scene.organization.moment()
            database.sent.clear()
            async with record.database.connection(moment.org_id) as connection:
                found = await queries.facts_about(
                    connection, moment, [digest(number) for number in range(12)], [environment.environment_id]
                )
            counts.append(len(database.sent))

    assert counts[1:] == [1, 1]
    assert len(found) == 14
