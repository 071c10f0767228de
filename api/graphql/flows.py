"""Flows as GraphQL shows and takes them."""

from datetime import datetime
from enum import Enum
from typing import Annotated, TypeAlias

import strawberry

from api.graphql.connections import Connection, connect, page_size, wanted
from api.graphql.context import Info
from api.graphql.errors import Refused
from api.graphql.ledger import After, Before, First, Last, Receipt
from api.graphql.links import tags_of
from api.graphql.loaders import loaders_at
from api.graphql.nodes import Node, global_id
from api.graphql.scalars import Json
from api.graphql.trails import Trail
from api.graphql.writes import perform
from record.access.rules import Action
from record.flows import queries, service, templates
from record.ids import EntryIndex
from record.moment import Moment
from record.refusals import InvalidInput
from record.trails import queries as trails


@strawberry.type(description="A numbered version of a flow's template.")
class TemplateVersion:
    version: int = strawberry.field(description="Its number, from 1.")
    source: str = strawberry.field(description="The YAML as it was given.")
    entry_index: EntryIndex = strawberry.field(description="The entry that recorded it.")


@strawberry.type(description="A repeatable process: one deployable unit's delivery, or a business process.")
class Flow(Node):
    name: str = strawberry.field(description="Its name in the organization. Names never change.")
    description: str = strawberry.field(description="What it is for.")
    tags: Json = strawberry.field(description="Its tags, an object of texts.")
    public: bool = strawberry.field(description="Whether anonymous readers may see it.")
    template: TemplateVersion = strawberry.field(description="What its trails must contain, as of now.")
    version: int = strawberry.field(description="How often it was recorded: 1 when nothing was changed.")
    created_at: datetime = strawberry.field(description="When it was created.")
    changed_at: datetime = strawberry.field(description="When it was last changed.")
    entry_index: EntryIndex = strawberry.field(description="The entry that last changed it.")
    row: strawberry.Private[queries.Flow]
    moment: strawberry.Private[Moment]

    @strawberry.field(description="Earlier and present templates, the newest first.")
    async def templates(self, info: Info, first: int = 20) -> list[TemplateVersion]:
        limit = page_size(info, first)
        async with info.context.record.database.connection(self.moment.org_id) as connection:
            found = await queries.template_versions(connection, self.moment, self.row.flow_id, limit=limit)
        return [TemplateVersion(version=t.version, source=t.source, entry_index=t.entry_index) for t in found]

    @strawberry.field(description="The trail of this name in this flow; null when there is none.")
    async def trail(self, info: Info, name: str) -> Trail | None:
        async with info.context.record.database.connection(self.moment.org_id) as connection:
            row = await trails.by_name(connection, self.moment, self.row.name, name)
            await loaders_at(info, self.moment).reading.ahead(connection, [] if row is None else [row])
        return None if row is None else Trail.of(row, self.moment)

    @strawberry.field(description="Its trails, the last begun first.")
    async def trails(
        self, info: Info, first: First = None, after: After = None, last: Last = None, before: Before = None
    ) -> Connection[Trail]:
        want = wanted(info, "trails", first=first, after=after, last=last, before=before)
        asked = trails.Stretch(self.row.flow_id, want.fetch, want.older_than, want.newer_than)
        rows = await loaders_at(info, self.moment).pages_of_trails.load(asked)
        return connect(rows, want, key=lambda row: row.begun_index, node=lambda row: Trail.of(row, self.moment))

    @classmethod
    def of(cls, row: queries.Flow, moment: Moment) -> "Flow":
        return cls(
            id=global_id("Flow", row.flow_id),
            name=row.name,
            description=row.description,
            tags=Json(row.tags),
            public=row.public,
            template=TemplateVersion(
                version=row.template_version, source=row.template_source, entry_index=row.template_entry_index
            ),
            version=row.version,
            created_at=row.created_at,
            changed_at=row.changed_at,
            entry_index=row.entry_index,
            row=row,
            moment=moment,
        )


async def flow_named(info: Info, moment: Moment, name: str) -> Flow | None:
    """The flow of this name, if the caller may read it."""
    if not info.context.caller.may(Action.READ, flow=name):
        return None
    async with info.context.record.database.connection(moment.org_id) as connection:
        row = await queries.by_name(connection, moment, name)
    return None if row is None else Flow.of(row, moment)


async def flow_page(
    info: Info, moment: Moment, *, first: int | None, after: str | None, last: int | None, before: str | None
) -> Connection[Flow]:
    """Flows by name: those that the caller may read."""
    want = wanted(info, "flows", first=first, after=after, last=last, before=before)
    async with info.context.record.database.connection(moment.org_id) as connection:
        rows = await queries.page(
            connection,
            moment,
            limit=want.fetch,
            after=want.after,
            before=want.before if want.before is not None or not want.backward else "\U0010ffff",
            readable=info.context.caller.readable_flows(),
        )
    return connect(rows, want, key=lambda row: row.name, node=lambda row: Flow.of(row, moment))


@strawberry.enum(description="A template to begin from.")
class Starter(Enum):
    SDLC = strawberry.enum_value("SDLC", description="Tests, security scan, code review and build of one artifact.")


@strawberry.input(description="A flow to create.")
class CreateFlowInput:
    name: str = strawberry.field(description="Its name: a letter or digit, then letters, digits and . _ ~ -")
    description: str = strawberry.field(default="", description="What it is for.")
    template: str | None = strawberry.field(
        default=None,
        description="The template (YAML, schema at /schemas/flow-template/v1); without one nothing is asked.",
    )
    starter: Starter | None = strawberry.field(default=None, description="Begin with this template instead.")
    tags: Json | None = strawberry.field(default=None, description="Tags, an object of texts.")
    public: bool = strawberry.field(default=False, description="Whether anonymous readers may see it.")
    idempotency_key: str | None = strawberry.field(
        default=None, description="The same key again gives the first receipt."
    )


@strawberry.input(description="What to change about a flow. What is left out stays as it is.")
class ChangeFlowInput:
    name: str = strawberry.field(description="The flow's name.")
    description: str | None = strawberry.field(default=None, description="What it is for.")
    template: str | None = strawberry.field(
        default=None, description="The new template (YAML); in force for trails that begin from now on."
    )
    tags: Json | None = strawberry.field(default=None, description="All its tags, an object of texts.")
    public: bool | None = strawberry.field(default=None, description="Whether anonymous readers may see it.")
    idempotency_key: str | None = strawberry.field(
        default=None, description="The same key again gives the first receipt."
    )


@strawberry.type(description="The flow was recorded.")
class FlowRecorded:
    receipt: Receipt = strawberry.field(description="Where and how it was recorded.")
    name: strawberry.Private[str]

    @strawberry.field(description="The flow as it is now.")
    async def flow(self, info: Info) -> Flow | None:
        return await flow_named(info, info.context.moment, self.name)


CreateFlowResult: TypeAlias = Annotated[FlowRecorded | Refused, strawberry.union("CreateFlowResult")]
ChangeFlowResult: TypeAlias = Annotated[FlowRecorded | Refused, strawberry.union("ChangeFlowResult")]


@strawberry.type
class FlowMutations:
    @strawberry.mutation(description="Creates a flow.")
    async def create_flow(self, info: Info, input: CreateFlowInput) -> CreateFlowResult:  # noqa: A002
        if input.starter is not None and input.template is not None:
            raise InvalidInput("Both a starter and a template are given. Leave one of them out.", field="starter")
        wish = service.CreateFlow(
            name=input.name,
            description=input.description,
            template=templates.STARTER_SDLC if input.starter is Starter.SDLC else input.template,
            tags=tags_of(input.tags) or {},
            public=input.public,
        )
        receipt = await perform(
            info,
            lambda caller, once: service.create(info.context.record, caller, wish, idempotency=once),
            input=input,
            key=input.idempotency_key,
        )
        return FlowRecorded(receipt=Receipt.of(receipt), name=receipt.body["name"])

    @strawberry.mutation(description="Changes a flow: its description, tags, visibility or template.")
    async def change_flow(self, info: Info, input: ChangeFlowInput) -> ChangeFlowResult:  # noqa: A002
        wish = service.ChangeFlow(
            name=input.name,
            description=input.description,
            template=input.template,
            tags=tags_of(input.tags),
            public=input.public,
        )
        receipt = await perform(
            info,
            lambda caller, once: service.change(info.context.record, caller, wish, idempotency=once),
            input=input,
            key=input.idempotency_key,
        )
        return FlowRecorded(receipt=Receipt.of(receipt), name=receipt.body["name"])
