"""Reads of waivers: those in a state, those that excuse something now, those that end soon, each with what was done to it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from record.database import Connection
from record.ids import EntryIndex, EnvironmentId, Fingerprint, PrincipalId, WaiverId
from record.moment import Moment
from record.policies.facts import WaiverFact
from record.requests import queries as requests
from record.requests.queries import Queue, Standing
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


_COLUMNS = """r.entry_index, r.waiver_id, r.environment_id, r.environment, r.fingerprint, r.name, r.policy, r.rule, r.reason,
       r.requester_id, r.requested_by, r.requested_for, r.expires_at, r.at"""
_SELECT = f"SELECT {_COLUMNS} FROM record.waivers r WHERE r.org_id = $1 AND r.entry_index < $2"

QUEUE = Queue(
    requests="record.waivers",
    columns=_COLUMNS,
    acts="record.waiver_acts",
    act_columns="entry_index, number, act, principal_id, principal, comment, at",
    key="waiver_id",
    states={
        State.REQUESTED: Standing(unless=(Act.ACCEPT, Act.REVOKE), expired=False),
        State.IN_FORCE: Standing(after=(Act.ACCEPT,), unless=(Act.REVOKE,), expired=False),
        State.REVOKED: Standing(after=(Act.REVOKE,)),
        State.EXPIRED: Standing(unless=(Act.REVOKE,), expired=True),
    },
)


def _done(columns: Sequence[Any]) -> Done:
    index, number, act, *rest = columns
    return Done(index, number, Act(act), *rest)


async def _with_acts(connection: Connection, moment: Moment, rows: Sequence[Any]) -> list[Waiver]:
    """The waivers in these rows, with their acts: one statement, or none for no rows."""
    acts = await requests.acts_of(connection, moment, QUEUE, rows, _done)
    return [Waiver(**row, acts=tuple(acts[row["waiver_id"]])) for row in rows]


async def by_ids(connection: Connection, moment: Moment, ids: Sequence[WaiverId]) -> list[Waiver | None]:
    """Waivers in the order asked; None for what is not there."""
    rows = await connection.fetch(f"{_SELECT} AND r.waiver_id = ANY($3::uuid[])", moment.org_id, moment.size, ids)
    found = {each.waiver_id: each for each in await _with_acts(connection, moment, rows)}
    return [found.get(waiver_id) for waiver_id in ids]


async def of_environments(
    connection: Connection, moment: Moment, environments: Sequence[EnvironmentId]
) -> list[Waiver]:
    """All waivers in these environments, whether or not they are in force: two statements."""
    rows = await connection.fetch(
        f"{_SELECT} AND r.environment_id = ANY($3::uuid[])", moment.org_id, moment.size, environments
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
        f"{_SELECT} AND r.expires_at > $3 AND r.expires_at <= $4 ORDER BY r.expires_at, r.entry_index",
        moment.org_id,
        moment.size,
        moment.instant,
        until,
    )
    found = await _with_acts(connection, moment, rows)
    return [each for each in found if each.state(moment.instant) is State.IN_FORCE]


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
    """Waivers in these environments (None: in any) in this state (None: in any), the last requested first: three statements at
    most.

    With `newer_than` alone: those just above it, in the same order.
    """
    rows = await requests.page(
        connection,
        moment,
        QUEUE,
        limit=limit,
        environments=environments,
        state=state,
        older_than=older_than,
        newer_than=newer_than,
    )
    return await _with_acts(connection, moment, rows)
