"""Drift as it went, as GraphQL shows it: when one began, what it comes from, when and how it ended."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from enum import Enum

import strawberry

from api.graphql.connections import Connection, connect, wanted
from api.graphql.context import Info
from api.graphql.deployments import DriftKind
from api.graphql.runs import shown_name
from record.drift import queries, rules
from record.drift.rules import Place
from record.environments.queries import Environment
from record.ids import EntryIndex, Fingerprint
from record.moment import Moment
from record.refusals import InvalidInput

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@strawberry.enum(description="How a drift ended.")
class DriftEnding(Enum):
    REPORTED = strawberry.enum_value("REPORTED", description="The deployment of what runs was reported late.")
    STOPPED = strawberry.enum_value("STOPPED", description="It stopped running.")
    SEEN = strawberry.enum_value("SEEN", description="A snapshot saw the deployed artifact run after all.")
    REPLACED = strawberry.enum_value(
        "REPLACED", description="Something else was deployed in its place; from then on that is what should run."
    )


@strawberry.type(description="The moment at which something began to drift.")
class DriftEvent:
    kind: DriftKind = strawberry.field(description="How they drift apart.")
    fingerprint: Fingerprint = strawberry.field(description="The artifact that is meant.")
    name: str = strawberry.field(description="Its name.")
    environment_name: str = strawberry.field(description="Where.")
    at: datetime = strawberry.field(description="When it began: the end of the grace period.")
    explanation: str = strawberry.field(description="What was the case, for people.")
    snapshot_number: int | None = strawberry.field(
        description="The snapshot in which what ran began to run; null for a deployment that was not seen."
    )
    deployment_index: EntryIndex | None = strawberry.field(
        description="The entry of the deployment that it drifts from; null for a shadow change."
    )
    ended_at: datetime | None = strawberry.field(description="When it ended; null while it lasts.")
    ending: DriftEnding | None = strawberry.field(description="How it ended; null while it lasts.")

    @classmethod
    def of(cls, row: rules.DriftEvent, environment_name: str) -> "DriftEvent":
        return cls(
            kind=DriftKind(row.kind.value),
            fingerprint=row.fingerprint,
            name=row.name,
            environment_name=environment_name,
            at=row.place.at,
            explanation=row.explanation,
            snapshot_number=row.snapshot_number,
            deployment_index=row.deployment,
            ended_at=row.ended_at,
            ending=None if row.ending is None else DriftEnding(row.ending.value),
        )


async def drift_event_page(
    info: Info,
    moment: Moment,
    environments: Sequence[Environment],
    *,
    seen_in: str,
    since: datetime | None,
    until: datetime | None,
    first: int | None,
    after: str | None,
    last: int | None,
    before: str | None,
) -> Connection[DriftEvent]:
    """The moments at which a drift began in these environments, none of them logical, the newest first.

    They are seen in the one of the name `seen_in`.
    """
    want = wanted(info, "driftEvents", first=first, after=after, last=last, before=before)
    start, end = _place(want.after, "after"), _place(want.before, "before")
    async with info.context.record.database.connection(moment.org_id) as connection:
        page = await queries.page(
            connection,
            moment,
            environments,
            limit=want.fetch,
            since=since,
            until=until,
            older_than=start,
            newer_than=(queries.EARLIEST if end is None else end) if want.backward else None,
        )
    info.context.expires(page.holds_until)
    names = {each.environment_id: shown_name(info, each.name, seen_in) for each in environments}
    return connect(
        page.events,
        want,
        key=lambda row: _key(row.place),
        node=lambda row: DriftEvent.of(row, names[row.environment_id]),
        reached=None if page.reached is None else _key(page.reached),
    )


def _key(place: Place) -> str:
    return f"{(place.at - _EPOCH) // timedelta(microseconds=1)}.{place.entry_index}.{place.ordinal}"


def _place(cursor: str | None, field: str) -> Place | None:
    if cursor is None:
        return None
    parts = cursor.split(".")
    if len(parts) != len(Place._fields) or not all(
        each.isascii() and each.isdecimal() and len(each) <= most for each, most in zip(parts, (17, 16, 9), strict=True)
    ):
        raise InvalidInput(
            "This cursor is not one that this server gave. Use a cursor from a page of the same list.", field=field
        )
    microseconds, entry_index, ordinal = map(int, parts)
    return Place(_EPOCH + timedelta(microseconds=microseconds), entry_index, ordinal)
