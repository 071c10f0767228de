"""Reads of evidence: what is in the vault for this organization, and which attestations name it."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from record.database import Connection
from record.ids import Digest, EntryIndex, OrgId, PrincipalId
from record.moment import Moment


@dataclass(frozen=True, slots=True)
class Evidence:
    """Bytes in the vault, and the locked version of the object that holds them. Sizes in bytes."""

    digest: Digest
    size: int
    crc32: int
    media_type: str
    key: str
    version_id: str
    retained_until: datetime
    entry_index: EntryIndex
    at: datetime


@dataclass(frozen=True, slots=True)
class AttachedFile:
    """A file of an attestation."""

    digest: Digest
    file_name: str
    media_type: str
    size: int


_BY_DIGESTS = """
SELECT digest, size, crc32, media_type, key, version_id, retained_until, entry_index, at
FROM record.evidence WHERE org_id = $1 AND entry_index < $2 AND digest = ANY($3::text[])"""


async def by_digests(connection: Connection, moment: Moment, digests: Sequence[Digest]) -> list[Evidence | None]:
    """Evidence in the order asked; None for digests that this organization has not stored."""
    return _in_order(digests, await connection.fetch(_BY_DIGESTS, moment.org_id, moment.size, digests))


def _in_order(digests: Sequence[Digest], rows: Sequence[Any]) -> list[Evidence | None]:
    found = {row["digest"]: Evidence(**row) for row in rows}
    return [found.get(digest) for digest in digests]


_IN_FLOWS = """EXISTS (
  SELECT FROM record.attestation_evidence e JOIN record.attestations a USING (org_id, entry_index)
  WHERE e.org_id = $1 AND e.digest = evidence.digest AND e.entry_index < $2 AND a.flow = ANY({flows}::text[]))"""
"""Whether some attestation in one of these flows names it: who may read the flow may read the evidence."""

_ATTACHABLE = f"""{_BY_DIGESTS} AND (
    stored_by = $4
    OR EXISTS (SELECT 1 FROM ops.evidence_uploads u WHERE u.org_id = $1 AND u.digest = evidence.digest AND u.principal_id = $5)
    OR {_IN_FLOWS.format(flows="$6")})"""


async def attachable(
    connection: Connection,
    moment: Moment,
    digests: Sequence[Digest],
    *,
    principal: str,
    principal_id: PrincipalId,
    readable: frozenset[str],
) -> list[Evidence | None]:
    """As `by_digests`; None, too, for what this principal did not upload and no attestation in a readable flow names."""
    rows = await connection.fetch(
        _ATTACHABLE, moment.org_id, moment.size, digests, principal, principal_id, sorted(readable)
    )
    return _in_order(digests, rows)


_NOTE_UPLOAD = """
INSERT INTO ops.evidence_uploads (org_id, digest, principal_id, at) VALUES ($1, $2, $3, $4)
ON CONFLICT (org_id, digest, principal_id) DO NOTHING"""


async def note_upload(connection: Connection, moment: Moment, digest: Digest, principal_id: PrincipalId) -> None:
    """Notes that this principal uploaded bytes that were there already."""
    await connection.execute(_NOTE_UPLOAD, moment.org_id, digest, principal_id, moment.instant)


_ATTACHED = """
SELECT entry_index, digest, file_name, media_type, size FROM record.attestation_evidence
WHERE org_id = $1 AND entry_index < $2 AND entry_index = ANY($3::bigint[]) ORDER BY entry_index, position"""


async def attached_to(
    connection: Connection, moment: Moment, attestations: Sequence[EntryIndex]
) -> list[list[AttachedFile]]:
    """The files of each attestation (named by its entry), in the order asked."""
    rows = await connection.fetch(_ATTACHED, moment.org_id, moment.size, attestations)
    found: dict[int, list[AttachedFile]] = defaultdict(list)
    for row in rows:
        index, *values = row.values()
        found[index].append(AttachedFile(*values))
    return [found.get(index, []) for index in attestations]


_AMONG = f"""
SELECT digest FROM record.evidence WHERE org_id = $1 AND entry_index < $2 AND digest = ANY($3::text[])
AND ($4::text[] IS NULL OR {_IN_FLOWS.format(flows="$4")})"""


async def among(
    connection: Connection, moment: Moment, digests: Sequence[Digest], *, flows: frozenset[str] | None
) -> set[Digest]:
    """Those of these digests that are stored; with `flows`, only what some attestation in one of these flows names."""
    rows = await connection.fetch(_AMONG, moment.org_id, moment.size, digests, None if flows is None else sorted(flows))
    return {Digest(row["digest"]) for row in rows}


_STORED = """
SELECT digest, size, crc32, media_type, key, version_id, retained_until, entry_index, at
FROM record.evidence WHERE org_id = $1 AND entry_index < $2 AND digest > $3 ORDER BY digest LIMIT $4"""


async def stored_after(connection: Connection, moment: Moment, digest: str, *, limit: int) -> list[Evidence]:
    """A page of everything that this organization has in the vault, by digest."""
    rows = await connection.fetch(_STORED, moment.org_id, moment.size, digest, limit)
    return [Evidence(**row) for row in rows]


_KEYS_AMONG = "SELECT key FROM record.evidence WHERE org_id = $1 AND digest = ANY($2::text[])"


async def keys_among(connection: Connection, org_id: OrgId, keys: Sequence[str]) -> set[str]:
    """Those of these vault keys that this organization's evidence lies under."""
    rows = await connection.fetch(_KEYS_AMONG, org_id, [key.rpartition("/")[2] for key in keys])
    return {row["key"] for row in rows}
