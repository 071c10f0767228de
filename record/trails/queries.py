"""Reads of trails, and the facts that their verdicts are decided from: whole lists in a fixed number of statements."""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from record.attestations.rules import AttestationFact
from record.database import Connection
from record.flows.queries import understood
from record.ids import EntryIndex, FlowId, TrailId
from record.moment import Moment
from record.trails.facts import ArtifactFact, TrailFacts


class Trail(NamedTuple):
    """A trail as of a moment. `template` is the JSON text of the template in force, its own or the flow's.

    A named tuple in the order of its statement's columns, with JSON parsed when it is asked for: a page is read more often than
    all of its details are.
    """

    trail_id: TrailId
    flow_id: FlowId
    flow: str
    name: str
    description: str
    commit: str | None
    commit_info_json: str | None
    origin_url: str | None
    external_urls_json: str
    user_data_json: str
    template_version: int
    has_own_template: bool
    template: str
    version: int
    begun_by: str
    entry_index: EntryIndex
    begun_index: EntryIndex
    begun_at: datetime
    changed_at: datetime

    @property
    def commit_info(self) -> dict[str, Any] | None:
        return None if self.commit_info_json is None else json.loads(self.commit_info_json)

    @property
    def external_urls(self) -> dict[str, Any]:
        urls: dict[str, Any] = json.loads(self.external_urls_json)
        return urls

    @property
    def user_data(self) -> dict[str, Any]:
        data: dict[str, Any] = json.loads(self.user_data_json)
        return data


_SELECT = """
SELECT t.trail_id, t.flow_id, t.flow, t.name, t.description, t.commit, t.commit_info, t.origin_url, t.external_urls,
       t.user_data, t.template_version, t.own_template IS NOT NULL AS has_own_template,
       coalesce(t.own_template, f.template)::text AS template, t.version, first.begun_by, t.entry_index,
       first.entry_index AS begun_index, first.at AS begun_at, t.at AS changed_at
FROM record.trails first
CROSS JOIN LATERAL (
    SELECT * FROM record.trails v
    WHERE v.org_id = $1 AND v.trail_id = first.trail_id AND v.entry_index < $2 ORDER BY v.entry_index DESC LIMIT 1
) t
JOIN record.flow_templates f ON f.org_id = $1 AND f.flow_id = t.flow_id AND f.version = t.template_version
WHERE first.org_id = $1 AND first.version = 1 AND first.entry_index < $2"""


async def by_name(connection: Connection, moment: Moment, flow: str, name: str) -> Trail | None:
    """The trail of this name in the flow of that name."""
    row = await connection.fetchrow(
        f"{_SELECT} AND first.flow_id = (SELECT flow_id FROM record.flows WHERE org_id = $1 AND name = $3 AND version = 1) "
        "AND first.name = $4",
        moment.org_id,
        moment.size,
        flow,
        name,
    )
    return None if row is None else Trail._make(row)


async def by_ids(connection: Connection, moment: Moment, ids: Sequence[TrailId]) -> list[Trail | None]:
    """Trails in the order asked; None for what is not there."""
    rows = await connection.fetch(f"{_SELECT} AND first.trail_id = ANY($3::uuid[])", moment.org_id, moment.size, ids)
    found = {row["trail_id"]: Trail._make(row) for row in rows}
    return [found.get(trail_id) for trail_id in ids]


class Stretch(NamedTuple):
    """A page that is asked of a flow, as `page` takes it."""

    flow_id: FlowId
    limit: int
    older_than: EntryIndex | None
    newer_than: EntryIndex | None


_PAGES = _SELECT.replace(
    "FROM record.trails first",
    """FROM unnest($3::uuid[]) AS asked (flow_id)
CROSS JOIN LATERAL (
    SELECT b.* FROM record.trails b
    WHERE b.org_id = $1 AND b.flow_id = asked.flow_id AND b.version = 1
      AND b.entry_index < least($2, $4::bigint) AND b.entry_index > coalesce($5::bigint, -1)
    ORDER BY b.entry_index {order} LIMIT $6
) first""",
)


async def page(
    connection: Connection,
    moment: Moment,
    flow_id: FlowId,
    *,
    limit: int,
    older_than: EntryIndex | None = None,
    newer_than: EntryIndex | None = None,
) -> list[Trail]:
    """Trails of a flow, the last begun first. With `newer_than` alone: those just above it, in the same order."""
    (found,) = await pages(connection, moment, [Stretch(flow_id, limit, older_than, newer_than)])
    return found


async def pages(connection: Connection, moment: Moment, asked: Sequence[Stretch]) -> list[list[Trail]]:
    """A page of each of these flows, in the order asked: one statement for all that ask for the same stretch."""
    together: dict[tuple[Any, ...], list[FlowId]] = defaultdict(list)
    for each in asked:
        together[each[1:]].append(each.flow_id)
    found: dict[Stretch, list[Trail]] = {each: [] for each in asked}
    for (limit, older_than, newer_than), flow_ids in together.items():
        ascending = newer_than is not None and older_than is None
        rows = await connection.fetch(
            f"{_PAGES.format(order='ASC' if ascending else 'DESC')} ORDER BY first.entry_index DESC",
            moment.org_id,
            moment.size,
            flow_ids,
            older_than,
            newer_than,
            limit,
        )
        for trail in map(Trail._make, rows):
            found[Stretch(trail.flow_id, limit, older_than, newer_than)].append(trail)
    return [found[each] for each in asked]


async def between(
    connection: Connection, moment: Moment, one: Trail, other: Trail, *, limit: int
) -> tuple[list[Trail], bool]:
    """Trails of a flow that began after `one`, up to `other`, the newest first, at most `limit`.

    When `other` is the older of the two, those from behind it up to `one`; the flag says so.
    """
    back = other.begun_index < one.begun_index
    low, high = sorted((one.begun_index, other.begun_index))
    found = await page(
        connection, moment, other.flow_id, limit=limit, older_than=EntryIndex(high + 1), newer_than=EntryIndex(low)
    )
    return found, back


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is reported into: a flow and a trail, known to exist."""

    flow_id: FlowId
    flow: str
    trail_id: TrailId
    trail: str
    commit: str | None


_PLACE = """
SELECT f.flow_id, f.name AS flow, t.trail_id, t.name AS trail,
       (SELECT v.commit FROM record.trails v WHERE v.org_id = $1 AND v.trail_id = t.trail_id
        ORDER BY v.entry_index DESC LIMIT 1) AS commit,
       ($4::text IS NULL OR EXISTS (
           SELECT 1 FROM record.artifacts a WHERE a.org_id = $1 AND a.fingerprint = $4 AND a.trail_id = t.trail_id
       )) AS has_artifact
FROM record.flows f
LEFT JOIN record.trails t ON t.org_id = $1 AND t.flow_id = f.flow_id AND t.name = $3 AND t.version = 1
WHERE f.org_id = $1 AND f.name = $2 AND f.version = 1"""


async def place(
    connection: Connection, moment: Moment, flow: str, trail: str, *, fingerprint: str | None = None
) -> tuple[Place | None, bool, bool]:
    """The place of these names, whether the flow exists, and whether `fingerprint` was reported there. As of now."""
    row = await connection.fetchrow(_PLACE, moment.org_id, flow, trail, fingerprint)
    if row is None:
        return None, False, False
    if row["trail_id"] is None:
        return None, True, False
    where = Place(row["flow_id"], row["flow"], row["trail_id"], row["trail"], row["commit"])
    return where, True, row["has_artifact"]


_ATTESTATIONS = """
SELECT trail_id, entry_index, attestation_id, name, type, compliant, explanation, fingerprint, template_name, commit,
       overrides, expires_at
FROM record.attestations WHERE org_id = $1 AND trail_id = ANY($3::uuid[]) AND entry_index < $2 ORDER BY entry_index"""

_UNWORDED_ATTESTATIONS = _ATTESTATIONS.replace("explanation,", "'' AS explanation,")

_ARTIFACTS = """
SELECT trail_id, entry_index, fingerprint, template_name, commit, name
FROM record.artifacts WHERE org_id = $1 AND trail_id = ANY($3::uuid[]) AND entry_index < $2 ORDER BY entry_index"""


_new = tuple.__new__
"""As `_make` of a named tuple, without counting: a page of trails reads hundreds of rows."""


async def facts_of(
    connection: Connection, moment: Moment, trails: Sequence[Trail], *, worded: bool = True
) -> list[TrailFacts]:
    """What is known of these trails, in their order: two statements, however many trails.

    Unless `worded`, attestations come without explanations: enough for a status, but not for its reasons.
    """
    ids = [trail.trail_id for trail in trails]
    attestations: dict[TrailId, list[AttestationFact]] = defaultdict(list)
    artifacts: dict[TrailId, list[ArtifactFact]] = defaultdict(list)
    statement = _ATTESTATIONS if worded else _UNWORDED_ATTESTATIONS
    for row in await connection.fetch(statement, moment.org_id, moment.size, ids):
        attestations[row[0]].append(_new(AttestationFact, row[1:]))
    for row in await connection.fetch(_ARTIFACTS, moment.org_id, moment.size, ids):
        artifacts[row[0]].append(_new(ArtifactFact, row[1:]))
    return [
        TrailFacts(
            name=trail.name,
            template=understood(trail.template),
            template_version=trail.template_version,
            attestations=tuple(attestations.get(trail.trail_id, ())),
            artifacts=tuple(artifacts.get(trail.trail_id, ())),
        )
        for trail in trails
    ]
