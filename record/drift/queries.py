"""Reads of drift as it went: a page of the moments at which one began, whatever lies before and after it.

Most runs and deployments never drift, so a page may have to pass over many. It examines so many at most and says how far it came:
what a page costs depends neither on the length of the history nor on how rarely something drifted.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from record.database import Connection
from record.deployments.queries import grace_of
from record.drift.rules import Candidate, Deployed, DriftEvent, Place, Started, beginnings
from record.environments.queries import Environment
from record.moment import Moment

EXAMINED_MAX: Final = 500
"""How many runs and deployments a page examines."""

_LAST: Final = 2**31 - 1
EARLIEST: Final = Place(datetime(1970, 1, 1, tzinfo=UTC), -1, -1)


@dataclass(frozen=True, slots=True)
class Page:
    """Beginnings, the newest first. `reached`: how far was examined, where there may be more; None at the end of the list.

    `holds_until`: when the next grace period ends, and something may begin by time alone.
    """

    events: list[DriftEvent]
    reached: Place | None
    holds_until: datetime | None


# Runs and deployments by when their grace ends. `$5`.. is the place above which, `$8`.. the place below which they lie.
_CANDIDATES: Final = """
WITH asked AS (SELECT * FROM unnest($3::uuid[], $4::interval[]) AS asked (environment_id, grace)),
candidates AS MATERIALIZED (
    SELECT * FROM (
        SELECT false AS of_deployment, e.environment_id, e.at, e.entry_index, e.ordinal, e.number, e.fingerprint, e.name,
               NULL::text AS unit, e.at AS recorded_at, e.at + asked.grace AS due
        FROM asked CROSS JOIN LATERAL (
            SELECT * FROM record.environment_events e
            WHERE e.org_id = $1 AND e.environment_id = asked.environment_id AND e.kind = 'started'
              AND e.entry_index + e.still_to_come < $2
              AND (e.at, e.entry_index, e.ordinal) > ($5::timestamptz - asked.grace, $6::bigint, $7::int)
              AND (e.at, e.entry_index, e.ordinal) < ($8::timestamptz - asked.grace, $9::bigint, $10::int)
            ORDER BY e.at {order}, e.entry_index {order}, e.ordinal {order} LIMIT $11
        ) e
        UNION ALL
        SELECT true, d.environment_id, d.deployed_at, d.entry_index, 0, NULL, d.fingerprint, d.name, d.unit, d.at,
               d.deployed_at + asked.grace
        FROM asked CROSS JOIN LATERAL (
            SELECT * FROM record.deployments d
            WHERE d.org_id = $1 AND d.entry_index < $2
              AND (d.environment_id, d.deployed_at, d.entry_index)
                  >= (asked.environment_id, $5::timestamptz - asked.grace, $6::bigint)
              AND (d.environment_id, d.deployed_at, d.entry_index)
                  <= (asked.environment_id, $8::timestamptz - asked.grace, $9::bigint)
            ORDER BY d.environment_id {order}, d.deployed_at {order}, d.entry_index {order} LIMIT $11
        ) d
    ) c ORDER BY c.due {order}, c.entry_index {order}, c.ordinal {order} LIMIT $11
)
"""

_SIZE: Final = """SELECT coalesce((SELECT e.entry_index + 1 FROM record.entries e WHERE e.org_id = $1 AND e.at <= {at}
                      ORDER BY e.at DESC, e.entry_index DESC LIMIT 1), 0) AS size"""
# What follows is bounded and ordered by the whole key of an index, so that it is entered there whatever statistics say;
# `kind || ''` keeps the planner from the index of all starts.
_EVENT_KEY: Final = "(e.fingerprint, e.environment_id, e.entry_index)"
_BEFORE: Final = f"""SELECT e.* FROM record.environment_events e
    WHERE e.org_id = $1 AND {_EVENT_KEY} >= ({{of}}, c.environment_id, 0::bigint)
      AND {_EVENT_KEY} < ({{of}}, c.environment_id, {{size}})
      AND e.entry_index + e.still_to_come < $2 AND e.kind IN ('started', 'stopped')
    ORDER BY e.fingerprint DESC, e.environment_id DESC, e.entry_index DESC LIMIT 1"""
_FROM: Final = f"""SELECT e.* FROM record.environment_events e
    WHERE e.org_id = $1 AND {_EVENT_KEY} >= ({{of}}, c.environment_id, {{size}})
      AND {_EVENT_KEY} < ({{of}}, c.environment_id, $2::bigint)
      AND e.entry_index + e.still_to_come < $2 AND e.kind || '' = '{{kind}}'
    ORDER BY e.fingerprint, e.environment_id, e.entry_index LIMIT 1"""
_ARTIFACT_KEY: Final = "(d.fingerprint, d.environment_id, d.deployed_at)"
_UNIT_KEY: Final = "(d.environment_id, d.unit, d.deployed_at, d.entry_index)"
# Reports out of order are few: of the twenty next in line, the first that was recorded.
_REPORTED: Final = f"""SELECT n.at FROM (
        SELECT d.at, d.entry_index FROM record.deployments d
        WHERE d.org_id = $1 AND d.entry_index < $2
          AND {_ARTIFACT_KEY} >= (c.fingerprint, c.environment_id, '-infinity'::timestamptz)
          AND {_ARTIFACT_KEY} <= (c.fingerprint, c.environment_id, 'infinity'::timestamptz)
        ORDER BY d.fingerprint, d.environment_id, d.deployed_at LIMIT 20
    ) n ORDER BY n.entry_index LIMIT 1"""
_MINE: Final = f"""SELECT d.unit FROM record.deployments d
    WHERE d.org_id = $1 AND d.entry_index < $2 AND d.at <= c.due
      AND {_ARTIFACT_KEY} >= (c.fingerprint, c.environment_id, '-infinity'::timestamptz)
      AND {_ARTIFACT_KEY} <= (c.fingerprint, c.environment_id, c.due)
    ORDER BY d.fingerprint DESC, d.environment_id DESC, d.deployed_at DESC LIMIT 1"""
_REPLACED: Final = f"""SELECT n.at, n.fingerprint FROM (
        SELECT d.at, d.entry_index, d.fingerprint FROM record.deployments d
        WHERE d.org_id = $1 AND d.entry_index < $2
          AND {_UNIT_KEY} > (c.environment_id, m.unit, m.deployed_at, m.entry_index)
          AND {_UNIT_KEY} < (c.environment_id, m.unit, 'infinity'::timestamptz, $2::bigint)
        ORDER BY d.environment_id, d.unit, d.deployed_at, d.entry_index LIMIT 20
    ) n ORDER BY n.entry_index LIMIT 1"""
_LAST_OF_UNIT: Final = f"""SELECT d.* FROM record.deployments d
    WHERE d.org_id = $1 AND d.entry_index < $2 AND d.at <= {{known_at}}
      AND {_UNIT_KEY} >= (c.environment_id, {{unit}}, '-infinity'::timestamptz, 0::bigint)
      AND {_UNIT_KEY} < (c.environment_id, {{unit}}, {{at}}, {{entry_index}})
    ORDER BY d.environment_id DESC, d.unit DESC, d.deployed_at DESC, d.entry_index DESC LIMIT 1"""

_FACTS: Final = f"""
SELECT c.of_deployment, c.environment_id, c.at, c.entry_index, c.ordinal, c.due, reported.at AS reported_at,
       c.fingerprint, c.name, c.number, stopped.at AS stopped_at, c.recorded_at,
       m.entry_index AS meant_index, m.fingerprint AS meant_fingerprint, m.name AS meant_name, m.at AS meant_at,
       coalesce(was.kind = 'started', false) AS ran, seen.at AS seen_at,
       replaced.at AS replaced_at, replaced.fingerprint AS replaced_by,
       other.fingerprint AS other_fingerprint, other.name AS other_name, other.number AS other_number,
       other_stopped.at AS other_stopped_at
FROM candidates c
CROSS JOIN LATERAL ({_SIZE.format(at="c.due")} OFFSET 0) ended
CROSS JOIN LATERAL ({_SIZE.format(at="CASE WHEN c.of_deployment THEN c.at ELSE c.due END")} OFFSET 0) known
LEFT JOIN LATERAL ({
    _FROM.format(of="c.fingerprint", size="c.entry_index + 1", kind="stopped")
}) stopped ON NOT c.of_deployment
LEFT JOIN LATERAL ({_REPORTED}) reported ON NOT c.of_deployment
LEFT JOIN LATERAL ({_MINE}) mine ON NOT c.of_deployment
LEFT JOIN LATERAL ({
    _LAST_OF_UNIT.format(known_at="c.due", unit="mine.unit", at="c.due", entry_index="$2::bigint")
}) intended ON true
CROSS JOIN LATERAL (
    SELECT c.entry_index, c.fingerprint, c.name, c.recorded_at AS at, c.unit, c.at AS deployed_at WHERE c.of_deployment
    UNION ALL
    SELECT intended.entry_index, intended.fingerprint, intended.name, intended.at, intended.unit, intended.deployed_at
    WHERE NOT c.of_deployment
) m
LEFT JOIN LATERAL ({_BEFORE.format(of="m.fingerprint", size="known.size")}) was ON true
LEFT JOIN LATERAL ({_FROM.format(of="m.fingerprint", size="known.size", kind="started")}) seen ON true
LEFT JOIN LATERAL ({_REPLACED}) replaced ON true
LEFT JOIN LATERAL ({
    _LAST_OF_UNIT.format(known_at="'infinity'::timestamptz", unit="c.unit", at="c.at", entry_index="c.entry_index")
}) earlier ON c.of_deployment
LEFT JOIN LATERAL ({_BEFORE.format(of="earlier.fingerprint", size="ended.size")}) other
    ON other.kind = 'started' AND other.fingerprint <> c.fingerprint
LEFT JOIN LATERAL ({_FROM.format(of="other.fingerprint", size="ended.size", kind="stopped")}) other_stopped ON true
ORDER BY c.due {{order}}, c.entry_index {{order}}, c.ordinal {{order}}"""

_NEXT_DUE: Final = """
SELECT min(due) FROM unnest($3::uuid[], $4::interval[]) AS asked (environment_id, grace) CROSS JOIN LATERAL (
    (SELECT e.at + asked.grace AS due FROM record.environment_events e
     WHERE e.org_id = $1 AND e.environment_id = asked.environment_id AND e.kind = 'started'
       AND e.entry_index + e.still_to_come < $2 AND e.at > $5::timestamptz - asked.grace
     ORDER BY e.at, e.entry_index, e.ordinal LIMIT 1)
    UNION ALL
    (SELECT d.deployed_at + asked.grace FROM record.deployments d
     WHERE d.org_id = $1 AND d.environment_id = asked.environment_id AND d.entry_index < $2
       AND d.deployed_at > $5::timestamptz - asked.grace
     ORDER BY d.deployed_at, d.entry_index LIMIT 1)
) awaited"""


async def page(
    connection: Connection,
    moment: Moment,
    environments: Sequence[Environment],
    *,
    limit: int,
    since: datetime | None = None,
    until: datetime | None = None,
    older_than: Place | None = None,
    newer_than: Place | None = None,
    examined_max: int = EXAMINED_MAX,
) -> Page:
    """At most `limit` beginnings in these environments (none of them logical) after `since`, up to `until`: two statements.

    With `newer_than` alone, those just above that place. Fewer than `limit` with `reached` set: go on from there.
    """
    ascending = newer_than is not None and older_than is None
    order = "ASC" if ascending else "DESC"
    lowest = max(newer_than or EARLIEST, EARLIEST if since is None else Place(since, 2**62, _LAST))
    newest = Place(moment.instant if until is None else min(until, moment.instant), 2**62, _LAST)
    highest = min(older_than or newest, newest)
    where = (
        [each.environment_id for each in environments],
        [grace_of(each) for each in environments],
    )
    text = (_CANDIDATES + _FACTS).format(order=order)
    rows = await connection.fetch(text, moment.org_id, moment.size, *where, *lowest, *highest, examined_max)
    found = [event for row in rows for event in beginnings(_candidate(row), now=moment.instant)]
    found = sorted((each for each in found if lowest < each.place < highest), key=lambda each: each.place)
    reached = None
    if len(rows) == examined_max:
        last = _candidate(rows[-1])
        reached = Place(last.due, last.entry_index, int(ascending) if last.of_deployment else last.ordinal)
    events = found[:limit][::-1] if ascending else found[::-1][:limit]
    due = await connection.fetchval(_NEXT_DUE, moment.org_id, moment.size, *where, moment.instant)
    return Page(events, reached if len(found) < limit else None, due)


def _candidate(row: Any) -> Candidate:
    if row["of_deployment"]:
        there = row["other_fingerprint"] is not None
        run = Started(row["other_fingerprint"], row["other_name"], row["other_number"], row["other_stopped_at"])
        runs = run if there else None
    else:
        runs = Started(row["fingerprint"], row["name"], row["number"], row["stopped_at"])
    meant = row["meant_index"]
    return Candidate(
        environment_id=row["environment_id"],
        of_deployment=row["of_deployment"],
        at=row["at"],
        entry_index=row["entry_index"],
        ordinal=row["ordinal"],
        due=row["due"],
        run=runs,
        reported_at=row["reported_at"],
        meant=None if meant is None else Deployed(meant, row["meant_fingerprint"], row["meant_name"]),
        meant_at=row["meant_at"],
        ran=row["ran"],
        seen_at=row["seen_at"],
        replaced_at=row["replaced_at"],
        replaced_by=row["replaced_by"],
    )
