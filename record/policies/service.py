"""Uses of policies: create one, change it, attach it to an environment, detach it, try it before."""

import asyncio
from dataclasses import dataclass

from record.access.rules import Action, Caller
from record.details import checked_text
from record.environments import queries as environments
from record.environments.service import unknown_environment
from record.ids import ENVIRONMENT_NAME, POLICY_NAME, checked_name, uuid7
from record.ledger.append import AlreadyRecorded
from record.ledger.entries import Draft, Idempotency, Receipt
from record.moment import Moment
from record.policies import documents, presence, queries
from record.policies.rules import EnvironmentJudgement
from record.record import Record
from record.refusals import InvalidInput, NameTaken, NotFound

CANDIDATE = "candidate"
"""How reasons name a policy that is tried and has no name yet."""


@dataclass(frozen=True, slots=True)
class CreatePolicy:
    """`document` is YAML, in our language or the incumbent's."""

    name: str
    document: str
    description: str = ""
    comment: str = ""


@dataclass(frozen=True, slots=True)
class ChangePolicy:
    """A new version. `comment` says why; a description that is None stays as it is."""

    name: str
    document: str
    description: str | None = None
    comment: str = ""


async def create(
    record: Record, caller: Caller, wish: CreatePolicy, *, idempotency: Idempotency | None = None
) -> Receipt:
    """Creates a policy with its first version. It decides nothing until it is attached."""
    caller.require(Action.WRITE)
    checked_name(wish.name, POLICY_NAME, field="policy name")
    await _check(wish.document, wish.name)
    body = {
        "policy_id": str(uuid7()),
        "version": 1,
        "name": wish.name,
        "description": checked_text(wish.description, field="description"),
        "comment": checked_text(wish.comment, field="comment"),
        "source": wish.document,
    }
    try:
        return await record.ledger.append(caller, Draft("policy.created", body), idempotency=idempotency)
    except AlreadyRecorded as error:
        raise NameTaken(
            f"A policy called {wish.name} exists already. Change it with changePolicy, or choose another name."
        ) from error


async def change(
    record: Record, caller: Caller, wish: ChangePolicy, *, idempotency: Idempotency | None = None
) -> Receipt:
    """Records a new version, in force at once wherever the policy is attached."""
    caller.require(Action.WRITE)
    await _check(wish.document, wish.name)
    while True:
        policy = await _named(record, caller, wish.name)
        if policy.source == wish.document and wish.description in (None, policy.description):
            raise InvalidInput(
                f"This is what version {policy.version} of the policy {policy.name} says already. Change the document.",
                field="document",
            )
        body = {
            "policy_id": str(policy.policy_id),
            "version": policy.version + 1,
            "name": policy.name,
            "description": policy.description
            if wish.description is None
            else checked_text(wish.description, field="description"),
            "comment": checked_text(wish.comment, field="comment"),
            "source": wish.document,
        }
        try:
            return await record.ledger.append(caller, Draft("policy.changed", body), idempotency=idempotency)
        except AlreadyRecorded:
            continue  # somebody changed it in between: read it again and build on that


async def attach(
    record: Record, caller: Caller, *, policy: str, environment: str, idempotency: Idempotency | None = None
) -> Receipt:
    """From now on what runs in the environment must satisfy the policy."""
    return await _move(record, caller, policy, environment, attached=True, idempotency=idempotency)


async def detach(
    record: Record, caller: Caller, *, policy: str, environment: str, idempotency: Idempotency | None = None
) -> Receipt:
    """From now on the policy no longer counts in the environment. What was judged by it stays recorded."""
    return await _move(record, caller, policy, environment, attached=False, idempotency=idempotency)


async def try_policy(
    record: Record, caller: Caller, moment: Moment, *, document: str, environment: str
) -> EnvironmentJudgement:
    """What a policy would have said of what ran in an environment at a moment, by itself. Records nothing."""
    caller.require(Action.READ, environment=environment)
    policy = await asyncio.to_thread(documents.parse, document, name=CANDIDATE, version=0)
    async with record.database.connection(caller.org_id) as connection:
        place = await environments.by_name(connection, moment, environment)
        if place is None:
            raise unknown_environment(environment)
        (judged,) = await presence.judged_by(connection, moment, [(place, [policy])])
    return judged


def unknown_policy(name: str) -> NotFound:
    """The one sentence for a policy that is not there."""
    return NotFound(
        f"There is no policy called {name[:80]} in this organization. Create it with createPolicy, or check the name."
    )


async def _move(
    record: Record,
    caller: Caller,
    name: str,
    environment: str,
    *,
    attached: bool,
    idempotency: Idempotency | None,
) -> Receipt:
    caller.require(Action.WRITE, environment=environment)
    checked_name(environment, ENVIRONMENT_NAME, field="environment name")
    policy = await _named(record, caller, name)
    moment = Moment.latest(caller.org_id, record.clock.now())
    async with record.database.connection(caller.org_id) as connection:
        place = await environments.by_name(connection, moment, environment)
        if place is None:
            raise unknown_environment(environment)
        (present,) = await queries.attached_to(connection, moment, [place.environment_id])
    if attached is any(each.policy_id == policy.policy_id for each in present):
        fact = "attached to" if attached else "not attached to"
        raise InvalidInput(
            f"The policy {name} is {fact} {environment} already. There is nothing to do; look at the environment's policies.",
            field="policy",
        )
    body = {
        "policy_id": str(policy.policy_id),
        "policy": policy.name,
        "environment_id": str(place.environment_id),
        "environment": place.name,
    }
    kind = "policy.attached" if attached else "policy.detached"
    return await record.ledger.append(caller, Draft(kind, body), idempotency=idempotency)


async def _named(record: Record, caller: Caller, name: str) -> queries.Policy:
    moment = Moment.latest(caller.org_id, record.clock.now())
    async with record.database.connection(caller.org_id) as connection:
        policy = await queries.by_name(connection, moment, name)
    if policy is None:
        raise unknown_policy(name)
    return policy


async def _check(document: str, name: str) -> None:
    """Refuses a document that cannot be read, with the place of the fault."""
    await asyncio.to_thread(documents.parse, document, name=name, version=1)
