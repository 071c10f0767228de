"""Deployments as GraphQL shows and takes them, and where they and what runs drift apart."""

from collections.abc import Sequence
from datetime import datetime
from enum import Enum
from typing import Annotated, TypeAlias
from uuid import UUID

import strawberry

from api.graphql.approvals import DeploymentApproval, approvals_of_deployment
from api.graphql.artifacts import Artifact, artifact_of
from api.graphql.connections import Connection, connect, wanted
from api.graphql.context import Info
from api.graphql.errors import Refused
from api.graphql.ledger import Receipt
from api.graphql.links import Commit
from api.graphql.loaders import loaders_at
from api.graphql.nodes import Node, global_id
from api.graphql.runs import shown_name
from api.graphql.writes import perform
from record.access.rules import Action
from record.deployments import queries, rules, service
from record.environments.queries import Environment
from record.ids import DeploymentId, EntryIndex, Fingerprint
from record.moment import Moment


@strawberry.enum(description="Whether snapshots confirm a deployment.")
class DeploymentSight(Enum):
    SEEN = strawberry.enum_value("SEEN", description="A snapshot saw it run.")
    AWAITED = strawberry.enum_value("AWAITED", description="No snapshot saw it run yet, and there is time.")
    NOT_SEEN = strawberry.enum_value("NOT_SEEN", description="No snapshot saw it run within the grace period.")


@strawberry.type(description="Whether a deployment was seen running.")
class Sighting:
    status: DeploymentSight = strawberry.field(description="Whether snapshots confirm it.")
    at: datetime | None = strawberry.field(description="When it was first seen running; null while it was not.")
    snapshot_number: int | None = strawberry.field(
        description="The snapshot in which that run began; null while unseen."
    )


@strawberry.type(description="What a deployment brought, compared with the one before it.")
class CommitsSince:
    is_roll_back: bool = strawberry.field(
        description="Whether it went back to an older trail: then these are the commits that it took back."
    )
    commits: list[Commit] = strawberry.field(description="Commits of the flow's trails in between, the newest first.")
    trail_names: list[str] = strawberry.field(description="The flow's trails in between, the newest first.")


@strawberry.type(description="The reported act of putting an artifact into an environment.")
class Deployment(Node):
    fingerprint: Fingerprint = strawberry.field(description="The artifact's SHA-256.")
    name: str = strawberry.field(description="The artifact's name.")
    build_url: str | None = strawberry.field(description="The build that deployed it.")
    description: str = strawberry.field(description="What its reporter wrote about it.")
    deployed_by: str = strawberry.field(description="Who deployed it.")
    deployed_at: datetime = strawberry.field(description="When it was deployed.")
    reported_by: str = strawberry.field(description="Who reported it.")
    reported_at: datetime = strawberry.field(description="When it was reported.")
    entry_index: EntryIndex = strawberry.field(description="The entry that recorded it.")
    row: strawberry.Private[queries.Deployment]
    moment: strawberry.Private[Moment]
    seen_in: strawberry.Private[str | None] = None

    @strawberry.field(
        description="The environment's name; of a part of a logical one that is not yours to see, the logical one's."
    )
    def environment_name(self, info: Info) -> str:
        return shown_name(info, self.row.environment, self.seen_in)

    def _may_read_flow(self, info: Info) -> bool:
        return self.row.flow is not None and info.context.caller.may(Action.READ, flow=self.row.flow)

    @strawberry.field(
        description="The flow that built the artifact; null when none is known, or it is not yours to see."
    )
    def flow_name(self, info: Info) -> str | None:
        return self.row.flow if self._may_read_flow(info) else None

    @strawberry.field(description="The trail that built it; null when none is known, or it is not yours to see.")
    def trail_name(self, info: Info) -> str | None:
        return self.row.trail if self._may_read_flow(info) else None

    @strawberry.field(description="What the flow's template calls it; null when no flow is known.")
    def template_name(self, info: Info) -> str | None:
        return self.row.template_name if self._may_read_flow(info) else None

    @strawberry.field(description="The commit that it was built from, where that is known.")
    def commit(self, info: Info) -> str | None:
        return self.row.commit if self._may_read_flow(info) else None

    @strawberry.field(description="The artifact in the record; null when no flow knows it.")
    async def artifact(self, info: Info) -> Artifact | None:
        return await artifact_of(info, self.moment, self.fingerprint)

    @strawberry.field(description="Whether snapshots saw it run.")
    async def seen(self, info: Info) -> Sighting:
        loaders = loaders_at(info, self.moment)
        environment = await loaders.environments.load(self.row.environment_id)
        runs = await loaders.runs.load(self.fingerprint)
        assert environment is not None
        found = rules.sighting(
            self.deployed_at,
            [run for run in runs if run.environment_id == self.row.environment_id],
            grace=queries.grace_of(environment),
            now=self.moment.instant,
        )
        info.context.expires(found.holds_until)
        return Sighting(status=DeploymentSight(found.sight.value), at=found.at, snapshot_number=found.number)

    @strawberry.field(
        description="The deployment before it of the same artifact of the same flow to this environment; null for the first."
    )
    async def previous(self, info: Info) -> "Deployment | None":
        row = await loaders_at(info, self.moment).previous_deployments.load(self.row)
        return None if row is None else Deployment.of(row, self.moment, self.seen_in)

    @strawberry.field(
        description="Which commits are in it and were not in the deployment before, by the trails of its flow; null for "
        "the first, and when the flow is unknown or not yours to see."
    )
    async def commits_since(self, info: Info) -> CommitsSince | None:
        before = await loaders_at(info, self.moment).previous_deployments.load(self.row)
        if before is None or not self._may_read_flow(info):
            return None
        limit = info.context.record.settings.page_size_max
        async with info.context.record.database.connection(self.moment.org_id) as connection:
            trails, back = await queries.commits_between(connection, self.moment, before, self.row, limit=limit)
        commits = [Commit.of(trail.commit, trail.commit_info) for trail in trails]
        return CommitsSince(
            is_roll_back=back,
            commits=[commit for commit in commits if commit is not None],
            trail_names=[trail.name for trail in trails],
        )

    @strawberry.field(
        description="Who approved it: the approvals of its artifact for its environment that stood when it was deployed, by what "
        "was recorded then. The last requested comes first."
    )
    async def approvals(
        self,
        info: Info,
        others: Annotated[
            bool,
            strawberry.argument(description="With those that did not stand: rejected, withdrawn, expired, later."),
        ] = False,
    ) -> list[DeploymentApproval]:
        return await approvals_of_deployment(info, self.moment, self.row, others=others)

    @classmethod
    def of(cls, row: queries.Deployment, moment: Moment, seen_in: str | None = None) -> "Deployment":
        return cls(
            id=global_id("Deployment", row.deployment_id),
            fingerprint=row.fingerprint,
            name=row.name,
            build_url=row.build_url,
            description=row.description,
            deployed_by=row.deployed_by,
            deployed_at=row.deployed_at,
            reported_by=row.reported_by,
            reported_at=row.at,
            entry_index=row.entry_index,
            row=row,
            moment=moment,
            seen_in=seen_in,
        )


async def deployment_page(
    info: Info,
    moment: Moment,
    environment: Environment,
    *,
    first: int | None,
    after: str | None,
    last: int | None,
    before: str | None,
) -> Connection[Deployment]:
    """Deployments to this environment, or to those that it includes, the last reported first."""
    want = wanted(info, "deployments", first=first, after=after, last=last, before=before)
    async with info.context.record.database.connection(moment.org_id) as connection:
        rows = await queries.page(
            connection,
            moment,
            environment.places,
            limit=want.fetch,
            older_than=want.older_than,
            newer_than=want.newer_than,
        )
    return connect(
        rows, want, key=lambda row: row.entry_index, node=lambda row: Deployment.of(row, moment, environment.name)
    )


async def deployments_of_artifact(
    info: Info, moment: Moment, fingerprint: Fingerprint, environment: str | None = None
) -> list[Deployment]:
    """Deployments of an artifact, the last reported first: to that environment, or to each that the caller may read."""
    rows = await loaders_at(info, moment).deployments.load(fingerprint)
    caller = info.context.caller
    return [
        Deployment.of(row, moment)
        for row in rows
        if environment in (None, row.environment) and caller.may(Action.READ, environment=row.environment)
    ]


async def deployment_of(info: Info, moment: Moment, deployment_id: DeploymentId) -> Deployment | None:
    """The deployment of this id, if the caller may read its environment."""
    async with info.context.record.database.connection(moment.org_id) as connection:
        (row,) = await queries.by_ids(connection, moment, [deployment_id])
    if row is None or not info.context.caller.may(Action.READ, environment=row.environment):
        return None
    return Deployment.of(row, moment)


@strawberry.enum(description="How what runs and what was reported as deployed drift apart.")
class DriftKind(Enum):
    SHADOW_CHANGE = strawberry.enum_value(
        "SHADOW_CHANGE", description="It runs, and nobody reported that it was deployed here."
    )
    NOT_SEEN = strawberry.enum_value(
        "NOT_SEEN", description="It was the last to be reported as deployed, and no snapshot saw it run."
    )
    OTHER_VERSION = strawberry.enum_value(
        "OTHER_VERSION", description="It runs, but something else was the last to be deployed in its place."
    )


@strawberry.type(description="Something that runs or was deployed, and should not or does not.")
class Drift:
    kind: DriftKind = strawberry.field(description="How they drift apart.")
    fingerprint: Fingerprint = strawberry.field(description="The artifact that is meant.")
    name: str = strawberry.field(description="Its name.")
    since: datetime = strawberry.field(description="Since when: the end of the grace period.")
    explanation: str = strawberry.field(description="What is the case, for people.")
    remedy: str = strawberry.field(description="What to do.")
    environment_name: str = strawberry.field(description="Where.")
    deployment_index: EntryIndex | None = strawberry.field(
        description="The entry of the deployment that it drifts from; null for a shadow change."
    )

    @classmethod
    def of(cls, row: rules.Drift, environment_name: str) -> "Drift":
        return cls(
            kind=DriftKind(row.kind.value),
            fingerprint=row.fingerprint,
            name=row.name,
            since=row.since,
            explanation=row.explanation,
            remedy=row.remedy,
            environment_name=environment_name,
            deployment_index=row.deployment,
        )


async def drift_of(
    info: Info, moment: Moment, environments: Sequence[Environment], *, seen_in: str, most: int | None = None
) -> list[Drift]:
    """Where these environments, none of them logical, drift, at most so many; they are seen in the one of this name."""
    found: list[Drift] = []
    loaders = loaders_at(info, moment)
    for environment in environments:
        running = await loaders.running_names.load(environment.environment_id)
        async with info.context.record.database.connection(moment.org_id) as connection:
            facts = await queries.drift_facts(connection, moment, environment, running)
        decided = rules.drift(*facts, grace=queries.grace_of(environment), now=moment.instant)
        info.context.expires(decided.holds_until)
        name = shown_name(info, environment.name, seen_in)
        left = None if most is None else most - len(found)
        found += [Drift.of(each, name) for each in decided.drifts[:left]]
    return found


@strawberry.input(description="A deployment that has happened. Name the artifact by fingerprint, or by flow and name.")
class ReportDeploymentInput:
    environment: str = strawberry.field(description="The environment's name. It is not a logical one.")
    fingerprint: Fingerprint | None = strawberry.field(default=None, description="The artifact's SHA-256.")
    flow: str | None = strawberry.field(default=None, description="The flow that built it.")
    artifact: str | None = strawberry.field(
        default=None, description="Instead of a fingerprint: what the flow's template calls it. The newest is meant."
    )
    commit: str | None = strawberry.field(
        default=None, description="With `artifact`: the newest that was built from this."
    )
    name: str | None = strawberry.field(
        default=None, description="What to call the artifact; without it, as it was reported, or else its fingerprint."
    )
    build_url: str | None = strawberry.field(default=None, description="The build that deployed it.")
    description: str = strawberry.field(default="", description="What there is to say about it.")
    deployed_by: str | None = strawberry.field(default=None, description="Who deployed it, when it was not you.")
    deployed_at: datetime | None = strawberry.field(
        default=None, description="When it was deployed, when it was not now."
    )
    idempotency_key: str | None = strawberry.field(
        default=None, description="The same key again gives the first receipt."
    )


@strawberry.type(description="The deployment was reported.")
class DeploymentReported:
    receipt: Receipt = strawberry.field(description="Where and how it was recorded.")
    deployment_id: strawberry.Private[DeploymentId]

    @strawberry.field(description="The deployment as it is now.")
    async def deployment(self, info: Info) -> Deployment | None:
        return await deployment_of(info, info.context.moment, self.deployment_id)


ReportDeploymentResult: TypeAlias = Annotated[DeploymentReported | Refused, strawberry.union("ReportDeploymentResult")]


@strawberry.type
class DeploymentMutations:
    @strawberry.mutation(description="Reports that an artifact was put into an environment.")
    async def report_deployment(self, info: Info, input: ReportDeploymentInput) -> ReportDeploymentResult:  # noqa: A002
        wish = service.ReportDeployment(
            environment=input.environment,
            fingerprint=input.fingerprint,
            flow=input.flow,
            artifact=input.artifact,
            commit=input.commit,
            name=input.name,
            build_url=input.build_url,
            description=input.description,
            deployed_by=input.deployed_by,
            deployed_at=input.deployed_at,
        )
        receipt = await perform(
            info,
            lambda caller, once: service.report(info.context.record, caller, wish, idempotency=once),
            input=input,
            key=input.idempotency_key,
        )
        return DeploymentReported(
            receipt=Receipt.of(receipt), deployment_id=DeploymentId(UUID(receipt.body["deployment_id"]))
        )
