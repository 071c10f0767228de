"""How long a request may be: short for everything, long for a report of all that runs, from whoever may report it."""

import json
from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import UUID

import httpx
import pytest

from api.graphql.schema import SCHEMA
from record.access.rules import Grant, Role
from record.access.service import add_principal, issue_key
from record.ids import PrincipalId
from record.settings import Settings
from tests.api.places import Client, digest
from tests.api.serving import MovableClock, Served, serving

REPORT = """mutation ($input: ReportSnapshotInput!) { reportSnapshot(input: $input) {
  ... on SnapshotReported { number } ... on Refusal { code message } } }"""
TWICE = """mutation ($input: ReportSnapshotInput!) { reportSnapshot(input: $input) { __typename }
  again: reportSnapshot(input: $input) { __typename } }"""
FRAGMENT = """mutation ($input: ReportSnapshotInput!) { ...Report }
  fragment Report on Mutation { reportSnapshot(input: $input) { __typename } }"""
CREATE = "mutation ($input: CreateFlowInput!) { createFlow(input: $input) { __typename } }"
MEMBERS = [
    {"fingerprint": digest(number), "name": f"app-{number}", "facts": {"pod": "x" * 100}} for number in range(200)
]


@pytest.fixture
async def client(make_settings: Callable[..., Settings]) -> AsyncIterator[Client]:
    settings = make_settings(graphql_body_bytes_max=5_000, snapshot_body_bytes_max=60_000)
    async with serving(settings, SCHEMA, clock=MovableClock()) as served:
        made = Client(served, await served.organization(), MovableClock())
        await made.create("prod")
        yield made


def asking(query: str = REPORT, count: int = len(MEMBERS), **said: Any) -> bytes:
    wish = said or {"environment": "prod", "members": MEMBERS[:count]}
    return json.dumps({"query": query, "variables": {"input": wish}}).encode()


async def post(served: Served, token: str, content: Any) -> httpx.Response:
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    return await served.client.post("/graphql", content=content, headers=headers)


async def key_of(client: Client, role: Role) -> str:
    record, operator = client.served.record, client.organization.operator
    added = await add_principal(record, operator, name=role.value, kind="service_account", grants=[Grant(role)])
    issued = await issue_key(
        record, operator, principal_id=PrincipalId(UUID(added.body["principal_id"])), description="ci"
    )
    assert issued.token is not None
    return issued.token


async def test_a_report_of_all_that_runs_may_be_long(client: Client) -> None:
    response = await post(client.served, await key_of(client, Role.SNAPSHOTTER), asking())

    assert len(asking()) > 5_000
    assert response.json() == {"data": {"reportSnapshot": {"number": 1}}}


@pytest.mark.parametrize(
    "body",
    [
        asking(CREATE, name="x", description="x" * 6_000),
        asking(TWICE),
        asking(FRAGMENT),
    ],
    ids=["another mutation", "two reports", "a fragment"],
)
async def test_nothing_else_may_be_long(client: Client, body: bytes) -> None:
    response = await post(client.served, client.organization.token, body)

    assert response.status_code == 413, response.text
    assert "reportSnapshot alone" in response.text


async def test_whoever_may_not_report_snapshots_may_not_send_long_requests(client: Client) -> None:
    response = await post(client.served, await key_of(client, Role.READER), asking())

    assert response.status_code == 413
    assert "longer than 5000 bytes" in response.text


async def test_a_long_report_must_say_how_long_it_is(client: Client) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield asking()

    response = await post(client.served, client.organization.token, pieces())

    assert response.status_code == 413


async def test_a_report_has_a_limit_too(client: Client) -> None:
    response = await post(client.served, client.organization.token, asking() + b" " * 60_000)

    assert response.status_code == 413
    assert "longer than 60000 bytes" in response.text
