"""How many SQL statements a request costs, through the real schema: a number that does not depend on how long lists are.

The question about the head counts as one here, because nobody else is asking; under load all who wait share it.
"""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import pytest_asyncio

from api.graphql.schema import SCHEMA
from api.routes import ROUTES
from record.record import open_record
from record.settings import Settings
from tests.api.graphql.house import House
from tests.api.serving import serving
from tests.record.statements import WatchedDatabase, watched

HEAD = 1
PLACE = 1
APPEND = 1
FACTS = 2  # attestations and artifacts of however many trails

VERDICT = """query ($fingerprint: Fingerprint!, $size: LedgerSize) {
  record(size: $size) { artifact(fingerprint: $fingerprint) {
    verdict { status holdsUntil reasons { rule outcome explanation because { rule } } } } } }"""
PAGE = """query ($first: Int!) {
  record { flow(name: "delivery") { trails(first: $first) { nodes { name verdict { status holdsUntil } } } } } }"""
PAGE_IN_FULL = """query ($first: Int!) {
  record { flow(name: "delivery") { trails(first: $first) {
    nodes {
      name
      verdict { status reasons { rule outcome } }
      artifacts { name verdict { status } attestations { name } }
      attestations { name evidence { fileName } }
    } } } } }"""


@dataclass
class Counted:
    """An organization whose statements are counted."""

    house: House
    database: WatchedDatabase

    async def of(self, action: Callable[[], Any]) -> int:
        """How many statements this takes. When keys were last used is written down every now and then, by nobody's request."""
        self.database.sent.clear()
        await action()
        return len([statement for statement in self.database.sent if "ops.key_uses" not in statement])

    async def asking(self, query: str, headers: dict[str, str] | None = None, **variables: Any) -> int:
        self.house.forget_answers()
        return await self.of(lambda: self.house.ada.raw(query, headers, **variables))


@pytest_asyncio.fixture
async def counted(make_settings: Callable[..., Settings]) -> AsyncIterator[Counted]:
    """Six trails, each with an artifact and three attestations; the caller is known, and connections are warm."""
    settings = make_settings()
    async with (
        watched(open_record(settings)) as (record, database),
        serving(settings, SCHEMA, ROUTES, record=record) as served,
    ):
        house = await House.begin(served)
        await house.delivery("delivery", *(f"build-{number}" for number in range(1, 7)))
        for number in range(1, 7):
            await house.artifact(trail=f"build-{number}", fingerprint=f"{number}" * 64)
            for name in ("pull-request", "app.unit-tests", "lint"):
                await house.attest(name, trail=f"build-{number}")
        await served.app.state.identity.flush()
        yield Counted(house, database)


async def test_reporting_an_artifact_takes_the_head_its_place_and_one_append(counted: Counted) -> None:
    assert await counted.of(lambda: counted.house.artifact(fingerprint="a" * 64)) == HEAD + PLACE + APPEND


async def test_an_idempotency_key_costs_one_statement_more(counted: Counted) -> None:
    once = {"fingerprint": "a" * 64, "idempotencyKey": "k1"}

    assert await counted.of(lambda: counted.house.artifact(**once)) == HEAD + 1 + PLACE + APPEND
    assert await counted.of(lambda: counted.house.artifact(**once)) == HEAD + 1


async def test_attesting_takes_the_head_its_place_and_one_append(counted: Counted) -> None:
    assert await counted.of(lambda: counted.house.attest("review", fingerprint="1" * 64)) == HEAD + PLACE + APPEND


@pytest.mark.parametrize("files", [1, 7])
async def test_however_many_files_an_attestation_has_looking_for_them_is_one_statement(
    counted: Counted, files: int
) -> None:
    digests = [await counted.house.ada.upload(f"file {number}".encode()) for number in range(files)]
    evidence = [{"digest": digest, "fileName": digest[:8]} for digest in digests]

    spent = await counted.of(lambda: counted.house.attest("scan", evidence=evidence))

    assert spent == HEAD + PLACE + 1 + APPEND


async def test_a_verdict_on_an_artifact_takes_its_reports_their_trails_and_the_facts(counted: Counted) -> None:
    assert await counted.asking(VERDICT, fingerprint="1" * 64) == HEAD + 1 + 1 + FACTS


async def test_a_verdict_over_many_trails_takes_no_more(counted: Counted) -> None:
    for number in range(2, 7):
        await counted.house.artifact(trail=f"build-{number}", fingerprint="1" * 64)

    assert await counted.asking(VERDICT, fingerprint="1" * 64) == HEAD + 1 + 1 + FACTS


@pytest.mark.parametrize("first", [0, 1, 6])
async def test_a_page_of_verdicts_takes_the_same_whatever_its_length(counted: Counted, first: int) -> None:
    assert await counted.asking(PAGE, first=first) == HEAD + 1 + 1 + FACTS


@pytest.mark.parametrize("first", [1, 6])
async def test_a_page_with_everything_below_its_trails_takes_the_same_whatever_its_length(
    counted: Counted, first: int
) -> None:
    artifacts_of_them, attestations_of_them, files_of_those = 1, 1, 1

    spent = await counted.asking(PAGE_IN_FULL, first=first)

    assert spent == HEAD + 1 + 1 + FACTS + artifacts_of_them + attestations_of_them + files_of_those


NESTED = """query ($first: Int!) { record { flows(first: $first) { nodes {
  name trails(first: 3) { nodes { name verdict { status } artifacts { name } } } } } } }"""
BACKWARD = (
    """query ($first: Int!) { record { flows(first: $first) { nodes { trails(last: 2) { nodes { name } } } } } }"""
)


@pytest.mark.parametrize("first", [1, 4])
async def test_trails_of_several_flows_take_the_same_however_many_flows(counted: Counted, first: int) -> None:
    for flow in ("alpha", "beta", "gamma"):
        await counted.house.delivery(flow, "t1", "t2", "t3", "t4")

    assert await counted.asking(NESTED, first=first) == HEAD + 1 + 1 + FACTS + 1
    assert await counted.asking(BACKWARD, first=first) == HEAD + 1 + 1


async def test_pages_of_several_flows_are_those_of_each_flow(counted: Counted) -> None:
    await counted.house.delivery("alpha", "t1", "t2", "t3", "t4")
    await counted.house.ada.done("createFlow", name="empty")

    async def names(query: str) -> dict[str, list[str]]:
        flows = (await counted.house.ada.ask(query))["record"]["flows"]["nodes"]
        return {flow["name"]: [trail["name"] for trail in flow["trails"]["nodes"]] for flow in flows}

    page = "{ record { flows { nodes { name trails(%s) { nodes { name } } } } } }"
    newest, oldest = await names(page % "first: 3"), await names(page % "last: 2")

    assert newest == {"alpha": ["t4", "t3", "t2"], "delivery": ["build-6", "build-5", "build-4"], "empty": []}
    assert oldest == {"alpha": ["t2", "t1"], "delivery": ["build-2", "build-1"], "empty": []}


async def test_names_of_trails_without_verdicts_read_no_facts(counted: Counted) -> None:
    names = '{ record { flow(name: "delivery") { trails(first: 6) { nodes { name } } } } }'

    assert await counted.asking(names) == HEAD + 1 + 1


async def test_the_same_question_again_takes_the_head_alone(counted: Counted) -> None:
    async def ask(**headers: str) -> httpx.Response:
        return await counted.house.ada.raw(VERDICT, headers, fingerprint="1" * 64)

    etag = (await ask()).headers["etag"]

    assert await counted.of(ask) == HEAD
    assert await counted.of(lambda: ask(**{"if-none-match": etag})) == HEAD


async def test_a_question_about_an_earlier_size_takes_its_instant_too_the_first_time(counted: Counted) -> None:
    size = await counted.house.size()
    await counted.house.attest("later")

    assert await counted.asking(VERDICT, fingerprint="1" * 64, size=size) == HEAD + 1 + 1 + 1 + FACTS
    assert await counted.asking(VERDICT, fingerprint="1" * 64, size=size) == HEAD + 1 + 1 + FACTS
