"""Reads of what runs where very much may run: a page of it, and all of it by name without what was told of its instances."""

from collections.abc import Sequence

from record.database import Connection
from record.environments.rules import Member, Running
from record.environments.snapshots import Members, Snapshot, member_of, running_now, with_instants
from record.ids import EnvironmentId
from record.moment import Moment

# Names in the order of their bytes, as Python has them, however the database orders texts.
_MEMBERS_ON_A_PAGE = """
SELECT m.fingerprint, m.name, m.instances, m.created, m.facts, m.facts_omitted, m.flows, m.since
FROM (
    SELECT DISTINCT ON (m.fingerprint) m.number, m.fingerprint, m.name, m.change FROM record.snapshot_members m
    WHERE m.org_id = $1 AND m.environment_id = $2 AND m.number BETWEEN $3 AND $4 ORDER BY m.fingerprint, m.number DESC
) newest
JOIN record.snapshot_members m ON m.org_id = $1 AND m.environment_id = $2 AND m.number = newest.number
    AND m.fingerprint = newest.fingerprint
WHERE newest.change <> 'stopped'
  AND ($5::text IS NULL OR (newest.name COLLATE "C", newest.fingerprint COLLATE "C") > ($5, $6))
  AND ($7::text IS NULL OR (newest.name COLLATE "C", newest.fingerprint COLLATE "C") < ($7, $8))
ORDER BY newest.name COLLATE "C" {order}, newest.fingerprint COLLATE "C" {order} LIMIT $9"""


async def page_in(
    connection: Connection,
    moment: Moment,
    snapshot: Snapshot,
    *,
    limit: int,
    after: tuple[str, str] | None = None,
    before: tuple[str, str] | None = None,
    backward: bool = False,
) -> list[Running]:
    """So many of what ran in a snapshot, by name, between two names with fingerprints: two statements.

    `backward`: the last of them, still ascending.
    """
    rows = await connection.fetch(
        _MEMBERS_ON_A_PAGE.format(order="DESC" if backward else "ASC"),
        moment.org_id,
        snapshot.environment_id,
        snapshot.keyframe,
        snapshot.number,
        *(after or (None, None)),
        *(before or (None, None)),
        limit,
    )
    members = [(member_of(row), row["since"]) for row in rows]
    (found,) = await with_instants(connection, moment, [snapshot], [members[::-1] if backward else members])
    return found


_BARE_MEMBERS = """
SELECT m.fingerprint, m.name, m.instances, m.since, asked.place
FROM unnest($2::uuid[], $3::int[], $4::int[]) WITH ORDINALITY AS asked (environment_id, keyframe, number, place)
CROSS JOIN LATERAL (
    SELECT DISTINCT ON (m.fingerprint) m.fingerprint, m.name, m.instances, m.since, m.change FROM record.snapshot_members m
    WHERE m.org_id = $1 AND m.environment_id = asked.environment_id AND m.number BETWEEN asked.keyframe AND asked.number
    ORDER BY m.fingerprint, m.number DESC
) m
WHERE m.change <> 'stopped' ORDER BY asked.place, m.name, m.fingerprint"""


async def named_now(connection: Connection, moment: Moment, ids: Sequence[EnvironmentId]) -> list[list[Running]]:
    """What runs in each of these environments at this moment, by name: three statements.

    Without what reports told of instances, their creation and their flows: reading that takes most of the time.
    """
    return await running_now(connection, moment, ids, read=_bare_members_in)


async def _bare_members_in(connection: Connection, moment: Moment, snapshots: Sequence[Snapshot]) -> Members:
    rows = await connection.fetch(
        _BARE_MEMBERS,
        moment.org_id,
        [snapshot.environment_id for snapshot in snapshots],
        [snapshot.keyframe for snapshot in snapshots],
        [snapshot.number for snapshot in snapshots],
    )
    found: Members = [[] for _ in snapshots]
    for fingerprint, name, instances, since, place in rows:
        found[place - 1].append((Member(fingerprint, name, instances), since))
    return found
