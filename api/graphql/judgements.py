"""Judgements as GraphQL shows them: when a verdict changed, and why."""

from datetime import datetime
from enum import Enum
from typing import Annotated
from uuid import UUID

import strawberry

from api.graphql.connections import Connection, connect, wanted
from api.graphql.context import Info
from api.graphql.ledger import Entry
from api.graphql.loaders import loaders_at
from api.graphql.nodes import Node, global_id
from record.access.rules import Action
from record.ids import EntryIndex, EnvironmentId, LedgerSize
from record.judgements import queries
from record.judgements.rules import Kind
from record.ledger import queries as ledger
from record.moment import Moment
from record.verdicts import Status


@strawberry.enum(description="What can be judged.")
class JudgementSubject(Enum):
    ENVIRONMENT = strawberry.enum_value(Kind.ENVIRONMENT.value, description="An environment, by its policies.")
    TRAIL = strawberry.enum_value(Kind.TRAIL.value, description="A trail, by its template.")


Unchanged = Annotated[bool, strawberry.argument(description="Also those of snapshots that changed nothing.")]


@strawberry.type(description="The recorded moment at which a verdict changed, and why. A worker records it by itself.")
class Judgement(Node):
    subject: JudgementSubject = strawberry.field(description="Whose verdict it is.")
    environment_name: str | None = strawberry.field(description="The environment's name; null for a trail.")
    flow_name: str | None = strawberry.field(description="The name of the trail's flow; null for an environment.")
    trail_name: str | None = strawberry.field(description="The trail's name; null for an environment.")
    number: int = strawberry.field(description="Its number among the subject's judgements, from 1.")
    previous: Status | None = strawberry.field(
        description="The status before: of a trail's first judgement, what it began with; of an environment's, null."
    )
    status: Status = strawberry.field(description="The status from this moment on.")
    changed: bool = strawberry.field(
        description="Whether anything changed: the status, or that it is stale. False only for a snapshot that changed nothing."
    )
    stale_since: datetime | None = strawberry.field(
        description="Since when the environment was silent for longer than its cadence allows; null while it reported."
    )
    size: LedgerSize = strawberry.field(description="The ledger size at which it was judged.")
    instant: datetime = strawberry.field(
        description="The moment of the change: its cause's, or when something expired."
    )
    cause_index: EntryIndex | None = strawberry.field(description="The entry that caused it; null for time alone.")
    holds_until: datetime | None = strawberry.field(
        description="When time alone may change the verdict again, as far as was known then; null: never."
    )
    snapshot_number: int | None = strawberry.field(
        description="The number of the snapshot that it belongs to; null for any other cause."
    )
    recorded_at: datetime = strawberry.field(description="When it was recorded.")
    latency_seconds: float = strawberry.field(description="How long after the moment of the change it was recorded.")
    entry_index: EntryIndex = strawberry.field(description="The entry that recorded it.")
    row: strawberry.Private[queries.Judgement]
    moment: strawberry.Private[Moment]

    @strawberry.field(
        description="Why, in short texts: at most 20. Empty for an environment if you may not read all flows, because they tell "
        "of trails."
    )
    def reasons(self, info: Info) -> list[str]:
        tells_of_flows = self.row.kind is Kind.ENVIRONMENT and not self.row.stale_since
        if tells_of_flows and info.context.caller.readable_flows() is not None:
            return []
        return list(self.row.reasons)

    @strawberry.field(description="The entry that caused it; null for time alone. Needs a role that is not narrowed.")
    async def cause(self, info: Info) -> Entry | None:
        if self.row.cause is None:
            return None
        info.context.caller.require(Action.READ)
        found = await loaders_at(info, self.moment).entries.load(self.row.cause)
        return None if found is None else Entry.of(found)

    @classmethod
    def of(cls, row: queries.Judgement, moment: Moment) -> "Judgement":
        return cls(
            id=global_id("Judgement", f"{row.subject_id}.{row.number}"),
            subject=JudgementSubject(row.kind.value),
            environment_name=row.environment,
            flow_name=row.flow,
            trail_name=row.trail,
            number=row.number,
            previous=row.previous,
            status=row.status,
            changed=row.changed,
            stale_since=row.stale_since,
            size=row.size,
            instant=row.instant,
            cause_index=row.cause,
            holds_until=row.holds_until,
            snapshot_number=row.snapshot,
            recorded_at=row.at,
            latency_seconds=(row.at - row.instant).total_seconds(),
            entry_index=row.entry_index,
            row=row,
            moment=moment,
        )


async def judgements_of(
    info: Info,
    moment: Moment,
    subject_id: UUID,
    *,
    unchanged: bool = False,
    first: int | None,
    after: str | None,
    last: int | None,
    before: str | None,
) -> Connection[Judgement]:
    """Judgements of one subject, the newest first."""
    want = wanted(info, "judgements", first=first, after=after, last=last, before=before)
    async with info.context.record.database.connection(moment.org_id) as connection:
        rows = await queries.page(
            connection,
            moment,
            subject_id,
            limit=want.fetch,
            older_than=want.older_than,
            newer_than=want.newer_than,
            unchanged=unchanged,
        )
    return connect(rows, want, key=lambda row: row.number, node=lambda row: Judgement.of(row, moment))


async def judgements_lately(
    info: Info,
    moment: Moment,
    *,
    since: datetime | None,
    until: datetime | None,
    first: int | None,
    after: str | None,
    last: int | None,
    before: str | None,
) -> Connection[Judgement]:
    """Every change of a verdict that the caller may read, the newest first."""
    want = wanted(info, "changes of verdicts", first=first, after=after, last=last, before=before)
    caller = info.context.caller
    async with info.context.record.database.connection(moment.org_id) as connection:
        sizes = [None if at is None else await ledger.size_at(connection, moment.org_id, at) for at in (since, until)]
        rows = await queries.lately(
            connection,
            moment,
            limit=want.fetch,
            since=sizes[0],
            until=sizes[1],
            older_than=want.older_than,
            newer_than=want.newer_than,
            flows=caller.readable_flows(),
            environments=caller.readable_environments(),
        )
    return connect(rows, want, key=lambda row: row.entry_index, node=lambda row: Judgement.of(row, moment))


async def judgement_of_snapshot(
    info: Info, moment: Moment, environment_id: EnvironmentId, number: int
) -> Judgement | None:
    """The verdict that a numbered snapshot had on its day; None while nobody has judged it."""
    row = await loaders_at(info, moment).judgements_of_snapshots.load((environment_id, number))
    return None if row is None else Judgement.of(row, moment)


async def judgement_of(info: Info, moment: Moment, key: str) -> Judgement | None:
    """The judgement in an opened id, if the caller may read what it is about."""
    subject, _, number = key.rpartition(".")
    if not (number.isascii() and number.isdecimal() and len(number) < 10):
        return None
    async with info.context.record.database.connection(moment.org_id) as connection:
        place = int(number)
        rows = await queries.page(
            connection, moment, UUID(subject), limit=1, older_than=place + 1, newer_than=place - 1, unchanged=True
        )
    if not rows:
        return None
    row, caller = rows[0], info.context.caller
    may = (
        caller.may(Action.READ, environment=row.environment)
        if row.environment
        else caller.may(Action.READ, flow=row.flow)
    )
    return Judgement.of(row, moment) if may else None
