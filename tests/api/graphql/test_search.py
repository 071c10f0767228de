"""Search: what begins with a text, by name, commit or fingerprint, letters taken as they are."""

from typing import Any

import pytest

from record.access.rules import Grant, Role
from tests.api.graphql.house import COMMIT, FINGERPRINT, Client, House

SEARCH = """query ($q: String!) { record { search(query: $q) { __typename
  ... on Flow { name } ... on Trail { trail: name flowName } ... on Artifact { artifact: name fingerprint } } } }"""


async def found(house: House, text: str) -> list[tuple[str, str]]:
    hits: list[dict[str, Any]] = (await house.ada.ask(SEARCH, q=text))["record"]["search"]
    return [(hit["__typename"], hit.get("name") or hit.get("trail") or hit["artifact"]) for hit in hits]


async def test_a_name_finds_flows_trails_and_artifacts(house: House) -> None:
    await house.delivery("app-delivery", "app-1")
    await house.artifact(flow="app-delivery", trail="app-1")

    assert await found(house, "app") == [("Flow", "app-delivery"), ("Trail", "app-1"), ("Artifact", "app.tar.gz")]
    assert await found(house, " app-1 ") == [("Trail", "app-1")]
    assert await found(house, "pp") == []


async def test_a_commit_finds_what_was_built_from_it(house: House) -> None:
    await house.delivery()
    await house.artifact()

    assert await found(house, COMMIT[:7]) == [("Trail", "build-1"), ("Artifact", "app.tar.gz")]
    assert await found(house, COMMIT) == [("Trail", "build-1"), ("Artifact", "app.tar.gz")]
    assert await found(house, COMMIT[:6]) == [], "six digits may be a name, not yet a commit"


async def test_the_beginning_of_a_fingerprint_finds_artifacts(house: House) -> None:
    await house.delivery()
    await house.artifact(fingerprint="ab" * 32, name="one")
    await house.artifact(fingerprint="ab" * 31 + "cd", name="two")

    assert await found(house, "abababa") == [("Artifact", "two"), ("Artifact", "one")]
    assert await found(house, f"sha256:{'ab' * 31}cd") == [("Artifact", "two")]


RUNTIME = """query ($q: String!) { record { search(query: $q) { __typename
  ... on Environment { name } ... on Policy { name }
  ... on Deployment { name: environmentName } ... on Approval { name: environmentName } ... on Run { name: environmentName }
  ... on Artifact { name } ... on Trail { name } } } }"""


async def known_of(house: House, text: str, client: Client | None = None) -> list[tuple[str, str]]:
    hits = (await (client or house.ada).ask(RUNTIME, q=text))["record"]["search"]
    return [(hit["__typename"], hit["name"]) for hit in hits]


async def deployed(house: House, environment: str, fingerprint: str) -> None:
    await house.ada.done("createEnvironment", name=environment, type="SERVER")
    await house.ada.done("reportDeployment", environment=environment, fingerprint=fingerprint)
    await house.ada.done(
        "reportSnapshot", environment=environment, members=[{"fingerprint": fingerprint, "name": "app.tar.gz"}]
    )


async def test_a_name_finds_environments_and_policies(house: House) -> None:
    await house.ada.done("createEnvironment", name="production", type="K8S")
    await house.ada.done("createPolicy", name="production-rules", document="version: 1")

    assert await known_of(house, "prod") == [("Environment", "production"), ("Policy", "production-rules")]


async def test_a_fingerprint_finds_where_it_was_deployed_approved_and_seen(house: House) -> None:
    await house.delivery()
    await house.artifact()
    await deployed(house, "staging", FINGERPRINT)
    await house.ada.done("requestApproval", environment="staging", fingerprint=FINGERPRINT)

    expected = [("Artifact", "app.tar.gz"), ("Deployment", "staging"), ("Approval", "staging"), ("Run", "staging")]
    assert await known_of(house, FINGERPRINT[:12]) == expected
    assert (await known_of(house, COMMIT))[-3:] == expected[1:]


async def test_what_runs_and_no_flow_knows_is_found_by_its_fingerprint(house: House) -> None:
    await house.ada.done("createEnvironment", name="production", type="SERVER")
    stranger = {"fingerprint": "5" * 64, "name": "from a laptop"}
    await house.ada.done("reportSnapshot", environment="production", members=[stranger])

    assert await known_of(house, "5555555") == [("Run", "production")]


async def test_search_keeps_to_the_environments_that_the_caller_may_read(house: House) -> None:
    await house.delivery()
    await house.artifact()
    for environment in ("production", "staging"):
        await deployed(house, environment, FINGERPRINT)
    eve = await house.hire("eve", Grant(Role.READER, environments=frozenset({"staging"})))

    assert await known_of(house, FINGERPRINT, eve) == [("Deployment", "staging"), ("Run", "staging")]
    assert await known_of(house, "prod", eve) == []


@pytest.mark.parametrize("text", ["%", "_", "build_1", "build%", "\\", "build\\", "b_ild", "'; DROP TABLE x"])
async def test_letters_of_patterns_are_letters(house: House, text: str) -> None:
    await house.delivery()

    assert await found(house, text) == []


async def test_names_with_letters_of_patterns_are_found(house: House) -> None:
    await house.delivery("a_b", "x_1", "xy1")
    await house.artifact(flow="a_b", trail="x_1", name="100%.tar")
    await house.artifact(flow="a_b", trail="x_1", name="100x.tar", fingerprint="ab" * 32)

    assert await found(house, "x_") == [("Trail", "x_1")]
    assert await found(house, "100%") == [("Artifact", "100%.tar")]


@pytest.mark.parametrize("text", ["", "  ", "x" * 257, "sha256:"])
async def test_what_is_nothing_to_search_for_is_refused(house: House, text: str) -> None:
    assert await house.ada.code(SEARCH, q=text) == "INVALID_INPUT"


async def test_each_kind_is_found_twenty_times_at_most(house: House) -> None:
    await house.delivery("delivery", *(f"build-{number}" for number in range(22)), template=None)

    assert len(await found(house, "build")) == 20


async def test_a_search_sees_the_moment_and_the_callers_flows_only(house: House) -> None:
    await house.delivery("delivery")
    size = await house.size()
    await house.delivery("secret")
    await house.artifact(flow="secret")
    bob = await house.hire("bob", Grant(Role.READER, flows=frozenset({"delivery"})))
    texts = ("build", "secret", "app", FINGERPRINT, COMMIT)

    hits = [hit for text in texts for hit in (await bob.ask(SEARCH, q=text))["record"]["search"]]
    past = await house.ada.ask(
        f'{{ record(size: {size}) {{ search(query: "build") {{ ... on Trail {{ flowName }} }} }} }}'
    )

    assert {hit["flowName"] for hit in hits} == {"delivery"}
    assert past["record"]["search"] == [{"flowName": "delivery"}]
