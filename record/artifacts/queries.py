"""Reads of artifacts: where a fingerprint was reported, what carries a name or a commit, and what built it last."""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from record.database import Connection
from record.ids import EntryIndex, Fingerprint, FlowId, TrailId
from record.moment import Moment


@dataclass(frozen=True, slots=True)
class ArtifactReport:
    """One report of an artifact into a trail."""

    entry_index: EntryIndex
    fingerprint: Fingerprint
    name: str
    kind: str
    flow_id: FlowId
    flow: str
    trail_id: TrailId
    trail: str
    template_name: str
    commit: str | None
    commit_info: dict[str, Any] | None
    commit_url: str | None
    build_url: str | None
    repository_url: str | None
    external_urls: dict[str, Any]
    annotations: dict[str, Any]
    user_data: dict[str, Any]
    reported_by: str
    at: datetime


_COLUMNS = """entry_index, fingerprint, name, kind, flow_id, flow, trail_id, trail, template_name, commit, commit_info, commit_url,
       build_url, repository_url, external_urls, annotations, user_data, reported_by, at"""
_JSON = ("commit_info", "external_urls", "annotations", "user_data")


def _report(row: Any) -> ArtifactReport:
    values = dict(row)
    for name in _JSON:
        values[name] = None if values[name] is None else json.loads(values[name])
    return ArtifactReport(**values)


_BY_FINGERPRINTS = f"""
SELECT {_COLUMNS} FROM record.artifacts
WHERE org_id = $1 AND fingerprint = ANY($3::text[]) AND entry_index < $2 AND ($4::text[] IS NULL OR flow = ANY($4))
ORDER BY entry_index DESC"""


async def reports_of(
    connection: Connection,
    moment: Moment,
    fingerprints: Sequence[Fingerprint],
    *,
    readable: frozenset[str] | None = None,
) -> list[list[ArtifactReport]]:
    """All reports of each fingerprint, newest first, in the order asked."""
    rows = await connection.fetch(
        _BY_FINGERPRINTS,
        moment.org_id,
        moment.size,
        fingerprints,
        None if readable is None else sorted(readable),
    )
    found: dict[str, list[ArtifactReport]] = defaultdict(list)
    for row in rows:
        found[row["fingerprint"]].append(_report(row))
    return [found.get(fingerprint, []) for fingerprint in fingerprints]


_BY_TRAILS = f"""
SELECT {_COLUMNS} FROM record.artifacts
WHERE org_id = $1 AND trail_id = ANY($3::uuid[]) AND entry_index < $2 ORDER BY entry_index"""


async def by_trails(connection: Connection, moment: Moment, trail_ids: Sequence[TrailId]) -> list[list[ArtifactReport]]:
    """The artifacts of each trail: the latest of each template name, in the order in which the names first appeared."""
    rows = await connection.fetch(_BY_TRAILS, moment.org_id, moment.size, trail_ids)
    found: dict[TrailId, dict[str, ArtifactReport]] = defaultdict(dict)
    for row in rows:
        found[row["trail_id"]][row["template_name"]] = _report(row)
    return [list(found.get(trail_id, {}).values()) for trail_id in trail_ids]


_BY_PREFIX = """
SELECT fingerprint FROM record.artifacts
WHERE org_id = $1 AND fingerprint ~>=~ $3::text AND fingerprint ~<~ ($3 || 'g') AND entry_index < $2
  AND ($4::text[] IS NULL OR flow = ANY($4))
GROUP BY fingerprint ORDER BY fingerprint LIMIT $5"""


async def fingerprints_like(
    connection: Connection, moment: Moment, prefix: str, *, readable: frozenset[str] | None, limit: int
) -> list[Fingerprint]:
    """Fingerprints that begin with `prefix` (hexadecimal digits only, so `g` comes after them all), in order."""
    rows = await connection.fetch(
        _BY_PREFIX, moment.org_id, moment.size, prefix, None if readable is None else sorted(readable), limit
    )
    return [row["fingerprint"] for row in rows]


@dataclass(frozen=True, slots=True)
class Built:
    """Where an artifact came from, by one of its reports. `begun_index` is where its trail began."""

    fingerprint: Fingerprint
    name: str
    flow_id: FlowId
    flow: str
    trail_id: TrailId
    trail: str
    template_name: str
    commit: str | None
    author: str | None
    message: str | None
    begun_index: EntryIndex


_ORIGIN = """a.fingerprint, a.name, a.flow_id, a.flow, a.trail_id, a.trail, a.template_name, a.commit,
       a.commit_info ->> 'author' AS author, a.commit_info ->> 'message' AS message, t.entry_index AS begun_index"""

_BUILT = f"""
SELECT {_ORIGIN} FROM record.artifacts a
JOIN record.trails t ON t.org_id = $1 AND t.trail_id = a.trail_id AND t.version = 1
WHERE a.org_id = $1 AND a.entry_index < $2 AND a.fingerprint = $3 AND ($4::text IS NULL OR a.flow = $4)
ORDER BY a.entry_index DESC LIMIT 1"""


async def built(
    connection: Connection, moment: Moment, fingerprint: Fingerprint, *, flow: str | None = None
) -> Built | None:
    """The newest report of this fingerprint, in that flow or in any."""
    row: Any = await connection.fetchrow(_BUILT, moment.org_id, moment.size, fingerprint, flow)
    return None if row is None else Built(**row)


_BUILT_IN_FLOW = f"""
SELECT {_ORIGIN} FROM record.trails t CROSS JOIN LATERAL (
    SELECT * FROM record.artifacts a
    WHERE a.org_id = $1 AND a.trail_id = t.trail_id AND a.template_name = $4 AND a.entry_index < $2
      AND ($5::text IS NULL OR starts_with(a.commit, $5))
    ORDER BY a.entry_index DESC LIMIT 1
) a
WHERE t.org_id = $1 AND t.version = 1 AND t.entry_index < $2
  AND t.flow_id = (SELECT f.flow_id FROM record.flows f WHERE f.org_id = $1 AND f.name = $3 AND f.version = 1)
ORDER BY t.entry_index DESC LIMIT 1"""


async def built_in_flow(
    connection: Connection, moment: Moment, flow: str, template_name: str, *, commit: str | None
) -> Built | None:
    """The artifact of this template name in the last begun trail of the flow that has one (of that commit)."""
    row: Any = await connection.fetchrow(_BUILT_IN_FLOW, moment.org_id, moment.size, flow, template_name, commit)
    return None if row is None else Built(**row)


_BUILT_AS_UNIT = f"""
SELECT DISTINCT ON (a.fingerprint) {_ORIGIN} FROM record.artifacts a
JOIN record.trails t ON t.org_id = $1 AND t.trail_id = a.trail_id AND t.version = 1
WHERE a.org_id = $1 AND a.entry_index < $2 AND a.fingerprint = ANY($3::text[])
  AND a.fingerprint <> $4 AND a.flow_id = $5 AND a.template_name = $6
ORDER BY a.fingerprint, a.entry_index DESC"""


async def others_of_unit(
    connection: Connection, moment: Moment, wanted: Built, fingerprints: Sequence[Fingerprint]
) -> list[Built]:
    """Those of these artifacts that were built under the same name in the same flow, by their newest report there."""
    rows = await connection.fetch(
        _BUILT_AS_UNIT,
        moment.org_id,
        moment.size,
        fingerprints,
        wanted.fingerprint,
        wanted.flow_id,
        wanted.template_name,
    )
    return [Built(**row) for row in rows]
