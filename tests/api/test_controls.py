"""Frameworks, controls and compliance as a client meets them."""

import hashlib
from datetime import timedelta
from typing import Any

from record.clock import to_rfc3339
from record.evidence import service as evidence
from tests.api.places import Client, client, digest
from tests.record.controls.catalogues import catalogue, control
from tests.record.vault.harness import stream_of

__all__ = ["client"]

CREATE = """mutation ($input: CreateFrameworkInput!) { made: createFramework(input: $input) {
  ... on FrameworkRecorded { receipt { kind } framework { name version controlCount } } ... on Refusal { code message } } }"""
IMPORT = """mutation ($input: ImportControlsInput!) { made: importControls(input: $input) {
  ... on FrameworkRecorded { framework { name title version catalog catalogVersion
    controls(first: 5) { nodes { id control label section } pageInfo { hasNextPage } } } }
  ... on Refusal { code message } } }"""
MAP = """mutation ($input: MapControlInput!) { made: mapControl(input: $input) {
  ... on ControlMapped { receipt { kind } control { control mapping { version environments requirements
    { kind asked attestationName attestationType flows least notAuthor policy } } } }
  ... on Refusal { code message } } }"""
REPORT = """query ($from: DateTime!, $to: DateTime!, $size: LedgerSize, $after: String) {
  record(size: $size) { compliance(framework: "soc2", from: $from, to: $to) {
  framework { name version } population deployments shadowChanges mappedControls
  controls(first: 10) { nodes { control { control } population metWhenDeployed metNow exceptionCount
    exceptionsNow: exceptionCount(basis: NOW)
    exceptions(first: 1, after: $after) { pageInfo { hasNextPage endCursor } nodes {
      change { kind name environmentName entryIndex deploymentId snapshotNumber }
      whenDeployed { met entries reasons { rule outcome explanation } } now { met } } } } } } } }"""
ALL = """query ($from: DateTime!, $to: DateTime!) { record { compliance(framework: "soc2", from: $from, to: $to) {
  controls(first: 10, mapped: false) { nodes { control { control } population metNow exceptionCount } } } } }"""
SOC2 = {
    "name": "soc2",
    "title": "Trust services",
    "controls": [{"control": "CC8.1", "title": "Changes"}, {"control": "CC6.1", "title": "Access"}],
}
TESTED = {"framework": "soc2", "control": "CC8.1", "requirements": [{"attestation": {"name": "tests"}}]}


def window(client: Client) -> dict[str, Any]:
    now = client.clock.now()
    return {"from": to_rfc3339(now - timedelta(days=1)), "to": to_rfc3339(now + timedelta(days=1))}


async def report(client: Client, **asked: Any) -> Any:
    return (await client.ask(REPORT, **window(client), **asked))["compliance"]


async def test_a_framework_is_created_and_a_second_of_its_name_is_refused(client: Client) -> None:
    made = (await client.ask(CREATE, input=SOC2))["made"]
    again = (await client.ask(CREATE, input=SOC2))["made"]

    assert made["framework"] == {"name": "soc2", "version": 1, "controlCount": 2}
    assert made["receipt"] == {"kind": "framework.recorded"}
    assert again["code"] == "NAME_TAKEN"


async def test_an_oscal_catalogue_is_imported_and_a_hostile_one_is_refused(client: Client) -> None:
    async def upload(data: bytes) -> str:
        record, ada = client.served.record, client.organization.operator
        await evidence.store(record, ada, stream_of(data), expected=None, expected_size=len(data), media_type=None)
        return hashlib.sha256(data).hexdigest()

    good = await upload(catalogue(control("CC8.1"), control("CC8.2")))
    bad = await upload(b'{"catalog": {}, "catalog": {}}')
    made = (await client.ask(IMPORT, input={"framework": "soc2", "digest": good}))["made"]["framework"]
    refused = (await client.ask(IMPORT, input={"framework": "iso", "digest": bad}))["made"]

    assert (made["title"], made["catalog"], made["catalogVersion"]) == ("House rules", good, "1.0")
    assert [each["control"] for each in made["controls"]["nodes"]] == ["CC8.1", "CC8.2"]
    assert refused["code"] == "MALFORMED_REPORT"


async def test_a_control_is_asked_for_again_by_its_id(client: Client) -> None:
    await client.ask(CREATE, input=SOC2)
    listed = await client.ask('{ record { framework(name: "soc2") { id controls(first: 1) { nodes { id } } } } }')
    ids = [listed["framework"]["id"], listed["framework"]["controls"]["nodes"][0]["id"]]
    text = "query ($id: ID!) { node(id: $id) { __typename ... on Control { control } ... on Framework { name } } }"

    framework, one = [(await client.ask(text, id=each))["node"] for each in ids]

    assert framework == {"__typename": "Framework", "name": "soc2"}
    assert one == {"__typename": "Control", "control": "CC8.1"}


async def test_a_control_is_mapped_to_each_kind_of_requirement(client: Client) -> None:
    await client.ask(CREATE, input=SOC2)
    asked = [{"attestation": {"type": "junit"}}, {"approval": {"least": 2, "notAuthor": True}}]

    made = (await client.ask(MAP, input={**TESTED, "requirements": asked, "environments": ["prod"]}))["made"]

    mapping = made["control"]["mapping"]
    assert (mapping["version"], mapping["environments"]) == (1, ["prod"])
    assert [each["kind"] for each in mapping["requirements"]] == ["ATTESTATION", "APPROVAL"]
    assert mapping["requirements"][1]["least"] == 2


async def test_a_requirement_that_asks_for_nothing_or_two_things_is_refused(client: Client) -> None:
    await client.ask(CREATE, input=SOC2)

    for wrong in ({}, {"policy": "p", "approval": {}}):
        made = (await client.ask(MAP, input={**TESTED, "requirements": [wrong]}))["made"]
        assert (made["code"], "exactly one of" in made["message"]) == ("INVALID_INPUT", True)


async def test_a_report_counts_and_pages_through_exceptions_with_their_entries(client: Client) -> None:
    await client.ask(CREATE, input=SOC2)
    await client.ask(MAP, input=TESTED)
    for number in (1, 2):
        await client.deploy(number)
    await client.report("prod", 3)
    client.clock.moved += timedelta(hours=2)

    said = await report(client)
    [found] = said["controls"]["nodes"]
    after = found["exceptions"]["pageInfo"]["endCursor"]
    [second] = (await report(client, after=after))["controls"]["nodes"][0]["exceptions"]["nodes"]

    assert (said["population"], said["deployments"], said["shadowChanges"], said["mappedControls"]) == (3, 2, 1, 1)
    assert (found["population"], found["metWhenDeployed"], found["exceptionCount"], found["exceptionsNow"]) == (
        3,
        0,
        3,
        3,
    )
    [first] = found["exceptions"]["nodes"]
    assert first["change"]["kind"] == "DEPLOYMENT"
    assert first["change"]["entryIndex"] in first["whenDeployed"]["entries"]
    assert first["whenDeployed"]["reasons"][0]["outcome"] == "INCOMPLETE"
    assert second["change"]["name"] == digest(2)


async def test_a_control_that_is_mapped_to_nothing_shows_no_figures(client: Client) -> None:
    await client.ask(CREATE, input=SOC2)
    await client.ask(MAP, input=TESTED)
    await client.deploy(1)

    nodes = (await client.ask(ALL, **window(client)))["compliance"]["controls"]["nodes"]

    assert nodes[0]["population"] == 1
    assert nodes[1] == {"control": {"control": "CC6.1"}, "population": None, "metNow": None, "exceptionCount": None}


async def test_the_same_question_at_the_same_size_gives_the_same_answer(client: Client) -> None:
    await client.ask(CREATE, input=SOC2)
    await client.ask(MAP, input=TESTED)
    await client.deploy(1)
    size = (await client.ask("{ record { size } }"))["size"]
    asked = window(client)
    before = await client.ask(REPORT, **asked, size=size)
    await client.deploy(2)

    assert await client.ask(REPORT, **asked, size=size) == before


async def test_a_foreign_cursor_and_an_unknown_framework_are_refused(client: Client) -> None:
    assert "no framework called soc2" in await client.refused(REPORT, **window(client))


ADOPTION = """query ($from: DateTime!, $to: DateTime!) { record { adoption(from: $from, to: $to, by: DAY) {
  everything { name whole { runs reportedShare shadowChanges deployments buildToDeployMedianSeconds } periods { since until } }
  environments { name whole { runs deployments } } flows { name whole { artifacts deployments } } } } }"""


async def test_adoption_counts_what_is_reported_and_what_is_not(client: Client) -> None:
    await client.build(1)
    await client.deploy(1)
    await client.report("prod", 1, 2)
    client.clock.moved += timedelta(hours=2)

    said = (await client.ask(ADOPTION, **window(client)))["adoption"]

    whole = said["everything"]["whole"]
    assert (whole["runs"], whole["reportedShare"], whole["shadowChanges"], whole["deployments"]) == (2, 0.5, 1, 1)
    assert said["environments"] == [{"name": "prod", "whole": {"runs": 2, "deployments": 1}}]
    assert said["flows"] == [{"name": "delivery", "whole": {"artifacts": 1, "deployments": 1}}]
    assert len(said["everything"]["periods"]) in (2, 3)
