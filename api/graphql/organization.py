"""The organization as GraphQL shows and changes it."""

from typing import Annotated, TypeAlias

import strawberry

from api.graphql.context import Info
from api.graphql.errors import Refused
from api.graphql.ledger import Receipt
from api.graphql.writes import perform
from record.access import queries, service
from record.ids import EntryIndex


@strawberry.type(description="The organization and what it has settled.")
class Organization:
    name: str = strawberry.field(description="Its name.")
    retention_days: int = strawberry.field(description="How long the vault refuses to lose its evidence.")
    flow_name_pattern: str | None = strawberry.field(description="A pattern that flow names must match.")
    required_types: list[str] = strawberry.field(description="Attestation types that every template must ask for.")
    public: bool = strawberry.field(description="Whether anonymous readers may see all of it.")
    entry_index: EntryIndex = strawberry.field(description="The entry that last changed it.")

    @classmethod
    def of(cls, row: queries.Organization) -> "Organization":
        return cls(
            name=row.name,
            retention_days=row.retention_days,
            flow_name_pattern=row.flow_name_pattern,
            required_types=list(row.required_types),
            public=row.public,
            entry_index=row.entry_index,
        )


@strawberry.input(description="What to settle about the organization. What is left out stays as it is.")
class ChangeOrganizationInput:
    retention_days: int | None = strawberry.field(
        default=None, description="How long the vault refuses to lose evidence that is stored from now on."
    )
    flow_name_pattern: str | None = strawberry.field(
        default=None, description="A regular expression that names of new flows must match; empty lifts it."
    )
    required_types: list[str] | None = strawberry.field(
        default=None, description="Attestation types that every template must ask for."
    )
    public: bool | None = strawberry.field(default=None, description="Whether anonymous readers may see all of it.")
    idempotency_key: str | None = strawberry.field(
        default=None, description="The same key again gives the first receipt."
    )


@strawberry.type(description="The organization was recorded anew.")
class OrganizationChanged:
    receipt: Receipt = strawberry.field(description="Where and how it was recorded.")

    @strawberry.field(description="The organization as it is now.")
    async def organization(self, info: Info) -> Organization | None:
        moment = info.context.moment
        async with info.context.record.database.connection(moment.org_id) as connection:
            row = await queries.organization(connection, moment)
        return None if row is None else Organization.of(row)


ChangeOrganizationResult: TypeAlias = Annotated[
    OrganizationChanged | Refused, strawberry.union("ChangeOrganizationResult")
]


@strawberry.type
class OrganizationMutations:
    @strawberry.mutation(description="Settles what the organization asks and allows. Needs the role admin.")
    async def change_organization(
        self,
        info: Info,
        input: ChangeOrganizationInput,  # noqa: A002
    ) -> ChangeOrganizationResult:
        wish = service.ChangeOrganization(
            retention_days=input.retention_days,
            flow_name_pattern=input.flow_name_pattern,
            required_types=input.required_types,
            public=input.public,
        )
        receipt = await perform(
            info,
            lambda caller, once: service.change_organization(info.context.record, caller, wish, idempotency=once),
            input=input,
            key=input.idempotency_key,
        )
        return OrganizationChanged(receipt=Receipt.of(receipt))
