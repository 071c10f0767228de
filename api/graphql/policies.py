"""Policies as GraphQL shows and takes them."""

from dataclasses import replace
from datetime import datetime
from typing import Annotated, TypeAlias

import strawberry

from api.graphql.connections import Connection, connect, page_size, wanted
from api.graphql.context import Info
from api.graphql.errors import Refused
from api.graphql.ledger import Receipt
from api.graphql.loaders import loaders_at
from api.graphql.nodes import Node, global_id
from api.graphql.verdicts import Verdict
from api.graphql.writes import perform
from record import verdicts
from record.access.rules import Action
from record.clock import to_rfc3339
from record.environments.snapshots import Named
from record.ids import EntryIndex, EnvironmentId, PolicyId
from record.moment import Moment
from record.policies import queries, service
from record.policies.presence import OneOfMany, PastSnapshot
from record.verdicts import Status


@strawberry.type(description="A numbered version of a policy.")
class PolicyVersion:
    version: int = strawberry.field(description="Its number, from 1.")
    document: str = strawberry.field(description="The YAML as it was given.")
    comment: str = strawberry.field(description="Why it was recorded.")
    recorded_by: str = strawberry.field(description="Who recorded it.")
    recorded_at: datetime = strawberry.field(description="When it was recorded.")
    entry_index: EntryIndex = strawberry.field(description="The entry that recorded it.")

    @classmethod
    def of(cls, row: queries.Policy) -> "PolicyVersion":
        return cls(
            version=row.version,
            document=row.source,
            comment=row.comment,
            recorded_by=row.recorded_by,
            recorded_at=row.changed_at,
            entry_index=row.entry_index,
        )


@strawberry.type(description="What may run in the environments that it is attached to.")
class Policy(Node):
    name: str = strawberry.field(description="Its name in the organization. Names never change.")
    description: str = strawberry.field(description="What it is for.")
    version: int = strawberry.field(description="The number of the version in force.")
    document: str = strawberry.field(description="The YAML in force (schema at /schemas/environment-policy/v1).")
    rules: list[str] = strawberry.field(description="How its rules are named in waivers, in their order.")
    created_at: datetime = strawberry.field(description="When it was created.")
    changed_at: datetime = strawberry.field(description="When it was last changed.")
    entry_index: EntryIndex = strawberry.field(description="The entry that last changed it.")
    row: strawberry.Private[queries.Policy]
    moment: strawberry.Private[Moment]

    @strawberry.field(description="Its versions, the newest first.")
    async def versions(self, info: Info, first: int = 20) -> list[PolicyVersion]:
        limit = page_size(info, first)
        async with info.context.record.database.connection(self.moment.org_id) as connection:
            found = await queries.versions(connection, self.moment, self.row.policy_id, limit=limit)
        return [PolicyVersion.of(row) for row in found]

    @strawberry.field(description="Names of the environments that it is attached to, as far as you may read them.")
    async def environments(self, info: Info) -> list[str]:
        async with info.context.record.database.connection(self.moment.org_id) as connection:
            (names,) = await queries.environments_of(connection, self.moment, [self.row.policy_id])
        readable = info.context.caller.readable_environments()
        return [name for name in names if readable is None or name in readable]

    @classmethod
    def of(cls, row: queries.Policy, moment: Moment) -> "Policy":
        return cls(
            id=global_id("Policy", row.policy_id),
            name=row.name,
            description=row.description,
            version=row.version,
            document=row.source,
            rules=list(row.understood.rule_keys),
            created_at=row.created_at,
            changed_at=row.changed_at,
            entry_index=row.entry_index,
            row=row,
            moment=moment,
        )


async def policy_named(info: Info, moment: Moment, name: str) -> Policy | None:
    """The policy of this name."""
    info.context.caller.require_somewhere(Action.READ)
    async with info.context.record.database.connection(moment.org_id) as connection:
        row = await queries.by_name(connection, moment, name)
    return None if row is None else Policy.of(row, moment)


async def policy_of(info: Info, moment: Moment, policy_id: PolicyId) -> Policy | None:
    """The policy of this id."""
    info.context.caller.require_somewhere(Action.READ)
    async with info.context.record.database.connection(moment.org_id) as connection:
        (row,) = await queries.by_ids(connection, moment, [policy_id])
    return None if row is None else Policy.of(row, moment)


async def policy_page(
    info: Info, moment: Moment, *, first: int | None, after: str | None, last: int | None, before: str | None
) -> Connection[Policy]:
    """Policies by name."""
    info.context.caller.require_somewhere(Action.READ)
    want = wanted(info, "policies", first=first, after=after, last=last, before=before)
    async with info.context.record.database.connection(moment.org_id) as connection:
        rows = await queries.page(
            connection,
            moment,
            limit=want.fetch,
            after=want.after,
            before=want.before if want.before is not None or not want.backward else "\U0010ffff",
        )
    return connect(rows, want, key=lambda row: row.name, node=lambda row: Policy.of(row, moment))


async def policies_attached(info: Info, moment: Moment, environment_id: EnvironmentId) -> list[Policy]:
    """The policies of an environment, by name."""
    rows = await loaders_at(info, moment).policies_of_environments.load(environment_id)
    return [Policy.of(row, moment) for row in rows]


async def try_policy(info: Info, moment: Moment, *, document: str, environment: str) -> Verdict:
    """What this policy would have said of what ran there at that moment. Records nothing."""
    context = info.context
    judged = await service.try_policy(
        context.record, context.caller, moment, document=document, environment=environment
    )
    return _shown(info, judged.verdict)


async def verdict_of_environment(
    info: Info, moment: Moment, environment_id: EnvironmentId, *, stale: datetime | None
) -> Verdict:
    """What the attached policies say of what runs in an environment; if it has been silent, of what it said last."""
    judged = await loaders_at(info, moment).judgements.load(environment_id)
    assert judged is not None  # the environment was read at this very moment
    if stale is None:
        return _shown(info, judged.verdict)
    silent = verdicts.Reason(
        "cadence",
        "reports of snapshots",
        Status.UNKNOWN,
        f"It has been silent since {to_rfc3339(stale)}: this verdict is on what it reported last.",
        "Report a snapshot, or find out why none comes.",
    )
    return _shown(info, replace(judged.verdict, reasons=(silent, *judged.verdict.reasons)))


async def verdict_of_running(info: Info, moment: Moment, environment_id: EnvironmentId, running: Named) -> Verdict:
    """What the policies of an environment say of one artifact that runs there."""
    judged = await loaders_at(info, moment).some_judged.load(OneOfMany(environment_id, running))
    assert judged is not None  # the environment was read at this very moment
    return _shown(info, judged.verdict)


async def verdict_of_snapshot(info: Info, moment: Moment, snapshot: PastSnapshot) -> Verdict:
    """What is said now of what ran then."""
    judged = await loaders_at(info, moment).snapshots_judged.load(snapshot)
    assert judged is not None  # the environment was read at this very moment
    return _shown(info, judged.verdict)


def _shown(info: Info, judged: verdicts.Verdict) -> Verdict:
    """The verdict as this caller may see it: reasons tell of trails, so whoever may not read all flows sees only the uppermost."""
    reasons = judged.reasons
    if info.context.caller.readable_flows() is not None:
        reasons = tuple([reason._replace(because=()) for reason in reasons])
    return Verdict.of(info, judged.status, judged.holds_until, lambda: reasons)


ONCE = "The same key again gives the first receipt."


@strawberry.input(description="A policy to create.")
class CreatePolicyInput:
    name: str = strawberry.field(description="Its name: a letter or digit, then letters, digits and . _ -")
    document: str = strawberry.field(
        description="The policy (YAML, schema at /schemas/environment-policy/v1); documents written for Kosli are accepted."
    )
    description: str = strawberry.field(default="", description="What it is for.")
    comment: str = strawberry.field(default="", description="Why it is recorded.")
    idempotency_key: str | None = strawberry.field(default=None, description=ONCE)


@strawberry.input(description="A new version of a policy, in force at once wherever it is attached.")
class ChangePolicyInput:
    name: str = strawberry.field(description="The policy's name.")
    document: str = strawberry.field(description="The policy as it shall be (YAML).")
    description: str | None = strawberry.field(default=None, description="What it is for; left out, it stays.")
    comment: str = strawberry.field(default="", description="Why it is changed.")
    idempotency_key: str | None = strawberry.field(default=None, description=ONCE)


@strawberry.input(description="A policy and an environment.")
class PolicyAttachmentInput:
    policy: str = strawberry.field(description="The policy's name.")
    environment: str = strawberry.field(description="The environment's name.")
    idempotency_key: str | None = strawberry.field(default=None, description=ONCE)


@strawberry.type(description="The policy, or where it is attached, was recorded.")
class PolicyRecorded:
    receipt: Receipt = strawberry.field(description="Where and how it was recorded.")
    name: strawberry.Private[str]

    @strawberry.field(description="The policy as it is now.")
    async def policy(self, info: Info) -> Policy | None:
        return await policy_named(info, info.context.moment, self.name)


CreatePolicyResult: TypeAlias = Annotated[PolicyRecorded | Refused, strawberry.union("CreatePolicyResult")]
ChangePolicyResult: TypeAlias = Annotated[PolicyRecorded | Refused, strawberry.union("ChangePolicyResult")]
AttachPolicyResult: TypeAlias = Annotated[PolicyRecorded | Refused, strawberry.union("AttachPolicyResult")]
DetachPolicyResult: TypeAlias = Annotated[PolicyRecorded | Refused, strawberry.union("DetachPolicyResult")]


@strawberry.type
class PolicyMutations:
    @strawberry.mutation(description="Creates a policy. It decides nothing until it is attached to an environment.")
    async def create_policy(self, info: Info, input: CreatePolicyInput) -> CreatePolicyResult:  # noqa: A002
        wish = service.CreatePolicy(input.name, input.document, input.description, input.comment)
        receipt = await perform(
            info,
            lambda caller, once: service.create(info.context.record, caller, wish, idempotency=once),
            input=input,
            key=input.idempotency_key,
        )
        return PolicyRecorded(receipt=Receipt.of(receipt), name=receipt.body["name"])

    @strawberry.mutation(description="Records a new version of a policy, in force at once wherever it is attached.")
    async def change_policy(self, info: Info, input: ChangePolicyInput) -> ChangePolicyResult:  # noqa: A002
        wish = service.ChangePolicy(input.name, input.document, input.description, input.comment)
        receipt = await perform(
            info,
            lambda caller, once: service.change(info.context.record, caller, wish, idempotency=once),
            input=input,
            key=input.idempotency_key,
        )
        return PolicyRecorded(receipt=Receipt.of(receipt), name=receipt.body["name"])

    @strawberry.mutation(description="Attaches a policy: from now on, what runs in the environment must satisfy it.")
    async def attach_policy(self, info: Info, input: PolicyAttachmentInput) -> AttachPolicyResult:  # noqa: A002
        receipt = await perform(
            info,
            lambda caller, once: service.attach(
                info.context.record, caller, policy=input.policy, environment=input.environment, idempotency=once
            ),
            input=input,
            key=input.idempotency_key,
        )
        return PolicyRecorded(receipt=Receipt.of(receipt), name=receipt.body["policy"])

    @strawberry.mutation(description="Detaches a policy: from now on, it no longer counts in the environment.")
    async def detach_policy(self, info: Info, input: PolicyAttachmentInput) -> DetachPolicyResult:  # noqa: A002
        receipt = await perform(
            info,
            lambda caller, once: service.detach(
                info.context.record, caller, policy=input.policy, environment=input.environment, idempotency=once
            ),
            input=input,
            key=input.idempotency_key,
        )
        return PolicyRecorded(receipt=Receipt.of(receipt), name=receipt.body["policy"])
