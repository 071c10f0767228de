"""Reads of archives: what was asked for, how it ended, how far it is, who took it away."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from record.archives.rules import ArchiveKind, Question
from record.database import Connection
from record.ids import ArchiveId, Digest, EntryIndex, LedgerSize, OrgId
from record.moment import Moment


@dataclass(frozen=True, slots=True)
class Finished:
    """A finished archive: the SHA-256 and size of its file, how many files it holds, and where it lies."""

    digest: Digest
    byte_count: int
    files: int
    checkpoint_size: LedgerSize
    key: str
    version_id: str
    entry_index: EntryIndex
    at: datetime


@dataclass(frozen=True, slots=True)
class Failed:
    """An archive that will not come, and why."""

    reason: str
    entry_index: EntryIndex
    at: datetime


@dataclass(frozen=True, slots=True)
class Archive:
    """A requested archive. `size` and `instant` are what its answer is pinned to; `outcome` is None while it is being made."""

    archive_id: ArchiveId
    entry_index: EntryIndex
    question: Question
    size: LedgerSize
    instant: datetime
    requested_by: str
    at: datetime
    outcome: Finished | Failed | None


_SELECT: Final = """
SELECT a.archive_id, a.entry_index, a.kind, a.flow, a.trail, a.fingerprint, a.since, a.until, a.environment, a.framework,
       a.control, a.size, a.instant, a.requested_by, a.at, o.entry_index AS ended_index, o.failure, o.digest, o.byte_count,
       o.files, o.checkpoint_size, o.key, o.version_id, o.at AS ended_at
FROM record.archives a
LEFT JOIN record.archive_outcomes o ON o.org_id = $1 AND o.archive_id = a.archive_id AND o.entry_index < $2
WHERE a.org_id = $1 AND a.entry_index < $2"""


def _archive(row: Any) -> Archive:
    question = Question(
        kind=ArchiveKind(row["kind"]),
        flow=row["flow"],
        trail=row["trail"],
        fingerprint=row["fingerprint"],
        since=row["since"],
        until=row["until"],
        environment=row["environment"],
        framework=row["framework"],
        control=row["control"],
    )
    return Archive(
        archive_id=row["archive_id"],
        entry_index=row["entry_index"],
        question=question,
        size=row["size"],
        instant=row["instant"],
        requested_by=row["requested_by"],
        at=row["at"],
        outcome=_outcome(row),
    )


def _outcome(row: Any) -> Finished | Failed | None:
    if row["ended_index"] is None:
        return None
    if row["failure"] is not None:
        return Failed(row["failure"], row["ended_index"], row["ended_at"])
    return Finished(
        digest=row["digest"],
        byte_count=row["byte_count"],
        files=row["files"],
        checkpoint_size=row["checkpoint_size"],
        key=row["key"],
        version_id=row["version_id"],
        entry_index=row["ended_index"],
        at=row["ended_at"],
    )


async def by_ids(connection: Connection, moment: Moment, ids: Sequence[ArchiveId]) -> list[Archive | None]:
    """Archives in the order asked; None for what is not there."""
    rows = await connection.fetch(f"{_SELECT} AND a.archive_id = ANY($3::uuid[])", moment.org_id, moment.size, ids)
    found = {row["archive_id"]: _archive(row) for row in rows}
    return [found.get(archive_id) for archive_id in ids]


async def page(
    connection: Connection,
    moment: Moment,
    *,
    limit: int,
    older_than: EntryIndex | None = None,
    newer_than: EntryIndex | None = None,
    flows: frozenset[str] | None = None,
) -> list[Archive]:
    """Archives, the last requested first; with `flows`, only those that are about one of them. With `newer_than` alone: those
    just above it, in the same order.
    """
    ascending = newer_than is not None and older_than is None
    rows = await connection.fetch(
        f"{_SELECT} AND a.entry_index < least($2, $3::bigint) AND a.entry_index > coalesce($4::bigint, -1) "
        f"AND ($5::text[] IS NULL OR a.flow = ANY($5)) ORDER BY a.entry_index {'ASC' if ascending else 'DESC'} LIMIT $6",
        moment.org_id,
        moment.size,
        older_than,
        newer_than,
        None if flows is None else sorted(flows),
        limit,
    )
    archives = [_archive(row) for row in rows]
    return archives[::-1] if ascending else archives


@dataclass(frozen=True, slots=True)
class Download:
    """Somebody took an archive away."""

    entry_index: EntryIndex
    downloaded_by: str
    at: datetime


_DOWNLOADS: Final = """
SELECT archive_id, entry_index, downloaded_by, at FROM record.archive_downloads
WHERE org_id = $1 AND entry_index < $2 AND archive_id = ANY($3::uuid[]) ORDER BY entry_index"""


async def downloads(connection: Connection, moment: Moment, ids: Sequence[ArchiveId]) -> list[list[Download]]:
    """The downloads of each archive, oldest first, in the order asked."""
    found: dict[UUID, list[Download]] = defaultdict(list)
    for row in await connection.fetch(_DOWNLOADS, moment.org_id, moment.size, ids):
        archive_id, *values = row.values()
        found[archive_id].append(Download(*values))
    return [found.get(archive_id, []) for archive_id in ids]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an archive is, as of now. `done` and `total` are bytes; `total` is 0 until it is known.

    `state` is queued, running, done or failed; `failure` says why it failed, or why the last attempt did.
    """

    state: str
    done: int
    total: int
    text: str
    attempts: int
    failure: str | None


_PROGRESS: Final = """
SELECT CASE WHEN o.archive_id IS NULL THEN coalesce(nullif(nullif(j.state, 'done'), 'failed'), 'queued')
            WHEN o.failure IS NULL THEN 'done' ELSE 'failed' END AS state,
       coalesce(o.byte_count, j.progress_done, 0) AS done, coalesce(o.byte_count, j.progress_total, 0) AS total,
       CASE WHEN o.archive_id IS NULL THEN coalesce(j.progress_text, 'waiting for a worker')
            WHEN o.failure IS NULL THEN 'finished' ELSE 'failed' END AS text,
       coalesce(j.attempts, 0) AS attempts,
       CASE WHEN o.archive_id IS NULL THEN j.failure ELSE o.failure END AS failure
FROM record.archives a
LEFT JOIN record.archive_outcomes o ON o.org_id = $1 AND o.archive_id = a.archive_id
LEFT JOIN ops.jobs j ON j.org_id = $1 AND j.kind = 'archive' AND j.subject = a.archive_id
WHERE a.org_id = $1 AND a.archive_id = $2"""


async def progress(connection: Connection, org_id: OrgId, archive_id: ArchiveId) -> Progress | None:
    """How far an archive is: one statement, cheap enough to ask every second. None when nobody requested it."""
    row = await connection.fetchrow(_PROGRESS, org_id, archive_id)
    return None if row is None else Progress(**row)


_WITHOUT_JOB: Final = """
SELECT a.archive_id FROM record.archives a
WHERE a.org_id = $1
  AND NOT EXISTS (SELECT 1 FROM record.archive_outcomes o WHERE o.org_id = $1 AND o.archive_id = a.archive_id)
  AND NOT EXISTS (
      SELECT 1 FROM ops.jobs j
      WHERE j.org_id = $1 AND j.kind = 'archive' AND j.subject = a.archive_id AND j.state IN ('queued', 'running'))"""


async def without_job(connection: Connection, org_id: OrgId) -> list[ArchiveId]:
    """Archives that have no outcome and that nobody is going to make: their job was never written down, or was lost."""
    return [row["archive_id"] for row in await connection.fetch(_WITHOUT_JOB, org_id)]


_KEYS_AMONG: Final = "SELECT key FROM record.archive_outcomes WHERE org_id = $1 AND key = ANY($2::text[])"


async def keys_among(connection: Connection, org_id: OrgId, keys: Sequence[str]) -> set[str]:
    """Those of these vault keys that this organization's finished archives lie under."""
    return {row["key"] for row in await connection.fetch(_KEYS_AMONG, org_id, keys)}
