"""Approvals as GraphQL shows them: the queue, one with its reviews, and those that stood when something was deployed."""

from datetime import datetime
from enum import Enum
from typing import Annotated

import strawberry
from strawberry import Parent

from api.graphql.artifacts import Artifact, artifact_of
from api.graphql.connections import Connection, connect, wanted
from api.graphql.context import Info
from api.graphql.ledger import After, Before, First, Last
from api.graphql.loaders import loaders_at
from api.graphql.nodes import AtMoment, Node, global_id, uuid_in
from api.graphql.runs import readable_names
from record.access.rules import Action
from record.approvals import queries, rules
from record.approvals.rules import Act, Done, State
from record.deployments.queries import Deployment
from record.ids import ApprovalId, EntryIndex, Fingerprint
from record.moment import Moment


@strawberry.enum(description="Where a request for approval stands.")
class ApprovalState(Enum):
    REQUESTED = strawberry.enum_value("REQUESTED", description="Nobody has approved or rejected it yet.")
    APPROVED = strawberry.enum_value(
        "APPROVED", description="Somebody approved it. How many must is the affair of policies; more may."
    )
    REJECTED = strawberry.enum_value("REJECTED", description="Somebody rejected it, for good.")
    WITHDRAWN = strawberry.enum_value("WITHDRAWN", description="It was taken back, for good.")
    EXPIRED = strawberry.enum_value("EXPIRED", description="Its time is over, for good.")


@strawberry.enum(description="What a reviewer says.")
class ReviewDecision(Enum):
    APPROVE = strawberry.enum_value("approve", description="It may be put into the environment.")
    REJECT = strawberry.enum_value("reject", description="It may not. One rejection is enough.")
    COMMENT = strawberry.enum_value("comment", description="Neither yet; only words.")


@strawberry.type(description="What somebody said to a request.")
class ApprovalReview:
    decision: ReviewDecision = strawberry.field(description="What they decided.")
    by: str = strawberry.field(description="Who it was. Of a reported approval, who is said to have given it.")
    comment: str = strawberry.field(description="What they wrote.")
    counts: bool = strawberry.field(
        description="Whether it took effect. What was recorded at or after the expiry does not."
    )
    reported: bool = strawberry.field(
        description="Whether it was given elsewhere and reported here: then its reviewer never used a key of this server."
    )
    url: str | None = strawberry.field(description="Where a reported approval was given.")
    given_at: datetime = strawberry.field(description="When it was given.")
    recorded_by: str = strawberry.field(description="Who recorded it.")
    recorded_at: datetime = strawberry.field(description="When it was recorded.")
    entry_index: EntryIndex = strawberry.field(description="The entry that recorded it.")

    @classmethod
    def of(cls, done: Done, expires_at: datetime | None) -> "ApprovalReview":
        return cls(
            decision=ReviewDecision(done.act.value),
            by=done.who,
            comment=done.comment,
            counts=expires_at is None or done.at < expires_at,
            reported=done.reported,
            url=done.url,
            given_at=done.given_at,
            recorded_by=done.principal,
            recorded_at=done.at,
            entry_index=done.entry_index,
        )


@strawberry.type(description="That a request was taken back.")
class ApprovalWithdrawal:
    by: str = strawberry.field(description="Who took it back.")
    comment: str = strawberry.field(description="What they wrote.")
    at: datetime = strawberry.field(description="When.")
    entry_index: EntryIndex = strawberry.field(description="The entry that recorded it.")


@strawberry.type(description="A commit that an artifact would bring into an environment.")
class BroughtCommit:
    sha: str = strawberry.field(description="The commit's hash.")
    author: str | None = strawberry.field(description="Its author; null when nobody said.")
    message: str | None = strawberry.field(description="The first line of its message.")
    trail_name: str | None = strawberry.field(
        description="The flow's trail that the record knows it from; null when only the request names it."
    )


@strawberry.type(description="What an artifact would replace in an environment.")
class Replaced:
    fingerprint: Fingerprint = strawberry.field(description="Its SHA-256.")
    name: str = strawberry.field(description="Its name.")
    trail_name: str = strawberry.field(description="The trail that built it.")
    commit: str | None = strawberry.field(description="The commit that it was built from, where that is known.")


@strawberry.type(description="The commits that an artifact would bring, as they were when it was requested.")
class BroughtCommits:
    since: Replaced | None = strawberry.field(
        description="What ran there of its kind: the commits are those since then. Null when nothing did: then it is the commit "
        "that the artifact was built from."
    )
    is_roll_back: bool = strawberry.field(
        description="Whether it goes back to an older trail: then these are the commits that it takes back."
    )
    commits: list[BroughtCommit] = strawberry.field(
        description="The record's own, the newest first, then those that only the request names."
    )
    omitted: int = strawberry.field(description="How many more there were than an entry could hold.")
    authors: list[str] = strawberry.field(description="Who wrote them.")
    authors_known: bool = strawberry.field(
        description="Whether these are all of their authors. If not, nobody can be told from an author."
    )

    @classmethod
    def of(cls, row: queries.Approval) -> "BroughtCommits":
        said = row.commits
        since = said.get("since")
        return cls(
            since=None
            if since is None
            else Replaced(
                fingerprint=since["fingerprint"],
                name=since["name"],
                trail_name=since["trail"],
                commit=since.get("commit"),
            ),
            is_roll_back=said.get("is_roll_back", False),
            commits=[
                BroughtCommit(
                    sha=each["sha"],
                    author=each.get("author"),
                    message=each.get("message"),
                    trail_name=each.get("trail"),
                )
                for each in said["list"]
            ],
            omitted=said["omitted"],
            authors=list(row.authors),
            authors_known=row.authors_known,
        )


@strawberry.type(description="A request to put an artifact into an environment, and what people said to it.")
class Approval(Node):
    state: ApprovalState = strawberry.field(description="Where it stands.")
    environment_name: str = strawberry.field(description="The environment's name.")
    fingerprint: Fingerprint = strawberry.field(description="The artifact's SHA-256.")
    name: str = strawberry.field(description="The artifact's name.")
    description: str = strawberry.field(description="What its requester wrote about it.")
    requested_by: str = strawberry.field(description="Who requested it.")
    requested_for: str | None = strawberry.field(
        description="Whose request it is, when it came through somebody else, such as a pipeline. They may not review it either."
    )
    requested_at: datetime = strawberry.field(description="When it was requested.")
    reported: bool = strawberry.field(
        description="Whether it was requested and approved elsewhere, and reported here afterwards."
    )
    expires_at: datetime | None = strawberry.field(description="When its time is over; null: never.")
    entry_index: EntryIndex = strawberry.field(description="The entry that requested it.")
    row: strawberry.Private[queries.Approval]
    moment: strawberry.Private[Moment]

    @strawberry.field(description="Who approved it, each once, in the order in which they did.")
    def approved_by(self) -> list[str]:
        return _people(self.row.standing(self.moment.instant))

    @strawberry.field(description="Everything that people said to it, in the order of the ledger.")
    def reviews(self) -> list[ApprovalReview]:
        return [ApprovalReview.of(done, self.row.expires_at) for done in self.row.acts if done.act is not Act.WITHDRAW]

    @strawberry.field(description="Who took it back, and when; null while nobody did.")
    def withdrawal(self) -> ApprovalWithdrawal | None:
        for done in self.row.acts:
            if done.act is Act.WITHDRAW:
                return ApprovalWithdrawal(
                    by=done.principal, comment=done.comment, at=done.at, entry_index=done.entry_index
                )
        return None

    @strawberry.field(
        description="The commits that it would bring, or brought; null when the flow is not yours to see."
    )
    def commits(self, info: Info) -> BroughtCommits | None:
        if self.row.flow is not None and not info.context.caller.may(Action.READ, flow=self.row.flow):
            return None
        return BroughtCommits.of(self.row)

    @strawberry.field(description="The artifact in the record; null when no flow knows it.")
    async def artifact(self, info: Info) -> Artifact | None:
        return await artifact_of(info, self.moment, self.fingerprint)

    @classmethod
    def of(cls, info: Info, row: queries.Approval, moment: Moment) -> "Approval":
        """As it stands at the moment; an answer with it holds no longer than that."""
        stands = row.standing(moment.instant)
        if stands.state in rules.OPEN:
            info.context.expires(row.expires_at)
        return cls(
            id=global_id("Approval", row.approval_id),
            state=ApprovalState(stands.state.value),
            environment_name=row.environment,
            fingerprint=row.fingerprint,
            name=row.name,
            description=row.description,
            requested_by=row.requested_by,
            requested_for=row.requested_for,
            requested_at=row.at,
            reported=row.reported,
            expires_at=row.expires_at,
            entry_index=row.entry_index,
            row=row,
            moment=moment,
        )


def _people(standing: rules.Standing) -> list[str]:
    return list(dict.fromkeys(done.who for done in standing.approvals))


@strawberry.type(description="An approval, seen from a deployment of its artifact to its environment.")
class DeploymentApproval:
    approval: Approval = strawberry.field(description="The approval, as it is at the moment that you ask about.")
    stood: bool = strawberry.field(description="Whether it was approved when the artifact was deployed.")
    state_then: ApprovalState | None = strawberry.field(
        description="Where it stood when the artifact was deployed; null when nobody had requested it yet."
    )
    approved_by: list[str] = strawberry.field(description="Who had approved it by then.")


async def approvals_of_deployment(
    info: Info, moment: Moment, deployment: Deployment, *, others: bool
) -> list[DeploymentApproval]:
    """The approvals of its artifact for its environment that stood when it was deployed, the last requested first.

    By what was recorded then: a deployment that is reported late does not find what was approved in between. With `others`, those
    that did not stand, too.
    """
    if not info.context.caller.may(Action.READ, environment=deployment.environment):
        return []  # seen in a logical environment, without a right to this part of it
    found = []
    for row in await loaders_at(info, moment).approvals.load(deployment.fingerprint):
        if row.environment_id != deployment.environment_id:
            continue
        then = row.standing_when(deployment.deployed_at, deployment.entry_index)
        stood = then is not None and then.state is State.APPROVED
        if stood or others:
            found.append(
                DeploymentApproval(
                    approval=Approval.of(info, row, moment),
                    stood=stood,
                    state_then=None if then is None else ApprovalState(then.state.value),
                    approved_by=[] if then is None else _people(then),
                )
            )
    return found


async def approvals_of_artifact(
    info: Info, moment: Moment, fingerprint: Fingerprint, environment: str | None = None
) -> list[Approval]:
    """Requests to put an artifact somewhere, the last one first: into that environment, or each that the caller may read."""
    caller = info.context.caller
    return [
        Approval.of(info, row, moment)
        for row in await loaders_at(info, moment).approvals.load(fingerprint)
        if environment in (None, row.environment) and caller.may(Action.READ, environment=row.environment)
    ]


async def approval_of(info: Info, moment: Moment, approval_id: ApprovalId) -> Approval | None:
    """The approval of this id, if the caller may read its environment."""
    async with info.context.record.database.connection(moment.org_id) as connection:
        (row,) = await queries.by_ids(connection, moment, [approval_id])
    if row is None or not info.context.caller.may(Action.READ, environment=row.environment):
        return None
    return Approval.of(info, row, moment)


ABOUT_QUEUE = "Requests for approval, the last one first: the queue of reviewers is those REQUESTED."
ABOUT_APPROVAL = "The approval of this id; null when there is none."


async def approval_asked(root: Parent[AtMoment], info: Info, id: strawberry.ID) -> Approval | None:  # noqa: A002
    """`Record.approval`."""
    return await approval_of(info, root.moment, ApprovalId(uuid_in(id, "Approval", field="id")))


async def approval_queue(
    root: Parent[AtMoment],
    info: Info,
    state: Annotated[ApprovalState | None, strawberry.argument(description="Only those in this state.")] = None,
    environment: Annotated[str | None, strawberry.argument(description="Only those for this environment.")] = None,
    first: First = None,
    after: After = None,
    last: Last = None,
    before: Before = None,
) -> Connection[Approval]:
    """`Record.approvals`: in a state or in any, for an environment or for each that the caller may read."""
    context, moment = info.context, root.moment
    want = wanted(info, "approvals", first=first, after=after, last=last, before=before)
    names = await readable_names(info, moment, environment)
    if state is ApprovalState.EXPIRED:
        context.look_outside()  # time alone brings others here
    async with context.record.database.connection(moment.org_id) as connection:
        rows = await queries.page(
            connection,
            moment,
            limit=want.fetch,
            environments=names,
            state=None if state is None else State(state.value),
            older_than=want.older_than,
            newer_than=want.newer_than,
        )
    return connect(rows, want, key=lambda row: row.entry_index, node=lambda row: Approval.of(info, row, moment))
