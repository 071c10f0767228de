"""Reads of judgements: what stood when, what changed lately; and what judging itself needs to know of trails and environments."""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from record.clock import from_rfc3339
from record.database import Connection
from record.flows.queries import understood
from record.flows.templates import Template
from record.ids import LATEST, EntryIndex, EnvironmentId, JudgementId, LedgerSize, TrailId
from record.judgements.rules import Kind, Mark, Point, Standing, TrailHistory
from record.ledger import queries as ledger
from record.moment import Moment
from record.trails import queries as trails
from record.trails.queries import Trail
from record.verdicts import Status

RECORDED: Final = "judgement.recorded"


@dataclass(frozen=True, slots=True)
class Judgement:
    """A recorded judgement. Of an environment it has `environment`, of a trail `flow` and `trail`; `at` is when it was recorded."""

    judgement_id: JudgementId
    kind: Kind
    subject_id: UUID
    environment: str | None
    flow: str | None
    trail: str | None
    number: int
    previous: Status | None
    status: Status
    changed: bool
    stale_since: datetime | None
    size: LedgerSize
    instant: datetime
    cause: EntryIndex | None
    holds_until: datetime | None
    reasons: tuple[str, ...]
    snapshot: int | None
    entry_index: EntryIndex
    at: datetime


_COLUMNS = """j.judgement_id, j.subject, j.subject_id, j.environment, j.flow, j.trail, j.number, j.previous, j.status, j.changed,
       j.stale_since, j.size, j.instant, j.cause, j.holds_until, j.reasons, j.snapshot, j.entry_index, j.at"""


def _judgement(row: Any) -> Judgement:
    values = dict(row)
    previous = values.pop("previous")
    return Judgement(
        kind=Kind(values.pop("subject")),
        status=Status(values.pop("status")),
        previous=None if previous is None else Status(previous),
        reasons=tuple(json.loads(values.pop("reasons"))),
        **values,
    )


_OF_SUBJECT = f"""
SELECT {_COLUMNS} FROM record.judgements j
WHERE j.org_id = $1 AND j.subject_id = $3 AND j.entry_index < $2 AND j.number > $4 AND j.number < $5 {{which}}
ORDER BY j.number {{order}} LIMIT $6"""
_END = 2**31 - 1


async def page(
    connection: Connection,
    moment: Moment,
    subject_id: UUID,
    *,
    limit: int,
    older_than: int | None = None,
    newer_than: int | None = None,
    unchanged: bool = False,
) -> list[Judgement]:
    """Judgements of a subject, the newest first, between two numbers; with `newer_than` alone, those just above it.

    `unchanged`: also those of snapshots that changed nothing.
    """
    ascending = newer_than is not None and older_than is None
    text = _OF_SUBJECT.format(which="" if unchanged else "AND j.changed", order="ASC" if ascending else "DESC")
    rows = await connection.fetch(
        text,
        moment.org_id,
        moment.size,
        subject_id,
        0 if newer_than is None else newer_than,
        _END if older_than is None else older_than,
        limit,
    )
    found = [_judgement(row) for row in rows]
    return found[::-1] if ascending else found


_LATELY = f"""
SELECT {_COLUMNS} FROM record.judgements j
WHERE j.org_id = $1 AND j.changed AND j.entry_index < $2 AND j.entry_index > $3 {{readable}}
ORDER BY j.entry_index {{order}} LIMIT $4"""
_READABLE = "AND (j.environment = ANY($5::text[]) OR j.flow = ANY($6::text[]))"
_READABLE_FLOWS = "AND (j.environment IS NOT NULL OR j.flow = ANY($5::text[]))"
_READABLE_ENVIRONMENTS = "AND (j.environment = ANY($5::text[]) OR j.flow IS NOT NULL)"


async def lately(
    connection: Connection,
    moment: Moment,
    *,
    limit: int,
    since: LedgerSize | None = None,
    until: LedgerSize | None = None,
    older_than: EntryIndex | None = None,
    newer_than: EntryIndex | None = None,
    flows: frozenset[str] | None = None,
    environments: frozenset[str] | None = None,
) -> list[Judgement]:
    """Changes of any verdict, the newest first, recorded from size `since` on and before `until`.

    `flows` and `environments` name those whose judgements may be read; None: all of them.
    """
    ascending = newer_than is not None and older_than is None
    readable, names = "", [sorted(each) for each in (environments, flows) if each is not None]
    if environments is not None and flows is not None:
        readable = _READABLE
    elif names:
        readable = _READABLE_FLOWS if environments is None else _READABLE_ENVIRONMENTS
    lowest = max(-1 if newer_than is None else newer_than, -1 if since is None else since - 1)
    highest = min(bound for bound in (moment.size, until, older_than) if bound is not None)
    text = _LATELY.format(readable=readable, order="ASC" if ascending else "DESC")
    rows = await connection.fetch(text, moment.org_id, highest, lowest, limit, *names)
    found = [_judgement(row) for row in rows]
    return found[::-1] if ascending else found


_OF_SNAPSHOTS = f"""
SELECT {_COLUMNS}, asked.place
FROM unnest($3::uuid[], $4::int[]) WITH ORDINALITY AS asked (subject_id, snapshot, place)
JOIN record.judgements j ON j.org_id = $1 AND j.subject_id = asked.subject_id AND j.snapshot = asked.snapshot
WHERE j.snapshot IS NOT NULL AND j.entry_index < $2"""


async def of_snapshots(
    connection: Connection, moment: Moment, snapshots: Sequence[tuple[EnvironmentId, int]]
) -> list[Judgement | None]:
    """The judgement of each numbered snapshot, in the order asked; None while it is not judged."""
    environments, numbers = [each for each, _ in snapshots], [number for _, number in snapshots]
    found: dict[int, Judgement] = {}
    for row in await connection.fetch(_OF_SNAPSHOTS, moment.org_id, moment.size, environments, numbers):
        values = dict(row)
        place = values.pop("place")
        found[place] = _judgement(values)
    return [found.get(place) for place in range(1, len(snapshots) + 1)]


_LAST = f"""
SELECT {_COLUMNS} FROM unnest($3::uuid[]) AS asked (subject_id) CROSS JOIN LATERAL (
    SELECT * FROM record.judgements j
    WHERE j.org_id = $1 AND j.subject_id = asked.subject_id AND j.entry_index < $2 ORDER BY j.number DESC LIMIT 1
) j"""


async def last_of(connection: Connection, moment: Moment, subjects: Sequence[UUID]) -> dict[UUID, Judgement]:
    """The last judgement of each of these that was recorded by the moment; whoever was not judged by then is left out."""
    rows = await connection.fetch(_LAST, moment.org_id, moment.size, subjects)
    return {row["subject_id"]: _judgement(row) for row in rows}


_JUDGED_SINCE = """
SELECT asked.subject_id FROM unnest($3::uuid[]) AS asked (subject_id) CROSS JOIN LATERAL (
    SELECT j.entry_index FROM record.judgements j
    WHERE j.org_id = $1 AND j.subject_id = asked.subject_id ORDER BY j.number DESC LIMIT 1
) j WHERE j.entry_index >= $2"""


async def judged_since(connection: Connection, moment: Moment, subjects: Sequence[UUID]) -> set[UUID]:
    """Which of these have a judgement that was recorded after the moment's last entry."""
    rows = await connection.fetch(_JUDGED_SINCE, moment.org_id, moment.size, subjects)
    return {row["subject_id"] for row in rows}


# --- for judging


_STANDINGS = """
SELECT asked.subject_id, j.number, j.status, j.stale_since, j.size, j.instant
FROM unnest($3::uuid[]) AS asked (subject_id) CROSS JOIN LATERAL (
    SELECT j.* FROM record.judgements j
    WHERE j.org_id = $1 AND j.subject_id = asked.subject_id AND j.entry_index < $2 ORDER BY j.number DESC LIMIT 1
) j"""


async def standings(connection: Connection, moment: Moment, subjects: Sequence[UUID]) -> dict[UUID, Standing]:
    """The last judgement of each of these; whoever was never judged is left out."""
    rows = await connection.fetch(_STANDINGS, moment.org_id, moment.size, subjects)
    return {
        row["subject_id"]: Standing(
            row["number"], Status(row["status"]), row["stale_since"], Point(row["size"], row["instant"])
        )
        for row in rows
    }


async def last_point(connection: Connection, moment: Moment) -> Point | None:
    """From where the judgement that was recorded last was taken."""
    last = await ledger.entries_before(connection, moment, LATEST, count_max=1, kinds=[RECORDED])
    if not last:
        return None
    body = last[0].decoded().body
    return Point(LedgerSize(body["size"]), from_rfc3339(body["instant"]))


_TEMPLATES = """
SELECT t.trail_id, t.entry_index, coalesce(t.own_template, f.template)::text AS template, t.template_version
FROM record.trails t
JOIN record.flow_templates f ON f.org_id = $1 AND f.flow_id = t.flow_id AND f.version = t.template_version
WHERE t.org_id = $1 AND t.trail_id = ANY($3::uuid[]) AND t.entry_index < $2 ORDER BY t.entry_index"""


async def histories(
    connection: Connection, moment: Moment, ids: Sequence[TrailId]
) -> dict[TrailId, tuple[Trail, TrailHistory]]:
    """Everything that was recorded in these trails: four statements, however many."""
    found = [trail for trail in await trails.by_ids(connection, moment, ids) if trail is not None]
    facts = await trails.facts_of(connection, moment, found)
    templates: dict[TrailId, list[tuple[EntryIndex, Template, int]]] = defaultdict(list)
    for row in await connection.fetch(_TEMPLATES, moment.org_id, moment.size, ids):
        templates[row["trail_id"]].append((row["entry_index"], understood(row["template"]), row["template_version"]))
    return {
        trail.trail_id: (trail, TrailHistory(Mark(trail.begun_index, trail.begun_at), known, templates[trail.trail_id]))
        for trail, known in zip(found, facts, strict=True)
    }


_EXPIRING = """
SELECT DISTINCT trail_id FROM record.attestations
WHERE org_id = $1 AND entry_index < $2 AND expires_at IS NOT NULL AND expires_at > $3"""

_EVERY_ENVIRONMENT = """
SELECT environment_id FROM record.environments WHERE org_id = $1 AND version = 1 AND entry_index < $2"""


async def trails_expiring(connection: Connection, moment: Moment) -> list[TrailId]:
    """The trails in which something expires after the moment: the only ones whose verdicts time can change."""
    rows = await connection.fetch(_EXPIRING, moment.org_id, moment.size, moment.instant)
    return [row["trail_id"] for row in rows]


async def every_environment(connection: Connection, moment: Moment) -> list[EnvironmentId]:
    """Every environment that there is."""
    return [row["environment_id"] for row in await connection.fetch(_EVERY_ENVIRONMENT, moment.org_id, moment.size)]
