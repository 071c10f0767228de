"""Approvals over a real record: who may say what to whose request, and what is left of two who say it at once."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from record.access.rules import Grant, Role
from record.approvals import service
from record.approvals.rules import Act, State
from record.approvals.service import ReportApproval, RequestApproval
from record.environments import service as environments
from record.ids import ApprovalId, uuid7
from record.ledger.append import Ledger
from record.ledger.entries import Idempotency
from record.readings import rows_of
from record.refusals import InvalidInput, NotAllowed, NotFound, Refusal
from tests.record.approvals.scene import Scene
from tests.record.clocks import MovableClock
from tests.record.environments.places import Place, digest
from tests.record.organizations import Organization


@pytest.fixture
async def scene(acme: Organization) -> Scene:
    return await Scene.begin(acme)


async def test_a_request_is_approved_by_somebody_else(scene: Scene) -> None:
    asked = await scene.request(1, description="The fix.", name="app-1")
    before = await scene.organization.size()

    receipt = await scene.review(asked, "bob", comment="  Looks good. ")

    found = await scene.approval(asked)
    assert (asked.requested_by, asked.description, asked.name, asked.reported) == ("ada", "The fix.", "app-1", False)
    assert [(each.who, each.act, each.comment, each.entry_index) for each in found.acts] == [
        ("bob", Act.APPROVE, "Looks good.", receipt.index)
    ]
    assert await scene.state(asked) is State.APPROVED
    assert await scene.state(asked, before) is State.REQUESTED
    assert (receipt.kind, receipt.body["state"], receipt.body["fingerprint"]) == (
        "approval.reviewed",
        "APPROVED",
        digest(1),
    )


async def test_a_request_takes_comments_and_further_approvals_until_it_is_rejected(scene: Scene) -> None:
    asked = await scene.request(1)

    await scene.review(asked, "bob", Act.COMMENT, "Which ticket?")
    assert await scene.state(asked) is State.REQUESTED
    await scene.review(asked, "bob")
    await scene.review(asked, "cyd")
    assert [each.who for each in (await scene.approval(asked)).standing(scene.record.clock.now()).approvals] == [
        "bob",
        "cyd",
    ]
    await scene.review(asked, "bob", Act.REJECT, "It breaks the login.")

    assert await scene.state(asked) is State.REJECTED
    with pytest.raises(InvalidInput, match="bob rejected this request"):
        await scene.review(asked, "cyd")
    await scene.review(asked, "cyd", Act.COMMENT, "Pity.")


@pytest.mark.parametrize("act", [Act.APPROVE, Act.REJECT, Act.COMMENT])
async def test_nobody_reviews_their_own_request(scene: Scene, act: Act) -> None:
    await scene.organization.hire("mia", Role.WRITER, Role.APPROVER)
    await scene.recognise()
    asked = await scene.request(1, by="mia")
    before = await scene.organization.size()

    with pytest.raises(NotAllowed, match="mia requested this approval"):
        await scene.review(asked, "mia", act, "I think so.")
    assert await scene.organization.size() == before


async def test_the_person_behind_a_pipeline_does_not_review_what_it_requested(scene: Scene) -> None:
    asked = await scene.request(1, by="ci", requested_for="Bob <bob@acme.com>")

    with pytest.raises(NotAllowed, match="requested for Bob"):
        await scene.review(asked, "bob")
    await scene.review(asked, "cyd")
    assert (asked.requested_by, asked.requester) == ("ci", "Bob <bob@acme.com>")


async def test_a_service_account_says_for_whom_it_requests(scene: Scene) -> None:
    before = await scene.organization.size()

    with pytest.raises(InvalidInput, match=r"ci is a service account.*Name that person \(requestedFor\)") as refused:
        await scene.request(1, by="ci")
    assert refused.value.field == "requestedFor"
    with pytest.raises(InvalidInput, match="CI <ci@acme.com> is a service account"):
        await scene.request(1, by="ci", requested_for="CI <ci@acme.com>")
    await scene.employ("nightly", Role.WRITER)
    await scene.recognise()
    with pytest.raises(InvalidInput, match="nightly is a service account"):
        await scene.request(1, by="ci", requested_for="nightly")
    assert await scene.organization.size() == before + 2  # nightly and its key


async def test_what_a_service_account_once_requested_for_nobody_is_reviewed_by_nobody(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unasked(*_: Any, **__: Any) -> None:
        """As it was before this was asked."""

    monkeypatch.setattr(service, "require_somebody_behind", unasked)
    asked = await scene.request(1, by="ci")

    with pytest.raises(NotAllowed, match="ci requested this approval and did not say for whom"):
        await scene.review(asked, "bob")
    await service.withdraw(scene.record, scene.people["ada"], asked.approval_id)


async def test_a_service_account_reviews_nothing(scene: Scene) -> None:
    asked = await scene.request(1)

    with pytest.raises(NotAllowed, match="ci is not a person"):
        await scene.review(asked, "ci")


async def test_only_approvers_review_and_only_where_they_are(scene: Scene) -> None:
    await scene.organization.hire("sam", Grant(Role.APPROVER, environments=frozenset({"staging"})))
    await scene.organization.hire("pat", Grant(Role.APPROVER, environments=frozenset({"prod"})), Grant(Role.READER))
    await scene.organization.hire("may", Grant(Role.APPROVER, environments=frozenset({"staging"})), Role.READER)
    await scene.recognise()
    asked = await scene.request(1)

    with pytest.raises(NotAllowed, match="may not review approvals"):
        await scene.review(asked, "wes")
    with pytest.raises(NotFound, match="no approval"):
        await scene.review(asked, "sam")
    with pytest.raises(NotAllowed, match="in the environment prod"):
        await scene.review(asked, "may")
    await scene.review(asked, "pat")
    assert await scene.state(asked) is State.APPROVED


async def test_only_writers_request_and_only_where_they_are(scene: Scene) -> None:
    await Place.make(scene.organization, "staging")

    assert (await scene.request(1, by="wes")).requested_by == "wes"
    with pytest.raises(NotAllowed, match="in the environment staging"):
        await scene.request(1, by="wes", environment="staging")
    with pytest.raises(NotAllowed, match="may not record"):
        await scene.request(1, by="bob")


@pytest.mark.parametrize(
    ("wish", "refusal", "reason"),
    [
        ({"environment": "nowhere"}, NotFound, "no environment called nowhere"),
        ({"fingerprint": "abc"}, InvalidInput, "not a SHA-256"),
        ({"requested_for": "  "}, InvalidInput, "A person without a name"),
        ({"description": "x" * 4_001}, InvalidInput, "Use at most 4000"),
    ],
)
async def test_what_cannot_be_requested_is_refused_and_nothing_is_recorded(
    scene: Scene, wish: dict[str, Any], refusal: type[Refusal], reason: str
) -> None:
    before = await scene.organization.size()
    asked = {"environment": "prod", "fingerprint": digest(1), **wish}

    with pytest.raises(refusal, match=reason):
        await service.request(scene.record, scene.people["ada"], RequestApproval(**asked))
    assert await scene.organization.size() == before


async def test_nothing_is_requested_for_an_archived_environment(scene: Scene) -> None:
    await environments.archive(scene.record, scene.people["ada"], "prod")

    with pytest.raises(InvalidInput, match="prod is archived"):
        await scene.request(1)


async def test_a_rejection_and_a_comment_need_words(scene: Scene) -> None:
    asked = await scene.request(1)

    for act in (Act.REJECT, Act.COMMENT):
        with pytest.raises(InvalidInput, match="Say something"):
            await scene.review(asked, "bob", act, "  ")


async def test_a_request_is_withdrawn_by_its_requester_or_an_admin_and_by_nobody_else(scene: Scene) -> None:
    first, second = await scene.request(1, by="wes"), await scene.request(2, by="wes")

    with pytest.raises(NotAllowed, match="wes requested this approval"):
        await service.withdraw(scene.record, scene.people["ci"], first.approval_id)
    receipt = await service.withdraw(scene.record, scene.people["wes"], first.approval_id, comment="Not yet.")
    await service.withdraw(scene.record, scene.people["ada"], second.approval_id)

    assert (receipt.kind, receipt.body["comment"]) == ("approval.withdrawn", "Not yet.")
    assert [await scene.state(each) for each in (first, second)] == [State.WITHDRAWN, State.WITHDRAWN]
    with pytest.raises(InvalidInput, match="wes withdrew this request"):
        await scene.review(first, "bob")
    with pytest.raises(InvalidInput, match="wes withdrew this request"):
        await service.withdraw(scene.record, scene.people["wes"], first.approval_id)


async def test_what_is_not_there_is_not_found(scene: Scene) -> None:
    with pytest.raises(NotFound, match="no approval"):
        await service.review(scene.record, scene.people["bob"], ApprovalId(uuid7()), Act.APPROVE)


async def test_a_request_expires_at_its_instant_without_any_entry(scene: Scene, clock: MovableClock) -> None:
    now = clock.stop()
    asked = await scene.request(1, expires_at=now + timedelta(hours=1))
    await scene.review(asked, "bob")
    size = await scene.organization.size()

    clock.stop(now + timedelta(minutes=59))
    assert await scene.state(asked) is State.APPROVED
    clock.stop(now + timedelta(hours=1))

    assert await scene.state(asked) is State.EXPIRED
    with pytest.raises(InvalidInput, match="This request expired at"):
        await scene.review(asked, "cyd")
    assert await scene.organization.size() == size


async def test_what_would_have_expired_already_is_not_requested(scene: Scene, clock: MovableClock) -> None:
    with pytest.raises(InvalidInput, match="is over already"):
        await scene.request(1, expires_at=clock.now())


async def test_a_review_that_is_decided_in_time_and_recorded_too_late_changes_nothing(
    scene: Scene, clock: MovableClock
) -> None:
    now = clock.stop()
    asked = await scene.request(1, expires_at=now + timedelta(hours=1))
    slow = MovableClock()
    slow.stop(now + timedelta(hours=1))
    late = replace(scene.record, ledger=Ledger(scene.record.database, slow, rows_of))

    await service.review(late, scene.people["bob"], asked.approval_id, Act.APPROVE)

    clock.stop(now + timedelta(hours=2))
    found = (await scene.approval(asked)).standing(clock.now())
    assert (found.state, found.approvals) == (State.EXPIRED, ())


async def test_of_a_rejection_and_a_withdrawal_at_once_one_happens_and_the_other_is_told_so(scene: Scene) -> None:
    for _ in range(5):
        asked = await scene.request(1)
        made = await asyncio.gather(
            scene.review(asked, "bob", Act.REJECT, "No."),
            service.withdraw(scene.record, scene.people["ada"], asked.approval_id),
            return_exceptions=True,
        )

        found = await scene.approval(asked)
        refused = [each for each in made if isinstance(each, InvalidInput)]
        assert len(found.acts) == len(refused) == 1
        ended = found.acts[0]
        assert (ended.act is Act.REJECT) == (await scene.state(asked) is State.REJECTED)
        assert f"{ended.who} {'rejected' if ended.act is Act.REJECT else 'withdrew'} this request" in str(refused[0])


async def test_two_approvals_at_once_are_both_recorded_one_after_the_other(scene: Scene) -> None:
    asked = await scene.request(1)

    receipts = await asyncio.gather(*(scene.review(asked, who) for who in ("bob", "cyd", "bob", "cyd")))

    found = await scene.approval(asked)
    assert [each.number for each in found.acts] == [1, 2, 3, 4]
    assert [each.entry_index for each in found.acts] == sorted(receipt.index for receipt in receipts)
    assert await scene.state(asked) is State.APPROVED


async def test_of_an_approval_and_a_rejection_at_once_the_rejection_remains(scene: Scene) -> None:
    for _ in range(5):
        asked = await scene.request(1)
        made = await asyncio.gather(
            scene.review(asked, "bob"), scene.review(asked, "cyd", Act.REJECT, "No."), return_exceptions=True
        )

        acts = [each.act for each in (await scene.approval(asked)).acts]
        assert await scene.state(asked) is State.REJECTED
        assert acts in ([Act.REJECT], [Act.APPROVE, Act.REJECT])
        assert isinstance(made[0], InvalidInput) == (acts == [Act.REJECT])


async def test_of_acts_through_several_servers_each_is_decided_by_what_came_before(scene: Scene) -> None:
    asked = await scene.request(1)
    others = [
        replace(scene.record, ledger=Ledger(scene.record.database, scene.record.clock, rows_of)) for _ in range(4)
    ]

    made = await asyncio.gather(
        *(
            service.review(record, scene.people[who], asked.approval_id, Act.REJECT, comment="No.")
            for record, who in zip(others, ("bob", "cyd", "bob", "cyd"), strict=True)
        ),
        return_exceptions=True,
    )

    assert len((await scene.approval(asked)).acts) == 1
    assert sum(isinstance(each, InvalidInput) for each in made) == 3


async def test_a_review_with_an_idempotency_key_is_recorded_once(scene: Scene) -> None:
    asked = await scene.request(1)
    once = Idempotency("k", "a" * 64)

    receipts = await asyncio.gather(
        *(
            service.review(
                scene.record, scene.people["bob"], asked.approval_id, Act.APPROVE, comment="Yes.", idempotency=once
            )
            for _ in range(3)
        )
    )

    assert len({receipt.index for receipt in receipts}) == 1
    assert len((await scene.approval(asked)).acts) == 1


def reported(**more: Any) -> ReportApproval:
    request = {"environment": "prod", "fingerprint": digest(1), **more.pop("request", {})}
    return ReportApproval(RequestApproval(**request), **more)


async def test_an_approval_that_was_given_elsewhere_is_recorded_as_reported(scene: Scene, clock: MovableClock) -> None:
    yesterday = clock.now() - timedelta(days=1)
    before = await scene.organization.size()

    receipt = await service.report(
        scene.record,
        scene.people["bob"],
        reported(approved_by="Zoe <zoe@acme.com>", approved_at=yesterday, url="https://chat.example.com/1"),
    )

    found = await scene.approval(receipt)
    (given,) = found.acts
    assert await scene.organization.size() == before + 2
    assert (found.reported, found.requested_by, await scene.state(found)) == (True, "bob", State.APPROVED)
    assert (given.reported, given.who, given.principal, given.url) == (
        True,
        "Zoe <zoe@acme.com>",
        "bob",
        "https://chat.example.com/1",
    )
    assert (given.given_at, given.at) == (yesterday, receipt.at)


async def test_an_approver_may_report_their_own_approval_of_what_somebody_else_wanted(scene: Scene) -> None:
    receipt = await service.report(
        scene.record, scene.people["bob"], reported(request={"requested_for": "wes"}, comment="On the phone.")
    )

    found = await scene.approval(receipt)
    assert (found.requester, found.acts[0].who, found.acts[0].comment) == ("wes", "bob", "On the phone.")


@pytest.mark.parametrize(
    ("who", "wish", "refusal", "reason"),
    [
        ("ada", {"approved_by": "zoe"}, NotAllowed, "may not review approvals"),
        ("bob", {}, NotAllowed, "bob would have approved what they wanted"),
        ("bob", {"approved_by": "Bob <bob@acme.com>"}, NotAllowed, "approved what they wanted"),
        ("bob", {"approved_by": "zoe", "request": {"requested_for": "zoe@acme.com"}}, NotAllowed, "what they wanted"),
        ("ci", {"request": {"requested_for": "wes"}}, NotAllowed, "ci is not a person.*Say who approved it"),
        ("ci", {"approved_by": "zoe"}, InvalidInput, "ci is a service account.*Name that person"),
        ("bob", {"approved_by": " "}, InvalidInput, "A person without a name"),
        ("bob", {"approved_by": "zoe", "url": "javascript:alert(1)"}, InvalidInput, "not a web address"),
    ],
)
async def test_a_report_that_cannot_be_is_refused_and_nothing_is_recorded(
    scene: Scene, who: str, wish: dict[str, Any], refusal: type[Refusal], reason: str
) -> None:
    before = await scene.organization.size()

    with pytest.raises(refusal, match=reason):
        await service.report(scene.record, scene.people[who], reported(**wish))
    assert await scene.organization.size() == before


async def test_an_approval_of_tomorrow_is_not_reported(scene: Scene, clock: MovableClock) -> None:
    with pytest.raises(InvalidInput, match="is in the future"):
        await service.report(
            scene.record,
            scene.people["bob"],
            reported(approved_by="zoe", approved_at=clock.now() + timedelta(days=1)),
        )
