"""Counts for adoption: one statement for each kind of fact, whatever the window and however many flows and environments.

Every fact is counted three times: among all, for its environment, and for each of its flows; of each period, and of the window.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from record.adoption.rules import Adoption, Bucket, Counted, Dimension, assembled, periods_of
from record.controls.rules import Window
from record.database import Connection
from record.moment import Moment

# Facts of a statement have: at, environment (or null), flows (jsonb), and what is counted. `$5` is the instant, `$6` the period.
_GROUPED: Final = """
SELECT place.dimension, place.name, date_trunc($6::text, f.at, 'UTC') AS begin, {counted}
FROM facts f CROSS JOIN LATERAL (
    SELECT 'all' AS dimension, '' AS name
    UNION ALL SELECT 'environment', f.environment WHERE f.environment IS NOT NULL
    UNION ALL SELECT 'flow', flow FROM jsonb_array_elements_text(f.flows) AS flow
) place
GROUP BY GROUPING SETS ((place.dimension, place.name, date_trunc($6::text, f.at, 'UTC')), (place.dimension, place.name))"""

_PLACE: Final = """CROSS JOIN LATERAL (
    SELECT v.name, v.grace_seconds FROM record.environments v
    WHERE v.org_id = $1 AND v.environment_id = {of}.environment_id AND v.entry_index < $2
    ORDER BY v.entry_index DESC LIMIT 1
) place"""

_PERIOD: Final = """period AS (
    SELECT coalesce((SELECT entry_index + 1 FROM record.entries WHERE org_id = $1 AND at < $3
                     ORDER BY at DESC, entry_index DESC LIMIT 1), 0) AS first,
           least($2::bigint, coalesce((SELECT entry_index + 1 FROM record.entries WHERE org_id = $1 AND at < $4
                     ORDER BY at DESC, entry_index DESC LIMIT 1), 0)) AS beyond, $5::timestamptz AS instant
)"""

_RUNS: Final = f"""
WITH runs AS (
    SELECT e.at, place.name AS environment, e.flows, e.at + make_interval(secs => place.grace_seconds) AS due,
           coalesce(first.at <= e.at + make_interval(secs => place.grace_seconds), false) AS reported
    FROM record.environment_events e {_PLACE.format(of="e")} LEFT JOIN LATERAL (
        SELECT d.deployed_at AS at FROM record.deployments d
        WHERE d.org_id = $1 AND d.fingerprint = e.fingerprint AND d.environment_id = e.environment_id AND d.entry_index < $2
        ORDER BY d.deployed_at LIMIT 1
    ) first ON true
    WHERE e.org_id = $1 AND e.kind = 'started' AND e.at >= $3 AND e.at < $4 AND e.entry_index + e.still_to_come < $2
), facts AS (SELECT at, environment, flows, reported, NOT reported AND due <= $5 AS shadow FROM runs)
{
    _GROUPED.format(
        counted='''count(*) AS runs, count(*) FILTER (WHERE f.reported) AS runs_reported,
       count(*) FILTER (WHERE f.shadow) AS shadow_changes'''
    )
}"""

_DEPLOYMENTS: Final = f"""
WITH facts AS (
    SELECT d.deployed_at AS at, d.environment, CASE WHEN d.flow IS NULL THEN '[]' ELSE jsonb_build_array(d.flow) END AS flows,
           extract(epoch FROM d.deployed_at - built.at)::float8 AS seconds,
           d.deployed_at + make_interval(secs => place.grace_seconds) <= $5 AND NOT EXISTS (
               SELECT 1 FROM record.environment_events e
               WHERE e.org_id = $1 AND e.fingerprint = d.fingerprint AND e.environment_id = d.environment_id
                 AND e.kind = 'started' AND e.entry_index + e.still_to_come < $2 AND NOT EXISTS (
                     SELECT 1 FROM record.environment_events s
                     WHERE s.org_id = $1 AND s.fingerprint = d.fingerprint AND s.environment_id = d.environment_id
                       AND s.kind = 'stopped' AND s.since = e.number AND s.at <= d.deployed_at
                       AND s.entry_index + s.still_to_come < $2)
           ) AS unseen
    FROM record.deployments d {_PLACE.format(of="d")}
    LEFT JOIN LATERAL (
        SELECT a.at FROM record.artifacts a WHERE a.org_id = $1 AND a.fingerprint = d.fingerprint AND a.entry_index < $2
        ORDER BY a.entry_index LIMIT 1
    ) built ON built.at <= d.deployed_at
    WHERE d.org_id = $1 AND d.entry_index < $2 AND d.deployed_at >= $3 AND d.deployed_at < $4
)
{
    _GROUPED.format(
        counted='''count(*) AS deployments, count(*) FILTER (WHERE f.unseen) AS deployments_not_seen,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY f.seconds) AS build_to_deploy_median,
       percentile_cont(0.9) WITHIN GROUP (ORDER BY f.seconds) AS build_to_deploy_p90'''
    )
}"""

_ARTIFACTS: Final = f"""
WITH {_PERIOD}, facts AS (
    SELECT a.at, NULL::text AS environment, jsonb_build_array(a.flow) AS flows, a.fingerprint
    FROM record.artifacts a, period p
    WHERE a.org_id = $1 AND a.entry_index >= p.first AND a.entry_index < p.beyond
)
{_GROUPED.format(counted="count(DISTINCT f.fingerprint) AS artifacts")}"""

_ATTESTATIONS: Final = f"""
WITH {_PERIOD}, facts AS (
    SELECT a.at, NULL::text AS environment, jsonb_build_array(a.flow) AS flows,
           (SELECT count(*) FROM record.attestation_evidence f WHERE f.org_id = $1 AND f.entry_index = a.entry_index) AS files
    FROM record.attestations a, period p
    WHERE a.org_id = $1 AND a.entry_index >= p.first AND a.entry_index < p.beyond AND a.overrides IS NULL
)
{_GROUPED.format(counted="count(*) AS attestations, sum(f.files)::bigint AS evidence_files")}"""

# A judgement names since when; all that follow while it stays silent name the same.
_STALE: Final = f"""
WITH {_PERIOD}, facts AS (
    SELECT DISTINCT j.stale_since AS at, j.environment, '[]'::jsonb AS flows FROM record.judgements j, period p
    WHERE j.org_id = $1 AND j.changed AND j.entry_index >= p.first AND j.entry_index < $2
      AND j.stale_since >= $3 AND j.stale_since < $4 AND j.environment IS NOT NULL
)
{_GROUPED.format(counted="count(*) AS times_stale")}"""

STATEMENTS: Final = (_RUNS, _DEPLOYMENTS, _ARTIFACTS, _ATTESTATIONS, _STALE)


async def adoption(connection: Connection, moment: Moment, window: Window, bucket: Bucket) -> Adoption:
    """The figures of a window, by period, flow and environment: five statements."""
    periods = periods_of(window, bucket)
    counted: list[Counted] = []
    for statement in STATEMENTS:
        rows = await connection.fetch(
            statement, moment.org_id, moment.size, window.since, window.until, moment.instant, bucket.value
        )
        counted += _counted(rows)
    return assembled(counted, periods, bucket)


_NEXT_DUE: Final = f"""
SELECT min(due) FROM (
    SELECT e.at + make_interval(secs => place.grace_seconds) AS due
    FROM record.environment_events e {_PLACE.format(of="e")}
    WHERE e.org_id = $1 AND e.kind = 'started' AND e.at >= $3 AND e.at < $4 AND e.entry_index + e.still_to_come < $2
    UNION ALL SELECT d.deployed_at + make_interval(secs => place.grace_seconds)
    FROM record.deployments d {_PLACE.format(of="d")}
    WHERE d.org_id = $1 AND d.entry_index < $2 AND d.deployed_at >= $3 AND d.deployed_at < $4
) awaited WHERE due > $5"""


async def next_due(connection: Connection, moment: Moment, window: Window) -> datetime | None:
    """When the next grace period ends, and a figure may change by time alone; None: never."""
    due: datetime | None = await connection.fetchval(
        _NEXT_DUE, moment.org_id, moment.size, window.since, window.until, moment.instant
    )
    return due


def _counted(rows: Sequence[Any]) -> list[Counted]:
    found = []
    for row in rows:
        figures = dict(row)
        dimension, name, begin = figures.pop("dimension"), figures.pop("name"), figures.pop("begin")
        found.append(Counted(Dimension(dimension), name, begin, figures))
    return found
