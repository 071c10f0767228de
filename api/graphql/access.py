"""Organization, principals and keys as GraphQL shows and changes them."""

from datetime import datetime
from typing import Annotated, TypeAlias
from uuid import UUID

import strawberry

from api.graphql.context import Info
from api.graphql.errors import Refused
from api.graphql.ledger import Receipt
from api.graphql.loaders import loaders_at
from api.graphql.nodes import Node, global_id, uuid_in
from api.graphql.writes import Showing, perform, perform_showing
from record.access import queries, rules, service
from record.access.rules import Caller, Role
from record.clock import from_rfc3339
from record.ids import EntryIndex, KeyId, PrincipalId
from record.ledger.entries import Idempotency
from record.moment import Moment

strawberry.enum(Role, description="What a principal may do; any number of them, each narrowable.")
_RETRY = "The same key again gives the first receipt."


@strawberry.type(description="A role, for every flow or only for some.")
class Grant:
    role: Role = strawberry.field(description="The role.")
    flows: list[str] | None = strawberry.field(description="Names of the flows it is narrowed to; null: every flow.")
    environments: list[str] | None = strawberry.field(description="Environments it is narrowed to; null: every one.")

    @classmethod
    def of(cls, grant: rules.Grant) -> "Grant":
        return cls(
            role=grant.role,
            flows=None if grant.flows is None else sorted(grant.flows),
            environments=None if grant.environments is None else sorted(grant.environments),
        )


@strawberry.type(description="An API key. Its text was shown once, when it was issued.")
class ApiKey(Node):
    description: str = strawberry.field(description="What it is for.")
    expires_at: datetime | None = strawberry.field(description="When it stops opening anything.")
    revoked_at: datetime | None = strawberry.field(description="When it was or will be revoked; null: not at all.")
    scopes: list[Grant] | None = strawberry.field(
        description="What it is narrowed to; null: all that its principal may."
    )
    entry_index: EntryIndex = strawberry.field(description="The entry that issued it.")
    row: strawberry.Private[queries.Key]
    moment: strawberry.Private[Moment]

    @strawberry.field(description="When it was last used, to the minute; null: never that we know of.")
    async def last_used_at(self, info: Info) -> datetime | None:
        info.context.look_outside()
        return await loaders_at(info, self.moment).last_uses.load(self.row.key_id)

    @classmethod
    def of(cls, row: queries.Key, info: Info, moment: Moment) -> "ApiKey":
        info.context.expires(row.revoked_at if row.revoked_at and row.revoked_at > moment.instant else None)
        return cls(
            id=global_id("ApiKey", row.key_id),
            description=row.description,
            expires_at=row.expires_at,
            revoked_at=row.revoked_at,
            scopes=None if row.scopes is None else [Grant.of(scope) for scope in row.scopes],
            entry_index=row.entry_index,
            row=row,
            moment=moment,
        )


@strawberry.type(description="A person or a service account: whoever acts on the record, through keys.")
class Principal(Node):
    name: str = strawberry.field(description="Its name in the organization.")
    kind: str = strawberry.field(description="person or service_account.")
    grants: list[Grant] = strawberry.field(description="Its roles.")
    disabled: bool = strawberry.field(description="Whether its keys open nothing.")
    entry_index: EntryIndex = strawberry.field(description="The entry that last changed it.")
    row: strawberry.Private[queries.Principal]
    moment: strawberry.Private[Moment]

    @strawberry.field(description="Its keys, oldest first: your own, or anybody's for an admin.")
    async def keys(self, info: Info) -> list[ApiKey]:
        caller = info.context.caller
        if self.row.principal_id != caller.principal_id:
            caller.require(rules.Action.ADMINISTER)
        rows = await loaders_at(info, self.moment).keys_of.load(self.row.principal_id)
        return [ApiKey.of(row, info, self.moment) for row in rows]

    @classmethod
    def of(cls, row: queries.Principal, moment: Moment) -> "Principal":
        return cls(
            id=global_id("Principal", row.principal_id),
            name=row.name,
            kind=row.kind,
            grants=[Grant.of(grant) for grant in row.grants],
            disabled=row.disabled,
            entry_index=row.entry_index,
            row=row,
            moment=moment,
        )


async def key_of(info: Info, moment: Moment, key_id: KeyId) -> ApiKey | None:
    """The key of this id: the caller's own, or anybody's for an admin."""
    async with info.context.record.database.connection(moment.org_id) as connection:
        found = await queries.keys(connection, moment, key_id=key_id)
    caller = info.context.caller
    if not found or not (found[0].principal_id == caller.principal_id or caller.may(rules.Action.ADMINISTER)):
        return None
    return ApiKey.of(found[0], info, moment)


@strawberry.type(description="Who is asking.")
class Viewer:
    organization: str = strawberry.field(description="The organization that the key belongs to.")
    principal: str = strawberry.field(description="The person or service account.")
    grants: list[Grant] = strawberry.field(description="Its roles.")
    scopes: list[Grant] | None = strawberry.field(description="What this key narrows them to; null: nothing.")

    @classmethod
    def of(cls, caller: Caller) -> "Viewer":
        return cls(
            organization=caller.organization,
            principal=caller.principal,
            grants=[Grant.of(grant) for grant in caller.grants],
            scopes=None if caller.scopes is None else [Grant.of(scope) for scope in caller.scopes],
        )


@strawberry.input(description="A role to give.")
class GrantInput:
    role: Role = strawberry.field(description="The role.")
    flows: list[str] | None = strawberry.field(default=None, description="Only for these flows.")
    environments: list[str] | None = strawberry.field(default=None, description="Only for these environments.")


@strawberry.input(description="A person or service account to add.")
class AddPrincipalInput:
    name: str = strawberry.field(description="Its name: an e-mail address, or what the service is called.")
    grants: list[GrantInput] = strawberry.field(description="Its roles.")
    idempotency_key: str | None = strawberry.field(default=None, description=_RETRY)


@strawberry.input(description="What to change about a principal. What is left out stays as it is.")
class ChangePrincipalInput:
    name: str = strawberry.field(description="Its name.")
    grants: list[GrantInput] | None = strawberry.field(default=None, description="All its roles.")
    disabled: bool | None = strawberry.field(default=None, description="Whether its keys open nothing.")
    idempotency_key: str | None = strawberry.field(default=None, description=_RETRY)


@strawberry.input(description="A key to issue.")
class IssueKeyInput:
    description: str = strawberry.field(description="What it is for, such as `GitHub Actions - payment-api`.")
    principal: str | None = strawberry.field(default=None, description="Whose key: a name. Yours, when left out.")
    scopes: list[GrantInput] | None = strawberry.field(default=None, description="Narrow it to these roles.")
    expires_in_days: int | None = strawberry.field(default=None, description="How long it opens: 90 days by default.")
    idempotency_key: str | None = strawberry.field(
        default=None, description=_RETRY + " The key's text is not shown again."
    )


@strawberry.input(description="A key to replace by a new one.")
class RotateKeyInput:
    key_id: strawberry.ID = strawberry.field(description="The key's id.")
    overlap_hours: int = strawberry.field(default=24, description="How long the old key still opens.")
    expires_in_days: int | None = strawberry.field(
        default=None, description="How long the new one opens: 90 days by default."
    )
    idempotency_key: str | None = strawberry.field(
        default=None, description=_RETRY + " The key's text is not shown again."
    )


@strawberry.input(description="A key to revoke at once.")
class RevokeKeyInput:
    key_id: strawberry.ID = strawberry.field(description="The key's id.")
    reason: str = strawberry.field(default="", description="Why.")
    idempotency_key: str | None = strawberry.field(default=None, description=_RETRY)


@strawberry.type(description="The principal was recorded.")
class PrincipalRecorded:
    receipt: Receipt = strawberry.field(description="Where and how it was recorded.")
    name: strawberry.Private[str]

    @strawberry.field(description="The principal as it is now.")
    async def principal(self, info: Info) -> Principal | None:
        moment = info.context.moment
        async with info.context.record.database.connection(moment.org_id) as connection:
            found = await queries.principals(connection, moment, name=self.name)
        return Principal.of(found[0], moment) if found else None


@strawberry.type(description="The key was issued.")
class KeyIssued:
    receipt: Receipt = strawberry.field(description="Where and how it was recorded.")
    token: str | None = strawberry.field(
        description="The key. It is shown this once and kept nowhere; null when this is a repeated request."
    )
    key_id: strawberry.ID = strawberry.field(description="The key's id, by which it is rotated and revoked.")
    expires_at: datetime = strawberry.field(description="When it stops opening anything.")


@strawberry.type(description="The key opens nothing any more.")
class KeyRevoked:
    receipt: Receipt = strawberry.field(description="Where and how it was recorded.")


AddPersonResult: TypeAlias = Annotated[PrincipalRecorded | Refused, strawberry.union("AddPersonResult")]
AddServiceAccountResult: TypeAlias = Annotated[PrincipalRecorded | Refused, strawberry.union("AddServiceAccountResult")]
ChangePrincipalResult: TypeAlias = Annotated[PrincipalRecorded | Refused, strawberry.union("ChangePrincipalResult")]
IssueKeyResult: TypeAlias = Annotated[KeyIssued | Refused, strawberry.union("IssueKeyResult")]
RotateKeyResult: TypeAlias = Annotated[KeyIssued | Refused, strawberry.union("RotateKeyResult")]
RevokeKeyResult: TypeAlias = Annotated[KeyRevoked | Refused, strawberry.union("RevokeKeyResult")]


@strawberry.type
class AccessMutations:
    @strawberry.mutation(description="Adds a person. Needs the role admin.")
    async def add_person(self, info: Info, input: AddPrincipalInput) -> AddPersonResult:  # noqa: A002
        return await _add(info, input, "person")

    @strawberry.mutation(description="Adds a service account. Needs the role admin.")
    async def add_service_account(self, info: Info, input: AddPrincipalInput) -> AddServiceAccountResult:  # noqa: A002
        return await _add(info, input, "service_account")

    @strawberry.mutation(description="Gives a principal other roles, or disables or enables it. Needs the role admin.")
    async def change_principal(self, info: Info, input: ChangePrincipalInput) -> ChangePrincipalResult:  # noqa: A002
        grants = None if input.grants is None else _grants(input.grants)
        receipt = await perform(
            info,
            lambda caller, once: service.change_principal(
                info.context.record,
                caller,
                name=input.name,
                grants=grants,
                disabled=input.disabled,
                idempotency=once,
            ),
            input=input,
            key=input.idempotency_key,
        )
        return PrincipalRecorded(receipt=Receipt.of(receipt), name=receipt.body["name"])

    @strawberry.mutation(description="Issues a key, to yourself or, for an admin, to anybody.")
    async def issue_key(self, info: Info, input: IssueKeyInput) -> IssueKeyResult:  # noqa: A002
        scopes = None if input.scopes is None else _grants(input.scopes)

        async def issue(caller: Caller, once: Idempotency | None) -> service.IssuedKey:
            principal_id = caller.principal_id
            if input.principal is not None and input.principal != caller.principal:
                caller.require(rules.Action.ADMINISTER)
                principal_id = (
                    await service.principal_named(info.context.record, caller, input.principal)
                ).principal_id
            return await service.issue_key(
                info.context.record,
                caller,
                principal_id=PrincipalId(principal_id),
                description=input.description,
                scopes=scopes,
                expires_in_days=input.expires_in_days,
                idempotency=once,
            )

        return await _issued(info, issue, input, input.idempotency_key)

    @strawberry.mutation(description="Issues a successor to a key; the old one still opens during the overlap.")
    async def rotate_key(self, info: Info, input: RotateKeyInput) -> RotateKeyResult:  # noqa: A002
        key_id = KeyId(uuid_in(input.key_id, "ApiKey", field="keyId"))

        async def rotate(caller: Caller, once: Idempotency | None) -> service.IssuedKey:
            return await service.rotate_key(
                info.context.record,
                caller,
                key_id=key_id,
                overlap_hours=input.overlap_hours,
                expires_in_days=input.expires_in_days,
                idempotency=once,
            )

        return await _issued(info, rotate, input, input.idempotency_key)

    @strawberry.mutation(description="Revokes a key: from this entry on it opens nothing.")
    async def revoke_key(self, info: Info, input: RevokeKeyInput) -> RevokeKeyResult:  # noqa: A002
        key_id = KeyId(uuid_in(input.key_id, "ApiKey", field="keyId"))
        receipt = await perform(
            info,
            lambda caller, once: service.revoke_key(
                info.context.record, caller, key_id=key_id, reason=input.reason, idempotency=once
            ),
            input=input,
            key=input.idempotency_key,
        )
        return KeyRevoked(receipt=Receipt.of(receipt))


async def _add(info: Info, input: AddPrincipalInput, kind: str) -> PrincipalRecorded:  # noqa: A002
    grants = _grants(input.grants)
    receipt = await perform(
        info,
        lambda caller, once: service.add_principal(
            info.context.record, caller, name=input.name, kind=kind, grants=grants, idempotency=once
        ),
        input=input,
        key=input.idempotency_key,
    )
    return PrincipalRecorded(receipt=Receipt.of(receipt), name=receipt.body["name"])


async def _issued(info: Info, issue: Showing, input: object, key: str | None) -> KeyIssued:  # noqa: A002
    receipt, token = await perform_showing(info, issue, input=input, key=key)
    return KeyIssued(
        receipt=Receipt.of(receipt),
        token=token,
        key_id=global_id("ApiKey", UUID(receipt.body["key_id"])),
        expires_at=from_rfc3339(receipt.body["expires_at"]),
    )


def _grants(given: list[GrantInput]) -> tuple[rules.Grant, ...]:
    return tuple(
        rules.Grant(
            role=grant.role,
            flows=None if grant.flows is None else frozenset(grant.flows),
            environments=None if grant.environments is None else frozenset(grant.environments),
        )
        for grant in given
    )
