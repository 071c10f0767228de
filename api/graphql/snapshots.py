"""Snapshots as GraphQL shows them: what ran, what happened, what differs."""

from collections.abc import Sequence
from datetime import datetime
from enum import Enum
from urllib.parse import quote, unquote

import strawberry

from api.graphql.artifacts import Artifact, artifact_of
from api.graphql.connections import Connection, connect, wanted
from api.graphql.context import Info
from api.graphql.judgements import Judgement, judgement_of_snapshot
from api.graphql.ledger import After, Before, First, Last
from api.graphql.loaders import loaders_at
from api.graphql.policies import verdict_of_running, verdict_of_snapshot
from api.graphql.runs import environment_row
from api.graphql.scalars import Json
from api.graphql.verdicts import Verdict
from record.clock import from_rfc3339
from record.environments import expressions, rules, snapshots
from record.environments.asking import snapshots_asked
from record.environments.members import Refused as RefusedRow
from record.environments.queries import Environment
from record.environments.running import page_in
from record.environments.service import unknown_environment
from record.environments.snapshots import Named
from record.ids import EntryIndex, EnvironmentId, Fingerprint
from record.moment import Moment
from record.policies.presence import PastSnapshot
from record.refusals import InvalidInput


@strawberry.type(description="An artifact that runs, or ran, in an environment.")
class RunningArtifact:
    fingerprint: Fingerprint = strawberry.field(description="Its SHA-256.")
    name: str = strawberry.field(description="What the report called it: an image, a file, a function.")
    instances: int = strawberry.field(description="How many instances of it ran, as of the last numbered snapshot.")
    since: datetime = strawberry.field(description="When a snapshot first saw it; it has been running since.")
    facts_omitted: int = strawberry.field(description="How many further facts were reported and are not listed.")
    row: strawberry.Private[rules.Running]
    moment: strawberry.Private[Moment]
    seen_in: strawberry.Private[EnvironmentId]

    @strawberry.field(
        description="What the policies of the environment say of it at this moment, whatever else runs there; its one reason "
        "is the one that the environment's verdict has for it. UNKNOWN without a policy."
    )
    async def verdict(self, info: Info) -> Verdict:
        return await verdict_of_running(info, self.moment, self.seen_in, Named(self.fingerprint, self.name))

    @strawberry.field(description="The number of the snapshot that first saw it; null in a logical environment.")
    def since_snapshot(self) -> int | None:
        return self.row.since_number if len(self.row.environments) == 1 else None

    @strawberry.field(description="When its instances were created, the newest first, as far as that was reported.")
    def instances_created_at(self) -> list[datetime]:
        return [from_rfc3339(text) for text in self.row.member.created]

    @strawberry.field(description="What the report told of its instances: pods and owners, tasks and services, paths.")
    def facts(self) -> list[Json]:
        return [Json(each) for each in self.row.member.facts]

    @strawberry.field(description="The flows in which it was known when the snapshot was taken: its provenance.")
    def flows(self, info: Info) -> list[str]:
        readable = info.context.caller.readable_flows()
        return [flow for flow in self.row.member.flows if readable is None or flow in readable]

    @strawberry.field(description="Whether any flow knew it when the snapshot was taken.")
    def is_known(self) -> bool:
        return bool(self.row.member.flows)

    @strawberry.field(
        description="The environments in which it runs, as far as you may read them: several in a logical one."
    )
    async def environment_names(self, info: Info) -> list[str]:
        return await names_of(info, self.moment, self.row.environments)

    @strawberry.field(description="The artifact in the record; null when no flow knows it.")
    async def artifact(self, info: Info) -> Artifact | None:
        return await artifact_of(info, self.moment, self.fingerprint)

    @classmethod
    def of(cls, row: rules.Running, moment: Moment, seen_in: EnvironmentId) -> "RunningArtifact":
        return cls(
            fingerprint=row.member.fingerprint,
            name=row.member.name,
            instances=row.member.instances,
            since=row.since,
            facts_omitted=row.member.facts_omitted,
            row=row,
            moment=moment,
            seen_in=seen_in,
        )


async def names_of(info: Info, moment: Moment, ids: Sequence[EnvironmentId]) -> list[str]:
    """Names of environments, in the order asked; without those that the caller may not read."""
    rows = await loaders_at(info, moment).environments.load_many(list(ids))
    readable = info.context.caller.readable_environments()
    return [row.name for row in rows if row is not None and (readable is None or row.name in readable)]


def running_page(
    info: Info,
    moment: Moment,
    running: Sequence[rules.Running],
    *,
    seen_in: EnvironmentId,
    first: int | None,
    after: str | None,
    last: int | None,
    before: str | None,
) -> Connection[RunningArtifact]:
    """A page of what runs, by name."""
    want = wanted(info, "running", first=first, after=after, last=last, before=before)
    after_it, before_it = _place_of(want.after), _place_of(want.before)
    rows = [
        each
        for each in sorted(running, key=_place)  # however the database orders texts
        if (after_it is None or _place(each) > after_it) and (before_it is None or _place(each) < before_it)
    ]
    shown = rows[-want.fetch :] if want.backward else rows[: want.fetch]
    return connect(shown, want, key=_running_key, node=lambda row: RunningArtifact.of(row, moment, seen_in))


async def running_page_of(
    info: Info,
    moment: Moment,
    environment: Environment,
    *,
    first: int | None,
    after: str | None,
    last: int | None,
    before: str | None,
) -> Connection[RunningArtifact]:
    """A page of what runs now, by name. Of a physical environment no more is read than the page shows."""
    seen_in, loaders = environment.environment_id, loaders_at(info, moment)
    if environment.is_logical:
        parts = await loaders.running.load_many(list(environment.places))
        united = rules.union(each for part in parts for each in part)
        return running_page(info, moment, united, seen_in=seen_in, first=first, after=after, last=last, before=before)
    want = wanted(info, "running", first=first, after=after, last=last, before=before)
    snapshot = await loaders.newest_snapshots.load(seen_in)
    rows: list[rules.Running] = []
    if snapshot is not None:
        async with info.context.record.database.connection(moment.org_id) as connection:
            rows = await page_in(
                connection,
                moment,
                snapshot,
                limit=want.fetch,
                after=_place_of(want.after),
                before=_place_of(want.before),
                backward=want.backward,
            )
    return connect(rows, want, key=_running_key, node=lambda row: RunningArtifact.of(row, moment, seen_in))


def _place(running: rules.Running) -> tuple[str, str]:
    return running.member.name, running.member.fingerprint


def _running_key(running: rules.Running) -> str:
    """Its place as a cursor's key, in which everything is printable, whatever the name holds."""
    return f"{running.member.fingerprint} {quote(running.member.name)}"


def _place_of(key: str | None) -> tuple[str, str] | None:
    if key is None:
        return None
    fingerprint, _, name = key.partition(" ")
    return unquote(name), fingerprint


@strawberry.type(description="A member of a report that was left out, because it could not be read.")
class RefusedMember:
    place: int = strawberry.field(description="Its place in the report, from 0.")
    name: str = strawberry.field(description="What it called itself.")
    why: str = strawberry.field(description="What is wrong with it, and what to do.")

    @classmethod
    def of(cls, row: RefusedRow) -> "RefusedMember":
        return cls(place=row.place, name=row.name, why=row.why)


@strawberry.type(description="The complete set of what ran in an environment, as of one report.")
class Snapshot:
    environment_name: str = strawberry.field(description="The environment's name.")
    rows: strawberry.Private[list[snapshots.Snapshot]]
    environment: strawberry.Private[Environment]
    moment: strawberry.Private[Moment]

    def _only(self) -> snapshots.Snapshot | None:
        return None if self.environment.is_logical else self.rows[0]

    @strawberry.field(description="Its number in the environment, from 1; null for a logical environment.")
    def number(self) -> int | None:
        row = self._only()
        return None if row is None else row.number

    @strawberry.field(description="When it was taken: of a logical environment, when the newest of its parts was.")
    def at(self) -> datetime | None:
        return max((row.at for row in self.rows), default=None)

    @strawberry.field(description="Who reported it; null for a logical environment.")
    def reported_by(self) -> str | None:
        row = self._only()
        return None if row is None else row.reported_by

    @strawberry.field(description="The entry that closes it; null for a logical environment.")
    def entry_index(self) -> EntryIndex | None:
        row = self._only()
        return None if row is None else row.entry_index

    @strawberry.field(description="Whether members were left out because they could not be read.")
    def partial(self) -> bool:
        return any(row.is_partial for row in self.rows)

    @strawberry.field(description="How many members were left out.")
    def refused_count(self) -> int:
        return sum(row.refused_count for row in self.rows)

    @strawberry.field(description="The members that were left out: the first 20 of each report.")
    def refused(self) -> list[RefusedMember]:
        return [RefusedMember(**each) for row in self.rows for each in row.refused]

    @strawberry.field(description="How many artifacts ran.")
    async def artifact_count(self, info: Info) -> int:
        row = self._only()
        return len(await self.members(info)) if row is None else row.artifacts

    @strawberry.field(description="How many instances ran.")
    def instance_count(self) -> int:
        return sum(row.instances for row in self.rows)

    @strawberry.field(description="How many artifacts had started since the snapshot before.")
    def started(self) -> int:
        return sum(row.started for row in self.rows)

    @strawberry.field(description="How many artifacts had stopped since the snapshot before.")
    def stopped(self) -> int:
        return sum(row.stopped for row in self.rows)

    @strawberry.field(description="What ran, by name.")
    async def running(
        self, info: Info, first: First = None, after: After = None, last: Last = None, before: Before = None
    ) -> Connection[RunningArtifact]:
        running = await self.members(info)
        return running_page(
            info,
            self.moment,
            running,
            seen_in=self.environment.environment_id,
            first=first,
            after=after,
            last=last,
            before=before,
        )

    async def members(self, info: Info) -> list[rules.Running]:
        """What ran, by name."""
        async with info.context.record.database.connection(self.moment.org_id) as connection:
            found = await snapshots.running_in(connection, self.moment, self.rows)
        return rules.union(each for running in found for each in running) if self.environment.is_logical else found[0]

    def ran(self, row: rules.Running) -> RunningArtifact:
        """One of its members."""
        return RunningArtifact.of(row, self.moment, self.environment.environment_id)

    @strawberry.field(
        description="What is said of it now: by the policies that are attached to its environment now, and by all that is known "
        "now of what ran then."
    )
    async def verdict(self, info: Info) -> Verdict:
        parts = tuple((row.environment_id, row.number) for row in self.rows)
        return await verdict_of_snapshot(info, self.moment, PastSnapshot(self.environment.environment_id, parts))

    @strawberry.field(
        description="The verdict that it had on its day, as it was recorded then; `verdict` may differ. Null until "
        "a worker has judged it, a moment after the report, and for a logical environment."
    )
    async def verdict_then(self, info: Info) -> Judgement | None:
        row = self._only()
        if row is None:
            return None
        return await judgement_of_snapshot(info, self.moment, row.environment_id, row.number)

    @classmethod
    def of(cls, rows: list[snapshots.Snapshot], environment: Environment, moment: Moment) -> "Snapshot":
        return cls(environment_name=environment.name, rows=rows, environment=environment, moment=moment)


async def snapshot_at(info: Info, moment: Moment, environment: Environment, expression: str) -> Snapshot:
    """The snapshot of this environment that the expression asks for."""
    if "ago" in expression:
        info.context.look_outside()  # the instant moves with the clock, so the answer is not kept
    asked = expressions.parse(expression, now=moment.instant, environment=environment.name)
    async with info.context.record.database.connection(moment.org_id) as connection:
        return Snapshot.of(await snapshots_asked(connection, moment, environment, asked), environment, moment)


async def snapshot_named(info: Info, moment: Moment, expression: str) -> Snapshot:
    """The snapshot that an expression asks for, with its environment, if the caller may read that."""
    name = expressions.parse(expression, now=moment.instant).environment
    environment = await environment_row(info, moment, name)
    if environment is None:
        raise unknown_environment(name)
    return await snapshot_at(info, moment, environment, expression)


@strawberry.enum(description="What can happen to an artifact in an environment.")
class EnvironmentEventKind(Enum):
    STARTED = strawberry.enum_value("started", description="It began to run.")
    STOPPED = strawberry.enum_value("stopped", description="It no longer ran.")
    SCALED = strawberry.enum_value("scaled", description="It ran on with more or fewer instances.")
    PROVENANCE_FOUND = strawberry.enum_value(
        "provenance", description="It ran on, and more became known of where it came from."
    )


@strawberry.type(description="Something that happened to an artifact in an environment, as a snapshot noticed it.")
class EnvironmentEvent:
    kind: EnvironmentEventKind = strawberry.field(description="What happened.")
    fingerprint: Fingerprint = strawberry.field(description="The artifact's SHA-256.")
    name: str = strawberry.field(description="What the report called it.")
    instances: int = strawberry.field(description="How many instances ran then.")
    instances_before: int = strawberry.field(description="How many instances ran in the snapshot before.")
    at: datetime = strawberry.field(description="When the snapshot was taken that noticed it.")
    snapshot_number: int = strawberry.field(description="That snapshot's number.")
    entry_index: EntryIndex = strawberry.field(description="The entry that recorded it.")
    row: strawberry.Private[snapshots.Event]
    seen_in: strawberry.Private[str]
    moment: strawberry.Private[Moment]

    @strawberry.field(
        description="The environment in which it happened; of a part of a logical one that is not yours to see, the logical one."
    )
    async def environment_name(self, info: Info) -> str:
        (name,) = await names_of(info, self.moment, [self.row.environment_id]) or [self.seen_in]
        return name

    @strawberry.field(description="The flows in which the artifact was known then.")
    def flows(self, info: Info) -> list[str]:
        readable = info.context.caller.readable_flows()
        return [flow for flow in self.row.flows if readable is None or flow in readable]

    @classmethod
    def of(cls, row: snapshots.Event, moment: Moment, seen_in: str) -> "EnvironmentEvent":
        return cls(
            kind=EnvironmentEventKind(row.kind),
            fingerprint=row.fingerprint,
            name=row.name,
            instances=row.instances,
            instances_before=row.instances_before,
            at=row.at,
            snapshot_number=row.number,
            entry_index=row.entry_index,
            row=row,
            seen_in=seen_in,
            moment=moment,
        )


def event_place(cursor: str | None) -> tuple[int, int] | None:
    """Where an event stands, by its opened cursor."""
    if cursor is None:
        return None
    index, dot, place = cursor.partition(".")
    if not (dot and cursor.isascii() and index.isdecimal() and place.isdecimal() and len(cursor) <= 24):
        raise InvalidInput(
            "This cursor is not one that this server gave. Use a cursor from a page of the same list.", field="after"
        )
    return int(index), int(place)
