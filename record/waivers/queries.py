"""Reads of waivers: those in a state, those that excuse something now, those that end soon, each with what was done to it."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from record.database import Connection
from record.ids import EntryIndex, EnvironmentId, Fingerprint, PrincipalId, WaiverId
from record.moment import Moment
from record.policies.facts import WaiverFact
from record.waivers.rules import Act, Done, State, state_after


@dataclass(frozen=True, slots=True)
class Waiver:
    """A waiver with the acts that a moment sees, in their order."""

    entry_index: EntryIndex
    waiver_id: WaiverId
    environment_id: EnvironmentId
    environment: str
    fingerprint: Fingerprint | None
    name: str | None
    policy: str | None
    rule: str | None
    reason: str
    requester_id: PrincipalId
    requested_by: str
    requested_for: str | None
    expires_at: datetime
    at: datetime
    acts: tuple[Done, ...]

    def state(self, now: datetime) -> State:
        """Where it stands at an instant."""
        return state_after(self.acts, self.expires_at, now=now)

    @property
    def acceptance(self) -> Done | None:
        """How it was put in force."""
        return next((done for done in self.acts if done.act is Act.ACCEPT and done.at < self.expires_at), None)


_COLUMNS = """w.entry_index, w.waiver_id, w.environment_id, w.environment, w.fingerprint, w.name, w.policy, w.rule, w.reason,
       w.requester_id, w.requested_by, w.requested_for, w.expires_at, w.at"""
_SELECT = f"SELECT {_COLUMNS} FROM record.waivers w WHERE w.org_id = $1 AND w.entry_index < $2"

_ACTS = """
SELECT waiver_id, entry_index, number, act, principal_id, principal, comment, at
FROM record.waiver_acts WHERE org_id = $1 AND entry_index < $2 AND waiver_id = ANY($3::uuid[])
ORDER BY waiver_id, number"""


async def _with_acts(connection: Connection, moment: Moment, rows: Sequence[Any]) -> list[Waiver]:
    """The waivers in these rows, with their acts: one statement, or none for no rows."""
    if not rows:
        return []
    acts: dict[WaiverId, list[Done]] = defaultdict(list)
    ids = [row["waiver_id"] for row in rows]
    for row in await connection.fetch(_ACTS, moment.org_id, moment.size, ids):
        values = dict(row)
        waiver_id = values.pop("waiver_id")
        acts[waiver_id].append(Done(**{**values, "act": Act(values["act"])}))
    return [Waiver(**row, acts=tuple(acts[row["waiver_id"]])) for row in rows]


async def by_ids(connection: Connection, moment: Moment, ids: Sequence[WaiverId]) -> list[Waiver | None]:
    """Waivers in the order asked; None for what is not there."""
    rows = await connection.fetch(f"{_SELECT} AND w.waiver_id = ANY($3::uuid[])", moment.org_id, moment.size, ids)
    found = {each.waiver_id: each for each in await _with_acts(connection, moment, rows)}
    return [found.get(waiver_id) for waiver_id in ids]


async def of_environments(
    connection: Connection, moment: Moment, environments: Sequence[EnvironmentId]
) -> list[Waiver]:
    """All waivers in these environments, whether or not they are in force: two statements."""
    rows = await connection.fetch(
        f"{_SELECT} AND w.environment_id = ANY($3::uuid[])", moment.org_id, moment.size, environments
    )
    return await _with_acts(connection, moment, rows)


def fact_when(waiver: Waiver, at: datetime, before: EntryIndex) -> WaiverFact | None:
    """What a waiver excused at an earlier instant, by what was recorded before an entry; None when it was not in force."""
    acts = tuple(done for done in waiver.acts if done.entry_index < before and done.at <= at)
    then = replace(waiver, acts=acts)
    return _fact(then) if waiver.at <= at and then.state(at) is State.IN_FORCE else None


def _fact(waiver: Waiver) -> WaiverFact:
    accepted = waiver.acceptance
    assert accepted is not None  # it is in force
    return WaiverFact(
        entry_index=accepted.entry_index,
        waiver_id=str(waiver.waiver_id),
        environment=waiver.environment,
        fingerprint=waiver.fingerprint,
        rule=None if waiver.rule is None else f"{waiver.policy}/{waiver.rule}",
        accepted_by=accepted.principal,
        reason=waiver.reason,
        expires_at=waiver.expires_at,
    )


_IN_FORCE = """
SELECT accepted.entry_index, w.waiver_id, w.environment, w.fingerprint, w.policy, w.rule, accepted.principal, w.reason, w.expires_at
FROM record.waivers w
CROSS JOIN LATERAL (
    SELECT a.entry_index, a.state, a.principal FROM record.waiver_acts a
    WHERE a.org_id = $1 AND a.waiver_id = w.waiver_id AND a.entry_index < $2 AND a.at < w.expires_at
    ORDER BY a.number DESC LIMIT 1
) accepted
WHERE w.org_id = $1 AND w.entry_index < $2 AND w.environment_id = ANY($3::uuid[]) AND w.expires_at > $4
  AND accepted.state = 'IN_FORCE'
ORDER BY w.entry_index"""


async def facts_about(
    connection: Connection,
    moment: Moment,
    fingerprints: Collection[Fingerprint],
    environments: Sequence[EnvironmentId],
) -> list[WaiverFact]:
    """The waivers in force in these environments, of these artifacts or of rules for any artifact: one statement."""
    rows = await connection.fetch(_IN_FORCE, moment.org_id, moment.size, environments, moment.instant)
    asked = frozenset(fingerprints)
    return [
        WaiverFact(
            index,
            str(waiver_id),
            environment,
            fingerprint,
            None if rule is None else f"{policy}/{rule}",
            accepted_by,
            reason,
            expires_at,
        )
        for index, waiver_id, environment, fingerprint, policy, rule, accepted_by, reason, expires_at in rows
        if fingerprint is None or fingerprint in asked
    ]


async def expiring(connection: Connection, moment: Moment, until: datetime) -> list[Waiver]:
    """The waivers in force that end by then, the first to end first: two statements."""
    rows = await connection.fetch(
        f"{_SELECT} AND w.expires_at > $3 AND w.expires_at <= $4 ORDER BY w.expires_at, w.entry_index",
        moment.org_id,
        moment.size,
        moment.instant,
        until,
    )
    found = await _with_acts(connection, moment, rows)
    return [each for each in found if each.state(moment.instant) is State.IN_FORCE]


_STANDING = """
LEFT JOIN LATERAL (
    SELECT a.state FROM record.waiver_acts a
    WHERE a.org_id = $1 AND a.waiver_id = w.waiver_id AND a.entry_index < $5
      AND a.at < w.expires_at
    ORDER BY a.number DESC LIMIT 1
) acted ON true
WHERE CASE WHEN acted.state = 'REVOKED' THEN acted.state
           WHEN w.expires_at <= $6 THEN 'EXPIRED' ELSE coalesce(acted.state, 'REQUESTED') END = $7"""
"""The states of `rules`, in SQL: the last act that took effect, unless time has ended what it left open."""

_PAGE = f"""
SELECT {_COLUMNS} FROM (
    SELECT * FROM record.waivers w WHERE w.org_id = $1 AND w.entry_index < $2 AND w.entry_index > $3
) w {{standing}} ORDER BY w.entry_index {{order}} LIMIT $4"""

_PAGE_OF_ENVIRONMENTS = f"""
SELECT {_COLUMNS} FROM unnest({{names}}::text[]) AS asked (environment) CROSS JOIN LATERAL (
    SELECT {_COLUMNS} FROM (
        SELECT * FROM record.waivers w
        WHERE w.org_id = $1 AND w.environment = asked.environment AND w.entry_index < $2 AND w.entry_index > $3
    ) w {{standing}} ORDER BY w.entry_index {{order}} LIMIT $4
) w ORDER BY w.entry_index {{order}} LIMIT $4"""


async def page(
    connection: Connection,
    moment: Moment,
    *,
    limit: int,
    environments: Collection[str] | None = None,
    state: State | None = None,
    older_than: EntryIndex | None = None,
    newer_than: EntryIndex | None = None,
) -> list[Waiver]:
    """Waivers in these environments (None: in any) in this state (None: in any), the last requested first: two statements.

    With `newer_than` alone: those just above it, in the same order.
    """
    ascending = newer_than is not None and older_than is None
    upper = moment.size if older_than is None else min(older_than, moment.size)
    arguments: list[Any] = [moment.org_id, upper, -1 if newer_than is None else newer_than, limit]
    if state is not None:
        arguments += [moment.size, moment.instant, state.value]
    if environments is not None:
        arguments.append(sorted(environments))
    statement = (_PAGE if environments is None else _PAGE_OF_ENVIRONMENTS).format(
        standing="" if state is None else _STANDING,
        order="ASC" if ascending else "DESC",
        names=f"${len(arguments)}",
    )
    found = await _with_acts(connection, moment, await connection.fetch(statement, *arguments))
    return found[::-1] if ascending else found
