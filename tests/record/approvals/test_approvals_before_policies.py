"""Approvals as policies count them: from the entry that gave them until the instant that ends them."""

from datetime import timedelta

import pytest

from record.approvals import service
from record.approvals.rules import Act
from record.approvals.service import ReportApproval, RequestApproval
from record.details import Commit
from record.verdicts import Status
from tests.record.approvals.scene import Scene
from tests.record.clocks import MovableClock
from tests.record.environments.places import digest
from tests.record.organizations import Organization
from tests.record.statements import watched

ONE = "version: 1\nartifacts: {approvals: {min: 1}}\n"
TWO = "version: 1\nartifacts: {approvals: {min: 2}}\n"
NOT_AUTHOR = "version: 1\nartifacts: {approvals: {min: 1, not-author: true}}\n"
YOUNG = "version: 1\nartifacts: {approvals: {min: 1, max-age: 1h}}\n"


@pytest.fixture
async def scene(acme: Organization) -> Scene:
    """Something runs that a flow knows."""
    made = await Scene.begin(acme)
    await acme.flow(made.people["ada"])
    await made.build(1)
    await made.place.runs(1)
    return made


async def status(scene: Scene, size: int | None = None) -> Status:
    return (await scene.verdict(size)).status


async def test_an_environment_is_compliant_from_the_approval_on(scene: Scene) -> None:
    await scene.policy(ONE)
    assert await status(scene) is Status.INCOMPLETE
    asked = await scene.request(1)
    assert await status(scene) is Status.INCOMPLETE
    before = await scene.organization.size()

    await scene.review(asked, "bob")

    verdict = await scene.verdict()
    assert (verdict.status, verdict.holds_until) == (Status.COMPLIANT, None)
    assert verdict.reasons[0].because[0].explanation == "Approved by bob."
    assert await status(scene, before) is Status.INCOMPLETE


async def test_a_rejection_makes_it_wrong_and_a_new_request_mends_it(scene: Scene) -> None:
    await scene.policy(ONE)
    asked = await scene.request(1)
    await scene.review(asked, "bob")

    await scene.review(asked, "cyd", Act.REJECT, "It leaks.")
    assert await status(scene) is Status.NON_COMPLIANT
    anew = await scene.request(1)
    assert await status(scene) is Status.INCOMPLETE
    await scene.review(anew, "bob")
    assert await status(scene) is Status.COMPLIANT


async def test_a_withdrawn_approval_no_longer_counts(scene: Scene) -> None:
    await scene.policy(ONE)
    asked = await scene.request(1)
    await scene.review(asked, "bob")

    await service.withdraw(scene.record, scene.people["ada"], asked.approval_id)

    assert await status(scene) is Status.INCOMPLETE


async def test_two_people_must_approve_the_same_request(scene: Scene) -> None:
    await scene.policy(TWO)
    first, second = await scene.request(1), await scene.request(1)
    await scene.review(first, "bob")
    await scene.review(first, "bob")
    await scene.review(second, "cyd")
    assert await status(scene) is Status.INCOMPLETE

    await scene.review(first, "cyd")

    assert await status(scene) is Status.COMPLIANT


async def test_an_approval_counts_in_the_environment_that_it_names(scene: Scene) -> None:
    await type(scene.place).make(scene.organization, "staging")
    await scene.policy(ONE)

    await scene.review(await scene.request(1, environment="staging"), "bob")

    assert await status(scene) is Status.INCOMPLETE


async def test_an_author_does_not_approve_their_own_commits(scene: Scene) -> None:
    await scene.policy(NOT_AUTHOR)
    asked = await scene.request(1, commits=(Commit("b" * 40, "fix", "Bob <bob@acme.com>"),))

    await scene.review(asked, "bob")
    assert await status(scene) is Status.INCOMPLETE
    await scene.review(asked, "cyd")
    assert await status(scene) is Status.COMPLIANT


async def test_without_knowing_every_author_nobody_can_be_told_from_one(scene: Scene) -> None:
    await scene.policy(NOT_AUTHOR)
    asked = await scene.request(1, commits=(Commit("b" * 40, "by whom?"),))

    await scene.review(asked, "cyd")

    verdict = await scene.verdict()
    assert verdict.status is Status.INCOMPLETE
    assert "the authors of its commits are not known" in verdict.reasons[0].because[0].explanation


async def test_a_verdict_holds_until_the_approval_expires(scene: Scene, clock: MovableClock) -> None:
    now = clock.stop()
    end = now + timedelta(hours=2)
    await scene.policy(ONE)
    await scene.review(await scene.request(1, expires_at=end), "bob")

    verdict = await scene.verdict()
    assert (verdict.status, verdict.holds_until) == (Status.COMPLIANT, end)
    clock.stop(end - timedelta(microseconds=1))
    assert await status(scene) is Status.COMPLIANT
    clock.stop(end)

    verdict = await scene.verdict()
    assert (verdict.status, verdict.holds_until) == (Status.INCOMPLETE, None)


async def test_a_reported_approval_counts_from_when_it_was_given(scene: Scene, clock: MovableClock) -> None:
    await scene.policy(YOUNG)
    given_at = clock.stop() - timedelta(minutes=50)
    wish = ReportApproval(RequestApproval("prod", digest(1)), approved_by="zoe", approved_at=given_at)
    await service.report(scene.record, scene.people["bob"], wish)

    verdict = await scene.verdict()

    assert (verdict.status, verdict.holds_until) == (Status.COMPLIANT, given_at + timedelta(hours=1))


async def test_judging_takes_the_same_statements_however_many_approvals_and_waivers_there_are(scene: Scene) -> None:
    await scene.policy(ONE)
    counts = []
    async with watched(scene.record) as (record, database):
        watching = Scene(scene.organization, scene.people)
        watching.place = scene.place
        watching.organization.record = record
        for many in (1, 15):
            for number in range(1, many + 1):
                await scene.review(await scene.request(number), "bob")
            await scene.place.runs(*range(1, many + 1))
            await watching.verdict()
            database.sent.clear()
            await watching.verdict()
            counts.append(len([text for text in database.sent if "ops.ledgers" not in text]))

    assert counts[0] == counts[1]


async def test_to_ask_anew_is_no_way_around_a_rejection(scene: Scene) -> None:
    await scene.policy(ONE)
    await scene.review(await scene.request(1), "bob")
    await scene.review(await scene.request(1), "cyd", Act.REJECT, "It leaks.")
    assert await status(scene) is Status.NON_COMPLIANT

    anew = await scene.request(1)

    assert await status(scene) is Status.INCOMPLETE
    await scene.review(anew, "bob")
    assert await status(scene) is Status.COMPLIANT
