"""An organization on a served API, and its people as programs meet it: with a key, over HTTP, through the real schema."""

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, cast

import httpx
from graphql import GraphQLObjectType, GraphQLUnionType, get_named_type

from api.graphql.answers import Answers
from api.graphql.schema import SCHEMA
from api.routes import ROUTES
from record.access.rules import Grant, Role
from record.clock import Clock
from record.ids import KeyId, OrgId, PrincipalId
from record.settings import Settings
from tests.api.serving import Served, serving
from tests.record import organizations

COMMIT = organizations.COMMIT
FINGERPRINT = organizations.FINGERPRINT
TEMPLATE = """version: 1
trail:
  attestations:
    - {name: pull-request, type: generic}
  artifacts:
    - name: app
      attestations:
        - {name: unit-tests, type: generic}
"""
REFUSAL = (
    "... on Refusal { code message } ... on InvalidInput { field line column } ... on MalformedReport { line column }"
)
RECEIPT = "receipt { index kind leafHash at replayed entryId ledger }"


@cache
def shape_of(mutation: str) -> tuple[str, str]:
    """The input of a mutation, and the member of its result that is no refusal."""
    field = cast("GraphQLObjectType", SCHEMA._schema.mutation_type).fields[mutation]
    given = field.args["input"].type
    members = cast("GraphQLUnionType", get_named_type(field.type)).types
    (success,) = [member.name for member in members if "receipt" in member.fields]
    return str(given), success


@dataclass(frozen=True, slots=True)
class Client:
    """Somebody with a key, or with whatever stands in `authorization`."""

    served: Served
    authorization: str

    @property
    def headers(self) -> dict[str, str]:
        return {"authorization": self.authorization}

    async def raw(self, query: str, headers: dict[str, str] | None = None, **variables: Any) -> httpx.Response:
        """The response as it came."""
        asked = {"query": query, "variables": variables}
        return await self.served.client.post("/graphql", json=asked, headers={**self.headers, **(headers or {})})

    async def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        """The data of an answer without errors."""
        response = await self.raw(query, **variables)
        said = response.json()
        assert "errors" not in said, said
        data: dict[str, Any] = said["data"]
        return data

    async def refused(self, query: str, **variables: Any) -> dict[str, Any]:
        """The only error of an answer."""
        (error,) = (await self.raw(query, **variables)).json()["errors"]
        refusal: dict[str, Any] = error
        return refusal

    async def code(self, query: str, **variables: Any) -> str:
        """The code of the only error."""
        code: str = (await self.refused(query, **variables))["extensions"]["code"]
        return code

    async def do(self, mutation: str, more: str = "", **input: Any) -> dict[str, Any]:  # noqa: A002
        """The result of a mutation, whichever member of its union; `more` is selected of its success."""
        given, success = shape_of(mutation)
        said = await self.ask(
            f"mutation ($input: {given}) {{ result: {mutation}(input: $input) {{ "
            f"__typename ... on {success} {{ {RECEIPT} {more} }} {REFUSAL} }} }}",
            input=input,
        )
        result: dict[str, Any] = said["result"]
        return result

    async def done(self, mutation: str, more: str = "", **input: Any) -> dict[str, Any]:  # noqa: A002
        """The result of a mutation that succeeds."""
        result = await self.do(mutation, more, **input)
        assert "receipt" in result, result
        return result

    async def upload(self, content: bytes, media_type: str = "text/plain") -> str:
        """Puts bytes into the vault; their digest."""
        digest = hashlib.sha256(content).hexdigest()
        headers = {**self.headers, "content-type": media_type}
        response = await self.served.client.put(f"/evidence/sha256:{digest}", content=content, headers=headers)
        assert response.status_code in (200, 201), response.text
        return digest

    async def get(self, path: str, **headers: str) -> httpx.Response:
        return await self.served.client.get(path, headers={**self.headers, **headers})


@dataclass
class House:
    """An organization and its first admin, ada."""

    served: Served
    people: organizations.Organization
    ada: Client

    @classmethod
    async def begin(cls, served: Served, name: str = "acme") -> "House":
        people = await organizations.Organization.begin(served.record, name)
        return cls(served, people, Client(served, f"Bearer {people.tokens['ada']}"))

    @property
    def org_id(self) -> OrgId:
        return self.people.org_id

    async def hire(self, name: str, *grants: Grant | Role, scopes: list[Grant] | None = None) -> Client:
        """A new person with a key."""
        await self.people.hire(name, *grants, scopes=scopes)
        return self.client(name)

    async def another_key(self, name: str, principal_id: PrincipalId, *, days: int | None = None) -> KeyId:
        return await self.people.give_key(name, principal_id, days=days)

    def client(self, name: str) -> Client:
        return Client(self.served, f"Bearer {self.people.tokens[name]}")

    def anyone(self) -> Client:
        """Somebody without a key."""
        return Client(self.served, f"Public {self.people.name}")

    async def size(self) -> int:
        return await self.people.size()

    async def delivery(self, flow: str = "delivery", *trails: str, template: str | None = TEMPLATE) -> None:
        """A flow with trails of the same commit."""
        await self.ada.done("createFlow", name=flow, template=template)
        for trail in trails or ("build-1",):
            await self.ada.done("beginTrail", flow=flow, name=trail, commit={"sha": COMMIT})

    async def artifact(self, flow: str = "delivery", trail: str = "build-1", **more: Any) -> dict[str, Any]:
        return await self.ada.done(
            "reportArtifact",
            **{
                "flow": flow,
                "trail": trail,
                "templateName": "app",
                "fingerprint": FINGERPRINT,
                "name": "app.tar.gz",
                **more,
            },
        )

    async def attest(self, name: str, compliant: bool = True, **more: Any) -> dict[str, Any]:
        about = {"flow": "delivery", "trail": "build-1", "name": name, "compliant": compliant}
        return await self.ada.done("attestGeneric", **{**about, **more})

    def forget_answers(self) -> None:
        """What is asked next is answered by the record, not from memory."""
        self.served.app.state.view.answers = Answers(self.served.record.settings.answer_cache_bytes)

    @asynccontextmanager
    async def nothing_recorded(self) -> AsyncIterator[None]:
        """Checks that the ledger does not grow in this block."""
        before = await self.size()
        yield
        assert await self.size() == before


@asynccontextmanager
async def serving_schema(settings: Settings, clock: Clock | None = None) -> AsyncIterator[Served]:
    """The API with the record's own schema."""
    async with serving(settings, SCHEMA, ROUTES, clock=clock) as served:
        yield served
