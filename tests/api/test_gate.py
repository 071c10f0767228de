"""The gate as a pipeline meets it: one question, and an answer that cannot be mistaken for "compliant"."""

from typing import Any

import pytest

from tests.api.places import Client, client, digest
from tests.api.test_policies import TESTED, attach

__all__ = ["client"]

ASSERT = """query ($fingerprint: Fingerprint!, $environment: String, $policies: [String!], $templates: Boolean! = false,
               $size: LedgerSize) { record(size: $size) { size
  assertArtifact(fingerprint: $fingerprint, environment: $environment, policies: $policies, templates: $templates) {
    __typename
    ... on ArtifactAsserted { fingerprint name judgedBy
      verdict { status holdsUntil reasons { rule outcome remedy because { rule } } } }
    ... on ArtifactNotAsserted { obstacle explanation remedy } } } }"""


async def asserted(client: Client, fingerprint: str = digest(1), **by: Any) -> Any:
    return (await client.ask(ASSERT, fingerprint=fingerprint, **by))["assertArtifact"]


async def test_an_artifact_is_asserted_before_it_runs(client: Client) -> None:
    await client.build(1)
    await attach(client)

    said = await asserted(client, environment="prod")

    assert (said["__typename"], said["verdict"]["status"], said["verdict"]["holdsUntil"]) == (
        *("ArtifactAsserted", "COMPLIANT"),
        None,
    )
    assert (said["fingerprint"], said["name"], said["judgedBy"]) == (digest(1), "app-1", ["policy known v1"])
    assert said["verdict"]["reasons"][0]["rule"] == "policy known v1, line 2: provenance"


async def test_what_is_missing_is_named_with_what_would_help(client: Client) -> None:
    await client.build(1)
    await attach(client, TESTED)

    (reason,) = (await asserted(client, policies=["known"]))["verdict"]["reasons"]

    assert reason["outcome"] == "INCOMPLETE"
    assert reason["remedy"].startswith("Attest tests")


@pytest.mark.parametrize(
    ("by", "obstacle"),
    [
        ({"environment": "prod"}, "NO_POLICY"),
        ({"environment": "nowhere"}, "UNKNOWN_ENVIRONMENT"),
        ({"policies": ["unheard-of"]}, "UNKNOWN_POLICY"),
        ({"templates": True}, "NO_TEMPLATE"),
        ({"templates": True, "fingerprint": "f" * 64}, "UNKNOWN_ARTIFACT"),
        ({"templates": True, "fingerprint": "fffffff"}, "UNKNOWN_ARTIFACT"),
    ],
)
async def test_what_cannot_be_judged_is_no_verdict(client: Client, by: dict[str, Any], obstacle: str) -> None:
    await client.build(1)

    said = await asserted(client, **by)

    assert (said["__typename"], said["obstacle"]) == ("ArtifactNotAsserted", obstacle)
    assert "verdict" not in said


async def test_the_beginning_of_a_fingerprint_will_do(client: Client) -> None:
    await client.build(1)
    await attach(client)

    assert (await asserted(client, digest(1)[:63], environment="prod"))["fingerprint"] == digest(1)


async def test_the_gate_is_asked_at_any_size(client: Client) -> None:
    await attach(client, TESTED)
    before = (await client.ask(ASSERT, fingerprint=digest(1), environment="prod"))["size"]
    await client.build(1)

    assert (await asserted(client, environment="prod", size=before))["obstacle"] == "UNKNOWN_ARTIFACT"
    assert (await asserted(client, environment="prod"))["verdict"]["status"] == "INCOMPLETE"


async def test_asserting_against_nothing_or_two_things_is_refused(client: Client) -> None:
    for by in ({}, {"environment": "prod", "templates": True}):
        assert "exactly one of" in await client.refused(ASSERT, fingerprint=digest(1), **by)
