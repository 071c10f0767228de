"""Environments as GraphQL shows and takes them."""

from datetime import datetime
from enum import Enum
from typing import Annotated

import strawberry

from api.graphql.connections import Connection, connect, page_size, wanted
from api.graphql.context import Info
from api.graphql.deployments import Deployment, Drift, deployment_page, drift_of
from api.graphql.drift_events import DriftEvent, drift_event_page
from api.graphql.judgements import Judgement, Unchanged, judgements_of
from api.graphql.ledger import After, Before, First, Last
from api.graphql.loaders import loaders_at
from api.graphql.nodes import Node, global_id
from api.graphql.policies import Policy, policies_attached, verdict_of_environment
from api.graphql.runs import environment_row
from api.graphql.scalars import Json
from api.graphql.snapshots import EnvironmentEvent, RunningArtifact, Snapshot, event_place, running_page_of, snapshot_at
from api.graphql.standing import Standing, artifact_count_of, standing_of
from api.graphql.verdicts import Verdict
from api.graphql.waivers import Waiver, waivers_of_environment
from record.access.rules import Action
from record.environments import queries, rules, snapshots
from record.ids import EntryIndex, EnvironmentId, LedgerSize
from record.ledger import queries as ledger
from record.moment import Moment


@strawberry.enum(description="What kind of place an environment is. It stays for good.")
class EnvironmentType(Enum):
    K8S = strawberry.enum_value("k8s", description="A Kubernetes cluster, or namespaces of one.")
    DOCKER = strawberry.enum_value("docker", description="A Docker host.")
    SERVER = strawberry.enum_value("server", description="Paths on a server.")
    S3 = strawberry.enum_value("s3", description="Contents of an S3 bucket.")
    LAMBDA = strawberry.enum_value("lambda", description="AWS Lambda functions.")
    ECS = strawberry.enum_value("ecs", description="Amazon ECS tasks and services.")
    CLOUD_RUN = strawberry.enum_value("cloud-run", description="Google Cloud Run services and jobs.")
    AZURE_APPS = strawberry.enum_value("azure-apps", description="Azure web apps and function apps.")
    LOGICAL = strawberry.enum_value("logical", description="The union of other environments.")


@strawberry.type(description="A place where artifacts run.")
class Environment(Node):
    name: str = strawberry.field(description="Its name in the organization. Names never change.")
    type: EnvironmentType = strawberry.field(description="What kind of place it is.")
    description: str = strawberry.field(description="What it is for.")
    tags: Json = strawberry.field(description="Its tags, an object of texts.")
    cadence_seconds: int | None = strawberry.field(
        description="How often it should report, at the latest; null when no report is ever overdue."
    )
    grace_seconds: int = strawberry.field(
        description="How long reports of deployments and snapshots may take to find each other before they count as drift."
    )
    archived: bool = strawberry.field(description="Whether it is out of use.")
    version: int = strawberry.field(description="How often it was recorded: 1 when nothing was changed.")
    created_at: datetime = strawberry.field(description="When it was created.")
    changed_at: datetime = strawberry.field(description="When it was last changed.")
    entry_index: EntryIndex = strawberry.field(description="The entry that last changed it.")
    row: strawberry.Private[queries.Environment]
    moment: strawberry.Private[Moment]
    waivers: Connection[Waiver] = strawberry.field(
        resolver=waivers_of_environment, description="Its waivers, the last requested first: in a state, or in any."
    )

    @strawberry.field(
        description="The environments that a logical one unites, as far as you may read them; empty for any other."
    )
    async def included(self, info: Info) -> "list[Environment]":
        readable = info.context.caller.readable_environments()
        rows = await self._included(info)
        return [Environment.of(row, self.moment) for row in rows if readable is None or row.name in readable]

    async def _included(self, info: Info) -> list[queries.Environment]:
        found = await loaders_at(info, self.moment).environments.load_many(list(self.row.included))
        return [row for row in found if row is not None]

    @strawberry.field(
        description="When it last reported, changed or not; of a logical one, the part that is silent longest. At a past moment, "
        "to the hour: amid reports without a change, that moment itself."
    )
    async def last_reported_at(self, info: Info) -> datetime | None:
        info.context.look_outside()
        found = await loaders_at(info, self.moment).last_reports.load_many(list(self.row.places))
        reported = [at for at in found if at is not None]
        return min(reported) if reported and len(reported) == len(found) else None

    @strawberry.field(
        description="Since when it has been silent for longer than its cadence allows; null while it is not. "
        "Of a logical environment, the first of its parts to fall silent."
    )
    async def stale(self, info: Info) -> datetime | None:
        return await self._stale(info)

    async def _stale(self, info: Info) -> datetime | None:
        places = await self._included(info) if self.row.is_logical else [self.row]
        if all(each.cadence_seconds is None for each in places):
            return None
        info.context.look_outside()
        reports = await loaders_at(info, self.moment).last_reports.load_many([each.environment_id for each in places])
        since = [
            rules.stale_since(at or each.created_at, each.cadence_seconds, now=self.moment.instant)
            for each, at in zip(places, reports, strict=True)
            if not each.archived
        ]
        return min((at for at in since if at is not None), default=None)

    @strawberry.field(description="What runs in it, by name.")
    async def running(
        self, info: Info, first: First = None, after: After = None, last: Last = None, before: Before = None
    ) -> Connection[RunningArtifact]:
        return await running_page_of(info, self.moment, self.row, first=first, after=after, last=last, before=before)

    @strawberry.field(
        description="How many artifacts run in it, as of its newest snapshot. What runs in several parts of a logical environment "
        "counts in each."
    )
    async def artifact_count(self, info: Info) -> int:
        return await artifact_count_of(info, self.moment, self.row)

    @strawberry.field(description="Its snapshots, the newest first. A logical environment has none of its own.")
    async def snapshots(
        self, info: Info, first: First = None, after: After = None, last: Last = None, before: Before = None
    ) -> Connection[Snapshot]:
        want = wanted(info, "snapshots", first=first, after=after, last=last, before=before)
        async with info.context.record.database.connection(self.moment.org_id) as connection:
            rows = await snapshots.page(
                connection,
                self.moment,
                self.row.environment_id,
                limit=want.fetch,
                older_than=want.older_than,
                newer_than=want.newer_than,
            )
        return connect(
            rows, want, key=lambda row: row.entry_index, node=lambda row: Snapshot.of([row], self.row, self.moment)
        )

    @strawberry.field(
        description="The snapshot that an expression asks for: `#12`, `~2` (before the newest), `@{2026-11-01T12:00:00Z}`, "
        "`@{2.days.ago}`, `@{now}`, or nothing for the newest. The environment's name may stand in front."
    )
    async def snapshot(self, info: Info, expression: str = "") -> Snapshot:
        return await snapshot_at(info, self.moment, self.row, expression)

    @strawberry.field(description="What happened in it, the newest first.")
    async def changes(
        self,
        info: Info,
        since: Annotated[
            datetime | None, strawberry.argument(description="Only what happened after this instant.")
        ] = None,
        until: Annotated[
            datetime | None, strawberry.argument(description="Only what happened up to this instant.")
        ] = None,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[EnvironmentEvent]:
        want = wanted(info, "changes", first=first, after=after, last=last, before=before)
        start, end = event_place(want.after), event_place(want.before)
        async with info.context.record.database.connection(self.moment.org_id) as connection:
            sizes: list[LedgerSize | None] = [
                None if at is None else await ledger.size_at(connection, self.moment.org_id, at)
                for at in (since, until)
            ]
            rows = await snapshots.events(
                connection,
                self.moment,
                self.row.places,
                limit=want.fetch,
                since=sizes[0],
                until=sizes[1],
                older_than=start,
                newer_than=((-1, 0) if end is None else end) if want.backward else None,
            )
        return connect(
            rows,
            want,
            key=lambda row: f"{row.entry_index}.{row.place}",
            node=lambda row: EnvironmentEvent.of(row, self.moment, self.name),
        )

    @strawberry.field(description="Deployments that were reported to it, the last reported first.")
    async def deployments(
        self, info: Info, first: First = None, after: After = None, last: Last = None, before: Before = None
    ) -> Connection[Deployment]:
        return await deployment_page(info, self.moment, self.row, first=first, after=after, last=last, before=before)

    @strawberry.field(description="Where what runs in it and what was reported as deployed to it drift apart.")
    async def drift(
        self,
        info: Info,
        first: Annotated[
            int | None, strawberry.argument(description="Only so many; all of them when left out.")
        ] = None,
    ) -> list[Drift]:
        most = None if first is None else page_size(info, first)
        places = await self._included(info) if self.row.is_logical else [self.row]
        return await drift_of(info, self.moment, places, seen_in=self.name, most=most)

    @strawberry.field(
        description="When drifts began, the newest first, by what was recorded then: a late report ends a drift and does not "
        "undo it. Of a logical environment, those of its parts. OTHER_VERSION is told where a run or a deployment began it: what "
        "was deployed before runs on instead of what was deployed last, or runs again and nobody reported that. A page examines so "
        "many runs and deployments at most; it may be shorter than asked for, and even empty: follow hasNextPage."
    )
    async def drift_events(
        self,
        info: Info,
        since: Annotated[
            datetime | None, strawberry.argument(description="Only what began after this instant.")
        ] = None,
        until: Annotated[
            datetime | None, strawberry.argument(description="Only what began up to this instant.")
        ] = None,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[DriftEvent]:
        places = await self._included(info) if self.row.is_logical else [self.row]
        return await drift_event_page(
            info,
            self.moment,
            places,
            seen_in=self.name,
            since=since,
            until=until,
            first=first,
            after=after,
            last=last,
            before=before,
        )

    @strawberry.field(description="The policies that are attached to it, by name.")
    async def policies(self, info: Info) -> list[Policy]:
        return await policies_attached(info, self.moment, self.row.environment_id)

    @strawberry.field(
        description="What its policies say of all that runs in it, and why; UNKNOWN without a policy or with nothing running. "
        "While it is stale, the verdict is on what it reported last, and the first reason says so."
    )
    async def verdict(self, info: Info) -> Verdict:
        silent = await self._stale(info)
        return await verdict_of_environment(info, self.moment, self.row.environment_id, stale=silent)

    @strawberry.field(
        description="How it stands, by the judgement recorded last where that is the last word: for pages that show a status, "
        "however much runs."
    )
    async def standing(self, info: Info) -> Standing:
        return await standing_of(info, self.moment, self.row)

    @strawberry.field(description="When its verdict changed or it fell silent, and why: the newest first.")
    async def judgements(
        self,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        unchanged: Unchanged = False,
    ) -> Connection[Judgement]:
        subject = self.row.environment_id
        return await judgements_of(
            info, self.moment, subject, unchanged=unchanged, first=first, after=after, last=last, before=before
        )

    @classmethod
    def of(cls, row: queries.Environment, moment: Moment) -> "Environment":
        return cls(
            id=global_id("Environment", row.environment_id),
            name=row.name,
            type=EnvironmentType(row.type),
            description=row.description,
            tags=Json(row.tags),
            cadence_seconds=row.cadence_seconds,
            grace_seconds=row.grace_seconds,
            archived=row.archived,
            version=row.version,
            created_at=row.created_at,
            changed_at=row.changed_at,
            entry_index=row.entry_index,
            row=row,
            moment=moment,
        )


async def environment_named(info: Info, moment: Moment, name: str) -> Environment | None:
    """The environment of this name, if the caller may read it."""
    row = await environment_row(info, moment, name)
    return None if row is None else Environment.of(row, moment)


async def environment_of(info: Info, moment: Moment, environment_id: EnvironmentId) -> Environment | None:
    """The environment of this id, if the caller may read it."""
    row = await loaders_at(info, moment).environments.load(environment_id)
    if row is None or not info.context.caller.may(Action.READ, environment=row.name):
        return None
    return Environment.of(row, moment)


async def environment_page(
    info: Info,
    moment: Moment,
    *,
    first: int | None,
    after: str | None,
    last: int | None,
    before: str | None,
    archived: bool = False,
) -> Connection[Environment]:
    """Environments by name: those that the caller may read, the archived ones only when asked."""
    want = wanted(info, "environments", first=first, after=after, last=last, before=before)
    async with info.context.record.database.connection(moment.org_id) as connection:
        rows = await queries.page(
            connection,
            moment,
            limit=want.fetch,
            after=want.after,
            before=want.before if want.before is not None or not want.backward else "\U0010ffff",
            readable=info.context.caller.readable_environments(),
            archived=archived,
        )
    return connect(rows, want, key=lambda row: row.name, node=lambda row: Environment.of(row, moment))
