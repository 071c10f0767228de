"""The writes of approvals: requesting one, reviewing it, taking it back, reporting one that was given elsewhere."""

from datetime import datetime
from typing import Annotated, TypeAlias
from uuid import UUID

import strawberry

from api.graphql.approvals import Approval, ReviewDecision, approval_of
from api.graphql.context import Info
from api.graphql.errors import Refused
from api.graphql.ledger import Receipt
from api.graphql.links import CommitInput, commit_of
from api.graphql.nodes import uuid_in
from api.graphql.writes import perform
from record import details
from record.approvals import service
from record.approvals.rules import Act
from record.ids import ApprovalId, Fingerprint
from record.ledger import entries

ONCE = "The same key again gives the first receipt."
COMMITS = "Commits that it brings, as git tells them: those since what runs there now. The record adds those that it knows itself."


@strawberry.input(description="An approval to ask for.")
class RequestApprovalInput:
    environment: str = strawberry.field(description="The environment that the artifact is to be put into.")
    fingerprint: Fingerprint = strawberry.field(description="The artifact's SHA-256.")
    name: str | None = strawberry.field(
        default=None, description="What to call the artifact; without it, as it was reported, or else its fingerprint."
    )
    description: str = strawberry.field(default="", description="What reviewers should know.")
    commits: list[CommitInput] = strawberry.field(default_factory=list, description=COMMITS)
    requested_for: str | None = strawberry.field(
        default=None,
        description="Whose request it is, when you are not that person: who started the pipeline, say. They may not review it. "
        "A service account has to say it.",
    )
    expires_at: datetime | None = strawberry.field(
        default=None, description="When its time is over, approved or not; left out, never."
    )
    idempotency_key: str | None = strawberry.field(default=None, description=ONCE)


@strawberry.input(description="What a reviewer says to a request.")
class ReviewApprovalInput:
    id: strawberry.ID = strawberry.field(description="The approval's id.")
    decision: ReviewDecision = strawberry.field(description="Whether it may be put into the environment.")
    comment: str = strawberry.field(default="", description="Why. A rejection and a comment need words.")
    idempotency_key: str | None = strawberry.field(default=None, description=ONCE)


@strawberry.input(description="A request to take back.")
class WithdrawApprovalInput:
    id: strawberry.ID = strawberry.field(description="The approval's id.")
    comment: str = strawberry.field(default="", description="Why.")
    idempotency_key: str | None = strawberry.field(default=None, description=ONCE)


@strawberry.input(description="An approval that was given elsewhere.")
class ReportApprovalInput:
    environment: str = strawberry.field(description="The environment that the artifact may be put into.")
    fingerprint: Fingerprint = strawberry.field(description="The artifact's SHA-256.")
    name: str | None = strawberry.field(
        default=None, description="What to call the artifact; without it, as it was reported, or else its fingerprint."
    )
    description: str = strawberry.field(default="", description="What there is to say about it.")
    approved_by: str | None = strawberry.field(
        default=None,
        description="Who approved it: a name or an address; left out, you, if you are a person. Not who wanted it.",
    )
    approved_at: datetime | None = strawberry.field(
        default=None, description="When it was approved; left out, now. It stands from now on in any case."
    )
    requested_for: str | None = strawberry.field(
        default=None, description="Who wanted it; left out, you. A service account has to say it."
    )
    comment: str = strawberry.field(default="", description="What the approver said.")
    url: str | None = strawberry.field(default=None, description="Where it was approved: a ticket, a thread.")
    commits: list[CommitInput] = strawberry.field(default_factory=list, description=COMMITS)
    expires_at: datetime | None = strawberry.field(default=None, description="When its time is over; left out, never.")
    idempotency_key: str | None = strawberry.field(default=None, description=ONCE)


@strawberry.type(description="What was said to a request, or the request itself, was recorded.")
class ApprovalRecorded:
    receipt: Receipt = strawberry.field(description="Where and how it was recorded.")
    approval_id: strawberry.Private[ApprovalId]

    @strawberry.field(description="The approval as it is now.")
    async def approval(self, info: Info) -> Approval | None:
        return await approval_of(info, info.context.moment, self.approval_id)

    @classmethod
    def of(cls, receipt: entries.Receipt) -> "ApprovalRecorded":
        return cls(receipt=Receipt.of(receipt), approval_id=ApprovalId(UUID(receipt.body["approval_id"])))


RequestApprovalResult: TypeAlias = Annotated[ApprovalRecorded | Refused, strawberry.union("RequestApprovalResult")]
ReviewApprovalResult: TypeAlias = Annotated[ApprovalRecorded | Refused, strawberry.union("ReviewApprovalResult")]
WithdrawApprovalResult: TypeAlias = Annotated[ApprovalRecorded | Refused, strawberry.union("WithdrawApprovalResult")]
ReportApprovalResult: TypeAlias = Annotated[ApprovalRecorded | Refused, strawberry.union("ReportApprovalResult")]


@strawberry.type
class ApprovalMutations:
    @strawberry.mutation(
        description="Asks people to approve that an artifact is put into an environment. The commits that it would bring are "
        "recorded with it."
    )
    async def request_approval(self, info: Info, input: RequestApprovalInput) -> RequestApprovalResult:  # noqa: A002
        wish = _requested(input)
        receipt = await perform(
            info,
            lambda caller, once: service.request(info.context.record, caller, wish, idempotency=once),
            input=input,
            key=input.idempotency_key,
        )
        return ApprovalRecorded.of(receipt)

    @strawberry.mutation(
        description="Approves or rejects a request, or comments on it. Needs the role approver for its environment; only people "
        "may, and never whoever requested it."
    )
    async def review_approval(self, info: Info, input: ReviewApprovalInput) -> ReviewApprovalResult:  # noqa: A002
        approval_id = _approval_id(input.id)
        act = Act(str(input.decision.value))
        receipt = await perform(
            info,
            lambda caller, once: service.review(
                info.context.record, caller, approval_id, act, comment=input.comment, idempotency=once
            ),
            input=input,
            key=input.idempotency_key,
        )
        return ApprovalRecorded.of(receipt)

    @strawberry.mutation(description="Takes a request back, approved or not. Whoever requested it may, and an admin.")
    async def withdraw_approval(self, info: Info, input: WithdrawApprovalInput) -> WithdrawApprovalResult:  # noqa: A002
        approval_id = _approval_id(input.id)
        receipt = await perform(
            info,
            lambda caller, once: service.withdraw(
                info.context.record, caller, approval_id, comment=input.comment, idempotency=once
            ),
            input=input,
            key=input.idempotency_key,
        )
        return ApprovalRecorded.of(receipt)

    @strawberry.mutation(
        description="Records an approval that was given elsewhere, marked as reported: a request and its review in one. Needs "
        "the role approver for its environment."
    )
    async def report_approval(self, info: Info, input: ReportApprovalInput) -> ReportApprovalResult:  # noqa: A002
        wish = service.ReportApproval(
            _requested(input), input.approved_by, input.approved_at, comment=input.comment, url=input.url
        )
        receipt = await perform(
            info,
            lambda caller, once: service.report(info.context.record, caller, wish, idempotency=once),
            input=input,
            key=input.idempotency_key,
        )
        return ApprovalRecorded.of(receipt)


def _approval_id(given: strawberry.ID) -> ApprovalId:
    return ApprovalId(uuid_in(given, "Approval", field="id"))


def _requested(given: RequestApprovalInput | ReportApprovalInput) -> service.RequestApproval:
    commits: list[details.Commit | None] = [commit_of(each) for each in given.commits]
    return service.RequestApproval(
        environment=given.environment,
        fingerprint=given.fingerprint,
        description=given.description,
        name=given.name,
        commits=tuple(commit for commit in commits if commit is not None),
        requested_for=given.requested_for,
        expires_at=given.expires_at,
    )
