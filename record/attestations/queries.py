"""Reads of attestations, of custom types and of the keys that provenance is checked against."""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from record.database import Connection
from record.ids import AttestationId, EntryIndex, FlowId, TrailId
from record.moment import Moment


@dataclass(frozen=True, slots=True)
class Attestation:
    """An attestation and its result, as it was recorded."""

    attestation_id: AttestationId
    entry_index: EntryIndex
    flow_id: FlowId
    flow: str
    trail_id: TrailId
    trail: str
    name: str
    type: str
    type_version: int | None
    compliant: bool
    explanation: str
    fingerprint: str | None
    template_name: str | None
    commit: str | None
    overrides: str | None
    expires_at: datetime | None
    description: str
    origin_url: str | None
    external_urls: dict[str, Any]
    annotations: dict[str, Any]
    user_data: dict[str, Any]
    summary: dict[str, Any]
    attested_by: str
    at: datetime


_COLUMNS = """attestation_id, entry_index, flow_id, flow, trail_id, trail, name, type, type_version, compliant, explanation,
       fingerprint, template_name, commit, overrides, expires_at, description, origin_url, external_urls, annotations, user_data,
       summary, attested_by, at"""
_JSON = ("external_urls", "annotations", "user_data", "summary")


def _attestation(row: Any) -> Attestation:
    values = dict(row)
    for name in _JSON:
        values[name] = json.loads(values[name])
    return Attestation(**values)


_BY_TRAILS = f"""
SELECT {_COLUMNS} FROM record.attestations
WHERE org_id = $1 AND trail_id = ANY($3::uuid[]) AND entry_index < $2 ORDER BY entry_index"""


async def by_trails(connection: Connection, moment: Moment, trail_ids: Sequence[TrailId]) -> list[list[Attestation]]:
    """Every attestation of each trail, oldest first, in the order asked."""
    rows = await connection.fetch(_BY_TRAILS, moment.org_id, moment.size, trail_ids)
    found: dict[TrailId, list[Attestation]] = defaultdict(list)
    for row in rows:
        found[row["trail_id"]].append(_attestation(row))
    return [found.get(trail_id, []) for trail_id in trail_ids]


_BY_ENTRIES = f"""
SELECT {_COLUMNS} FROM record.attestations
WHERE org_id = $1 AND entry_index = ANY($3::bigint[]) AND entry_index < $2"""
_BY_IDS = f"SELECT {_COLUMNS} FROM record.attestations WHERE org_id = $1 AND attestation_id = ANY($3::uuid[]) AND entry_index < $2"


async def by_entries(connection: Connection, moment: Moment, entries: Sequence[EntryIndex]) -> list[Attestation | None]:
    """Attestations by the entry that recorded them, in the order asked."""
    rows = await connection.fetch(_BY_ENTRIES, moment.org_id, moment.size, entries)
    found = {row["entry_index"]: _attestation(row) for row in rows}
    return [found.get(index) for index in entries]


async def by_ids(connection: Connection, moment: Moment, ids: Sequence[AttestationId]) -> list[Attestation | None]:
    """Attestations in the order asked; None for what is not there."""
    rows = await connection.fetch(_BY_IDS, moment.org_id, moment.size, ids)
    found = {row["attestation_id"]: _attestation(row) for row in rows}
    return [found.get(attestation_id) for attestation_id in ids]


@dataclass(frozen=True, slots=True)
class CustomType:
    """A version of a custom attestation type."""

    name: str
    version: int
    description: str
    json_schema: Any
    rules: tuple[str, ...]
    entry_index: EntryIndex
    at: datetime


_TYPES = """
SELECT {distinct} name, version, description, json_schema, rules, entry_index, at FROM record.attestation_types
WHERE org_id = $1 AND entry_index < $2 AND ($3::text IS NULL OR name = $3) AND ($4::int IS NULL OR version = $4)
ORDER BY name, version DESC"""


def _type(row: Any) -> CustomType:
    values = dict(row)
    values["json_schema"] = json.loads(values["json_schema"])
    values["rules"] = tuple(json.loads(values["rules"]))
    return CustomType(**values)


async def custom_types(connection: Connection, moment: Moment) -> list[CustomType]:
    """The newest version of every custom type, by name."""
    text = _TYPES.format(distinct="DISTINCT ON (name)")
    return [_type(row) for row in await connection.fetch(text, moment.org_id, moment.size, None, None)]


async def custom_type(
    connection: Connection, moment: Moment, name: str, *, version: int | None = None
) -> CustomType | None:
    """A version of a custom type; the newest when none is named."""
    text = _TYPES.format(distinct="") + " LIMIT 1"
    row = await connection.fetchrow(text, moment.org_id, moment.size, name, version)
    return None if row is None else _type(row)


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A public key, trusted or retired, as of a moment."""

    name: str
    key_id: str
    pem: str
    trusted: bool
    entry_index: EntryIndex
    at: datetime


_SIGNING_KEYS = """
SELECT DISTINCT ON (name) name, key_id, pem, trusted, entry_index, at FROM record.signing_keys
WHERE org_id = $1 AND entry_index < $2 AND ($3::text IS NULL OR name = $3) ORDER BY name, entry_index DESC"""


async def signing_keys(connection: Connection, moment: Moment, *, name: str | None = None) -> list[SigningKey]:
    """Signing keys by name, retired ones included."""
    rows = await connection.fetch(_SIGNING_KEYS, moment.org_id, moment.size, name)
    return [SigningKey(**row) for row in rows]
