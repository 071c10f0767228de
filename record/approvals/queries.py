"""Reads of approvals: requests with what was done to them, the queue of those in a state, and what policies count."""

import json
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from record.approvals import rules
from record.approvals.rules import Act, Done, State, standing
from record.database import Connection
from record.ids import ApprovalId, EntryIndex, EnvironmentId, Fingerprint, FlowId, PrincipalId, TrailId
from record.moment import Moment
from record.policies.facts import ApprovalFact
from record.requests import queries as requests
from record.requests.queries import Queue, Standing


@dataclass(frozen=True, slots=True)
class Approval:
    """A request with the acts that a moment sees, in their order. `commits` are what stands under that name in its entry."""

    entry_index: EntryIndex
    approval_id: ApprovalId
    environment_id: EnvironmentId
    environment: str
    fingerprint: Fingerprint
    name: str
    description: str
    flow_id: FlowId | None
    flow: str | None
    trail_id: TrailId | None
    trail: str | None
    template_name: str | None
    commits: dict[str, Any]
    authors: tuple[str, ...]
    authors_known: bool
    requester_id: PrincipalId
    requested_by: str
    requested_for: str | None
    reported: bool
    expires_at: datetime | None
    at: datetime
    acts: tuple[Done, ...]

    def standing(self, now: datetime) -> rules.Standing:
        """Where it stands at an instant."""
        return standing(self.acts, self.expires_at, now=now)

    def standing_when(self, at: datetime, before: EntryIndex) -> rules.Standing | None:
        """Where it stood at an earlier instant, by what was recorded before an entry; None when it was not requested yet."""
        if self.entry_index > before or self.at > at:
            return None
        acts = [done for done in self.acts if done.entry_index < before and done.at <= at]
        return standing(acts, self.expires_at, now=at)

    @property
    def requester(self) -> str:
        """Whose wish it is: the person for whom it was requested, or else whoever requested it."""
        return self.requested_for or self.requested_by


_COLUMNS = """r.entry_index, r.approval_id, r.environment_id, r.environment, r.fingerprint, r.name, r.description, r.flow_id,
       r.flow, r.trail_id, r.trail, r.template_name, r.commits, r.authors, r.authors_known, r.requester_id, r.requested_by,
       r.requested_for, r.reported, r.expires_at, r.at"""
_SELECT = f"SELECT {_COLUMNS} FROM record.approvals r WHERE r.org_id = $1 AND r.entry_index < $2"

QUEUE = Queue(
    requests="record.approvals",
    columns=_COLUMNS,
    acts="record.approval_acts",
    act_columns="entry_index, number, act, principal_id, principal, who, comment, reported, url, given_at, at",
    key="approval_id",
    states={
        State.REQUESTED: Standing(unless=(Act.APPROVE, Act.REJECT, Act.WITHDRAW), expired=False),
        State.APPROVED: Standing(after=(Act.APPROVE,), unless=(Act.REJECT, Act.WITHDRAW), expired=False),
        State.REJECTED: Standing(after=(Act.REJECT,)),
        State.WITHDRAWN: Standing(after=(Act.WITHDRAW,)),
        State.EXPIRED: Standing(unless=(Act.REJECT, Act.WITHDRAW), expired=True),
    },
)


def _done(columns: Sequence[Any]) -> Done:
    index, number, act, *rest = columns
    return Done(index, number, Act(act), *rest)


async def _with_acts(connection: Connection, moment: Moment, rows: Sequence[Any]) -> list[Approval]:
    """The requests in these rows, with their acts."""
    acts = await requests.acts_of(connection, moment, QUEUE, rows, _done)
    return [
        Approval(
            **{
                **row,
                "commits": json.loads(row["commits"]),
                "authors": tuple(json.loads(row["authors"])),
                "acts": tuple(acts[row["approval_id"]]),
            }
        )
        for row in rows
    ]


async def by_ids(connection: Connection, moment: Moment, ids: Sequence[ApprovalId]) -> list[Approval | None]:
    """Approvals in the order asked; None for what is not there."""
    rows = await connection.fetch(f"{_SELECT} AND r.approval_id = ANY($3::uuid[])", moment.org_id, moment.size, ids)
    found = {each.approval_id: each for each in await _with_acts(connection, moment, rows)}
    return [found.get(approval_id) for approval_id in ids]


_OF_FINGERPRINTS = f"""
SELECT {_COLUMNS} FROM (SELECT DISTINCT unnest($3::text[]) AS fingerprint) asked
JOIN record.approvals r ON r.org_id = $1 AND r.fingerprint = asked.fingerprint AND r.entry_index < $2
ORDER BY r.entry_index DESC"""


async def of_fingerprints(
    connection: Connection, moment: Moment, fingerprints: Sequence[Fingerprint]
) -> list[list[Approval]]:
    """All requests for each artifact, the last one first, in the order asked: two statements."""
    rows = await connection.fetch(
        _OF_FINGERPRINTS,
        moment.org_id,
        moment.size,
        fingerprints,
    )
    found: dict[str, list[Approval]] = {fingerprint: [] for fingerprint in fingerprints}
    for approval in await _with_acts(connection, moment, rows):
        found[approval.fingerprint].append(approval)
    return [found[fingerprint] for fingerprint in fingerprints]


_FACTS = """
SELECT r.approval_id, r.entry_index, r.fingerprint, r.environment, coalesce(r.requested_for, r.requested_by) AS requester,
       CASE WHEN r.authors_known THEN r.authors END AS authors, r.expires_at
FROM (SELECT DISTINCT unnest($3::text[]) AS fingerprint) asked
JOIN record.approvals r ON r.org_id = $1 AND r.fingerprint = asked.fingerprint AND r.entry_index < $2
ORDER BY r.entry_index DESC"""


async def facts_about(
    connection: Connection, moment: Moment, fingerprints: Sequence[Fingerprint]
) -> dict[Fingerprint, tuple[ApprovalFact, ...]]:
    """What policies count, for each of these artifacts that has any: two statements, however many artifacts.

    Of commits of which some author is not known, none is: nobody can be told from that one.
    """
    rows = await connection.fetch(_FACTS, moment.org_id, moment.size, fingerprints)
    acts = await requests.acts_of(connection, moment, QUEUE, rows, _done)
    found: dict[Fingerprint, list[ApprovalFact]] = defaultdict(list)
    for approval_id, index, fingerprint, environment, requester, authors, expires_at in rows:
        stands = standing(acts[approval_id], expires_at, now=moment.instant)
        given = tuple([(done.who, done.given_at, done.entry_index) for done in stands.approvals])
        known = () if authors is None else tuple(json.loads(authors))
        found[fingerprint].append(
            ApprovalFact(index, fingerprint, environment, given, requester, known, stands.state.value, expires_at)
        )
    return {fingerprint: tuple(facts) for fingerprint, facts in found.items()}


def fact_when(approval: Approval, at: datetime, before: EntryIndex) -> ApprovalFact | None:
    """What policies would have counted at an earlier instant, by what was recorded before an entry; None before the request."""
    stands = approval.standing_when(at, before)
    return None if stands is None else _of_standing(approval, stands)


def _of_standing(approval: Approval, stands: rules.Standing) -> ApprovalFact:
    """As rules of policies take it. Of commits of which some author is not known, none is: nobody can be told from that one."""
    return ApprovalFact(
        entry_index=approval.entry_index,
        fingerprint=approval.fingerprint,
        environment=approval.environment,
        approved_by=tuple((done.who, done.given_at, done.entry_index) for done in stands.approvals),
        requested_by=approval.requester,
        authors=approval.authors if approval.authors_known else (),
        state=stands.state.value,
        expires_at=approval.expires_at,
    )


async def page(
    connection: Connection,
    moment: Moment,
    *,
    limit: int,
    environments: Collection[str] | None = None,
    state: State | None = None,
    older_than: EntryIndex | None = None,
    newer_than: EntryIndex | None = None,
) -> list[Approval]:
    """Requests for these environments (None: for any) in this state (None: in any), the last one first: three statements at most.

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
