"""A delivery recorded and asked about, verb by verb, on a real server."""

import json
import os
import subprocess
import sys
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest

from embedded.system import System
from tests.cli.faulty import Network, network_to
from tests.cli.running import SOURCES, Muniment, entries, git_repository

POLICY = "version: 1\nartifacts:\n  attestations:\n    - {name: unit-tests, type: junit}\n"
TEMPLATE = (
    "version: 1\ntrail:\n  attestations: []\n  artifacts:\n    - name: app\n      attestations:\n"
    "        - {name: unit-tests, type: junit}\n"
)
PASSED = '<testsuite name="s" tests="1"><testcase name="t"/></testsuite>'
FAILED = '<testsuite name="s" tests="1"><testcase name="t"><failure message="no"/></testcase></testsuite>'


@pytest.fixture
def delivery(muniment: Muniment) -> Muniment:
    """A flow with a template, an artifact that was reported, and an environment."""
    git_repository(muniment.folder)
    flow = muniment.environment["MUNIMENT_FLOW"]
    muniment.environment["PRODUCTION"] = f"{flow}-production"
    muniment.file("app.jar", f"bytes of {flow}")
    template = muniment.file("template.yml", TEMPLATE)
    for words in (
        ["create", "flow", flow, "--template-file", template, "--tag", "tier=product"],
        ["create", "environment", f"{flow}-production", "--type", "server"],
        ["report", "artifact", "app.jar"],
    ):
        told = muniment(*words)
        assert told.code == 0, told.said
    return muniment


def test_an_artifact_becomes_compliant_by_its_evidence(delivery: Muniment) -> None:
    results = delivery.file("results/unit.xml", FAILED)

    assert delivery("assert", "artifact", "app.jar").code == 1
    delivery("attest", "junit", "--name", "app.unit-tests", "--results-dir", str(delivery.folder / "results"))
    failed = delivery("assert", "artifact", "app.jar")
    Path(results).write_text(PASSED)
    delivery("attest", "junit", "app.jar", "--name", "unit-tests", "--results-file", results)
    passed = delivery("assert", "artifact", "app.jar", "--output", "json")

    assert failed.code == 1
    assert "unit-tests" in failed.out
    assert (passed.code, passed.json["compliant"], passed.json["state"]) == (0, True, "COMPLIANT")


def test_a_gate_distinguishes_what_it_cannot_answer(delivery: Muniment) -> None:
    environment = delivery.environment["PRODUCTION"]
    without_flow = {"MUNIMENT_FLOW": ""}

    unknown = delivery("assert", "artifact", "f" * 64, **without_flow)
    no_policy = delivery("assert", "artifact", "app.jar", "--environment", environment)
    no_environment = delivery("assert", "artifact", "app.jar", "--environment", "no-such-place")
    nothing_judged = delivery("assert", "snapshot", environment)

    assert [unknown.code, no_policy.code, no_environment.code, nothing_judged.code] == [6, 7, 6, 7]
    assert delivery("assert", "snapshot", "no-such-place").code == 6


def test_a_policy_is_tried_attached_asked_and_detached(delivery: Muniment) -> None:
    environment, name = delivery.environment["PRODUCTION"], f"{delivery.environment['MUNIMENT_FLOW']}-policy"
    policy = delivery.file("policy.yml", POLICY)
    delivery("snapshot", "path", environment, "--path", "app.jar")

    assert delivery("create", "policy", name, policy, "--try-in", environment).code == 1
    assert delivery("create", "policy", name, policy, "--comment", "first").code == 0
    second = delivery.file("second.yml", POLICY + "    - {type: trivy}\n")
    again = delivery("create", "policy", name, second, "--comment", "scans, too", "--output", "json")
    attached = delivery("attach-policy", name, "--environment", environment, "--output", "json")
    judged = delivery("assert", "artifact", "app.jar", "--environment", environment)
    detached = delivery("detach-policy", name, "--environment", environment, "--output", "json")

    assert again.json["policy"]["version"] == 2
    assert attached.json["policy"]["environments"] == [environment]
    assert judged.code == 1
    assert detached.json["policy"]["environments"] == []
    assert "- {type: trivy}" in delivery("get", "policy", name).out


def test_a_deployment_is_seen_and_its_environment_told(delivery: Muniment) -> None:
    environment = delivery.environment["PRODUCTION"]

    reported = delivery(
        "report", "deployment", environment, "--name", "app.jar", "--deployed-by", "ada", "--output", "json"
    ).json
    snapshot = delivery("snapshot", "path", environment, "--path", "app.jar", "--output", "json").json
    told = delivery("get", "deployment", reported["deployment"]["id"], "--output", "json").json

    assert (told["deployedBy"], told["seen"]["status"]) == ("ada", "SEEN")
    assert snapshot["number"] == 1
    running = delivery("get", "snapshot", environment, "--output", "json").json["running"]
    assert [each["fingerprint"] for each in running] == [told["fingerprint"]]
    assert [each["kind"] for each in delivery("log", "environment", environment, "--output", "json").json] == [
        "STARTED"
    ]
    assert delivery("list", "deployments", environment, "--output", "json").json[0]["id"] == told["id"]
    assert [each["number"] for each in delivery("list", "snapshots", environment, "--output", "json").json] == [1]


def test_two_snapshots_are_compared(delivery: Muniment) -> None:
    environment = delivery.environment["PRODUCTION"]
    delivery("snapshot", "path", environment, "--path", "app.jar")
    delivery.file("other.jar", "something else")
    delivery("snapshot", "server", environment, "--paths", "app.jar,other.jar")

    told = delivery("diff", "snapshots", f"{environment}~1", environment, "--output", "json").json

    assert [each["name"] for each in told["onlySecond"]] == ["other.jar"]
    assert told["onlyFirst"] == []


def test_an_artifact_is_found_by_every_expression(delivery: Muniment) -> None:
    flow = delivery.environment["MUNIMENT_FLOW"]
    by_file = delivery("get", "artifact", "app.jar", "--output", "json").json
    fingerprint, commit = by_file["fingerprint"], by_file["reports"][0]["commit"]["sha"]
    (delivery.folder / "app.jar").rename(delivery.folder / "moved.jar")

    for expression in (
        fingerprint,
        f"sha256:{fingerprint}",
        fingerprint[:9],
        f"{flow}@{fingerprint[:9]}",
        f"{flow}:{commit[:9]}",
        "app.jar",
    ):
        told = delivery("get", "artifact", expression, "--output", "json")
        assert told.code == 0, (expression, told.said)
        assert told.json["fingerprint"] == fingerprint
    assert delivery("get", "artifact", "app.jax").code == 3
    assert delivery("get", "artifact", fingerprint, "--flow", "another").code == 3


@pytest.mark.parametrize("form", ["table", "markdown"])
def test_questions_are_answered_for_people_with_a_link(form: str, delivery: Muniment) -> None:
    environment = delivery.environment["PRODUCTION"]
    flow, host = delivery.environment["MUNIMENT_FLOW"], delivery.environment["MUNIMENT_HOST"]
    delivery("snapshot", "path", environment, "--path", "app.jar")
    trail = delivery("list", "trails", "--output", "json").json[0]["name"]

    for words, page in (
        (["get", "trail", trail], f"{host}/o/acme/flows/{flow}/trails/{trail}"),
        (["get", "artifact", "app.jar"], f"{host}/o/acme/artifacts/"),
        (["get", "environment", environment], f"{host}/o/acme/environments/{environment}"),
        (["get", "snapshot", environment], f"{host}/o/acme/environments/{environment}/snapshots/1"),
        (["search", flow], f"{host}/o/acme/flows/{flow}"),
    ):
        told = delivery(*words, "--output", form)
        assert told.code == 0, told.said
        assert page in told.out


def test_a_flow_tells_its_artifacts_with_their_evidence(delivery: Muniment) -> None:
    told = delivery("get", "flow", delivery.environment["MUNIMENT_FLOW"], "--output", "json").json

    (artifact,) = told["artifacts"]
    assert (artifact["name"], artifact["compliant"], artifact["evidence_count"]) == ("app.jar", False, 0)


def test_lists_are_turned_page_by_page(delivery: Muniment) -> None:
    for number in range(3):
        delivery("begin", "trail", f"trail-{number}")

    first = delivery("list", "trails", "--limit", "2", "--output", "json")
    second = delivery("list", "trails", "--limit", "2", "--output", "json", "--after", first.said.split()[-1])

    names = [each["name"] for each in first.json + second.json]
    assert len(names) == len(set(names)) == 4


def test_tags_are_set_and_removed_and_the_others_stay(delivery: Muniment) -> None:
    flow = delivery.environment["MUNIMENT_FLOW"]
    delivery("tag", "flow", flow, "--set", "team=payments", "--set", "old=1")
    delivery("tag", "flow", flow, "--unset", "old")

    assert delivery("get", "flow", flow, "--output", "json").json["tags"] == {"tier": "product", "team": "payments"}


def test_a_type_of_ones_own_judges_by_its_rules(delivery: Muniment) -> None:
    name = f"{delivery.environment['MUNIMENT_FLOW']}-coverage"
    schema = delivery.file("schema.json", '{"type": "object", "required": ["line"]}')
    delivery("create", "attestation-type", name, "--schema", schema, "--jq", ".line >= 80")
    good, bad = delivery.file("good.json", '{"line": 91}'), delivery.file("bad.json", '{"line": 12}')

    told = [
        delivery(
            "attest", "custom", "--name", "coverage", "--type", name, "--attestation-data", data, "--output", "json"
        ).json
        for data in (good, bad)
    ]

    assert [each["compliant"] for each in told] == [True, False]
    assert delivery("get", "attestation-type", name, "--output", "json").json["rules"] == [".line >= 80"]
    assert name in delivery("list", "attestation-types").out


def test_a_scan_is_judged_within_the_thresholds_that_are_given(delivery: Muniment) -> None:
    scan = delivery.file(
        "scan.json",
        '{"SchemaVersion":2,"Results":[{"Target":"x","Vulnerabilities":[{"VulnerabilityID":"C","Severity":"HIGH"}]}]}',
    )
    words = ["attest", "trivy", "--name", "app.scan", "--scan-results", scan, "--output", "json"]

    assert delivery(*words).json["compliant"] is False
    assert delivery(*words, "--max-high", "1").json["compliant"] is True


def test_a_report_that_does_not_parse_is_refused_with_the_place(delivery: Muniment) -> None:
    broken = delivery.file("broken.xml", "<testsuite><testcase></testsuite>")

    told = delivery("attest", "junit", "--name", "app.unit-tests", "--results-file", broken)

    assert told.code == 3
    assert "line 1" in told.said


def test_links_annotations_and_user_data_go_with_a_report(delivery: Muniment) -> None:
    data = delivery.file("data.json", '{"ticket": "PAY-87"}')
    delivery(
        *("attest", "generic", "--name", "review", "--compliant", "--annotate", "team=payments", "--user-data", data),
        *(
            "--external-url",
            "ticket=https://tickets.example.org/PAY-87",
            "--external-fingerprint",
            f"ticket={'a' * 64}",
        ),
        *("--description", "Seen by two", "--origin-url", "https://ci.example.org/7"),
    )

    told = delivery("get", "attestation", "review", "--output", "json").json[0]

    assert told["annotations"] == {"team": "payments"}
    assert told["userData"] == {"ticket": "PAY-87"}
    assert told["externalUrls"] == [
        {"label": "ticket", "url": "https://tickets.example.org/PAY-87", "fingerprint": "a" * 64}
    ]
    assert (told["description"], told["originUrl"]) == ("Seen by two", "https://ci.example.org/7")


def test_anything_else_is_asked_with_a_document(delivery: Muniment) -> None:
    document = delivery.file("flow.graphql", "query($name: String!) { record { flow(name: $name) { tags } } }")
    flow = delivery.environment["MUNIMENT_FLOW"]

    assert delivery("query", document, "-v", f"name={flow}").json == {"record": {"flow": {"tags": {"tier": "product"}}}}
    assert delivery("query", "-", stdin="{ viewer { organization } }").json["viewer"]["organization"] == "acme"
    broken = delivery("query", delivery.file("broken.graphql", "{ nothing }"))
    assert broken.code == 3
    assert "nothing" in broken.said


def test_a_key_is_rotated_and_told_once(delivery: Muniment) -> None:
    account = f"{delivery.environment['MUNIMENT_FLOW']}-ci"
    add = "mutation($input: AddPrincipalInput!) { answer: addServiceAccount(input: $input) { __typename } }"
    issue = "mutation($input: IssueKeyInput!) { issueKey(input: $input) { ... on KeyIssued { keyId token } } }"
    given = {"name": account, "grants": [{"role": "WRITER"}, {"role": "READER"}]}
    delivery("query", delivery.file("add.graphql", add), "-v", f"input={json.dumps(given)}")
    given = {"principal": account, "description": "ci"}
    key = delivery.file("key.graphql", issue)
    issued = delivery("query", key, "-v", f"input={json.dumps(given)}").json["issueKey"]

    rotated = delivery("rotate", "api-key", issued["keyId"], "--output", "json")

    assert rotated.code == 0, rotated.said
    assert rotated.json["token"].startswith("mun_")
    assert delivery("list", "flows", "--api-key", rotated.json["token"]).code == 0
    assert delivery("list", "flows", "--api-key", issued["token"]).code == 0


# --- archives and proofs


@pytest.fixture
def log_key(system: System) -> str:
    assert system.organization is not None
    return system.organization.log_verifier_key


@pytest.fixture
def network(muniment: Muniment) -> Iterator[Network]:
    with network_to(muniment.environment["MUNIMENT_HOST"]) as between:
        yield between


def test_an_archive_is_requested_awaited_taken_away_and_verified(delivery: Muniment, log_key: str) -> None:
    told = delivery("archive", "request", "--wait", "--output", "audit.zip", "--output", "json")

    assert told.code == 0, told.said
    assert told.json["archive"]["status"] == "READY"
    assert delivery("verify", "audit.zip", "--key", log_key, "--output", "json").json["ok"] is True
    assert "audit.zip" in told.said
    assert not list(delivery.folder.glob("*.part"))


def test_a_download_that_broke_off_goes_on_where_it_stopped(delivery: Muniment, network: Network, log_key: str) -> None:
    requested = delivery("archive", "request", "--wait", "--output", "json").json["archive"]
    delivery("archive", "download", requested["id"], "--to", "whole.zip")
    whole = (delivery.folder / "whole.zip").read_bytes()
    part = delivery.folder / f"again.zip.{requested['digest'][:12]}.part"
    part.write_bytes(whole[:1000])

    told = delivery("archive", "download", requested["id"], "--to", "again.zip", "--host", network.address)

    assert told.code == 0, told.said
    assert "went on behind 1000 bytes" in told.said
    assert (delivery.folder / "again.zip").read_bytes() == whole
    network.faults = ["pass", "refuse", "cut", "refuse"]
    assert (
        delivery(
            "archive", "download", requested["id"], "--to", "third.zip", "--retries", "5", "--host", network.address
        ).code
        == 0
    )
    part = delivery.folder / f"forged.zip.{requested['digest'][:12]}.part"
    part.write_bytes(b"x" * 1000)
    assert delivery("archive", "download", requested["id"], "--to", "forged.zip").code == 5
    assert not (delivery.folder / "forged.zip").exists()
    assert requested["id"] in delivery("list", "archives").out


def test_a_receipt_is_proven_online_and_offline(delivery: Muniment, log_key: str) -> None:
    receipt = delivery("begin", "trail", "receipt", "--output", "json")
    path = delivery.file("receipt.json", receipt.out)

    online = delivery("verify", path, "--key", log_key, "--save-proof", "receipt.tlog-proof", "--output", "json")
    offline = delivery(
        *("verify", path, "--key", log_key, "--proof", "receipt.tlog-proof"), MUNIMENT_HOST="http://127.0.0.1:9"
    )
    forged = json.loads(receipt.out)
    forged["receipt"]["leafHash"] = "0" * 64
    wrong = delivery("verify", delivery.file("forged.json", json.dumps(forged)), "--key", log_key)

    assert online.json["entry"] == receipt.json["receipt"]["index"]
    assert (offline.code, wrong.code) == (0, 5)
    assert "NOT VERIFIED" in wrong.out


def test_a_live_server_is_held_to_what_it_signed_before(delivery: Muniment, log_key: str, system: System) -> None:
    words = ["verify", "--live", "--key", log_key, "--since", "checkpoint.txt", "--save", "checkpoint.txt"]
    first = delivery(*words, "--output", "json")
    size = entries(delivery)
    delivery("begin", "trail", "later")
    receipt = delivery.file("r.json", delivery("begin", "trail", "later-still", "--output", "json").out)
    assert delivery("verify", receipt, "--key", log_key).code == 0  # by now it is signed

    second = delivery(*words, "--full", "--output", "json")

    assert first.code == second.code == 0, first.said + second.said
    assert second.json["size"] >= size
    assert second.json["entries read"] == second.json["size"]
    assert "extends" in second.json
    assert delivery("verify", "checkpoint.txt", "--key", log_key).code == 0
    saved = (delivery.folder / "checkpoint.txt").read_text()
    (delivery.folder / "checkpoint.txt").write_text(saved.replace("\n", "\n", 1).replace("acme\n", "evil\n", 1))
    assert delivery("verify", "--live", "--key", log_key, "--since", "checkpoint.txt").code == 5
    other = log_key.rpartition("+")[0] + "+" + "AQ" + "A" * 42
    assert delivery("verify", "--live", "--key", other).code in (2, 5)


# --- the wheel


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The client built and installed alone, with nothing from an index."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "cli"
    subprocess.run(["cp", "-r", str(SOURCES.parent), str(source)], check=True)
    build = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        str(folder),
        str(source),
    ]
    subprocess.run(build, check=True, env={**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"})
    venv.create(folder / "venv", with_pip=True)
    python = folder / "venv" / "bin" / "python"
    install = [str(python), "-m", "pip", "install", "--quiet", "--no-index", *map(str, folder.glob("*.whl"))]
    subprocess.run(install, check=True, env={**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"})
    return folder / "venv" / "bin" / "muniment"


def test_the_wheel_alone_records_and_asks(wheel: Path, delivery: Muniment) -> None:
    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(wheel), *words],
            cwd=delivery.folder,
            env=delivery.environment,
            capture_output=True,
            text=True,
            check=False,
        )

    assert run("--version").stdout.startswith("muniment ")
    results = delivery.file("tests.xml", PASSED)
    told = run(
        "report",
        "evidence",
        "test",
        "junit",
        "--name",
        "app.jar",
        "--evidence-type",
        "unit-tests",
        "--results-file",
        results,
    )
    assert told.returncode == 0, told.stderr
    assert run("assert", "artifact", "app.jar").returncode == 0
    assert run("snapshot", "path", delivery.environment["PRODUCTION"], "--path", "app.jar").returncode == 0
    assert run("archive", "request", "--wait", "--output", "audit.zip").returncode == 0
    assert run("verify", "audit.zip").returncode == 0


# --- approvals and waivers


def person(muniment: Muniment, name: str, *roles: str) -> str:
    """Another person with these roles; a key of theirs."""
    return muniment.key_of(name, *({"role": role} for role in roles))


def test_an_approval_is_asked_for_given_and_asserted(delivery: Muniment) -> None:
    environment = delivery.environment["PRODUCTION"]
    reviewer = person(delivery, f"reviewer-{environment}", "APPROVER", "READER")
    gate = ["assert", "approval", "app.jar", "--environment", environment]

    assert delivery(*gate).code == 1
    asked = delivery(
        "request", "approval", environment, "--name", "app.jar", "--description", "Refunds", "--output", "json"
    )
    assert asked.code == 0, asked.said
    approval = asked.json["approval"]["id"]
    assert delivery(*gate).code == 1
    assert delivery("review", "approval", approval, "--approve").code == 4  # whoever requested it never reviews it
    given = delivery("review", "approval", approval, "--approve", "--comment", "Tried it", "--api-key", reviewer)

    assert given.code == 0, given.said
    told = delivery(*gate, "--output", "json")
    assert (told.code, told.json["approved_by"]) == (0, [f"reviewer-{environment}"])
    assert delivery(*gate, "--min", "2").code == 1
    assert "Tried it" in delivery("get", "approval", approval).out
    listed = delivery("list", "approvals", "--state", "approved", "--environment", environment, "--output", "json").json
    assert [each["id"] for each in listed] == [approval]


def test_an_approval_that_was_given_elsewhere_is_reported(delivery: Muniment) -> None:
    environment = delivery.environment["PRODUCTION"]
    reporter = person(delivery, f"desk-{environment}", "APPROVER", "WRITER", "READER")

    told = delivery(
        *("report", "approval", environment, "--name", "app.jar", "--approved-by", "grace", "--requested-for", "ada"),
        *("--url", "https://tickets.example.org/87", "--api-key", reporter, "--output", "json"),
    )

    assert told.code == 0, told.said
    assert (told.json["approval"]["state"], told.json["approval"]["approvedBy"]) == ("APPROVED", ["grace"])


def test_an_artifact_is_allowed_by_two_people_until_a_date(delivery: Muniment) -> None:
    environment = delivery.environment["PRODUCTION"]
    second = person(delivery, f"second-{environment}", "APPROVER", "READER")

    asked = delivery(
        *("allow", "artifact", "--name", "app.jar", "--environment", environment, "--reason", "Replaced in May"),
        *("--days", "20", "--output", "json"),
    )
    assert asked.code == 0, asked.said
    waiver = asked.json["waiver"]["id"]
    accepted = delivery("accept", "waiver", waiver, "--comment", "Seen", "--api-key", second, "--output", "json")

    assert asked.json["waiver"]["state"] == "REQUESTED"
    assert waiver in asked.said
    assert accepted.code == 0, accepted.said
    assert accepted.json["waiver"]["state"] == "IN_FORCE"
    ended = delivery("revoke", "waiver", waiver, "--reason", "It was replaced", "--output", "json")
    assert ended.json["waiver"]["state"] == "REVOKED"
    assert "revoked" in delivery("list", "waivers", "--environment", environment).out.lower()


def test_a_snapshot_is_asserted_by_the_verdict_of_its_day(delivery: Muniment) -> None:
    environment, name = delivery.environment["PRODUCTION"], f"{delivery.environment['MUNIMENT_FLOW']}-then"
    delivery("create", "policy", name, delivery.file("policy.yml", POLICY))
    delivery("attach-policy", name, "--environment", environment)
    delivery("snapshot", "path", environment, "--path", "app.jar")

    then = delivery("assert", "snapshot", f"{environment}#1", "--output", "json")

    assert then.code == 1, then.said
    assert then.json["number"] == 1
    assert then.json["state"] in ("INCOMPLETE", "NON_COMPLIANT")
