"""Snapshots of files and directories: the client's process, a real server, and files that are really there."""

from hashlib import sha256

import pytest

from muniment.exits import ExitCode
from muniment.fingerprints import directory_fingerprint, kosli_directory_fingerprint
from tests.cli.snapshots.answers import digest
from tests.cli.snapshots.conftest import Reporter


async def test_a_directory_is_reported_under_its_name(reporter: Reporter) -> None:
    await reporter.environment_of("SERVER")
    shop = reporter.home / "shop"
    (shop / "logs").mkdir(parents=True)
    (shop / "app.py").write_text("print()")
    (shop / "logs" / "today").write_text("busy")

    told = await reporter.run("snapshot", "path", "prod", "--path", str(shop), "--exclude", "logs")

    assert told.code == ExitCode.DONE, told.stderr
    [running] = (await reporter.snapshot())["running"]["nodes"]
    assert running["name"] == "shop"
    assert running["fingerprint"] == directory_fingerprint(shop, ["logs"])[0]
    assert running["facts"][0]["path"] == str(shop)


async def test_places_are_read_from_a_file(reporter: Reporter) -> None:
    await reporter.environment_of("SERVER")
    (reporter.home / "site").mkdir()
    (reporter.home / "site" / "index.html").write_text("<p>")
    (reporter.home / "tool").write_text("#!")
    (reporter.home / "places.yaml").write_text(
        "version: 1\nartifacts:\n  web: {path: site, exclude: ['*.tmp']}\n  tool: {path: tool}\n  gone: {path: nowhere}\n"
    )

    told = await reporter.run("snapshot", "paths", "prod", "--paths-file", "places.yaml", "--dir-hash", "kosli")

    assert told.code == ExitCode.DONE, told.stderr
    assert "gone: nowhere cannot be read" in told.stderr
    assert "partial: 1 of 3" in told.stderr
    snapshot = await reporter.snapshot()
    found = {each["name"]: each["fingerprint"] for each in snapshot["running"]["nodes"]}
    assert found == {"web": kosli_directory_fingerprint(reporter.home / "site"), "tool": sha256(b"#!").hexdigest()}
    assert snapshot["partial"]
    assert [each["name"] for each in snapshot["refused"]] == ["gone"]


async def test_the_old_verb_for_servers_names_each_path(reporter: Reporter) -> None:
    await reporter.environment_of("SERVER")
    (reporter.home / "a").write_text("a")
    (reporter.home / "b").write_text("b")

    told = await reporter.run("snapshot", "server", "prod", "--paths", "a,b")

    assert told.code == ExitCode.DONE, told.stderr
    running = (await reporter.snapshot())["running"]["nodes"]
    assert {each["name"]: each["fingerprint"] for each in running} == {"a": digest("a"), "b": digest("b")}


async def test_the_same_again_makes_no_snapshot_and_says_so(reporter: Reporter) -> None:
    await reporter.environment_of("SERVER")
    (reporter.home / "a").write_text("a")

    first = await reporter.run("snapshot", "dir", "prod", "--path", "a", "--output", "json")
    again = await reporter.run("snapshot", "dir", "prod", "--path", "a", "--output", "json")

    assert (first.data["number"], first.data["isNew"]) == (1, True)
    assert (again.data["number"], again.data["isNew"]) == (1, False)


async def test_a_dry_run_prints_the_report_and_sends_nothing(reporter: Reporter) -> None:
    (reporter.home / "a").write_text("a")

    told = await reporter.run(
        "snapshot", "path", "prod", "--path", "a", "--dry-run", MUNIMENT_HOST="http://127.0.0.1:1"
    )

    assert told.code == ExitCode.DONE, told.stderr
    assert told.data["input"]["members"][0]["fingerprint"] == digest("a")


async def test_a_report_of_which_nothing_can_be_read_is_refused(reporter: Reporter) -> None:
    await reporter.environment_of("SERVER")

    told = await reporter.run("snapshot", "path", "prod", "--path", "gone")

    assert told.code == ExitCode.UNREACHABLE
    assert "gone cannot be read" in told.stderr
    assert "nothing was recorded" in told.stderr


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("version: 2\nartifacts: {}\n", "version: 1"),
        ("version: 1\n", "no `artifacts`"),
        ("version: 1\nartifacts: {a: {}}\n", "a has no `path`"),
        ("version: 1\nartifacts: {a: {path: x, exclude: y}}\n", "no list of patterns"),
        ("version: 1\nartifacts: {a: {path: x, paht: y}}\n", "paht, which means nothing"),
        ("version: [\n", "neither YAML nor JSON"),
    ],
)
async def test_a_faulty_file_of_places_is_explained(reporter: Reporter, content: str, said: str) -> None:
    (reporter.home / "places.yaml").write_text(content)

    told = await reporter.run("snapshot", "paths", "prod", "--paths-file", "places.yaml")

    assert told.code == ExitCode.BAD_USAGE
    assert said in told.stderr
