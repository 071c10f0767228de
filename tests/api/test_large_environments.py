"""Environments in which very much runs: a status without asking the policies, and pages that cost what they show."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from api.graphql import standing
from api.graphql.schema import SCHEMA
from record.access.rules import Grant, Role
from record.judgements import places
from record.record import open_record
from record.settings import Settings
from tests.api.serving import serving
from tests.api.test_judgements import Client
from tests.record.clocks import MovableClock
from tests.record.environments.places import Place, member
from tests.record.judgements.court import TESTED, Court
from tests.record.organizations import Organization
from tests.record.statements import watched

STANDING = """{ record { environment(name: "prod") {
  artifactCount standing { status current judgement { number status } } verdict { status } } } }"""
ONLY_STANDING = '{ record { environment(name: "prod") { standing { status current } } } }'


@pytest.fixture
async def client(make_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Client]:
    """Six artifacts run in prod under a policy that asks for tests: 2 has failed them, 3 was never tested; all judged by now."""
    monkeypatch.setattr(places, "ONE_BY_ONE_SECONDS", 600.0)
    settings = make_settings()
    clock = MovableClock()
    async with (
        watched(open_record(settings, clock=clock)) as (record, database),
        serving(settings, SCHEMA, record=record) as served,
    ):
        court = await Court.begin(await Organization.begin(served.record), clock)
        await court.flow(template=None)
        await court.trail()
        prod = await Place.make(court.organization)
        await court.policy(TESTED, "prod")
        for number in range(1, 7):
            await court.artifact(number)
            if number != 3:
                await court.attest("tests", number=number, compliant=number != 2)
        await prod.runs(*range(1, 7))
        court.pass_time()
        await court.judge()
        yield Client(served, court, database)


async def asked(client: Client, query: str = STANDING) -> Any:
    return (await client.ask(query))["record"]["environment"]


def asks_policies(client: Client) -> bool:
    return any("record.attestations" in text or "record.snapshot_members" in text for text in client.database.sent)


async def test_the_judgement_recorded_last_is_the_status_as_long_as_it_is_the_last_word(client: Client) -> None:
    both = await asked(client)
    client.database.sent.clear()
    alone = await asked(client, ONLY_STANDING)

    assert both["standing"] == {
        "status": both["verdict"]["status"],
        "current": True,
        "judgement": {"number": 1, "status": "NON_COMPLIANT"},
    }
    assert both["artifactCount"] == 6
    assert alone["standing"] == {"status": "NON_COMPLIANT", "current": True}
    assert not asks_policies(client)


async def test_where_little_runs_the_policies_are_asked_before_a_worker_judges(client: Client) -> None:
    await client.court.attest("tests", number=2)
    await client.court.attest("tests", number=3)

    between = await asked(client)

    assert between["standing"] == {"status": "COMPLIANT", "current": True, "judgement": None}
    assert between["verdict"]["status"] == "COMPLIANT"


async def test_where_much_runs_what_was_said_last_is_never_called_current(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standing, "JUDGED_AT_ONCE_MAX", 5)
    await client.court.attest("tests", number=2)
    await client.court.attest("tests", number=3)
    client.database.sent.clear()

    between = await asked(client, ONLY_STANDING)
    asking = asks_policies(client)
    client.court.pass_time()
    await client.court.judge()
    after = await asked(client)

    assert between["standing"] == {"status": "NON_COMPLIANT", "current": False}
    assert not asking
    assert after["standing"]["current"] is True
    assert after["standing"]["status"] == after["verdict"]["status"] == "COMPLIANT"


async def test_an_archived_environment_is_judged_by_nobody_so_nothing_is_its_last_word(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standing, "JUDGED_AT_ONCE_MAX", 5)
    changed = 'mutation { changeEnvironment(input: {name: "prod", archived: true}) { ... on Refusal { message } } }'
    assert (await client.ask(changed))["changeEnvironment"] == {}
    client.court.pass_time()
    await client.court.judge()

    assert (await asked(client))["standing"]["current"] is False


async def test_each_artifact_of_a_page_is_judged_as_in_the_whole(client: Client) -> None:
    said = await asked(
        client,
        """{ record { environment(name: "prod") {
          verdict { reasons { subject outcome explanation because { rule outcome } } }
          running(first: 10) { nodes { name verdict { status reasonCount
            reasons { subject outcome explanation because { rule outcome } } } } } } } }""",
    )

    verdicts = [each["verdict"] for each in said["running"]["nodes"]]
    assert [each["reasons"] for each in verdicts] == [[reason] for reason in said["verdict"]["reasons"]]
    assert [each["status"] for each in verdicts] == [each["outcome"] for each in said["verdict"]["reasons"]]
    assert {each["reasonCount"] for each in verdicts} == {1}


async def test_a_page_of_what_runs_costs_what_it_shows(client: Client) -> None:
    page = '{{ record {{ environment(name: "prod") {{ running(first: {0}) {{ nodes {{ name verdict {{ status }} }} }} }} }} }}'
    await asked(client, page.format(1))
    client.database.sent.clear()
    await asked(client, page.format(2))
    two = list(client.database.sent)
    client.database.sent.clear()
    await asked(client, page.format(5))

    assert len(client.database.sent) == len(two)


async def test_whoever_may_not_read_flows_is_told_no_more_of_an_artifact_than_of_the_whole(client: Client) -> None:
    await client.court.organization.hire(
        "narrow", Grant(Role.READER, flows=frozenset({"elsewhere"}), environments=frozenset({"prod"}))
    )
    client.name = "narrow"

    said = await asked(
        client,
        '{ record { environment(name: "prod") { running { nodes { verdict { reasons { because { rule } } } } } } } }',
    )

    assert [each["verdict"]["reasons"] for each in said["running"]["nodes"]] == [[{"because": []}]] * 6


async def test_the_worst_reasons_come_first_and_the_others_are_counted(client: Client) -> None:
    said = await asked(
        client,
        '{ record { environment(name: "prod") { verdict { reasonCount reasons(worst: 3) { subject outcome } } } } }',
    )
    refused = await client.said('{ record { environment(name: "prod") { verdict { reasons(worst: -1) { rule } } } } }')

    found = [(each["subject"].split()[1], each["outcome"]) for each in said["verdict"]["reasons"]]
    assert found == [("app-2", "NON_COMPLIANT"), ("app-3", "INCOMPLETE"), ("app-1", "COMPLIANT")]
    assert said["verdict"]["reasonCount"] == 6
    assert "out of range" in refused["errors"][0]["message"]


async def test_so_many_drifts_as_are_wanted(client: Client) -> None:
    client.court.pass_time(hours=1)

    said = await asked(
        client, '{ record { environment(name: "prod") { all: drift { name } two: drift(first: 2) { name } } } }'
    )

    assert len(said["all"]) == 6
    assert said["two"] == said["all"][:2]


async def test_pages_of_what_runs_go_both_ways_by_the_names_letters(client: Client) -> None:
    place = await Place.make(client.court.organization, "named")
    names = ["b", "B", "\u00e4", "a", "a", "a-1", "a1", "\U0001f600"]
    await place.report(member(99, name="gone"), *(member(n, name=name) for n, name in enumerate(names[:4], 10)))
    await place.report(*(member(number, name=name) for number, name in enumerate(names, 10)))
    page = """query ($first: Int, $after: String, $last: Int, $before: String) { record { environment(name: "named") {
      running(first: $first, after: $after, last: $last, before: $before) { nodes { name fingerprint sinceSnapshot }
        pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } } } }"""

    async def walk(count: str, cursor: str, end: str, more: str) -> list[list[Any]]:
        pages, place = [], None
        while True:
            given = {count: 3} | ({cursor: place} if place else {})
            found = (await client.ask(page, **given))["record"]["environment"]["running"]
            pages.append(found["nodes"])
            place = found["pageInfo"][end]
            if not found["pageInfo"][more]:
                return pages

    forward = await walk("first", "after", "endCursor", "hasNextPage")
    backward = await walk("last", "before", "startCursor", "hasPreviousPage")

    there = [each for nodes in forward for each in nodes]
    assert [(each["name"], each["fingerprint"]) for each in there] == sorted(
        (name, f"{number:064x}") for number, name in enumerate(names, 10)
    )
    assert [each for nodes in reversed(backward) for each in nodes] == there
    assert {each["sinceSnapshot"] for each in there} == {1, 2}
