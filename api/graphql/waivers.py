"""Waivers as GraphQL shows and takes them."""

from datetime import datetime
from enum import Enum
from typing import Annotated, TypeAlias
from uuid import UUID

import strawberry
from strawberry import Parent

from api.graphql.connections import Connection, Wanted, connect, wanted
from api.graphql.context import Info
from api.graphql.errors import Refused
from api.graphql.ledger import After, Before, First, Last, Receipt
from api.graphql.nodes import AtMoment, NamedAtMoment, Node, global_id, uuid_in
from api.graphql.runs import readable_names
from api.graphql.writes import perform
from record.access.rules import Action
from record.ids import EntryIndex, Fingerprint, WaiverId
from record.ledger import entries
from record.moment import Moment
from record.waivers import queries, rules, service
from record.waivers.rules import Act, Done, State


@strawberry.enum(description="Where a waiver stands.")
class WaiverState(Enum):
    REQUESTED = strawberry.enum_value("REQUESTED", description="Nobody has accepted it yet: it excuses nothing.")
    IN_FORCE = strawberry.enum_value("IN_FORCE", description="It was accepted, and excuses until it expires.")
    REVOKED = strawberry.enum_value("REVOKED", description="It was declined or ended, for good.")
    EXPIRED = strawberry.enum_value("EXPIRED", description="Its time is over, for good.")


@strawberry.type(description="That a waiver was accepted or revoked.")
class WaiverAct:
    by: str = strawberry.field(description="Who did it.")
    comment: str = strawberry.field(description="What they wrote.")
    at: datetime = strawberry.field(description="When.")
    entry_index: EntryIndex = strawberry.field(description="The entry that recorded it.")

    @classmethod
    def of(cls, done: Done) -> "WaiverAct":
        return cls(by=done.principal, comment=done.comment, at=done.at, entry_index=done.entry_index)


@strawberry.type(
    description="A dated exception: an artifact, a rule of a policy, or both are excused in an environment."
)
class Waiver(Node):
    state: WaiverState = strawberry.field(description="Where it stands.")
    environment_name: str = strawberry.field(description="Where it excuses something.")
    fingerprint: Fingerprint | None = strawberry.field(
        description="The artifact that it excuses; null when it excuses whatever runs there."
    )
    name: str | None = strawberry.field(description="The artifact's name; null without an artifact.")
    policy_name: str | None = strawberry.field(description="The policy whose rule it excuses; null for all rules.")
    rule: str | None = strawberry.field(
        description="The rule that it excuses, as in the policy's `rules`; null for all rules of all policies."
    )
    reason: str = strawberry.field(description="Why.")
    requested_by: str = strawberry.field(description="Who requested it.")
    requested_for: str | None = strawberry.field(
        description="Whose request it is, when it came through somebody else. They may not accept it either."
    )
    requested_at: datetime = strawberry.field(description="When it was requested.")
    expires_at: datetime = strawberry.field(description="The instant from which it excuses nothing.")
    entry_index: EntryIndex = strawberry.field(description="The entry that requested it.")
    row: strawberry.Private[queries.Waiver]

    @strawberry.field(description="Who put it in force, and when; null while nobody did.")
    def acceptance(self) -> WaiverAct | None:
        return self._act(Act.ACCEPT)

    @strawberry.field(description="Who declined or ended it, and why; null while nobody did.")
    def revocation(self) -> WaiverAct | None:
        return self._act(Act.REVOKE)

    def _act(self, act: Act) -> WaiverAct | None:
        return next((WaiverAct.of(done) for done in self.row.acts if done.act is act), None)

    @classmethod
    def of(cls, info: Info, row: queries.Waiver, moment: Moment) -> "Waiver":
        """As it stands at the moment; an answer with it holds no longer than that."""
        state = row.state(moment.instant)
        if state in rules.OPEN:
            info.context.expires(row.expires_at)
        return cls(
            id=global_id("Waiver", row.waiver_id),
            state=WaiverState(state.value),
            environment_name=row.environment,
            fingerprint=row.fingerprint,
            name=row.name,
            policy_name=row.policy,
            rule=row.rule,
            reason=row.reason,
            requested_by=row.requested_by,
            requested_for=row.requested_for,
            requested_at=row.at,
            expires_at=row.expires_at,
            entry_index=row.entry_index,
            row=row,
        )


async def waiver_of(info: Info, moment: Moment, waiver_id: WaiverId) -> Waiver | None:
    """The waiver of this id, if the caller may read its environment."""
    async with info.context.record.database.connection(moment.org_id) as connection:
        (row,) = await queries.by_ids(connection, moment, [waiver_id])
    if row is None or not info.context.caller.may(Action.READ, environment=row.environment):
        return None
    return Waiver.of(info, row, moment)


async def waiver_asked(root: Parent[AtMoment], info: Info, id: strawberry.ID) -> Waiver | None:  # noqa: A002
    """`Record.waiver`."""
    return await waiver_of(info, root.moment, _waiver_id(id))


OnlyState: TypeAlias = Annotated[WaiverState | None, strawberry.argument(description="Only those in this state.")]
OnlyThere: TypeAlias = Annotated[str | None, strawberry.argument(description="Only those in this environment.")]


async def waivers_asked(
    root: Parent[AtMoment],
    info: Info,
    state: OnlyState = None,
    environment: OnlyThere = None,
    first: First = None,
    after: After = None,
    last: Last = None,
    before: Before = None,
) -> Connection[Waiver]:
    """`Record.waivers`: in a state or in any, in an environment or in each that the caller may read."""
    want = wanted(info, "waivers", first=first, after=after, last=last, before=before)
    names = await readable_names(info, root.moment, environment)
    return await _page(info, root.moment, want, names, state)


async def waivers_of_environment(
    root: Parent[NamedAtMoment],
    info: Info,
    state: OnlyState = None,
    first: First = None,
    after: After = None,
    last: Last = None,
    before: Before = None,
) -> Connection[Waiver]:
    """`Environment.waivers`."""
    want = wanted(info, "waivers", first=first, after=after, last=last, before=before)
    return await _page(info, root.moment, want, frozenset({root.name}), state)


async def _page(
    info: Info, moment: Moment, want: Wanted, names: frozenset[str] | None, state: WaiverState | None
) -> Connection[Waiver]:
    """Waivers in these environments (None: in any), the last requested first."""
    context = info.context
    if state is WaiverState.EXPIRED:
        context.look_outside()  # time alone brings others here
    async with context.record.database.connection(moment.org_id) as connection:
        rows = await queries.page(
            connection,
            moment,
            limit=want.fetch,
            environments=names,
            state=None if state is None else State(state.value),
            older_than=want.older_than,
            newer_than=want.newer_than,
        )
    return connect(rows, want, key=lambda row: row.entry_index, node=lambda row: Waiver.of(info, row, moment))


ONCE = "The same key again gives the first receipt."


@strawberry.input(
    description="An exception to ask for: of an artifact, of a rule of a policy, or of a rule for an artifact."
)
class RequestWaiverInput:
    environment: str = strawberry.field(description="Where.")
    reason: str = strawberry.field(description="Why this may run nevertheless.")
    expires_at: datetime = strawberry.field(
        description="The instant from which it excuses nothing: within the days that the server allows (90 unless set)."
    )
    fingerprint: Fingerprint | None = strawberry.field(
        default=None, description="The artifact's SHA-256; left out, whatever runs there."
    )
    name: str | None = strawberry.field(
        default=None, description="What to call the artifact; without it, as it was reported, or else its fingerprint."
    )
    policy: str | None = strawberry.field(default=None, description="With `rule`: the policy's name.")
    rule: str | None = strawberry.field(
        default=None, description="One of the policy's `rules`; left out, all rules of all policies, for the artifact."
    )
    requested_for: str | None = strawberry.field(
        default=None,
        description="Whose request it is, when you are not that person. They may not accept it. A service account has to say it.",
    )
    idempotency_key: str | None = strawberry.field(default=None, description=ONCE)


@strawberry.input(description="A waiver to put in force.")
class AcceptWaiverInput:
    id: strawberry.ID = strawberry.field(description="The waiver's id.")
    comment: str = strawberry.field(default="", description="What there is to say about it.")
    idempotency_key: str | None = strawberry.field(default=None, description=ONCE)


@strawberry.input(description="A waiver to decline or to end.")
class RevokeWaiverInput:
    id: strawberry.ID = strawberry.field(description="The waiver's id.")
    reason: str = strawberry.field(description="Why.")
    idempotency_key: str | None = strawberry.field(default=None, description=ONCE)


@strawberry.type(description="The waiver, or what became of it, was recorded.")
class WaiverRecorded:
    receipt: Receipt = strawberry.field(description="Where and how it was recorded.")
    waiver_id: strawberry.Private[WaiverId]

    @strawberry.field(description="The waiver as it is now.")
    async def waiver(self, info: Info) -> Waiver | None:
        return await waiver_of(info, info.context.moment, self.waiver_id)

    @classmethod
    def of(cls, receipt: entries.Receipt) -> "WaiverRecorded":
        return cls(receipt=Receipt.of(receipt), waiver_id=WaiverId(UUID(receipt.body["waiver_id"])))


RequestWaiverResult: TypeAlias = Annotated[WaiverRecorded | Refused, strawberry.union("RequestWaiverResult")]
AcceptWaiverResult: TypeAlias = Annotated[WaiverRecorded | Refused, strawberry.union("AcceptWaiverResult")]
RevokeWaiverResult: TypeAlias = Annotated[WaiverRecorded | Refused, strawberry.union("RevokeWaiverResult")]


@strawberry.type
class WaiverMutations:
    @strawberry.mutation(
        description="Asks for an exception. It excuses nothing until a second person accepts it, and nothing after its expiry."
    )
    async def request_waiver(self, info: Info, input: RequestWaiverInput) -> RequestWaiverResult:  # noqa: A002
        wish = service.RequestWaiver(
            environment=input.environment,
            reason=input.reason,
            expires_at=input.expires_at,
            fingerprint=input.fingerprint,
            name=input.name,
            policy=input.policy,
            rule=input.rule,
            requested_for=input.requested_for,
        )
        receipt = await perform(
            info,
            lambda caller, once: service.request(info.context.record, caller, wish, idempotency=once),
            input=input,
            key=input.idempotency_key,
        )
        return WaiverRecorded.of(receipt)

    @strawberry.mutation(
        description="Puts a waiver in force. Needs the role approver for its environment; only people may, and never whoever "
        "requested it."
    )
    async def accept_waiver(self, info: Info, input: AcceptWaiverInput) -> AcceptWaiverResult:  # noqa: A002
        waiver_id = _waiver_id(input.id)
        receipt = await perform(
            info,
            lambda caller, once: service.accept(
                info.context.record, caller, waiver_id, comment=input.comment, idempotency=once
            ),
            input=input,
            key=input.idempotency_key,
        )
        return WaiverRecorded.of(receipt)

    @strawberry.mutation(
        description="Declines a waiver, or ends one at once. Whoever requested it may, approvers may, and admins."
    )
    async def revoke_waiver(self, info: Info, input: RevokeWaiverInput) -> RevokeWaiverResult:  # noqa: A002
        waiver_id = _waiver_id(input.id)
        receipt = await perform(
            info,
            lambda caller, once: service.revoke(
                info.context.record, caller, waiver_id, reason=input.reason, idempotency=once
            ),
            input=input,
            key=input.idempotency_key,
        )
        return WaiverRecorded.of(receipt)


def _waiver_id(given: strawberry.ID) -> WaiverId:
    return WaiverId(uuid_in(given, "Waiver", field="id"))
