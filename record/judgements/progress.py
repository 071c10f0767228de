"""How far judging has come, in schema `ops`: what waits for it, what is due, what it has seen. Reads and writes `ops` only.

Losing these rows loses nothing: `service` begins again at the last judgement that is in the record.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from record.database import Connection
from record.ids import EnvironmentId, LedgerSize, OrgId
from record.judgements.rules import Kind, Point


@dataclass(frozen=True, slots=True)
class Waiting:
    """An organization in which something may have to be judged."""

    org_id: OrgId
    organization: str


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an organization is judged."""

    point: Point
    resumed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Reached:
    """How far an organization is judged, and when which of its environments are looked at again without an entry."""

    point: Point
    due: Mapping[EnvironmentId, datetime]


@dataclass(frozen=True, slots=True)
class Window:
    """What a round looks at: everything between two points. `everybody`: nobody knows who is due, so all are looked at.

    `is_behind` says that more entries wait behind it, so that nobody knows yet what is so just now.
    """

    since: Point
    until: Point
    resumed_at: datetime | None
    is_behind: bool
    everybody: bool


@dataclass(frozen=True, slots=True)
class Due:
    """When a subject may change without an entry, or since when it is silent."""

    subject_id: UUID
    kind: Kind
    due_at: datetime | None
    stale_since: datetime | None


_HEARD: Final = """
FROM ops.judging_due s JOIN ops.environment_reports r ON r.org_id = s.org_id AND r.environment_id = s.subject_id
WHERE s.stale_since IS NOT NULL AND r.at > s.stale_since"""

_WAITING: Final = f"""
SELECT l.org_id, l.name FROM ops.ledgers l LEFT JOIN ops.judging j USING (org_id)
WHERE l.size > coalesce(j.size, 0)
   OR l.org_id IN (SELECT org_id FROM ops.judging_due WHERE due_at <= $1)
   OR l.org_id IN (SELECT s.org_id {_HEARD})"""

_OLDEST_DUE: Final = "SELECT min(due_at) FROM ops.judging_due WHERE due_at <= $1"

_SIZE: Final = "SELECT size FROM ops.ledgers WHERE org_id = $1"

_LOCK: Final = "SELECT pg_try_advisory_lock(hashtextextended('muniment.judging.' || $1::text, 0))"

_UNLOCK: Final = "SELECT pg_advisory_unlock(hashtextextended('muniment.judging.' || $1::text, 0))"

_PROGRESS: Final = "SELECT size, instant, resumed_at FROM ops.judging WHERE org_id = $1"

_REACHED: Final = """
SELECT j.size, j.instant, d.subject_id, d.due_at FROM ops.judging j
LEFT JOIN ops.judging_due d ON d.org_id = j.org_id AND d.subject_id = ANY($2::uuid[]) AND d.due_at IS NOT NULL
WHERE j.org_id = $1"""

# When one that was silent has reported, all that were silent are looked at: a logical environment is so by its parts.
_DUE: Final = f"""
SELECT subject_id, subject, due_at, stale_since FROM ops.judging_due
WHERE org_id = $1 AND (subject_id = ANY($2::uuid[]) OR due_at <= $3
    OR (stale_since IS NOT NULL AND EXISTS (SELECT 1 {_HEARD} AND s.org_id = $1)))"""

_SAVE: Final = """
WITH moved AS (
    INSERT INTO ops.judging (org_id, size, instant, resumed_at) VALUES ($1, $2, $3, $4)
    ON CONFLICT (org_id) DO UPDATE
    SET size = greatest(judging.size, excluded.size), instant = greatest(judging.instant, excluded.instant)
), gone AS (
    DELETE FROM ops.judging_due WHERE org_id = $1 AND subject_id = ANY($5::uuid[])
)
INSERT INTO ops.judging_due (org_id, subject_id, subject, due_at, stale_since)
SELECT $1, d.* FROM unnest($6::uuid[], $7::text[], $8::timestamptz[], $9::timestamptz[])
    AS d (subject_id, subject, due_at, stale_since)
ON CONFLICT (org_id, subject_id) DO UPDATE SET due_at = excluded.due_at, stale_since = excluded.stale_since"""


async def waiting(connection: Connection, now: datetime) -> list[Waiting]:
    """Organizations with entries that nobody looked at, with something due at `now`, or with a silent place that reported."""
    return [Waiting(*row.values()) for row in await connection.fetch(_WAITING, now)]


async def oldest_due(connection: Connection, now: datetime) -> datetime | None:
    """Since when something waits to be looked at again because of time alone; None when nothing does."""
    at: datetime | None = await connection.fetchval(_OLDEST_DUE, now)
    return at


async def lock(connection: Connection, org_id: OrgId) -> bool:
    """Whether this session judges the organization from now on. If it dies, its lock falls with it."""
    locked: bool = await connection.fetchval(_LOCK, str(org_id))
    return locked


async def unlock(connection: Connection, org_id: OrgId) -> None:
    """Lets another session judge it."""
    await connection.execute(_UNLOCK, str(org_id))


async def ledger_size(connection: Connection, org_id: OrgId) -> LedgerSize:
    """How many entries there are."""
    return LedgerSize(await connection.fetchval(_SIZE, org_id) or 0)


async def progress(connection: Connection, org_id: OrgId) -> Progress | None:
    """How far it is judged; None when nobody knows."""
    row = await connection.fetchrow(_PROGRESS, org_id)
    return None if row is None else Progress(Point(row["size"], row["instant"]), row["resumed_at"])


async def reached(connection: Connection, org_id: OrgId, ids: Sequence[EnvironmentId]) -> Reached | None:
    """How far it is judged, with these environments' next looks: one statement. None when nobody knows."""
    rows = await connection.fetch(_REACHED, org_id, ids)
    if not rows:
        return None
    due = {EnvironmentId(row["subject_id"]): row["due_at"] for row in rows if row["subject_id"] is not None}
    return Reached(Point(rows[0]["size"], rows[0]["instant"]), due)


async def due(connection: Connection, org_id: OrgId, subjects: Sequence[UUID], until: datetime) -> dict[UUID, Due]:
    """What is known of these subjects, and of all that are due by then or have reported after a silence."""
    rows = await connection.fetch(_DUE, org_id, subjects, until)
    return {
        row["subject_id"]: Due(row["subject_id"], Kind(row["subject"]), row["due_at"], row["stale_since"])
        for row in rows
    }


async def save(connection: Connection, org_id: OrgId, reached: Progress, looked_at: Sequence[Due]) -> None:
    """Moves on, and keeps when to look at these again: one statement."""
    kept = [each for each in looked_at if each.due_at is not None or each.stale_since is not None]
    gone = [each.subject_id for each in looked_at if each.due_at is None and each.stale_since is None]
    await connection.execute(
        _SAVE,
        org_id,
        reached.point.size,
        reached.point.instant,
        reached.resumed_at,
        gone,
        [each.subject_id for each in kept],
        [each.kind.value for each in kept],
        [each.due_at for each in kept],
        [each.stale_since for each in kept],
    )
