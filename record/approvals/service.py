"""Uses of approvals: request one, review it, withdraw it, report one that was given elsewhere."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, TypeAlias

from record import details
from record.access.rules import Action, Caller
from record.access.service.second_person import require_person, require_second_person, require_somebody_behind
from record.approvals import queries, rules
from record.approvals.commits import brought
from record.approvals.queries import Approval
from record.approvals.rules import Act, State
from record.artifacts import queries as artifacts
from record.clock import to_rfc3339
from record.details import Commit
from record.environments.service import archived, environment_named
from record.ids import ApprovalId, checked_fingerprint, uuid7
from record.ledger.entries import Draft, Idempotency, Receipt
from record.moment import Moment
from record.people import may_be_one
from record.record import Record
from record.refusals import InvalidInput, NotAllowed, NotFound


@dataclass(frozen=True, slots=True)
class RequestApproval:
    """`commits` are what git says is new since what runs there; the record adds those that it knows itself.

    `requested_for` is the person behind a pipeline, who may then not review it; a service account has to name one. Without
    `expires_at` it never expires.
    """

    environment: str
    fingerprint: str
    description: str = ""
    name: str | None = None
    commits: Sequence[Commit] = field(default_factory=tuple)
    requested_for: str | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ReportApproval:
    """An approval that was given elsewhere, by whom (None: whoever reports it), when, and where to look at it."""

    request: RequestApproval
    approved_by: str | None = None
    approved_at: datetime | None = None
    comment: str = ""
    url: str | None = None


async def request(
    record: Record, caller: Caller, wish: RequestApproval, *, idempotency: Idempotency | None = None
) -> Receipt:
    """Asks that the artifact may be put into the environment. Any number of requests may be open for the same."""
    caller.require(Action.WRITE, environment=wish.environment)
    body = await _requested(record, caller, wish)
    return await record.ledger.append(caller, Draft("approval.requested", body), idempotency=idempotency)


async def review(
    record: Record,
    caller: Caller,
    approval_id: ApprovalId,
    act: Act,
    *,
    comment: str = "",
    idempotency: Idempotency | None = None,
) -> Receipt:
    """Approves or rejects a request, or says something to it. A rejection and a comment need words."""
    caller.require_somewhere(Action.REVIEW)
    said = details.checked_text(comment, field="comment").strip()
    if not said and act is not Act.APPROVE:
        raise InvalidInput("Say something: a rejection needs its reason, and a comment is its words.", field="comment")

    async def check(approval: Approval) -> None:
        caller.require(Action.REVIEW, environment=approval.environment)
        await require_second_person(
            record,
            caller,
            requester_id=approval.requester_id,
            requested_for=approval.requested_for,
            what="approval",
        )

    return await _act(record, caller, approval_id, act, said, check, idempotency)


async def withdraw(
    record: Record,
    caller: Caller,
    approval_id: ApprovalId,
    *,
    comment: str = "",
    idempotency: Idempotency | None = None,
) -> Receipt:
    """Takes a request back, approved or not. Whoever requested it may, and an admin."""
    caller.require_somewhere(Action.WRITE)
    said = details.checked_text(comment, field="comment").strip()

    async def check(approval: Approval) -> None:
        own = caller.principal_id == approval.requester_id
        if not own and not caller.may(Action.ADMINISTER, environment=approval.environment):
            raise NotAllowed(
                f"{approval.requested_by} requested this approval. Ask them or an admin to withdraw it, or reject it as a reviewer."
            )

    return await _act(record, caller, approval_id, Act.WITHDRAW, said, check, idempotency)


async def report(
    record: Record, caller: Caller, wish: ReportApproval, *, idempotency: Idempotency | None = None
) -> Receipt:
    """Records an approval that was given elsewhere: a request and its approval, both marked as reported.

    Only who may review there may vouch for it. Whoever is said to have given it must not be whoever wanted it: that is the person
    for whom it was requested, or else whoever reports it.
    """
    wanted = wish.request
    caller.require(Action.REVIEW, environment=wanted.environment)
    if wish.approved_by is None:
        await require_person(record, caller, remedy="Say who approved it (approvedBy).")
    approver = (
        caller.principal if wish.approved_by is None else details.checked_person(wish.approved_by, field="approvedBy")
    )
    if may_be_one(approver, wanted.requested_for or caller.principal):
        raise NotAllowed(
            f"By this report, {approver} would have approved what they wanted themselves. Say who else approved it (approvedBy), "
            "or whose request it was (requestedFor)."
        )
    body = await _requested(record, caller, wanted)
    reviewed: dict[str, Any] = {
        **_named(body),
        "number": 1,
        "act": Act.APPROVE.value,
        "state": State.APPROVED.value,
        "comment": details.checked_text(wish.comment, field="comment").strip(),
        "reported": True,
        "approved_by": approver,
    }
    if wish.approved_at is not None:
        given_at = details.checked_past(wish.approved_at, now=record.clock.now(), field="approvedAt")
        reviewed["approved_at"] = to_rfc3339(given_at)
    if wish.url is not None:
        reviewed["url"] = details.checked_url(wish.url, field="URL")
    drafts = [Draft("approval.requested", {**body, "reported": True}), Draft("approval.reviewed", reviewed)]
    return await record.ledger.append_together(caller, drafts, idempotency=idempotency)


Check: TypeAlias = Callable[[Approval], Awaitable[None]]
"""Refuses whoever may not do it to this request."""


async def _act(
    record: Record,
    caller: Caller,
    approval_id: ApprovalId,
    act: Act,
    comment: str,
    check: Check,
    idempotency: Idempotency | None,
) -> Receipt:
    """Records the next act of a request. If another one was recorded meanwhile, decides again by what that left behind."""

    async def decide() -> list[Draft]:
        approval = await _known(record, caller, approval_id)
        await check(approval)
        state = approval.standing(record.clock.now()).state
        body = {
            **_named(approval),
            "number": len(approval.acts) + 1,
            "act": act.value,
            "state": rules.led_to(state, act, acts=approval.acts, expires_at=approval.expires_at).value,
            "comment": comment,
        }
        kind = "approval.withdrawn" if act is Act.WITHDRAW else "approval.reviewed"
        return [Draft(kind, body)]

    return await record.ledger.append_next(caller, decide, idempotency=idempotency)


async def _known(record: Record, caller: Caller, approval_id: ApprovalId) -> Approval:
    moment = Moment.latest(caller.org_id, record.clock.now())
    async with record.database.connection(caller.org_id) as connection:
        (approval,) = await queries.by_ids(connection, moment, [approval_id])
    if approval is None or not caller.may(Action.READ, environment=approval.environment):
        raise NotFound(
            f"There is no approval {approval_id} in this organization. Use an id that requestApproval or a query gave you."
        )
    return approval


def _named(approval: Approval | Mapping[str, Any]) -> dict[str, Any]:
    """What an act's entry says of its request, so that it can be read by itself."""
    if isinstance(approval, Approval):
        known = {
            "approval_id": str(approval.approval_id),
            "environment_id": str(approval.environment_id),
            "environment": approval.environment,
            "fingerprint": approval.fingerprint,
            "name": approval.name,
            "flow": approval.flow,
            "trail": approval.trail,
        }
        approval = {key: value for key, value in known.items() if value is not None}
    return {key: approval[key] for key in _NAMED if key in approval}


_NAMED: Final = ("approval_id", "environment_id", "environment", "fingerprint", "name", "flow", "trail")
"""The flow and the trail only of an artifact that is known in one."""


async def _requested(record: Record, caller: Caller, wish: RequestApproval) -> dict[str, Any]:
    """A request's entry, with the commits that its artifact would bring."""
    environment = await environment_named(record, caller, wish.environment)
    if environment.archived:
        raise archived(environment)
    await require_somebody_behind(record, caller, wish.requested_for, what="approval")
    fingerprint = checked_fingerprint(wish.fingerprint)
    now = record.clock.now()
    async with record.database.connection(caller.org_id) as connection:
        moment = Moment.latest(caller.org_id, now)
        known = await artifacts.built(connection, moment, fingerprint)
        brings = await brought(connection, moment, environment, known, wish.commits)
    name = wish.name or (fingerprint if known is None else known.name)
    body: dict[str, Any] = {
        "approval_id": str(uuid7()),
        "environment_id": str(environment.environment_id),
        "environment": environment.name,
        "fingerprint": fingerprint,
        "name": details.checked_text(name, field="artifact name", most=1_024),
        "description": details.checked_text(wish.description, field="description"),
        "commits": brings.commits,
        "authors": list(brings.authors),
        "authors_known": brings.authors_known,
    }
    if known is not None:
        body |= {
            "flow_id": str(known.flow_id),
            "flow": known.flow,
            "trail_id": str(known.trail_id),
            "trail": known.trail,
            "template_name": known.template_name,
        }
    if wish.requested_for is not None:
        body["requested_for"] = details.checked_person(wish.requested_for, field="requestedFor")
    if wish.expires_at is not None:
        body["expires_at"] = to_rfc3339(details.checked_future(wish.expires_at, now=now, field="expiresAt"))
    return body
