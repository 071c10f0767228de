"""Reads of snapshots: which there are, what ran in them, what happened between them, when artifacts ran."""

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, TypeAlias

from record.database import Connection
from record.environments.queries import ENVIRONMENT, Environment, environment_of
from record.environments.rules import NOTHING_BEFORE, Before, Member, Run, Running
from record.ids import EntryIndex, EnvironmentId, Fingerprint, LedgerSize
from record.moment import Moment


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A numbered snapshot. `refused` names members that were left out, the first of `refused_count`."""

    environment_id: EnvironmentId
    number: int
    entry_index: EntryIndex
    keyframe: int
    rows_since: int
    artifacts: int
    instances: int
    started: int
    stopped: int
    scaled: int
    found: int
    state: str
    refused_count: int
    refused: tuple[dict[str, Any], ...]
    reported_by: str
    at: datetime

    @property
    def is_partial(self) -> bool:
        return self.refused_count > 0


_NAMES = (
    *("environment_id", "number", "entry_index", "keyframe", "rows_since", "artifacts", "instances", "started"),
    *("stopped", "scaled", "found", "state", "refused_count", "refused", "reported_by", "at"),
)
_COLUMNS = ", ".join(f"s.{name}" for name in _NAMES)


def snapshot_of(row: Any) -> Snapshot:
    """The snapshot in a row that has its columns."""
    values = dict(row)
    values["refused"] = tuple(json.loads(values["refused"]))
    return Snapshot(**values)


_NEWEST = f"""
SELECT {_COLUMNS} FROM unnest($3::uuid[]) AS asked (environment_id) CROSS JOIN LATERAL (
    SELECT * FROM record.snapshots s
    WHERE s.org_id = $1 AND s.environment_id = asked.environment_id AND s.entry_index < $2
    ORDER BY s.entry_index DESC LIMIT 1
) s"""


async def newest(connection: Connection, moment: Moment, ids: Sequence[EnvironmentId]) -> list[Snapshot | None]:
    """The newest snapshot of each environment, in the order asked; None where there is none."""
    rows = await connection.fetch(_NEWEST, moment.org_id, moment.size, ids)
    found = {row["environment_id"]: snapshot_of(row) for row in rows}
    return [found.get(environment_id) for environment_id in ids]


_TO_COMPARE = f"""
SELECT e.*, {", ".join(f"s.{name} AS s_{name}" for name in _NAMES)}
FROM ({ENVIRONMENT} AND first.name = $3) e LEFT JOIN LATERAL (
    SELECT * FROM record.snapshots s WHERE s.org_id = $1 AND s.environment_id = e.environment_id AND s.entry_index < $2
    ORDER BY s.entry_index DESC LIMIT 1
) s ON true"""


async def to_compare(connection: Connection, moment: Moment, name: str) -> tuple[Environment | None, Snapshot | None]:
    """The environment of this name and its newest snapshot: what a report is compared with, in one statement."""
    row = await connection.fetchrow(_TO_COMPARE, moment.org_id, moment.size, name)
    if row is None:
        return None, None
    values = dict(row)
    of_snapshot = {key.removeprefix("s_"): values.pop(key) for key in list(values) if key.startswith("s_")}
    return environment_of(values), None if of_snapshot["number"] is None else snapshot_of(of_snapshot)


async def numbered(
    connection: Connection, moment: Moment, environment_id: EnvironmentId, number: int
) -> Snapshot | None:
    """The snapshot of this number."""
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS} FROM record.snapshots s "
        "WHERE s.org_id = $1 AND s.environment_id = $3 AND s.number = $4 AND s.entry_index < $2",
        moment.org_id,
        moment.size,
        environment_id,
        number,
    )
    return None if row is None else snapshot_of(row)


_BY_NUMBERS = f"""
SELECT {_COLUMNS} FROM unnest($3::uuid[], $4::int[]) AS asked (environment_id, number)
JOIN record.snapshots s ON s.org_id = $1 AND s.environment_id = asked.environment_id AND s.number = asked.number
WHERE s.entry_index < $2"""


async def by_numbers(
    connection: Connection, moment: Moment, asked: Sequence[tuple[EnvironmentId, int]]
) -> list[Snapshot | None]:
    """The snapshots of these numbers, in the order asked; None for what is not there."""
    environments, numbers = [each for each, _ in asked], [number for _, number in asked]
    rows = await connection.fetch(_BY_NUMBERS, moment.org_id, moment.size, environments, numbers)
    found = {(row["environment_id"], row["number"]): snapshot_of(row) for row in rows}
    return [found.get(each) for each in asked]


async def page(
    connection: Connection,
    moment: Moment,
    environment_id: EnvironmentId,
    *,
    limit: int,
    older_than: EntryIndex | None = None,
    newer_than: EntryIndex | None = None,
) -> list[Snapshot]:
    """Snapshots of an environment, the newest first. With `newer_than` alone: those just above it, in the same order."""
    ascending = newer_than is not None and older_than is None
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} FROM record.snapshots s WHERE s.org_id = $1 AND s.environment_id = $2 "
        f"AND s.entry_index < $3 AND s.entry_index > $4 ORDER BY s.entry_index {'ASC' if ascending else 'DESC'} LIMIT $5",
        moment.org_id,
        environment_id,
        moment.size if older_than is None else min(older_than, moment.size),
        -1 if newer_than is None else newer_than,
        limit,
    )
    found = [snapshot_of(row) for row in rows]
    return found[::-1] if ascending else found


_MEMBERS = """
SELECT m.fingerprint, m.name, m.instances, m.created, m.facts, m.facts_omitted, m.flows, m.since, asked.place
FROM unnest($2::uuid[], $3::int[], $4::int[]) WITH ORDINALITY AS asked (environment_id, keyframe, number, place)
CROSS JOIN LATERAL (
    SELECT DISTINCT ON (m.fingerprint) m.* FROM record.snapshot_members m
    WHERE m.org_id = $1 AND m.environment_id = asked.environment_id AND m.number BETWEEN asked.keyframe AND asked.number
    ORDER BY m.fingerprint, m.number DESC
) m
WHERE m.change <> 'stopped' ORDER BY asked.place, m.name, m.fingerprint"""

_INSTANTS = """
SELECT asked.environment_id, asked.number, s.at FROM unnest($2::uuid[], $3::int[]) AS asked (environment_id, number)
CROSS JOIN LATERAL (
    SELECT s.at FROM record.snapshots s
    WHERE s.org_id = $1 AND s.environment_id = asked.environment_id AND s.number = asked.number LIMIT 1
) s"""


Members: TypeAlias = list[list[tuple[Member, int]]]
"""Of each snapshot, its members with the number of the snapshot that saw each start."""


async def members_in(connection: Connection, moment: Moment, snapshots: Sequence[Snapshot]) -> Members:
    """The members of each of these snapshots by name, with the number of the snapshot that saw each start: one statement."""
    rows = await connection.fetch(
        _MEMBERS,
        moment.org_id,
        [snapshot.environment_id for snapshot in snapshots],
        [snapshot.keyframe for snapshot in snapshots],
        [snapshot.number for snapshot in snapshots],
    )
    found: Members = [[] for _ in snapshots]
    for row in rows:
        found[row["place"] - 1].append((member_of(row), row["since"]))
    return found


def member_of(row: Any) -> Member:
    """The member in a row that has its columns."""
    return Member(
        row["fingerprint"],
        row["name"],
        row["instances"],
        tuple(json.loads(row["created"])),
        tuple(json.loads(row["facts"])),
        row["facts_omitted"],
        tuple(json.loads(row["flows"])),
    )


ReadMembers: TypeAlias = Callable[[Connection, Moment, Sequence[Snapshot]], Awaitable[Members]]


async def running_in(
    connection: Connection, moment: Moment, snapshots: Sequence[Snapshot], *, read: ReadMembers = members_in
) -> list[list[Running]]:
    """What ran in each of these snapshots, by name: two statements, however many snapshots and members."""
    if not snapshots:
        return []
    return await with_instants(connection, moment, snapshots, await read(connection, moment, snapshots))


async def with_instants(
    connection: Connection, moment: Moment, snapshots: Sequence[Snapshot], members: Members
) -> list[list[Running]]:
    """These members with the instants since which they run: one statement."""
    began = sorted(
        {
            (snapshot.environment_id, since)
            for snapshot, there in zip(snapshots, members, strict=True)
            for _, since in there
        }
    )
    rows = await connection.fetch(
        _INSTANTS, moment.org_id, [each for each, _ in began], [number for _, number in began]
    )
    instants = {(row["environment_id"], row["number"]): row["at"] for row in rows}
    return [
        [
            Running(member, (snapshot.environment_id,), since, instants[snapshot.environment_id, since])
            for member, since in there
        ]
        for snapshot, there in zip(snapshots, members, strict=True)
    ]


_NAMES_OF_MEMBERS = """
SELECT m.fingerprint, m.name, asked.place
FROM unnest($2::uuid[], $3::int[], $4::int[]) WITH ORDINALITY AS asked (environment_id, keyframe, number, place)
CROSS JOIN LATERAL (
    SELECT DISTINCT ON (m.fingerprint) m.fingerprint, m.name, m.change FROM record.snapshot_members m
    WHERE m.org_id = $1 AND m.environment_id = asked.environment_id AND m.number BETWEEN asked.keyframe AND asked.number
    ORDER BY m.fingerprint, m.number DESC
) m
WHERE m.change <> 'stopped'"""


class Named(NamedTuple):
    """An artifact under the name by which it runs: all that a verdict needs of it."""

    fingerprint: Fingerprint
    name: str


async def names_in(connection: Connection, moment: Moment, snapshots: Sequence[Snapshot]) -> list[list[Named]]:
    """What ran in each of these snapshots, in no order: one statement, however many snapshots and members."""
    if not snapshots:
        return []
    rows = await connection.fetch(
        _NAMES_OF_MEMBERS,
        moment.org_id,
        [snapshot.environment_id for snapshot in snapshots],
        [snapshot.keyframe for snapshot in snapshots],
        [snapshot.number for snapshot in snapshots],
    )
    found: list[list[Named]] = [[] for _ in snapshots]
    for fingerprint, name, place in rows:
        found[place - 1].append(Named(fingerprint, name))
    return found


async def running_now(
    connection: Connection, moment: Moment, ids: Sequence[EnvironmentId], *, read: ReadMembers = members_in
) -> list[list[Running]]:
    """What runs in each of these environments at this moment, by name: three statements."""
    snapshots = await newest(connection, moment, ids)
    there = [snapshot for snapshot in snapshots if snapshot is not None]
    found = await running_in(connection, moment, there, read=read)
    running = dict(zip((each.environment_id for each in there), found, strict=True))
    return [running.get(environment_id, []) for environment_id in ids]


async def before(connection: Connection, moment: Moment, snapshot: Snapshot | None) -> Before:
    """What the next snapshot is compared with, given the newest: at most one statement."""
    if snapshot is None:
        return NOTHING_BEFORE
    (there,) = await members_in(connection, moment, [snapshot])
    members = {member.fingerprint: (member, since) for member, since in there}
    return Before(snapshot.number, snapshot.keyframe, snapshot.rows_since, members)


class Event(NamedTuple):
    """Something that happened; `entry_index` and `place` are where it stands among all events."""

    environment_id: EnvironmentId
    entry_index: EntryIndex
    place: int
    number: int
    kind: str
    fingerprint: Fingerprint
    name: str
    instances: int
    instances_before: int
    flows: tuple[str, ...]
    flows_before: tuple[str, ...]
    at: datetime


_EVENTS = """
SELECT e.environment_id, e.entry_index, e.ordinal AS place, e.number, e.kind, e.fingerprint, e.name, e.instances,
       e.instances_before, e.flows, e.flows_before, e.at
FROM unnest($3::uuid[]) AS asked (environment_id) CROSS JOIN LATERAL (
    SELECT * FROM record.environment_events e
    WHERE e.org_id = $1 AND e.environment_id = asked.environment_id AND e.entry_index + e.still_to_come < $2
      AND (e.entry_index, e.ordinal) > ($4, $5) AND (e.entry_index, e.ordinal) < ($6, $7)
    ORDER BY e.entry_index {order}, e.ordinal {order} LIMIT $8
) e ORDER BY e.entry_index {order}, e.ordinal {order} LIMIT $8"""
_END = 2**62


async def events(
    connection: Connection,
    moment: Moment,
    ids: Sequence[EnvironmentId],
    *,
    limit: int,
    since: LedgerSize | None = None,
    until: LedgerSize | None = None,
    older_than: tuple[int, int] | None = None,
    newer_than: tuple[int, int] | None = None,
) -> list[Event]:
    """Events of these environments, the newest first, of entries from `since` on and before `until`.

    `older_than` and `newer_than` are places of events; with `newer_than` alone, those just above it, in the same order.
    """
    ascending = newer_than is not None and older_than is None
    lowest = max(newer_than or (-1, 0), (-1, 0) if since is None else (since - 1, 2**31 - 1))
    # One bound on each side, so that the index is entered where the page lies.
    highest = min(older_than or (_END, 0), (moment.size if until is None else min(until, moment.size), -1))
    rows = await connection.fetch(
        _EVENTS.format(order="ASC" if ascending else "DESC"), moment.org_id, moment.size, ids, *lowest, *highest, limit
    )
    found = [
        Event(**{**row, "flows": _texts(row["flows"]), "flows_before": _texts(row["flows_before"])}) for row in rows
    ]
    return found[::-1] if ascending else found


def _texts(written: str | None) -> tuple[str, ...]:
    return () if written is None else tuple(json.loads(written))


async def name_of(connection: Connection, moment: Moment, fingerprint: Fingerprint) -> str | None:
    """What the last snapshot that saw it start or change called this artifact, wherever that was; None when none ever did."""
    name: str | None = await connection.fetchval(
        "SELECT name FROM record.environment_events "
        "WHERE org_id = $1 AND fingerprint = $3 AND entry_index + still_to_come < $2 ORDER BY entry_index DESC LIMIT 1",
        moment.org_id,
        moment.size,
        fingerprint,
    )
    return name


_RUNS = """
SELECT began.environment_id, began.fingerprint, began.name, began.at AS since, began.number AS since_number,
       ended.at AS until, ended.number AS until_number
FROM record.environment_events began
LEFT JOIN LATERAL (
    SELECT ended.at, ended.number FROM record.environment_events ended
    WHERE ended.org_id = $1 AND ended.fingerprint = began.fingerprint AND ended.environment_id = began.environment_id
      AND ended.kind = 'stopped' AND ended.since = began.number AND ended.entry_index + ended.still_to_come < $2
    LIMIT 1
) ended ON true
WHERE began.org_id = $1 AND began.fingerprint = ANY($3::text[]) AND began.kind = 'started'
  AND began.entry_index + began.still_to_come < $2 AND ($4::uuid[] IS NULL OR began.environment_id = ANY($4))
ORDER BY began.entry_index"""


async def runs_of(
    connection: Connection,
    moment: Moment,
    fingerprints: Sequence[Fingerprint],
    *,
    environments: Sequence[EnvironmentId] | None = None,
) -> list[list[Run]]:
    """When each artifact ran, in these environments or in all, oldest first, in the order asked: one statement."""
    rows = await connection.fetch(_RUNS, moment.org_id, moment.size, fingerprints, environments)
    found: dict[str, list[Run]] = {fingerprint: [] for fingerprint in fingerprints}
    for row in rows:
        found[row[1]].append(Run(*row))
    return [found[fingerprint] for fingerprint in fingerprints]
