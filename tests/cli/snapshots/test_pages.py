"""Lists that are longer than a page of the server, which here gives 50 nodes at a time."""

import pytest

from muniment.exits import ExitCode
from tests.cli.snapshots.conftest import Reporter

MEMBERS = 120
FLOWS = 70


@pytest.fixture
async def running(reporter: Reporter) -> Reporter:
    """An environment in which more runs than a page holds."""
    await reporter.environment_of("SERVER")
    numbers = range(MEMBERS)
    for number in numbers:
        (reporter.home / f"tool-{number}").write_text(f"tool {number}")
    listed = "".join(f"  tool-{number}: {{path: tool-{number}}}\n" for number in numbers)
    (reporter.home / "places.yaml").write_text(f"version: 1\nartifacts:\n{listed}")
    told = await reporter.run("snapshot", "paths", "prod", "--paths-file", "places.yaml")
    assert told.code == ExitCode.DONE, told.stderr
    return reporter


@pytest.mark.parametrize(
    "words", [["get", "snapshot", "prod"], ["get", "snapshot", "prod@{now}"], ["get", "environment", "prod"]]
)
async def test_all_that_runs_is_told_however_long_a_page_is(running: Reporter, words: list[str]) -> None:
    told = await running.run(*words, "--output", "json")

    assert told.code == ExitCode.DONE, told.stderr
    assert {each["name"] for each in told.data["running"]} == {f"tool-{number}" for number in range(MEMBERS)}
    assert len(told.data["running"]) == MEMBERS


async def test_what_happened_is_listed_beyond_a_page(running: Reporter) -> None:
    told = await running.run("log", "environment", "prod", "--limit", "110", "--output", "json")
    rest = await running.run(
        *("log", "environment", "prod", "--limit", "110", "--output", "json", "--after", told.stderr.split()[-1])
    )

    assert (len(told.data), len(rest.data)) == (110, 10)
    assert len({each["fingerprint"] for each in told.data + rest.data}) == MEMBERS
    assert "there is more" not in rest.stderr


async def test_a_list_holds_as_many_as_its_limit_says(reporter: Reporter) -> None:
    create = "mutation($input: CreateFlowInput!) { createFlow(input: $input) { __typename } }"
    for number in range(FLOWS):
        await reporter.ask(create, input={"name": f"flow-{number:03}"})

    told = {
        limit: await reporter.run("list", "flows", "--limit", str(limit), "--output", "json")
        for limit in (0, 49, 51, 99)
    }

    assert {limit: len(each.data) for limit, each in told.items()} == {0: 0, 49: 49, 51: 51, 99: FLOWS}
    assert [each["name"] for each in told[99].data] == [f"flow-{number:03}" for number in range(FLOWS)]
    assert ["there is more" in told[limit].stderr for limit in (49, 51, 99)] == [True, True, False]
