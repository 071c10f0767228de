"""Judgements as a client meets them: of an environment, of a trail, of a snapshot's day, and of everything lately."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from api.graphql.schema import SCHEMA
from record.access.rules import Grant, Role
from record.flows import service as flows
from record.flows.service import CreateFlow
from record.judgements import places
from record.record import open_record
from record.settings import Settings
from tests.api.serving import Served, serving
from tests.record.clocks import MovableClock
from tests.record.environments.places import Place
from tests.record.judgements.court import TESTED, Court
from tests.record.organizations import Organization
from tests.record.statements import WatchedDatabase, watched

SHOWN = """number subject environmentName flowName trailName previous status changed staleSince size instant causeIndex
  holdsUntil snapshotNumber recordedAt latencySeconds entryIndex reasons cause { index kind }"""


@dataclass
class Client:
    """Somebody with a key, and the court whose worker judges."""

    served: Served
    court: Court
    database: WatchedDatabase
    name: str = "grace"

    async def ask(self, query: str, **variables: Any) -> Any:
        said = await self.said(query, **variables)
        assert "errors" not in said, said
        return said["data"]

    async def said(self, query: str, **variables: Any) -> Any:
        headers = {"authorization": f"Bearer {self.court.organization.tokens[self.name]}"}
        response = await self.served.client.post(
            "/graphql", json={"query": query, "variables": variables}, headers=headers
        )
        return response.json()


@pytest.fixture
async def client(make_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Client]:
    """An environment in which app-1 runs, first untested, then tested, and judged by now, every change by itself."""
    monkeypatch.setattr(places, "ONE_BY_ONE_SECONDS", 600.0)
    settings = make_settings()
    async with (
        watched(open_record(settings)) as (record, database),
        serving(settings, SCHEMA, record=record) as served,
    ):
        organization = await Organization.begin(served.record)
        court = await Court.begin(organization, MovableClock())
        await court.flow(template=None)
        await court.trail()
        await court.artifact(1)
        prod = await Place.make(organization)
        await court.policy(TESTED, "prod")
        await prod.runs(1)
        await court.attest("tests", number=1)
        await court.judge()
        yield Client(served, court, database)


async def test_an_environments_judgements_say_when_it_changed_and_why(client: Client) -> None:
    said = await client.ask(f'{{ record {{ environment(name: "prod") {{ judgements {{ nodes {{ {SHOWN} }} }} }} }} }}')

    tested, missing = said["record"]["environment"]["judgements"]["nodes"]
    assert (missing["number"], missing["previous"], missing["status"]) == (1, None, "INCOMPLETE")
    assert (tested["number"], tested["previous"], tested["status"]) == (2, "INCOMPLETE", "COMPLIANT")
    assert (missing["cause"]["kind"], tested["cause"]["kind"]) == ("snapshot.reported", "attestation.recorded")
    assert tested["cause"]["index"] == tested["causeIndex"] == tested["size"] - 1
    assert (tested["subject"], tested["environmentName"], tested["trailName"]) == ("ENVIRONMENT", "prod", None)
    assert (missing["snapshotNumber"], tested["snapshotNumber"], tested["staleSince"]) == (1, None, None)
    assert 0 <= tested["latencySeconds"] < 60
    assert tested["entryIndex"] >= tested["size"]
    assert "tests" in missing["reasons"][0]


async def test_a_trails_judgements_are_paged_with_the_newest_first(client: Client) -> None:
    await client.court.attest("tests", number=1, compliant=False)
    await client.court.attest("tests", number=1)
    await client.court.judge()
    asked = """query ($after: String) { record { trail(flow: "delivery", name: "t1") { judgements(first: 2, after: $after) {
      nodes { number status } pageInfo { hasNextPage endCursor } } } } }"""

    first = (await client.ask(asked))["record"]["trail"]["judgements"]
    second = (await client.ask(asked, after=first["pageInfo"]["endCursor"]))["record"]["trail"]["judgements"]

    found = [(node["number"], node["status"]) for node in (*first["nodes"], *second["nodes"])]
    assert found == [(3, "COMPLIANT"), (2, "NON_COMPLIANT"), (1, "COMPLIANT")]
    assert (first["pageInfo"]["hasNextPage"], second["pageInfo"]["hasNextPage"]) == (True, False)


async def test_a_snapshot_shows_the_verdict_of_its_day(client: Client) -> None:
    asked = """{ record { environment(name: "prod") { verdict { status }
      snapshots { nodes { number verdictThen { status changed } } } } } }"""
    await Place(client.court.organization, client.court.caller, "prod").runs(1, 2)

    before = (await client.ask(asked))["record"]["environment"]["snapshots"]["nodes"]
    await client.court.judge()
    after = (await client.ask(asked))["record"]["environment"]["snapshots"]["nodes"]

    assert [(node["number"], node["verdictThen"]) for node in before] == [
        (2, None),
        (1, {"status": "INCOMPLETE", "changed": True}),
    ]
    assert after[0]["verdictThen"] == {"status": "UNKNOWN", "changed": True}


async def test_what_is_said_of_a_snapshot_now_stands_beside_what_was_said_then(client: Client) -> None:
    await Place(client.court.organization, client.court.caller, "prod").runs(2)
    await Place.make(client.court.organization, "all", "logical", included=("prod",))
    await client.court.judge()
    said = await client.ask(
        """{ record { environment(name: "prod") { verdict { status }
          snapshots { nodes { number verdict { status reasons { subject outcome } } verdictThen { status } } } }
          snapshot(expression: "all") { verdict { status } } } }"""
    )

    shown = said["record"]["environment"]["snapshots"]["nodes"]
    assert [(each["number"], each["verdictThen"]["status"], each["verdict"]["status"]) for each in shown] == [
        (2, "UNKNOWN", "UNKNOWN"),
        (1, "INCOMPLETE", "COMPLIANT"),
    ]
    assert "app-1" in shown[1]["verdict"]["reasons"][0]["subject"]
    assert said["record"]["environment"]["verdict"]["status"] == "UNKNOWN"
    assert said["record"]["snapshot"]["verdict"]["status"] == "UNKNOWN"


async def test_a_page_of_snapshots_is_judged_with_as_many_statements_as_one(client: Client) -> None:
    for numbers in ((1, 2), (1,), (2, 3), (1, 3)):
        await Place(client.court.organization, client.court.caller, "prod").runs(*numbers)
    counts = []
    for first in (1, 2, 5):  # the first of them recognises the key
        client.database.sent.clear()
        asked = f"snapshots(first: {first}) {{ nodes {{ verdict {{ status }} verdictThen {{ status }} }} }}"
        await client.ask(f'{{ record {{ environment(name: "prod") {{ {asked} }} }} }}')
        counts.append(len(client.database.sent))

    assert counts[1] == counts[2]


async def test_a_logical_environments_snapshot_has_no_verdict_of_its_own(client: Client) -> None:
    await Place.make(client.court.organization, "all", "logical", included=("prod",))
    said = await client.ask('{ record { snapshot(expression: "all") { verdictThen { status } } } }')

    assert said["record"]["snapshot"]["verdictThen"] is None


async def test_everything_that_changed_lately_and_only_in_a_period(client: Client) -> None:
    asked = """query ($since: DateTime, $until: DateTime) { record { judgements(since: $since, until: $until) {
      nodes { subject status recordedAt } } } }"""
    first = (await client.ask(asked))["record"]["judgements"]["nodes"]
    middle = datetime.now(UTC).isoformat()
    await client.court.attest("tests", number=1, compliant=False)
    await client.court.judge()

    later = (await client.ask(asked, since=middle))["record"]["judgements"]["nodes"]
    earlier = (await client.ask(asked, until=middle))["record"]["judgements"]["nodes"]

    assert sorted((node["subject"], node["status"]) for node in first) == [
        ("ENVIRONMENT", "COMPLIANT"),
        ("ENVIRONMENT", "INCOMPLETE"),
        ("TRAIL", "COMPLIANT"),
    ]
    assert sorted((node["subject"], node["status"]) for node in later) == [
        ("ENVIRONMENT", "NON_COMPLIANT"),
        ("TRAIL", "NON_COMPLIANT"),
    ]
    assert earlier == first


async def test_the_same_question_at_the_same_size_gives_the_same_judgements(client: Client) -> None:
    asked = """query ($size: LedgerSize) { record(size: $size) { size judgements { nodes { entryIndex } }
      environment(name: "prod") { judgements { nodes { number } } snapshot { verdictThen { number } } } } }"""
    before = (await client.ask(asked))["record"]
    await client.court.attest("tests", number=1, compliant=False)
    await client.court.judge()

    assert (await client.ask(asked, size=before["size"]))["record"] == before


async def test_a_judgement_is_found_again_by_its_id(client: Client) -> None:
    said = await client.ask('{ record { environment(name: "prod") { judgements { nodes { id number } } } } }')
    newest = said["record"]["environment"]["judgements"]["nodes"][0]

    found = await client.ask("query ($id: ID!) { node(id: $id) { id ... on Judgement { number } } }", id=newest["id"])

    assert found["node"] == newest


async def test_who_may_read_only_some_sees_only_their_judgements_and_nothing_of_others_trails(client: Client) -> None:
    court = client.court
    await flows.create(court.record, court.caller, CreateFlow("secret"))
    await court.trail(flow="secret")
    await court.attest(flow="secret")
    await court.judge()
    await court.organization.hire("eve", Grant(Role.READER, environments=frozenset({"prod"})))
    await court.organization.hire("dan", Grant(Role.READER, flows=frozenset({"secret"})))
    eve, dan = replace(client, name="eve"), replace(client, name="dan")
    lately = "{ record { judgements { nodes { id environmentName flowName reasons } } } }"

    seen = (await eve.ask(lately))["record"]["judgements"]["nodes"]
    assert {(node["environmentName"], node["flowName"], tuple(node["reasons"])) for node in seen} == {
        ("prod", None, ())
    }
    assert {node["flowName"] for node in (await dan.ask(lately))["record"]["judgements"]["nodes"]} == {"secret"}
    asked = "query ($id: ID!) { node(id: $id) { id } }"
    assert (await dan.ask(asked, id=seen[0]["id"]))["node"] is None
    cause = await eve.said("{ record { judgements(first: 1) { nodes { cause { kind } } } } }")
    assert cause["errors"][0]["extensions"]["code"] == "NOT_ALLOWED"


async def test_a_page_of_judgements_costs_as_many_statements_as_one(client: Client) -> None:
    for number in range(6):
        await client.court.attest("tests", number=1, compliant=number % 2 == 1)
    await client.court.judge()
    counts = []
    for first in (1, 2, 15):  # the first of them recognises the key
        client.database.sent.clear()
        said = await client.ask(f"{{ record {{ judgements(first: {first}) {{ nodes {{ {SHOWN} }} }} }} }}")
        assert len(said["record"]["judgements"]["nodes"]) == first
        counts.append(len(client.database.sent))

    assert counts[1] == counts[2]
