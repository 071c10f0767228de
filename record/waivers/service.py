"""Uses of waivers: request one, accept it, revoke it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from record import details
from record.access.rules import Action, Caller
from record.access.service.second_person import require_second_person, require_somebody_behind
from record.artifacts import queries as artifacts
from record.clock import to_rfc3339
from record.environments.service import archived, environment_named
from record.ids import POLICY_NAME, WaiverId, checked_fingerprint, checked_name, uuid7
from record.ledger.entries import Draft, Idempotency, Receipt
from record.moment import Moment
from record.policies import queries as policies
from record.policies.service import unknown_policy
from record.record import Record
from record.refusals import InvalidInput, NotAllowed, NotFound
from record.waivers import queries, rules
from record.waivers.queries import Waiver
from record.waivers.rules import Act


@dataclass(frozen=True, slots=True)
class RequestWaiver:
    """An exception for an artifact, for a rule of a policy (`Policy.rule_keys`), or for a rule as far as one artifact goes.

    For an artifact without a rule, whatever policies say of it in this environment is accepted.
    """

    environment: str
    reason: str
    expires_at: datetime
    fingerprint: str | None = None
    name: str | None = None
    policy: str | None = None
    rule: str | None = None
    requested_for: str | None = None


async def request(
    record: Record, caller: Caller, wish: RequestWaiver, *, idempotency: Idempotency | None = None
) -> Receipt:
    """Asks for an exception. It excuses nothing until a second person accepts it."""
    caller.require(Action.WRITE, environment=wish.environment)
    environment = await environment_named(record, caller, wish.environment)
    if environment.archived:
        raise archived(environment)
    await require_somebody_behind(record, caller, wish.requested_for, what="waiver")
    if not wish.reason.strip():
        raise InvalidInput("A waiver needs a reason. Say why this may run nevertheless.", field="reason")
    if wish.fingerprint is None and wish.rule is None:
        raise InvalidInput(
            "This waives nothing in particular. Name an artifact (fingerprint), a rule of a policy (policy, rule), or both.",
            field="fingerprint",
        )
    body: dict[str, Any] = {
        "waiver_id": str(uuid7()),
        "environment_id": str(environment.environment_id),
        "environment": environment.name,
        "reason": details.checked_text(wish.reason.strip(), field="reason"),
        "expires_at": to_rfc3339(_within_limit(record, wish.expires_at)),
        **await _artifact(record, caller, wish),
        **await _rule(record, caller, wish),
    }
    if wish.requested_for is not None:
        body["requested_for"] = details.checked_person(wish.requested_for, field="requestedFor")
    return await record.ledger.append(caller, Draft("waiver.requested", body), idempotency=idempotency)


async def accept(
    record: Record,
    caller: Caller,
    waiver_id: WaiverId,
    *,
    comment: str = "",
    idempotency: Idempotency | None = None,
) -> Receipt:
    """Puts a waiver in force, from now until it expires."""
    caller.require_somewhere(Action.REVIEW)
    said = details.checked_text(comment, field="comment").strip()

    async def check(waiver: Waiver) -> None:
        caller.require(Action.REVIEW, environment=waiver.environment)
        await require_second_person(
            record, caller, requester_id=waiver.requester_id, requested_for=waiver.requested_for, what="waiver"
        )

    return await _act(record, caller, waiver_id, Act.ACCEPT, said, check, idempotency)


async def revoke(
    record: Record,
    caller: Caller,
    waiver_id: WaiverId,
    *,
    reason: str,
    idempotency: Idempotency | None = None,
) -> Receipt:
    """Ends a waiver, or declines one that nobody has accepted. Whoever requested it may, approvers may, and admins."""
    if not caller.may_somewhere(Action.REVIEW):
        caller.require_somewhere(Action.WRITE)
    said = details.checked_text(reason, field="reason").strip()
    if not said:
        raise InvalidInput("Say why the waiver ends.", field="reason")

    async def check(waiver: Waiver) -> None:
        if caller.principal_id == waiver.requester_id:
            return
        if not any(caller.may(each, environment=waiver.environment) for each in (Action.REVIEW, Action.ADMINISTER)):
            raise NotAllowed(
                f"{waiver.requested_by} requested this waiver. Ask them, an approver of {waiver.environment} or an admin "
                "to revoke it."
            )

    return await _act(record, caller, waiver_id, Act.REVOKE, said, check, idempotency)


Check: TypeAlias = Callable[[Waiver], Awaitable[None]]
"""Refuses whoever may not do it to this waiver."""


async def _act(
    record: Record,
    caller: Caller,
    waiver_id: WaiverId,
    act: Act,
    comment: str,
    check: Check,
    idempotency: Idempotency | None,
) -> Receipt:
    """Records the next act of a waiver. If another one was recorded meanwhile, decides again by what that left behind."""

    async def decide() -> list[Draft]:
        waiver = await _known(record, caller, waiver_id)
        await check(waiver)
        state = waiver.state(record.clock.now())
        body: dict[str, Any] = {
            "waiver_id": str(waiver.waiver_id),
            "environment_id": str(waiver.environment_id),
            "environment": waiver.environment,
            "number": len(waiver.acts) + 1,
            "act": act.value,
            "state": rules.led_to(state, act, acts=waiver.acts, expires_at=waiver.expires_at).value,
            "comment": comment,
        }
        told = {"fingerprint": waiver.fingerprint, "name": waiver.name, "policy": waiver.policy, "rule": waiver.rule}
        body |= {key: value for key, value in told.items() if value is not None}
        kind = "waiver.accepted" if act is Act.ACCEPT else "waiver.revoked"
        return [Draft(kind, body)]

    return await record.ledger.append_next(caller, decide, idempotency=idempotency)


async def _known(record: Record, caller: Caller, waiver_id: WaiverId) -> Waiver:
    moment = Moment.latest(caller.org_id, record.clock.now())
    async with record.database.connection(caller.org_id) as connection:
        (waiver,) = await queries.by_ids(connection, moment, [waiver_id])
    if waiver is None or not caller.may(Action.READ, environment=waiver.environment):
        raise NotFound(
            f"There is no waiver {waiver_id} in this organization. Use an id that requestWaiver or a query gave you."
        )
    return waiver


def _within_limit(record: Record, expires_at: datetime) -> datetime:
    now = record.clock.now()
    most = record.settings.waiver_days_max
    details.checked_future(expires_at, now=now, field="expiresAt")
    if expires_at > now + timedelta(days=most):
        raise InvalidInput(
            f"A waiver lasts at most {most} days here, until {to_rfc3339(now + timedelta(days=most))}. "
            "Choose an earlier expiry, and request it anew if it is still needed then.",
            field="expiresAt",
        )
    return expires_at


async def _artifact(record: Record, caller: Caller, wish: RequestWaiver) -> dict[str, str]:
    if wish.fingerprint is None:
        return {}
    fingerprint = checked_fingerprint(wish.fingerprint)
    name = wish.name
    if name is None:
        moment = Moment.latest(caller.org_id, record.clock.now())
        async with record.database.connection(caller.org_id) as connection:
            known = await artifacts.built(connection, moment, fingerprint)
        name = fingerprint if known is None else known.name
    return {"fingerprint": fingerprint, "name": details.checked_text(name, field="artifact name", most=1_024)}


async def _rule(record: Record, caller: Caller, wish: RequestWaiver) -> dict[str, str]:
    """The rule by which the policy's newest version names it, known to be there."""
    if wish.policy is None and wish.rule is None:
        return {}
    if wish.policy is None or wish.rule is None:
        raise InvalidInput(
            "A rule is one of a policy. Name both, policy and rule, or neither.",
            field="policy" if wish.policy is None else "rule",
        )
    name = checked_name(wish.policy, POLICY_NAME, field="policy name")
    moment = Moment.latest(caller.org_id, record.clock.now())
    async with record.database.connection(caller.org_id) as connection:
        policy = await policies.by_name(connection, moment, name)
    if policy is None:
        raise unknown_policy(name)
    keys = policy.understood.rule_keys
    if wish.rule not in keys:
        known = ", ".join(dict.fromkeys(keys))
        raise InvalidInput(
            f"The policy {name} has no rule {wish.rule[:200]!r}. "
            + (f"Use one of {known}." if known else "It has none at all: there is nothing to waive."),
            field="rule",
        )
    return {"policy": name, "rule": wish.rule}
