"""Every change of a period, read page by page: reported deployments, and runs that nobody reported.

A page costs the same wherever it lies: it is asked for by the place after which to go on. What is listed depends on nothing but
the moment: archives and the API list the same changes.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from record.controls.rules import Change, ChangeKind, Place, Window
from record.database import Connection, Database
from record.ids import EntryIndex, LedgerSize
from record.moment import Moment
from record.verdicts import earliest

STATEMENT_SECONDS: Final = 600.0
"""An archive may wait longer for a statement than a request may."""


@dataclass(frozen=True, slots=True)
class Page:
    """Changes in the order of their places. `last`: where to go on, None when there is no more.

    `holds_until`: when something that runs unreported will count as a shadow change unless its deployment is reported.
    """

    changes: list[Change]
    last: Place | None
    holds_until: datetime | None


# A deployment by a reporter's clock that is ahead may come to lie after its own entry, hence `least`.
_CHANGES: Final = """
SELECT * FROM (
    (SELECT 'DEPLOYMENT' AS kind, d.deployed_at AS at, d.entry_index, 0 AS ordinal, d.environment_id, d.environment,
            d.fingerprint, d.name, d.deployed_by AS by, d.deployment_id, d.flow, d.trail, d.commit,
            NULL::int AS snapshot_number,
            least(d.entry_index, coalesce(
                (SELECT e.entry_index + 1 FROM record.entries e WHERE e.org_id = $1 AND e.at <= d.deployed_at
                 ORDER BY e.at DESC, e.entry_index DESC LIMIT 1), 0)) AS known_size,
            NULL::timestamptz AS due
     FROM record.deployments d
     WHERE d.org_id = $1 AND d.entry_index < $2 AND d.deployed_at >= $3 AND d.deployed_at < $4
       AND (d.deployed_at, d.entry_index, 0) > ($5, $6, $7) {places_of_d}
     ORDER BY d.deployed_at, d.entry_index LIMIT $8)
    UNION ALL
    (SELECT 'SHADOW_CHANGE', e.at, e.entry_index, e.ordinal, e.environment_id, place.name, e.fingerprint, e.name, NULL,
            NULL, NULL, NULL, NULL, e.number, e.entry_index, e.at + make_interval(secs => place.grace_seconds)
     FROM record.environment_events e CROSS JOIN LATERAL (
         SELECT v.name, v.grace_seconds FROM record.environments v
         WHERE v.org_id = $1 AND v.environment_id = e.environment_id AND v.entry_index < $2
         ORDER BY v.entry_index DESC LIMIT 1
     ) place LEFT JOIN LATERAL (
         SELECT d.deployed_at AS at FROM record.deployments d
         WHERE d.org_id = $1 AND d.fingerprint = e.fingerprint AND d.environment_id = e.environment_id AND d.entry_index < $2
         ORDER BY d.deployed_at LIMIT 1
     ) reported ON true
     WHERE e.org_id = $1 AND e.kind = 'started' AND e.at >= $3 AND e.at < $4 AND e.entry_index + e.still_to_come < $2
       AND (e.at, e.entry_index, e.ordinal) > ($5, $6, $7) {places_of_e}
       AND (reported.at IS NULL OR reported.at > e.at + make_interval(secs => place.grace_seconds))
     ORDER BY e.at, e.entry_index, e.ordinal LIMIT $8)
) changes ORDER BY at, entry_index, ordinal LIMIT $8"""


async def page(
    connection: Connection,
    moment: Moment,
    window: Window,
    *,
    limit: int,
    after: Place | None = None,
    environments: Sequence[str] | None = None,
    timeout: float | None = None,  # noqa: ASYNC109 (PostgreSQL is told, not the event loop)
) -> Page:
    """At most `limit` changes of the period after a place: one statement. `environments`: only there (None: anywhere)."""
    start = after or Place(window.since, EntryIndex(-1), -1)
    text = _CHANGES.format(
        places_of_d="" if environments is None else "AND d.environment = ANY($9::text[])",
        places_of_e="" if environments is None else "AND place.name = ANY($9::text[])",
    )
    arguments: list[Any] = [moment.org_id, moment.size, window.since, window.until, *start, limit]
    if environments is not None:
        arguments.append(list(environments))
    rows = await connection.fetch(text, *arguments, timeout=timeout)
    awaited = [row["due"] for row in rows if row["due"] is not None and row["due"] > moment.instant]
    changes = [_change(row) for row in rows if row["due"] is None or row["due"] <= moment.instant]
    last = Place(rows[-1]["at"], rows[-1]["entry_index"], rows[-1]["ordinal"]) if len(rows) == limit else None
    return Page(changes, last, earliest(awaited))


async def pages(
    database: Database,
    moment: Moment,
    window: Window,
    *,
    limit: int,
    environments: Sequence[str] | None = None,
) -> AsyncIterator[list[Change]]:
    """All changes of the period, some at a time, each page on a connection of its own."""
    after: Place | None = None
    while True:
        async with database.connection(moment.org_id) as connection:
            found = await page(
                connection, moment, window, limit=limit, after=after, environments=environments,
                timeout=STATEMENT_SECONDS,
            )  # fmt: skip
        if found.changes:
            yield found.changes
        if found.last is None:
            return
        after = found.last


def _change(row: Any) -> Change:
    return Change(
        kind=ChangeKind(row["kind"]),
        place=Place(row["at"], row["entry_index"], row["ordinal"]),
        environment_id=row["environment_id"],
        environment=row["environment"],
        fingerprint=row["fingerprint"],
        name=row["name"],
        known_size=LedgerSize(row["known_size"]),
        by=row["by"],
        deployment_id=row["deployment_id"],
        snapshot_number=row["snapshot_number"],
        flow=row["flow"],
        trail=row["trail"],
        commit=row["commit"],
    )
