"""Reads of access: who a token is, which principals and keys there are, what the organization has settled."""

import json
from dataclasses import dataclass
from datetime import datetime

from record.access.rules import Grant, KeyFacts
from record.database import Connection
from record.ids import EntryIndex, KeyId, OrgId, PrincipalId
from record.moment import Moment


@dataclass(frozen=True, slots=True)
class Organization:
    """The organization as of a moment."""

    org_id: OrgId
    name: str
    origin: str
    retention_days: int
    flow_name_pattern: str | None
    required_types: tuple[str, ...]
    public: bool
    entry_index: EntryIndex


@dataclass(frozen=True, slots=True)
class Principal:
    """A person or service account as of a moment; `version` counts its changes from 1."""

    principal_id: PrincipalId
    name: str
    kind: str
    grants: tuple[Grant, ...]
    disabled: bool
    version: int
    entry_index: EntryIndex


@dataclass(frozen=True, slots=True)
class Key:
    """An issued key as of a moment. The token is nowhere."""

    key_id: KeyId
    principal_id: PrincipalId
    description: str
    scopes: tuple[Grant, ...] | None
    expires_at: datetime | None
    revoked_at: datetime | None
    replaces: KeyId | None
    entry_index: EntryIndex


def _grants(written: str | None) -> tuple[Grant, ...] | None:
    return None if written is None else tuple(Grant.from_json(grant) for grant in _loads(written))


def _loads(text: str) -> list[dict[str, object]]:
    loaded: list[dict[str, object]] = json.loads(text)
    return loaded


_PRESENTED_KEY = """
SELECT k.key_id, k.principal_id, p.name, p.disabled, p.grants, k.scopes, k.expires_at, r.revoked, r.revoked_at
FROM record.api_keys k
CROSS JOIN LATERAL (
    SELECT name, disabled, grants FROM record.principals p
    WHERE p.org_id = $1 AND p.principal_id = k.principal_id ORDER BY entry_index DESC LIMIT 1
) p
CROSS JOIN LATERAL (
    SELECT coalesce(bool_or(r.effective_at <= e.at), false) AS revoked, min(r.effective_at) AS revoked_at
    FROM record.key_revocations r JOIN record.entries e USING (org_id, entry_index)
    WHERE r.org_id = $1 AND r.key_id = k.key_id
) r
WHERE k.org_id = $1 AND k.token_sha256 = $2"""


async def key_by_token(connection: Connection, org_id: OrgId, token_sha256: bytes) -> KeyFacts | None:
    """Everything that decides whether a token opens anything, as of now."""
    row = await connection.fetchrow(_PRESENTED_KEY, org_id, token_sha256)
    if row is None:
        return None
    return KeyFacts(
        key_id=row["key_id"],
        principal_id=row["principal_id"],
        principal=row["name"],
        disabled=row["disabled"],
        grants=_grants(row["grants"]) or (),
        scopes=_grants(row["scopes"]),
        expires_at=row["expires_at"],
        revoked=row["revoked"],
        revoked_at=row["revoked_at"],
    )


_ORGANIZATION = """
SELECT org_id, name, origin, retention_days, flow_name_pattern, required_types, public, entry_index
FROM record.organizations WHERE org_id = $1 AND entry_index < $2 ORDER BY entry_index DESC LIMIT 1"""


async def organization(connection: Connection, moment: Moment) -> Organization | None:
    """The organization; None at a size before its first entry."""
    row = await connection.fetchrow(_ORGANIZATION, moment.org_id, moment.size)
    if row is None:
        return None
    values = dict(row)
    values["required_types"] = tuple(str(name) for name in _loads(values["required_types"]))
    return Organization(**values)


_PRINCIPALS = """
SELECT DISTINCT ON (principal_id) principal_id, name, kind, grants, disabled, version, entry_index
FROM record.principals
WHERE org_id = $1 AND entry_index < $2 AND ($3::uuid[] IS NULL OR principal_id = ANY($3)) AND ($4::text IS NULL OR name = $4)
ORDER BY principal_id, entry_index DESC"""


async def principals(
    connection: Connection, moment: Moment, *, ids: list[PrincipalId] | None = None, name: str | None = None
) -> list[Principal]:
    """Principals in the order in which they were added (ids are time-ordered)."""
    rows = await connection.fetch(_PRINCIPALS, moment.org_id, moment.size, ids, name)
    return [
        Principal(
            principal_id=row["principal_id"],
            name=row["name"],
            kind=row["kind"],
            grants=_grants(row["grants"]) or (),
            disabled=row["disabled"],
            version=row["version"],
            entry_index=row["entry_index"],
        )
        for row in rows
    ]


_KEYS = """
SELECT k.key_id, k.principal_id, k.description, k.scopes, k.expires_at, k.replaces, k.entry_index,
       (SELECT min(r.effective_at) FROM record.key_revocations r
        WHERE r.org_id = $1 AND r.key_id = k.key_id AND r.entry_index < $2) AS revoked_at
FROM record.api_keys k
WHERE k.org_id = $1 AND k.entry_index < $2
  AND ($3::uuid[] IS NULL OR k.principal_id = ANY($3)) AND ($4::uuid IS NULL OR k.key_id = $4)
ORDER BY k.entry_index"""


async def keys(
    connection: Connection, moment: Moment, *, principals: list[PrincipalId] | None = None, key_id: KeyId | None = None
) -> list[Key]:
    """Issued keys, oldest first."""
    rows = await connection.fetch(_KEYS, moment.org_id, moment.size, principals, key_id)
    return [
        Key(
            key_id=row["key_id"],
            principal_id=row["principal_id"],
            description=row["description"],
            scopes=_grants(row["scopes"]),
            expires_at=row["expires_at"],
            revoked_at=row["revoked_at"],
            replaces=row["replaces"],
            entry_index=row["entry_index"],
        )
        for row in rows
    ]


_LAST_USES = "SELECT key_id, last_used_at FROM ops.key_uses WHERE org_id = $1 AND key_id = ANY($2::uuid[])"


async def last_uses(connection: Connection, org_id: OrgId, key_ids: list[KeyId]) -> list[datetime | None]:
    """When each key was last used, in the order asked; None for one that never was, or not since `ops` was lost."""
    rows = await connection.fetch(_LAST_USES, org_id, key_ids)
    found = {row["key_id"]: row["last_used_at"] for row in rows}
    return [found.get(key_id) for key_id in key_ids]


_NOTE_USES = """
INSERT INTO ops.key_uses (org_id, key_id, last_used_at)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[])
ON CONFLICT (org_id, key_id) DO UPDATE SET last_used_at = greatest(ops.key_uses.last_used_at, excluded.last_used_at)"""


async def note_uses(connection: Connection, uses: list[tuple[OrgId, KeyId, datetime]]) -> None:
    """Writes down when keys were last used. An operational fact, not an entry."""
    await connection.execute(_NOTE_USES, [u[0] for u in uses], [u[1] for u in uses], [u[2] for u in uses])
