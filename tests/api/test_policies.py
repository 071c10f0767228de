"""Policies as a client meets them, and the verdicts on environments that they lead to."""

from datetime import timedelta
from typing import Any

from tests.api.places import CREATE_POLICY, KNOWN, Client, client

__all__ = ["client"]

TESTED = "version: 1\nartifacts: {attestations: [{name: tests, type: generic}]}\n"
MOVE = """mutation ($input: PolicyAttachmentInput!) { moved: %s(input: $input) {
  ... on PolicyRecorded { policy { name version environments } } ... on Refusal { code message } } }"""
CHANGE = """mutation ($input: ChangePolicyInput!) { changePolicy(input: $input) {
  ... on PolicyRecorded { policy { version versions { version comment } } } ... on Refusal { code message } } }"""
VERDICT = """query ($size: LedgerSize) { record(size: $size) { size environment(name: "prod") { stale policies { name }
  verdict { status holdsUntil reasons { rule subject outcome explanation because { outcome } } } } } }"""


async def verdict(client: Client, size: int | None = None) -> Any:
    return (await client.ask(VERDICT, size=size))["environment"]["verdict"]


async def attach(client: Client, document: str = KNOWN) -> None:
    await client.ask(CREATE_POLICY, input={"name": "known", "document": document})
    await client.ask(MOVE % "attachPolicy", input={"policy": "known", "environment": "prod"})


async def test_a_document_that_cannot_be_read_is_refused_with_its_place(client: Client) -> None:
    said = await client.ask(CREATE_POLICY, input={"name": "known", "document": "version: 1\nartefacts: {}\n"})

    assert said["createPolicy"]["code"] == "INVALID_INPUT"
    assert "line 2" in said["createPolicy"]["message"]


async def test_a_policy_is_attached_changed_and_detached(client: Client) -> None:
    await client.ask(CREATE_POLICY, input={"name": "known", "document": KNOWN})
    where = {"policy": "known", "environment": "prod"}

    attached = (await client.ask(MOVE % "attachPolicy", input=where))["moved"]
    again = (await client.ask(MOVE % "attachPolicy", input=where))["moved"]
    changed = await client.ask(CHANGE, input={"name": "known", "document": TESTED, "comment": "Tests too."})
    detached = (await client.ask(MOVE % "detachPolicy", input=where))["moved"]

    assert attached == {"policy": {"name": "known", "version": 1, "environments": ["prod"]}}
    assert again["code"] == "INVALID_INPUT"
    assert changed["changePolicy"]["policy"] == {
        "version": 2,
        "versions": [{"version": 2, "comment": "Tests too."}, {"version": 1, "comment": ""}],
    }
    assert detached["policy"]["environments"] == []


async def test_an_environment_without_a_policy_is_unknown_and_never_green(client: Client) -> None:
    await client.report("prod", 1)

    assert (await verdict(client))["status"] == "UNKNOWN"


async def test_an_environment_is_judged_by_what_runs_in_it_at_that_moment(client: Client) -> None:
    await client.build(1)
    await attach(client)
    await client.report("prod", 1)
    known = await client.ask(VERDICT)
    await client.report("prod", 1, 2)

    now, then = await verdict(client), await verdict(client, known["size"])

    assert known["environment"]["policies"] == [{"name": "known"}]
    assert (known["environment"]["verdict"]["status"], now["status"]) == ("COMPLIANT", "INCOMPLETE")
    assert then == known["environment"]["verdict"]
    assert [each["outcome"] for each in now["reasons"]] == ["COMPLIANT", "INCOMPLETE"]


async def test_a_logical_environment_is_judged_by_all_that_runs_in_its_parts(client: Client) -> None:
    await client.build(1)
    await client.create("staging")
    await client.create("world", "LOGICAL", included=["prod", "staging"])
    await client.report("prod", 1)
    await client.report("staging", 2)
    await client.ask(CREATE_POLICY, input={"name": "known", "document": KNOWN})
    for environment in ("world", "prod"):
        await client.ask(MOVE % "attachPolicy", input={"policy": "known", "environment": environment})

    said = await client.ask("{ record { environments { nodes { name verdict { status } } } } }")

    assert {each["name"]: each["verdict"]["status"] for each in said["environments"]["nodes"]} == {
        **{"prod": "COMPLIANT", "staging": "UNKNOWN", "world": "INCOMPLETE"}
    }


async def test_where_an_artifact_ran_before_may_be_required(client: Client) -> None:
    await client.build(1)
    await client.create("staging")
    await attach(client, "version: 1\nartifacts: {deployed-to: {environment: staging, for: 1h}}\n")
    await client.report("prod", 1)
    assert (await verdict(client))["status"] == "INCOMPLETE"

    await client.report("staging", 1)
    waits = await verdict(client)
    client.clock.moved = timedelta(hours=1, seconds=1)

    assert (waits["status"], waits["holdsUntil"] is not None) == ("INCOMPLETE", True)
    assert (await verdict(client))["status"] == "COMPLIANT"


async def test_the_verdict_on_a_silent_environment_says_so_first(client: Client) -> None:
    await client.ask(
        """mutation { changeEnvironment(input: {name: "prod", cadenceSeconds: 60}) { __typename } }""",
    )
    await client.build(1)
    await attach(client)
    await client.report("prod", 1)
    assert len((await verdict(client))["reasons"]) == 1

    client.clock.moved = timedelta(seconds=61)
    said = await verdict(client)

    assert said["status"] == "COMPLIANT"
    assert (said["reasons"][0]["outcome"], len(said["reasons"])) == ("UNKNOWN", 2)
    assert "silent since" in said["reasons"][0]["explanation"]


async def test_a_policy_is_tried_on_what_runs_and_nothing_is_recorded(client: Client) -> None:
    await client.build(1)
    await client.report("prod", 1)
    asked = """query ($document: String!) { record { size tryPolicy(document: $document, environment: "prod") {
      status reasons { because { rule } } } } }"""

    known, tested = await client.ask(asked, document=KNOWN), await client.ask(asked, document=TESTED)

    assert (known["tryPolicy"]["status"], tested["tryPolicy"]["status"]) == ("COMPLIANT", "INCOMPLETE")
    assert known["tryPolicy"]["reasons"][0]["because"][0]["rule"].startswith("policy candidate")
    assert known["size"] == tested["size"]
    assert "no environment called x" in await client.refused(
        'query ($document: String!) { record { tryPolicy(document: $document, environment: "x") { status } } }',
        document=KNOWN,
    )
