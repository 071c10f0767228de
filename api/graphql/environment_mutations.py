"""How environments are changed over GraphQL: creating one, changing it, taking it out of use."""

from typing import Annotated, TypeAlias

import strawberry

from api.graphql.context import Info
from api.graphql.environments import Environment, EnvironmentType, environment_named
from api.graphql.errors import Refused
from api.graphql.ledger import Receipt
from api.graphql.links import tags_of
from api.graphql.scalars import Json
from api.graphql.writes import perform
from record.environments import service


@strawberry.input(description="An environment to create.")
class CreateEnvironmentInput:
    name: str = strawberry.field(description="Its name: a letter or digit, then letters, digits and . _ -")
    type: EnvironmentType = strawberry.field(description="What kind of place it is. It stays for good.")
    description: str = strawberry.field(default="", description="What it is for.")
    tags: Json | None = strawberry.field(default=None, description="Tags, an object of texts.")
    included: list[str] = strawberry.field(
        default_factory=list, description="Of a logical environment: the names of those that it unites."
    )
    cadence_seconds: int | None = strawberry.field(
        default=None, description="How often it should report, at the latest; after that it counts as stale."
    )
    grace_seconds: int = strawberry.field(
        default=service.GRACE_SECONDS,
        description="How long reports of deployments and snapshots may take to find each other before they count as drift.",
    )
    idempotency_key: str | None = strawberry.field(
        default=None, description="The same key again gives the first receipt."
    )


@strawberry.input(description="What to change about an environment. What is left out stays as it is.")
class ChangeEnvironmentInput:
    name: str = strawberry.field(description="The environment's name.")
    description: str | None = strawberry.field(default=None, description="What it is for.")
    tags: Json | None = strawberry.field(default=None, description="All its tags, an object of texts.")
    included: list[str] | None = strawberry.field(
        default=None, description="Of a logical environment: the names of all that it unites."
    )
    cadence_seconds: int | None = strawberry.field(
        default=None, description="How often it should report, at the latest; 0 when no report is ever overdue."
    )
    grace_seconds: int | None = strawberry.field(
        default=None, description="How long reports may take to find each other before they count as drift."
    )
    archived: bool | None = strawberry.field(
        default=None, description="False brings an archived environment back into use."
    )
    idempotency_key: str | None = strawberry.field(
        default=None, description="The same key again gives the first receipt."
    )


@strawberry.input(description="An environment to take out of use. Nothing of it is lost.")
class ArchiveEnvironmentInput:
    name: str = strawberry.field(description="The environment's name.")
    idempotency_key: str | None = strawberry.field(
        default=None, description="The same key again gives the first receipt."
    )


@strawberry.type(description="The environment was recorded.")
class EnvironmentRecorded:
    receipt: Receipt = strawberry.field(description="Where and how it was recorded.")
    name: strawberry.Private[str]

    @strawberry.field(description="The environment as it is now.")
    async def environment(self, info: Info) -> Environment | None:
        return await environment_named(info, info.context.moment, self.name)


CreateEnvironmentResult: TypeAlias = Annotated[
    EnvironmentRecorded | Refused, strawberry.union("CreateEnvironmentResult")
]
ChangeEnvironmentResult: TypeAlias = Annotated[
    EnvironmentRecorded | Refused, strawberry.union("ChangeEnvironmentResult")
]
ArchiveEnvironmentResult: TypeAlias = Annotated[
    EnvironmentRecorded | Refused, strawberry.union("ArchiveEnvironmentResult")
]


@strawberry.type
class EnvironmentMutations:
    @strawberry.mutation(description="Creates an environment.")
    async def create_environment(self, info: Info, input: CreateEnvironmentInput) -> CreateEnvironmentResult:  # noqa: A002
        wish = service.CreateEnvironment(
            name=input.name,
            type=str(input.type.value),
            description=input.description,
            tags=tags_of(input.tags) or {},
            included=tuple(input.included),
            cadence_seconds=input.cadence_seconds,
            grace_seconds=input.grace_seconds,
        )
        receipt = await perform(
            info,
            lambda caller, once: service.create(info.context.record, caller, wish, idempotency=once),
            input=input,
            key=input.idempotency_key,
        )
        return EnvironmentRecorded(receipt=Receipt.of(receipt), name=receipt.body["name"])

    @strawberry.mutation(description="Changes an environment: its description, tags, parts, cadence or grace period.")
    async def change_environment(self, info: Info, input: ChangeEnvironmentInput) -> ChangeEnvironmentResult:  # noqa: A002
        wish = service.ChangeEnvironment(
            name=input.name,
            description=input.description,
            tags=tags_of(input.tags),
            included=None if input.included is None else tuple(input.included),
            cadence_seconds=input.cadence_seconds,
            grace_seconds=input.grace_seconds,
            archived=input.archived,
        )
        receipt = await perform(
            info,
            lambda caller, once: service.change(info.context.record, caller, wish, idempotency=once),
            input=input,
            key=input.idempotency_key,
        )
        return EnvironmentRecorded(receipt=Receipt.of(receipt), name=receipt.body["name"])

    @strawberry.mutation(
        description="Takes an environment out of use. It keeps its name and all that was recorded of it."
    )
    async def archive_environment(self, info: Info, input: ArchiveEnvironmentInput) -> ArchiveEnvironmentResult:  # noqa: A002
        receipt = await perform(
            info,
            lambda caller, once: service.archive(info.context.record, caller, input.name, idempotency=once),
            input=input,
            key=input.idempotency_key,
        )
        return EnvironmentRecorded(receipt=Receipt.of(receipt), name=receipt.body["name"])
