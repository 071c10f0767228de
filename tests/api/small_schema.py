"""A schema with one field for each thing that the machinery must get right."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Annotated, TypeAlias
from uuid import uuid4

import strawberry
from strawberry.schema.config import StrawberryConfig

from api.graphql.context import Info
from api.graphql.errors import HANDLERS, Refused
from api.graphql.scalars import SCALARS, Json
from api.graphql.writes import perform
from record import refusals
from record.access import service
from record.access.rules import Grant, Role
from record.ids import Digest, EntryIndex, Fingerprint, LedgerSize
from record.moment import Moment


@strawberry.type
class Thing:
    name: str
    number: int

    @strawberry.field
    def part(self) -> "Thing":
        return Thing(name=f"{self.name}.part", number=self.number)

    @strawberry.field
    def things(self, first: int = 20) -> list["Thing"]:
        return [Thing(name=f"{self.name}.{number}", number=number) for number in range(first)]


@strawberry.type
class Page:
    nodes: list[Thing]
    total: int


@strawberry.type
class Snapshot:
    size: LedgerSize
    entries: int


async def _count(info: Info, moment: Moment) -> int:
    async with info.context.record.database.connection(moment.org_id) as connection:
        statement = "SELECT count(*) FROM record.entries WHERE org_id = $1 AND entry_index < $2"
        count: int = await connection.fetchval(statement, moment.org_id, moment.size)
    return count


@strawberry.type
class Query:
    @strawberry.field
    def viewer(self, info: Info) -> str:
        return info.context.caller.principal

    @strawberry.field
    async def record(self, info: Info, size: LedgerSize | None = None) -> Snapshot:
        context = info.context
        if size is None:
            moment = context.moment
        else:
            context.pinned(size)
            moment = Moment(context.caller.org_id, size, context.instant)
        return Snapshot(size=moment.size, entries=await _count(info, moment))

    @strawberry.field
    def things(self, first: int = 20, last: int | None = None) -> Page:
        return Page(nodes=[Thing(name=str(number), number=number) for number in range(min(first, 100))], total=100)

    @strawberry.field
    def uncounted(self) -> list[Thing]:
        return []

    @strawberry.field
    def chance(self, info: Info) -> str:
        return str(uuid4())

    @strawberry.field
    def chance_outside(self, info: Info) -> str:
        info.context.look_outside()
        return str(uuid4())

    @strawberry.field
    def chance_for(self, info: Info, seconds: int) -> str:
        info.context.expires(info.context.instant + timedelta(seconds=seconds))
        return str(uuid4())

    @strawberry.field
    def echo(
        self,
        text: str | None = None,
        at: datetime | None = None,
        json: Json | None = None,
        fingerprint: Fingerprint | None = None,
        digest: Digest | None = None,
        index: EntryIndex | None = None,
    ) -> Json:
        said = [text, at.isoformat() if at else None, json, fingerprint, digest, index]
        return Json([each for each in said if each is not None])

    @strawberry.field
    def broken(self) -> str:
        raise RuntimeError("the password is swordfish")

    @strawberry.field
    def missing(self) -> str:
        raise refusals.NotFound("There is no such thing. Look elsewhere.")

    @strawberry.field
    async def slow(self, seconds: float) -> str:
        await asyncio.sleep(seconds)
        return "done"


@strawberry.input
class AddPerson:
    name: str
    idempotency_key: str | None = None


@strawberry.type
class PersonAdded:
    index: EntryIndex
    replayed: bool
    entries: int


AddPersonResult: TypeAlias = Annotated[PersonAdded | Refused, strawberry.union("AddPersonResult")]
RefuseResult: TypeAlias = Annotated[PersonAdded | Refused, strawberry.union("RefuseResult")]


@strawberry.type
class Mutation:
    @strawberry.mutation
    async def add_person(self, info: Info, input: AddPerson) -> AddPersonResult:  # noqa: A002
        context = info.context
        receipt = await perform(
            info,
            lambda caller, once: service.add_principal(
                context.record, caller, name=input.name, kind="person", grants=[Grant(Role.READER)], idempotency=once
            ),
            input=AddPerson(name=input.name),
            key=input.idempotency_key,
        )
        return PersonAdded(index=receipt.index, replayed=receipt.replayed, entries=await _count(info, context.moment))

    @strawberry.mutation
    def refuse(self, kind: str) -> RefuseResult:
        raise getattr(refusals, kind)("No. Do something else.")

    @strawberry.mutation
    async def wait(self, seconds: float) -> str:
        await asyncio.sleep(seconds)
        return "done"


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def count(self, info: Info, to: int, pause: float = 0.0) -> AsyncIterator[int]:
        for number in range(to):
            yield number
            await asyncio.sleep(pause)

    @strawberry.subscription
    async def fail(self) -> AsyncIterator[int]:
        yield 1
        raise RuntimeError("the password is swordfish")


SCHEMA = strawberry.Schema(
    query=Query,
    mutation=Mutation,
    subscription=Subscription,
    config=StrawberryConfig(scalar_map=dict(SCALARS)),
    exception_handlers=HANDLERS,
)
