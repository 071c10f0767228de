"""The server down, slow, broken, or heard by and not answering: nothing is lost that could be kept, and nothing is doubled."""

import json
import socket
import subprocess
from pathlib import Path

import pytest

from tests.cli.faulty import Network
from tests.cli.running import Muniment, entries

NOWHERE = "http://127.0.0.1:9"


def recorded(muniment: Muniment, kind: str, since: int) -> int:
    """How many entries of a kind were recorded from a size on."""
    document = muniment.file(
        "entries.graphql",
        "query($kinds: [String!]) { record { ledger { entries(last: 60, kinds: $kinds) { nodes { index } } } } }",
    )
    nodes = muniment("query", document, "-v", f'kinds=["{kind}"]').json["record"]["ledger"]["entries"]["nodes"]
    return sum(node["index"] >= since for node in nodes)


@pytest.mark.parametrize("fault", ["refuse", "cut", "503"])
def test_a_write_that_failed_on_the_way_is_recorded_once(fault: str, muniment: Muniment, network: Network) -> None:
    before = entries(muniment)
    network.faults = [fault, fault]

    told = muniment("create", "environment", f"faulty-{fault}", "--type", "server", "--host", network.address)

    assert told.code == 0, told.said
    assert recorded(muniment, "environment.created", before) == 1


def test_an_answer_that_was_lost_after_recording_is_the_first_receipt(muniment: Muniment, network: Network) -> None:
    network.faults = ["cut"]

    told = muniment(
        "create", "environment", "cut-once", "--type", "server", "--host", network.address, "--output", "json"
    )

    assert told.json["receipt"]["replayed"] is True


def test_evidence_that_was_cut_off_is_sent_again_and_attested_once(muniment: Muniment, network: Network) -> None:
    before = entries(muniment)
    path = muniment.file("scan.txt", b"x" * 300_000)
    network.faults = ["pass", "cut", "pass", "refuse", "cut"]

    told = muniment(
        *(
            "attest",
            "generic",
            "--name",
            "scan",
            "--compliant",
            "--attachments",
            path,
            "--trail",
            "t",
            "--host",
            network.address,
        )
    )

    assert told.code == 0, told.said
    assert recorded(muniment, "attestation.recorded", before) == 1
    assert recorded(muniment, "evidence.stored", before) == 1
    assert recorded(muniment, "trail.begun", before) == 1


def test_a_server_that_is_down_ends_with_3_after_the_tries_that_were_asked_for(
    muniment: Muniment, network: Network
) -> None:
    network.faults = ["503"] * 50

    told = muniment("list", "flows", "--retries", "2", "--host", network.address)

    assert told.code == 3
    assert len(network.requests) == 3
    assert "asked 3 times" in told.said
    assert muniment("list", "flows", "--host", NOWHERE, "--retries", "0").code == 3


def test_the_deadline_ends_trying_whatever_tries_are_left(muniment: Muniment, network: Network) -> None:
    network.faults = ["503"] * 500

    told = muniment("list", "flows", "--retries", "400", "--deadline", "1", "--host", network.address)

    assert told.code == 3
    assert len(network.requests) < 8


def test_a_server_that_never_answers_is_given_up(muniment: Muniment, network: Network) -> None:
    network.faults = ["stall"]

    told = muniment("list", "flows", "--timeout", "1", "--retries", "0", "--host", network.address)

    assert told.code == 3
    assert "no answer within 1 seconds" in told.said


def test_something_else_that_answers_is_not_taken_for_the_server(muniment: Muniment, network: Network) -> None:
    network.faults = ["html"]

    told = muniment("list", "flows", "--host", network.address)

    assert told.code == 3
    assert "not Muniment" in told.said


def test_a_gate_is_never_open_because_the_server_is_away(muniment: Muniment) -> None:
    for words in (["artifact", "a" * 64], ["snapshot", "production"], ["status"]):
        told = muniment("assert", *words, "--host", NOWHERE, "--retries", "0", MUNIMENT_BEST_EFFORT="true")
        assert told.code == 3, words


def test_best_effort_never_fails_a_pipeline(muniment: Muniment) -> None:
    for more in (["--host", NOWHERE, "--retries", "0"], ["--api-key", "mun_wrong"], ["--tag", "nonsense"]):
        told = muniment("create", "flow", "x", "--best-effort", *more)
        assert told.code == 0
        assert "the pipeline goes on" in told.said
        assert told.out == ""


def test_best_effort_goes_on_when_something_fails_that_nobody_thought_of(muniment: Muniment) -> None:
    deep = muniment.file("deep.json", "[" * 200_000)
    words = ["attest", "custom", "--name", "x", "--type", "t", "--attestation-data", deep, "--trail", "t"]

    told = muniment(*words, "--best-effort")

    assert told.code == 0
    assert "not recorded: RecursionError" in told.said


@pytest.mark.parametrize(
    "words",
    [["create", "flow", "x", "--tga", "a=1"], ["create", "flow"], ["create", "flow", "x", "y"], ["create", "flwo"]],
)
def test_a_command_line_that_cannot_be_read_is_its_authors_fault_even_with_best_effort(
    words: list[str], muniment: Muniment
) -> None:
    before = entries(muniment)

    assert muniment(*words, "--best-effort").code == 2
    assert muniment(*words, MUNIMENT_BEST_EFFORT="true").code == 2
    assert entries(muniment) == before


def test_what_the_server_refuses_is_told_in_its_own_sentence(muniment: Muniment) -> None:
    told = muniment("create", "environment", "not a name", "--type", "server")

    assert told.code == 3
    assert "is not a valid environment name" in told.said


def test_a_key_that_may_not_ends_with_4(muniment: Muniment) -> None:
    assert muniment("list", "flows", "--api-key", "mun_unknown").code == 4


# --- the spool


def test_a_spool_keeps_what_cannot_be_sent_and_flush_sends_it_in_order_with_its_time(muniment: Muniment) -> None:
    spool = str(muniment.folder / "spool")
    flow = muniment.environment["MUNIMENT_FLOW"]
    log = muniment.file("unit.log", "all fine")
    artifact = muniment.file("app.jar", "bytes of the app")
    away = ["--spool", spool, "--host", NOWHERE, "--retries", "0", "--commit", "c0ffee1"]
    muniment("create", "environment", "spooled", "--type", "server")
    before = entries(muniment)

    told = [
        muniment("report", "artifact", artifact, *away),
        muniment("attest", "generic", "--name", "app.review", "--compliant", "--attachments", log, *away),
        muniment("report", "deployment", "spooled", "--name", "app.jar", *away),
    ]

    assert [each.code for each in told] == [0, 0, 0]
    assert all("muniment flush" in each.said and each.out == "" for each in told)
    assert recorded(muniment, "artifact.reported", before) == 0
    Path(log).unlink()  # the build's directory is gone by then
    flushed = muniment("flush", "--spool", spool, "--output", "json")
    assert flushed.code == 0, flushed.said
    assert [each["command"] for each in flushed.json] == ["report artifact", "attest generic", "report deployment"]
    places = [each["receipt"]["index"] for each in flushed.json]
    assert places == sorted(places)
    assert not list(Path(spool).glob("*.json"))
    assert not list(Path(spool).glob("evidence/*"))
    trail = muniment("get", "trail", "c0ffee1", "--flow", flow, "--output", "json").json
    assert [each["name"] for each in trail["attestations"]] == ["review"]
    assert trail["attestations"][0]["evidence"][0]["size"] == len("all fine")
    found = muniment("get", "attestation", "review", "--trail", "c0ffee1", "--output", "json").json
    assert found[0]["annotations"]["reported_at"].endswith("Z")


def test_a_later_write_goes_behind_what_waits(muniment: Muniment) -> None:
    spool = str(muniment.folder / "spool")
    muniment("begin", "trail", "first", "--spool", spool, "--host", NOWHERE, "--retries", "0")

    told = muniment("attest", "generic", "--name", "second", "--compliant", "--trail", "first", "--spool", spool)

    assert told.code == 0, told.said
    assert not list(Path(spool).glob("*.json"))
    trail = muniment("get", "trail", "first", "--output", "json").json
    assert [each["name"] for each in trail["attestations"]] == ["second"]


def test_what_was_recorded_before_it_was_spooled_is_not_recorded_again(muniment: Muniment, network: Network) -> None:
    spool = str(muniment.folder / "spool")
    muniment("begin", "trail", "t")
    before = entries(muniment)
    network.faults = ["cut", "503", "503"]
    words = ["attest", "generic", "--name", "once", "--compliant", "--trail", "t", "--spool", spool]

    assert muniment(*words, "--retries", "2", "--host", network.address).code == 0
    assert list(Path(spool).glob("*.json"))
    assert recorded(muniment, "attestation.recorded", before) == 1
    flushed = muniment("flush", "--spool", spool, "--output", "json")

    assert flushed.code == 0, flushed.said
    assert flushed.json[0]["receipt"]["replayed"] is True
    assert recorded(muniment, "attestation.recorded", before) == 1


def test_what_the_server_refuses_later_is_set_aside_with_its_reason_and_the_rest_is_sent(muniment: Muniment) -> None:
    spool = muniment.folder / "spool"
    away = ["--spool", str(spool), "--host", NOWHERE, "--retries", "0"]
    muniment("begin", "trail", "bad", "--flow", "no-such-flow", *away)
    muniment("begin", "trail", "good", *away)

    told = muniment("flush", "--spool", str(spool))

    assert told.code == 3
    assert "no-such-flow" in told.said
    assert [file.suffix for file in sorted((spool / "refused").iterdir())] == [".json", ".txt"]
    assert muniment("get", "trail", "good").code == 0


def test_a_flush_that_is_interrupted_by_a_dead_server_keeps_the_rest(muniment: Muniment, network: Network) -> None:
    spool = muniment.folder / "spool"
    for name in ("a", "b", "c"):
        muniment("begin", "trail", name, "--spool", str(spool), "--host", NOWHERE, "--retries", "0")
    network.faults = ["pass", "503", "503", "503"]

    told = muniment("flush", "--spool", str(spool), "--host", network.address, "--retries", "1")

    assert told.code == 3
    assert len(list(spool.glob("*.json"))) == 2
    assert muniment("flush", "--spool", str(spool)).code == 0


def test_a_snapshot_is_of_its_moment_and_never_kept_for_later(muniment: Muniment) -> None:
    spool = muniment.folder / "spool"
    path = muniment.file("app.jar", "bytes")

    told = muniment(
        "snapshot", "path", "production", "--path", path, "--host", NOWHERE, "--retries", "0", MUNIMENT_SPOOL=str(spool)
    )

    assert told.code == 3
    assert not spool.exists()


def test_a_user_names_a_write_himself_and_repeats_it(muniment: Muniment) -> None:
    words = ["begin", "trail", "named", "--idempotency-key", "build-77", "--output", "json"]

    first, second = muniment(*words).json["receipt"], muniment(*words).json["receipt"]

    assert second == {**first, "replayed": True}


# --- many at once


def test_fifty_reporters_side_by_side_record_everything_once(muniment: Muniment) -> None:
    results = muniment.file("results.xml", '<testsuite name="fifty" tests="1"><testcase name="t"/></testsuite>')
    before = entries(muniment)

    reporters = [
        muniment.start(
            *("report", "evidence", "test", "junit", "--results-file", results, "--evidence-type", f"tests-{number}"),
            *("--commit", "c0ffee1", "--output", "json"),
            MUNIMENT_DEADLINE="110",
            MUNIMENT_TIMEOUT="100",
        )
        for number in range(50)
    ]
    told = [reporter.communicate(timeout=180) for reporter in reporters]

    assert [reporter.returncode for reporter in reporters] == [0] * 50, told
    places = [json.loads(out)["receipt"]["index"] for out, _ in told]
    assert len(set(places)) == 50
    # The trail was begun once, and the file stored once, although everybody tried.
    assert recorded(muniment, "trail.begun", before) == 1
    assert recorded(muniment, "evidence.stored", before) == 1
    assert recorded(muniment, "attestation.recorded", before) == 50
    trail = muniment("get", "trail", "c0ffee1", "--output", "json").json
    assert {each["name"] for each in trail["attestations"]} == {f"tests-{number}" for number in range(50)}


def test_fifty_reporters_of_one_spool_wait_for_one_another(muniment: Muniment) -> None:
    spool = muniment.folder / "spool"
    away = ["--spool", str(spool), "--host", NOWHERE, "--retries", "0"]

    reporters = [muniment.start("begin", "trail", f"trail-{number}", *away) for number in range(50)]
    for reporter in reporters:
        reporter.communicate(timeout=180)

    assert [reporter.returncode for reporter in reporters] == [0] * 50
    assert len(list(spool.glob("*.json"))) == 50
    assert len(muniment("flush", "--spool", str(spool), "--output", "json").json) == 50


def test_ctrl_c_ends_with_130(muniment: Muniment, network: Network) -> None:
    import signal

    network.faults = ["stall"]
    process = muniment.start("list", "flows", "--host", network.address)
    while not network.requests:
        assert process.poll() is None
        with socket.create_connection(("127.0.0.1", int(network.address.rpartition(":")[2]))):
            pass
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)

    assert process.returncode == 130
    assert "interrupted" in said
    assert isinstance(process, subprocess.Popen)
