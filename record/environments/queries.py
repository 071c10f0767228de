"""Reads of environments: what they are, and what is reported of them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from record.database import Connection
from record.environments.rules import continued_from
from record.ids import EntryIndex, EnvironmentId
from record.ledger import entries
from record.ledger.entries import Receipt
from record.moment import Moment


@dataclass(frozen=True, slots=True)
class Environment:
    """An environment as of a moment; `included` are those that a logical one unites."""

    environment_id: EnvironmentId
    name: str
    type: str
    description: str
    tags: dict[str, str]
    included: tuple[EnvironmentId, ...]
    cadence_seconds: int | None
    grace_seconds: int
    archived: bool
    version: int
    entry_index: EntryIndex
    created_at: datetime
    changed_at: datetime

    @property
    def places(self) -> tuple[EnvironmentId, ...]:
        """The environments whose snapshots say what runs here: itself, or those that it includes."""
        return self.included if self.is_logical else (self.environment_id,)

    @property
    def is_logical(self) -> bool:
        return self.type == "logical"


ENVIRONMENT = """
SELECT e.environment_id, e.name, e.type, e.description, e.tags, e.included, e.cadence_seconds, e.grace_seconds, e.archived,
       e.version, e.entry_index, first.at AS created_at, e.at AS changed_at
FROM record.environments first
CROSS JOIN LATERAL (
    SELECT * FROM record.environments v
    WHERE v.org_id = $1 AND v.environment_id = first.environment_id AND v.entry_index < $2
    ORDER BY v.entry_index DESC LIMIT 1
) e
WHERE first.org_id = $1 AND first.version = 1 AND first.entry_index < $2"""


def environment_of(row: Any) -> Environment:
    """The environment in a row that has its columns."""
    values = dict(row)
    values["tags"] = json.loads(values["tags"])
    values["included"] = tuple(EnvironmentId(UUID(each)) for each in json.loads(values["included"]))
    return Environment(**values)


async def by_name(connection: Connection, moment: Moment, name: str) -> Environment | None:
    """The environment of this name."""
    row = await connection.fetchrow(f"{ENVIRONMENT} AND first.name = $3", moment.org_id, moment.size, name)
    return None if row is None else environment_of(row)


async def by_names(connection: Connection, moment: Moment, names: Sequence[str]) -> list[Environment | None]:
    """Environments in the order asked; None for what is not there."""
    rows = await connection.fetch(f"{ENVIRONMENT} AND first.name = ANY($3::text[])", moment.org_id, moment.size, names)
    found = {row["name"]: environment_of(row) for row in rows}
    return [found.get(name) for name in names]


async def by_ids(connection: Connection, moment: Moment, ids: Sequence[EnvironmentId]) -> list[Environment | None]:
    """Environments in the order asked; None for what is not there."""
    rows = await connection.fetch(
        f"{ENVIRONMENT} AND first.environment_id = ANY($3::uuid[])", moment.org_id, moment.size, ids
    )
    found = {row["environment_id"]: environment_of(row) for row in rows}
    return [found.get(environment_id) for environment_id in ids]


async def page(
    connection: Connection,
    moment: Moment,
    *,
    limit: int,
    after: str | None = None,
    before: str | None = None,
    readable: frozenset[str] | None = None,
    archived: bool = False,
) -> list[Environment]:
    """Environments by name, the archived ones only when asked; with `before`, the last ones before it, still ascending."""
    descending = before is not None and after is None
    rows = await connection.fetch(
        f"{ENVIRONMENT} AND ($3::text IS NULL OR first.name > $3) AND ($4::text IS NULL OR first.name < $4) "
        f"AND ($5::text[] IS NULL OR first.name = ANY($5)) AND ($6 OR NOT e.archived) "
        f"ORDER BY first.name {'DESC' if descending else 'ASC'} LIMIT $7",
        moment.org_id,
        moment.size,
        after,
        before,
        None if readable is None else sorted(readable),
        archived,
        limit,
    )
    found = [environment_of(row) for row in rows]
    return found[::-1] if descending else found


_LAST_REPORTS = """
SELECT asked.environment_id, greatest(
    (SELECT s.at FROM record.snapshots s WHERE s.org_id = $1 AND s.environment_id = asked.environment_id
     AND s.entry_index < $2 ORDER BY s.entry_index DESC LIMIT 1),
    (SELECT least(r.at, $4) FROM ops.environment_reports r
     WHERE r.org_id = $1 AND r.environment_id = asked.environment_id AND r.since <= $4 ORDER BY r.since DESC LIMIT 1)
) AS at
FROM unnest($3::uuid[]) AS asked (environment_id)"""


async def last_reports(connection: Connection, moment: Moment, ids: Sequence[EnvironmentId]) -> list[datetime | None]:
    """When each environment last reported, changed or not; None when it never did.

    Of reports without a change their series are known. A past moment amid one, when nobody was silent, answers itself.
    """
    rows = await connection.fetch(_LAST_REPORTS, moment.org_id, moment.size, ids, moment.instant)
    found = {row["environment_id"]: row["at"] for row in rows}
    return [found.get(environment_id) for environment_id in ids]


# A series that a report continues had its last report at `$5` or later.
_NOTE_REPORT = """
WITH last AS (
    SELECT since, at FROM ops.environment_reports
    WHERE org_id = $1 AND environment_id = $3 ORDER BY since DESC LIMIT 1
), noted AS (
    INSERT INTO ops.environment_reports (org_id, environment_id, since, at)
    VALUES ($1, $3, coalesce((SELECT since FROM last WHERE at >= $5), $4), $4)
    ON CONFLICT (org_id, environment_id, since) DO UPDATE SET at = greatest(environment_reports.at, excluded.at)
)
SELECT e.id, e.kind, e.leaf_hash, e.at, e.content, l.origin
FROM record.entries e JOIN ops.ledgers l USING (org_id) WHERE e.org_id = $1 AND e.entry_index = $2"""


async def note_report(
    connection: Connection, moment: Moment, environment: Environment, snapshot_index: EntryIndex
) -> Receipt:
    """Moves "last reported" in ops: nothing changed, so there is nothing to record. The receipt of what says what still runs."""
    continues = continued_from(moment.instant, environment.cadence_seconds, environment.changed_at)
    row = await connection.fetchrow(
        _NOTE_REPORT, moment.org_id, snapshot_index, environment.environment_id, moment.instant, continues
    )
    return Receipt(
        org_id=moment.org_id,
        ledger=row["origin"],
        index=snapshot_index,
        entry_id=row["id"],
        kind=row["kind"],
        leaf_hash=row["leaf_hash"].hex(),
        at=row["at"],
        body=entries.decode(snapshot_index, row["content"]).body,
    )


_FLOWS_OF = """
SELECT fingerprint, (array_agg(DISTINCT flow ORDER BY flow))[1:$4] AS flows FROM record.artifacts
WHERE org_id = $1 AND fingerprint = ANY($3::text[]) AND entry_index < $2 GROUP BY fingerprint"""
FLOWS_LISTED_MAX = 20


async def flows_of(connection: Connection, moment: Moment, fingerprints: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The flows in which each fingerprint is known, by name (the first 20); those that are known nowhere are left out."""
    rows = await connection.fetch(_FLOWS_OF, moment.org_id, moment.size, fingerprints, FLOWS_LISTED_MAX)
    return {row["fingerprint"]: tuple(row["flows"]) for row in rows}
