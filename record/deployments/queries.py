"""Reads of deployments: the reports themselves, and the facts by which drift is decided."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from record.database import Connection
from record.deployments.rules import DeploymentFact, RunningFact, unit_of
from record.environments import snapshots
from record.environments.queries import Environment
from record.environments.rules import Running
from record.ids import DeploymentId, EntryIndex, EnvironmentId, Fingerprint, FlowId, TrailId
from record.moment import Moment
from record.trails import queries as trails
from record.trails.queries import Trail


@dataclass(frozen=True, slots=True)
class Deployment:
    """One report of a deployment. What is not known of the artifact's origin is None."""

    entry_index: EntryIndex
    deployment_id: DeploymentId
    environment_id: EnvironmentId
    environment: str
    fingerprint: Fingerprint
    name: str
    unit: str
    flow_id: FlowId | None
    flow: str | None
    trail_id: TrailId | None
    trail: str | None
    template_name: str | None
    commit: str | None
    build_url: str | None
    description: str
    deployed_by: str
    deployed_at: datetime
    reported_by: str
    at: datetime


_COLUMNS = """d.entry_index, d.deployment_id, d.environment_id, d.environment, d.fingerprint, d.name, d.unit, d.flow_id, d.flow,
       d.trail_id, d.trail, d.template_name, d.commit, d.build_url, d.description, d.deployed_by, d.deployed_at, d.reported_by,
       d.at"""
_SELECT = f"SELECT {_COLUMNS} FROM record.deployments d WHERE d.org_id = $1 AND d.entry_index < $2"


async def by_ids(connection: Connection, moment: Moment, ids: Sequence[DeploymentId]) -> list[Deployment | None]:
    """Deployments in the order asked; None for what is not there."""
    rows = await connection.fetch(f"{_SELECT} AND d.deployment_id = ANY($3::uuid[])", moment.org_id, moment.size, ids)
    found = {row["deployment_id"]: Deployment(**row) for row in rows}
    return [found.get(deployment_id) for deployment_id in ids]


_PAGE = f"""
SELECT {_COLUMNS} FROM unnest($2::uuid[]) AS asked (environment_id) CROSS JOIN LATERAL (
    SELECT * FROM record.deployments d
    WHERE d.org_id = $1 AND d.environment_id = asked.environment_id AND d.entry_index < $3 AND d.entry_index > $4
    ORDER BY d.entry_index {{order}} LIMIT $5
) d ORDER BY d.entry_index {{order}} LIMIT $5"""


async def page(
    connection: Connection,
    moment: Moment,
    environments: Sequence[EnvironmentId],
    *,
    limit: int,
    older_than: EntryIndex | None = None,
    newer_than: EntryIndex | None = None,
) -> list[Deployment]:
    """Deployments to these environments, the last reported first. With `newer_than` alone: those just above it."""
    ascending = newer_than is not None and older_than is None
    rows = await connection.fetch(
        _PAGE.format(order="ASC" if ascending else "DESC"),
        moment.org_id,
        environments,
        moment.size if older_than is None else min(older_than, moment.size),
        -1 if newer_than is None else newer_than,
        limit,
    )
    found = [Deployment(**row) for row in rows]
    return found[::-1] if ascending else found


async def of_fingerprints(
    connection: Connection, moment: Moment, fingerprints: Sequence[Fingerprint]
) -> list[list[Deployment]]:
    """All deployments of each artifact, the last reported first, in the order asked."""
    rows = await connection.fetch(
        f"{_SELECT} AND d.fingerprint = ANY($3::text[]) ORDER BY d.entry_index DESC",
        moment.org_id,
        moment.size,
        fingerprints,
    )
    found: dict[str, list[Deployment]] = {fingerprint: [] for fingerprint in fingerprints}
    for row in rows:
        found[row["fingerprint"]].append(Deployment(**row))
    return [found[fingerprint] for fingerprint in fingerprints]


_PREVIOUS = f"""
SELECT asked.entry_index AS of, {_COLUMNS}
FROM unnest($3::uuid[], $4::text[], $5::timestamptz[], $6::bigint[]) AS asked (environment_id, unit, deployed_at, entry_index)
CROSS JOIN LATERAL (
    SELECT * FROM record.deployments d
    WHERE d.org_id = $1 AND d.environment_id = asked.environment_id AND d.unit = asked.unit AND d.entry_index < $2
      AND (d.deployed_at, d.entry_index) < (asked.deployed_at, asked.entry_index)
    ORDER BY d.deployed_at DESC, d.entry_index DESC LIMIT 1
) d"""


async def previous(
    connection: Connection, moment: Moment, deployments: Sequence[Deployment]
) -> list[Deployment | None]:
    """For each deployment, the one before it of the same unit to the same environment."""
    rows = await connection.fetch(
        _PREVIOUS,
        moment.org_id,
        moment.size,
        [each.environment_id for each in deployments],
        [each.unit for each in deployments],
        [each.deployed_at for each in deployments],
        [each.entry_index for each in deployments],
    )
    found = {}
    for row in rows:
        values = dict(row)
        of = values.pop("of")
        found[of] = Deployment(**values)
    return [found.get(each.entry_index) for each in deployments]


_LAST_OF_UNITS = f"""
WITH RECURSIVE units AS (
    (SELECT d.unit FROM record.deployments d WHERE d.org_id = $1 AND d.environment_id = $3 ORDER BY d.unit LIMIT 1)
    UNION ALL
    SELECT (SELECT d.unit FROM record.deployments d
            WHERE d.org_id = $1 AND d.environment_id = $3 AND d.unit > units.unit ORDER BY d.unit LIMIT 1)
    FROM units WHERE units.unit IS NOT NULL
)
SELECT {_COLUMNS} FROM units CROSS JOIN LATERAL (
    SELECT * FROM record.deployments d
    WHERE d.org_id = $1 AND d.environment_id = $3 AND d.unit = units.unit AND d.entry_index < $2
    ORDER BY d.deployed_at DESC, d.entry_index DESC LIMIT 1
) d ORDER BY d.entry_index"""


async def last_of_units(connection: Connection, moment: Moment, environment_id: EnvironmentId) -> list[Deployment]:
    """The last deployment of each unit to this environment."""
    rows = await connection.fetch(_LAST_OF_UNITS, moment.org_id, moment.size, environment_id)
    return [Deployment(**row) for row in rows]


_UNITS = """
SELECT DISTINCT fingerprint, flow, template_name FROM record.artifacts
WHERE org_id = $1 AND fingerprint = ANY($3::text[]) AND entry_index < $2"""

_FIRST = """
SELECT asked.fingerprint, d.deployed_at FROM unnest($3::text[]) AS asked (fingerprint) CROSS JOIN LATERAL (
    SELECT d.deployed_at FROM record.deployments d
    WHERE d.org_id = $1 AND d.fingerprint = asked.fingerprint AND d.environment_id = $4 AND d.entry_index < $2
    ORDER BY d.deployed_at LIMIT 1
) d"""


async def drift_facts(
    connection: Connection, moment: Moment, environment: Environment, running: Sequence[Running]
) -> tuple[list[RunningFact], list[DeploymentFact]]:
    """What decides the drift of a physical environment, given what runs in it: four statements at most, however many run."""
    fingerprints = [each.member.fingerprint for each in running]
    last = await last_of_units(connection, moment, environment.environment_id)
    units: dict[str, set[str]] = {fingerprint: {fingerprint} for fingerprint in fingerprints}
    if any(each.fingerprint not in units for each in last):  # else nobody asks what else runs of a unit
        for row in await connection.fetch(_UNITS, moment.org_id, moment.size, fingerprints):
            units[row["fingerprint"]].add(unit_of(row["flow"], row["template_name"], row["fingerprint"]))
    rows = await connection.fetch(_FIRST, moment.org_id, moment.size, fingerprints, environment.environment_id)
    first = {row["fingerprint"]: row["deployed_at"] for row in rows}
    runs = await snapshots.runs_of(
        connection, moment, [each.fingerprint for each in last], environments=[environment.environment_id]
    )
    return (
        [
            RunningFact(
                each.member.fingerprint,
                each.member.name,
                each.since,
                frozenset(units[each.member.fingerprint]),
                first.get(each.member.fingerprint),
            )
            for each in running
        ],
        [
            DeploymentFact(each.entry_index, each.fingerprint, each.name, each.unit, each.deployed_at, tuple(ran))
            for each, ran in zip(last, runs, strict=True)
        ],
    )


async def commits_between(
    connection: Connection, moment: Moment, first: Deployment, second: Deployment, *, limit: int
) -> tuple[list[Trail], bool]:
    """Trails of the flow that began after the one of `first`, up to that of `second`, the newest first, at most `limit`.

    When `second` goes back to an older trail, those that it takes back; the flag says so. Two statements.
    """
    if first.trail_id is None or second.trail_id is None or second.flow_id is None:
        return [], False
    one, other = await trails.by_ids(connection, moment, [first.trail_id, second.trail_id])
    if one is None or other is None:
        return [], False
    return await trails.between(connection, moment, one, other, limit=limit)


def grace_of(environment: Environment) -> timedelta:
    """How long reports of deployments and snapshots may take to find each other."""
    return timedelta(seconds=environment.grace_seconds)
