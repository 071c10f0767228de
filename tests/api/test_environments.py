"""Environments, snapshots and deployments as a client meets them."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from record.access import service as access
from record.access.rules import Grant, Role
from record.ids import PrincipalId
from tests.api.places import CHANGE, CREATE_POLICY, KNOWN, REPORT, Client, client, digest
from tests.api.serving import Organization

__all__ = ["client"]


async def test_an_environment_is_created_and_a_second_of_its_name_is_refused(client: Client) -> None:
    made = await client.create("world", "LOGICAL", included=["prod"])
    again = await client.create("prod", "CLOUD_RUN")

    assert made["environment"] == {"name": "world", "type": "LOGICAL", "included": [{"name": "prod"}]}
    assert again["code"] == "NAME_TAKEN"


async def test_a_report_says_what_became_of_it(client: Client) -> None:
    first = await client.report("prod", 1, 2)
    again = await client.report("prod", 2, 1)

    assert (first["number"], first["isNew"], first["refused"]) == (1, True, [])
    assert first["snapshot"]["running"]["nodes"] == [
        {"name": "app-1", "instances": 1},
        {"name": "app-2", "instances": 1},
    ]
    assert (again["number"], again["isNew"], again["receipt"]["index"]) == (1, False, first["receipt"]["index"])


async def test_a_malformed_member_is_named_in_the_answer_and_the_snapshot_is_partial(client: Client) -> None:
    members = [{"fingerprint": digest(1), "name": "app-1"}, {"fingerprint": "", "name": "no-image"}, {}]
    said = (await client.ask(REPORT, input={"environment": "prod", "members": members}))["reportSnapshot"]

    assert [(each["place"], each["name"]) for each in said["refused"]] == [(1, "no-image"), (2, "member 2")]
    assert (said["snapshot"]["partial"], said["snapshot"]["artifactCount"]) == (True, 1)


async def test_the_same_request_again_is_answered_as_before(client: Client) -> None:
    first = await client.report("prod", 1, idempotencyKey="k")
    await client.report("prod", 2)
    again = await client.report("prod", 1, idempotencyKey="k")

    assert (again["number"], again["receipt"]) == (1, {"index": first["receipt"]["index"], "replayed": True})


async def test_what_runs_what_ran_and_what_happened(client: Client) -> None:
    await client.report("prod", 1, 2)
    await client.report("prod", 2, 3)
    said = await client.ask(
        """{ record { environment(name: "prod") { running { nodes { name since flows isKnown artifact { name } } }
          snapshots(first: 1) { nodes { number started stopped } pageInfo { hasNextPage } }
          before: snapshot(expression: "~1") { number running { nodes { name } } }
          changes(first: 3) { nodes { kind name snapshotNumber environmentName } pageInfo { endCursor hasNextPage } }
          lastReportedAt stale } } }"""
    )

    environment = said["environment"]
    assert [each["name"] for each in environment["running"]["nodes"]] == ["app-2", "app-3"]
    assert environment["snapshots"] == {
        "nodes": [{"number": 2, "started": 1, "stopped": 1}],
        "pageInfo": {"hasNextPage": True},
    }
    assert [each["name"] for each in environment["before"]["running"]["nodes"]] == ["app-1", "app-2"]
    assert [(each["kind"], each["name"]) for each in environment["changes"]["nodes"]] == [
        ("STARTED", "app-3"),
        ("STOPPED", "app-1"),
        ("STARTED", "app-2"),
    ]
    assert environment["stale"] is None
    cursor = environment["changes"]["pageInfo"]["endCursor"]
    rest = await client.ask(
        'query ($after: String) { record { environment(name: "prod") { changes(first: 9, after: $after) { nodes { name } } } } }',
        after=cursor,
    )
    assert rest["environment"]["changes"]["nodes"] == [{"name": "app-1"}]


async def test_changes_lie_between_two_instants(client: Client) -> None:
    await client.report("prod", 1)
    instant = client.clock.now().isoformat().replace("+00:00", "Z")
    client.clock.moved = timedelta(seconds=1)
    await client.report("prod", 2)
    asked = """query ($at: DateTime) { record { environment(name: "prod") {
      late: changes(since: $at) { nodes { name } } early: changes(until: $at) { nodes { name } } } } }"""

    said = (await client.ask(asked, at=instant))["environment"]

    assert [each["name"] for each in said["late"]["nodes"]] == ["app-2", "app-1"]
    assert [each["name"] for each in said["early"]["nodes"]] == ["app-1"]


async def test_two_snapshots_of_two_environments_are_compared(client: Client) -> None:
    await client.create("staging")
    await client.report("staging", 1, 2)
    await client.report("prod", 2, 3)
    asked = """{ record { diff(first: "staging", second: "prod#1") { first { environmentName number } onlyFirst { name }
      onlySecond { name } same { first { name } } scaled { first { name } } } } }"""

    said = (await client.ask(asked))["diff"]

    assert said["first"] == {"environmentName": "staging", "number": 1}
    assert (said["onlyFirst"], said["onlySecond"]) == ([{"name": "app-1"}], [{"name": "app-3"}])
    assert said["same"] == [{"first": {"name": "app-2"}}]
    assert "no snapshot prod#7" in await client.refused(
        '{ record { diff(first: "prod#7", second: "prod") { onlyFirst { name } } } }'
    )
    assert "no environment called x" in await client.refused(
        '{ record { diff(first: "x", second: "prod") { onlyFirst { name } } } }'
    )


async def test_a_logical_environment_shows_the_union(client: Client) -> None:
    await client.build(2)
    await client.create("staging")
    await client.create("world", "LOGICAL", included=["prod", "staging"])
    await client.report("prod", 1, 2)
    await client.report("staging", 2, 3)

    said = await client.ask(
        """query ($one: Fingerprint!) { record { environment(name: "world") { running { nodes { name instances environmentNames } }
          snapshot { number artifactCount } changes { nodes { name environmentName } } snapshots { nodes { number } } }
          artifact(fingerprint: $one) { runs(environment: "world") { environmentName since until } } } }""",
        one=digest(2),
    )

    world = said["environment"]
    assert [(each["name"], each["instances"]) for each in world["running"]["nodes"]] == [
        ("app-1", 1),
        ("app-2", 2),
        ("app-3", 1),
    ]
    assert world["running"]["nodes"][1]["environmentNames"] == ["prod", "staging"]
    assert world["snapshot"] == {"number": None, "artifactCount": 3}
    assert len(world["changes"]["nodes"]) == 4
    assert world["snapshots"]["nodes"] == []
    assert [each["environmentName"] for each in said["artifact"]["runs"]] == ["world"]
    assert "its snapshots have no numbers" in await client.refused(
        '{ record { environment(name: "world") { snapshot(expression: "#1") { number } } } }'
    )


async def test_silence_is_staleness(client: Client) -> None:
    await client.create("quiet", cadenceSeconds=60)
    await client.report("quiet", 1)
    asked = '{ record { environment(name: "quiet") { stale lastReportedAt } } }'
    assert (await client.ask(asked))["environment"]["stale"] is None

    client.clock.moved = timedelta(seconds=61)
    assert (await client.ask(asked))["environment"]["stale"] is not None
    await client.report("quiet", 1)

    assert (await client.ask(asked))["environment"]["stale"] is None


async def test_staleness_at_a_past_instant_is_what_it_was_then(client: Client) -> None:
    began = client.clock.now()

    def later(seconds: float) -> datetime:
        return began + timedelta(seconds=seconds)

    async def report(seconds: float) -> None:
        client.clock.moved = later(seconds) - datetime.now(UTC)
        await client.report("quiet", 1)

    async def stale(seconds: float) -> float | None:
        """After how many seconds it fell silent, as of so many seconds."""
        asked = 'query ($at: DateTime) { record(at: $at) { environment(name: "quiet") { stale verdict { reasons { rule } } } } }'
        found = (await client.ask(asked, at=later(seconds).isoformat()))["environment"]
        assert (found["stale"] is not None) is ("cadence" in [each["rule"] for each in found["verdict"]["reasons"]])
        return None if found["stale"] is None else (datetime.fromisoformat(found["stale"]) - began).total_seconds()

    client.clock.moved = timedelta()
    await client.create("quiet", cadenceSeconds=60)
    for seconds in (10, 40, 90, 140, 300):
        await report(seconds)
    client.clock.moved = later(380) - datetime.now(UTC)
    await client.ask(CHANGE, input={"name": "quiet", "cadenceSeconds": 600})
    for seconds in (390, 2_000):
        await report(seconds)

    assert [await stale(seconds) for seconds in (65, 130, 180)] == [None, None, None]
    assert [round(await stale(seconds) or 0, 0) for seconds in (210, 299)] == [200, 200]
    assert [await stale(seconds) for seconds in (310, 350)] == [None, None]
    assert round(await stale(370) or 0, 0) == 360  # by the cadence of then
    assert [await stale(seconds) for seconds in (385, 900)] == [None, None]
    assert round(await stale(1_500) or 0, 0) == 990


async def test_deployments_are_matched_with_what_runs(client: Client) -> None:
    await client.build(1, 2, 3)
    await client.report("prod", 1)
    first = await client.deploy(1)
    third = await client.deploy(3)

    assert first["deployment"] == {
        **{"name": "app-1", "flowName": "delivery", "seen": {"status": "SEEN"}, "previous": None, "commitsSince": None}
    }
    assert third["deployment"]["seen"] == {"status": "AWAITED"}
    assert third["deployment"]["commitsSince"] == {
        "isRollBack": False,
        "commits": [{"sha": "3" * 40}, {"sha": "2" * 40}],
        "trailNames": ["t3", "t2"],
    }
    client.clock.moved = timedelta(hours=1)
    said = await client.ask(
        """query ($one: Fingerprint!) { record { environment(name: "prod") { drift { kind name } deployments(first: 5) { nodes {
          name } } } artifact(fingerprint: $one) { deployments { environmentName } } } }""",
        one=digest(1),
    )
    assert said["environment"]["drift"] == [
        {"kind": "NOT_SEEN", "name": "app-3"},
        {"kind": "OTHER_VERSION", "name": "app-1"},
    ]
    assert [each["name"] for each in said["environment"]["deployments"]["nodes"]] == ["app-3", "app-1"]
    assert said["artifact"]["deployments"] == [{"environmentName": "prod"}]
    back = await client.deploy(1)
    assert (back["deployment"]["commitsSince"]["isRollBack"], back["deployment"]["previous"]["name"]) == (True, "app-3")


async def test_an_artifact_says_when_it_ran(client: Client) -> None:
    await client.build(1)
    for numbers in ((1,), (2,), (1,)):
        await client.report("prod", *numbers)
    asked = (
        "query ($one: Fingerprint!) { record { artifact(fingerprint: $one) { runs { sinceSnapshot untilSnapshot } } } }"
    )

    said = (await client.ask(asked, one=digest(1)))["artifact"]["runs"]

    assert [(each["sinceSnapshot"], each["untilSnapshot"]) for each in said] == [(1, 2), (3, None)]


async def test_what_the_graph_names_is_found_again_by_its_id(client: Client) -> None:
    await client.build(1)
    await client.report("prod", 1)
    await client.deploy(1)
    await client.ask(CREATE_POLICY, input={"name": "known", "document": KNOWN})
    said = await client.ask(
        """{ record { environment(name: "prod") { id deployments { nodes { id } } } policy(name: "known") { id }
          environments { nodes { name } } policies { nodes { name rules } } snapshot(expression: "prod~0") { number } } }"""
    )
    ids = [said["environment"]["id"], said["environment"]["deployments"]["nodes"][0]["id"], said["policy"]["id"]]

    found = [
        (await client.ask("query ($id: ID!) { node(id: $id) { __typename id } }", id=each))["node"] for each in ids
    ]
    deployed = await client.ask("query ($id: ID!) { record { deployment(id: $id) { name } } }", id=ids[1])

    assert found == [
        {"__typename": kind, "id": each}
        for kind, each in zip(("Environment", "Deployment", "Policy"), ids, strict=True)
    ]
    assert deployed["deployment"] == {"name": "app-1"}
    assert (said["environments"], said["snapshot"]) == ({"nodes": [{"name": "prod"}]}, {"number": 1})
    assert [each["name"] for each in said["policies"]["nodes"]] == ["known"]


async def test_drift_is_told_as_events_and_only_to_who_may_read_the_environment(client: Client) -> None:
    await client.create("staging")
    await client.create("world", "LOGICAL", included=["prod", "staging"])
    await client.report("prod", 1)
    asked = """query ($name: String!, $after: String) { record { environment(name: $name) { driftEvents(first: 1, after: $after) {
      nodes { kind name fingerprint environmentName snapshotNumber deploymentIndex endedAt ending explanation }
      pageInfo { hasNextPage endCursor } } } } }"""
    assert (await client.ask(asked, name="prod"))["environment"]["driftEvents"]["nodes"] == []

    client.clock.moved = timedelta(hours=1)
    await client.report("staging", 2)
    client.clock.moved = timedelta(hours=2)
    found = (await client.ask(asked, name="world"))["environment"]["driftEvents"]
    rest = (await client.ask(asked, name="world", after=found["pageInfo"]["endCursor"]))["environment"]["driftEvents"]

    assert [(each["name"], each["environmentName"]) for each in found["nodes"]] == [("app-2", "staging")]
    assert found["pageInfo"]["hasNextPage"] is True
    assert rest["nodes"] == [
        {
            **{"kind": "SHADOW_CHANGE", "name": "app-1", "fingerprint": digest(1), "environmentName": "prod"},
            **{"snapshotNumber": 1, "deploymentIndex": None, "endedAt": None, "ending": None},
            "explanation": "app-1 ran, and within 15 minutes nobody reported that it was deployed here.",
        }
    ]
    record, ada = client.served.record, client.organization.operator
    narrowed = [Grant(Role.READER, environments=frozenset({"staging"}))]
    added = await access.add_principal(record, ada, name="eve", kind="person", grants=narrowed)
    issued = await access.issue_key(
        record, ada, principal_id=PrincipalId(UUID(added.body["principal_id"])), description="hers"
    )
    assert issued.token is not None
    eve = Client(client.served, Organization(ada, issued.token), client.clock)
    assert (await eve.ask(asked, name="prod"))["environment"] is None
    seen = (await eve.ask(asked, name="staging"))["environment"]["driftEvents"]["nodes"]
    assert [each["name"] for each in seen] == ["app-2"]


@pytest.mark.parametrize("asked", ['snapshot(expression: "prod")', 'environment(name: "prod")'])
async def test_what_runs_is_turned_page_by_page_both_ways(client: Client, asked: str) -> None:
    names = ["a", "a", "a b", "a\u00a0b", "a/b:1", "A", "ä", "z\u200b"]
    members = [{"fingerprint": digest(number), "name": name} for number, name in enumerate(names)]
    await client.ask(REPORT, input={"environment": "prod", "members": members})

    def pages(how: str) -> str:
        return (
            f"query ($cursor: String) {{ record {{ it: {asked} {{ running({how}) {{ nodes {{ name fingerprint }} "
            "pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } } } }"
        )

    whole = (await client.ask(pages("first: 20, after: $cursor")))["it"]["running"]["nodes"]
    found: dict[str, list[Any]] = {}
    for how, more, cursor in (
        ("first: 3, after: $cursor", "hasNextPage", "endCursor"),
        ("last: 3, before: $cursor", "hasPreviousPage", "startCursor"),
    ):
        at, found[how] = None, []
        for _ in range(4):
            page = (await client.ask(pages(how), cursor=at))["it"]["running"]
            found[how] = found[how] + page["nodes"] if how.startswith("first") else page["nodes"] + found[how]
            at = page["pageInfo"][cursor]
            if not page["pageInfo"][more]:
                break

    assert len(whole) == len(names)
    assert list(found.values()) == [whole, whole]
