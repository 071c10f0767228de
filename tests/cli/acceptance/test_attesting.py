"""What was found out is attested, each type with its own judge, on a real server."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.deliveries import FAILED, PASSED
from tests.cli.running import Muniment, entries, git_repository


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


# --- what other systems decided


def pull_request(*reviews: tuple[str, str], **more: Any) -> str:
    """What a reporter tells of a pull request whose one commit is Ada's."""
    told = {
        "provider": "github",
        "number": 87,
        "url": "https://github.com/acme/shop/pull/87",
        "state": "merged",
        "author": "Ada <ada@example.org>",
        "commits": [{"sha": "c0ffee1", "author": "Ada <ada@example.org>"}],
        "reviewers": [{"name": name, "state": state} for name, state in reviews],
    }
    return json.dumps({**told, **more})


@pytest.mark.parametrize("verb", ["pull-request", "pullrequest"])
def test_a_pull_request_counts_when_somebody_else_approved_it(verb: str, delivery: Muniment) -> None:
    def attested(told: str, *more: str) -> Any:
        data = delivery.file("pull-request.json", told)
        return delivery("attest", verb, "--name", "review", "--data", data, "--output", "json", *more).json

    good = attested(pull_request(("grace", "APPROVED")))
    own = attested(pull_request(("ada@example.org", "APPROVED")))
    two = attested(pull_request(("grace", "APPROVED")), "--min-approvals", "2")
    draft = attested(pull_request(("grace", "APPROVED"), state="draft"))
    wanted = attested(pull_request(("grace", "APPROVED"), state="draft"), "--states", "draft,open")

    assert [each["compliant"] for each in (good, own, two, draft, wanted)] == [True, False, False, False, True]
    assert "approved and is an author" in own["explanation"]
    assert good["attestation"]["type"] == "pull_request"
    found = delivery(
        "get", "attestation", "review", "--output", "json", "--trail", good["attestation"]["trailName"]
    ).json
    assert found[0]["summary"]["approvers"] == ["grace"]


@pytest.mark.parametrize(("verb", "kind"), [("ticket", "ticket"), ("jira", "jira")])
def test_tickets_count_when_there_are_some_and_all_exist(verb: str, kind: str, delivery: Muniment) -> None:
    def attested(*references: tuple[str, bool]) -> Any:
        told = {"references": [{"reference": name, "exists": exists} for name, exists in references]}
        data = delivery.file("tickets.json", json.dumps(told))
        return delivery("attest", verb, "app.jar", "--name", "tickets", "--data", data, "--output", "json").json

    told = [attested(("PAY-12", True), ("PAY-13", True)), attested(("PAY-12", True), ("PAY-99", False)), attested()]

    assert [each["compliant"] for each in told] == [True, False, False]
    assert "PAY-99" in told[1]["explanation"]
    assert {each["attestation"]["type"] for each in told} == {kind}


@pytest.mark.parametrize(
    ("told", "compliant"),
    [
        ({"projectStatus": {"status": "OK"}}, True),
        ({"status": "SUCCESS", "project": {"key": "shop"}, "qualityGate": {"name": "Sonar way", "status": "OK"}}, True),
        ({"projectStatus": {"status": "ERROR", "conditions": [{"status": "ERROR", "metricKey": "coverage"}]}}, False),
    ],
)
def test_a_quality_gate_counts_when_it_is_ok(told: dict[str, Any], compliant: bool, delivery: Muniment) -> None:
    data = delivery.file("sonar.json", json.dumps(told))

    found = delivery("attest", "sonar", "--name", "app.quality", "--data", data, "--output", "json").json

    assert found["compliant"] is compliant
    assert found["attestation"]["type"] == "sonar"


@pytest.mark.parametrize("verb", ["pull-request", "ticket", "jira", "sonar"])
def test_data_of_another_form_is_refused_with_the_place_and_nothing_recorded(verb: str, delivery: Muniment) -> None:
    before = entries(delivery)

    told = delivery("attest", verb, "--name", "x", "--data", delivery.file("data.json", '{"reviewers": 7}'))

    assert told.code == 3
    assert told.said.count("\n") == 1
    assert entries(delivery) == before


def test_a_delivery_by_the_starter_template_is_compliant_when_all_was_shown(muniment: Muniment) -> None:
    """The template that `--starter SDLC` begins with, and a policy that asks for tickets and a quality gate besides."""
    git_repository(muniment.folder)
    flow = f"{muniment.environment['MUNIMENT_FLOW']}-sdlc"
    muniment.environment["MUNIMENT_FLOW"] = flow
    policy = muniment.file(
        "policy.yml",
        "version: 1\nartifacts:\n  trail-compliance: {required: true}\n  attestations:\n"
        "    - {name: tickets, type: ticket}\n    - {name: quality, type: sonar}\n",
    )
    files = {
        "app.jar": f"bytes of {flow}",
        "unit.xml": PASSED,
        "scan.json": '{"SchemaVersion":2,"Results":[]}',
        "review.json": pull_request(("grace", "APPROVED")),
        "tickets.json": '{"references": [{"reference": "PAY-12", "exists": true}]}',
        "sonar.json": '{"projectStatus": {"status": "OK"}}',
    }
    for name, content in files.items():
        muniment.file(name, content)
    for words in (
        ["create", "flow", flow, "--starter", "SDLC"],
        ["create", "environment", f"{flow}-production", "--type", "server"],
        ["create", "policy", flow, policy],
        ["attach-policy", flow, "--environment", f"{flow}-production"],
        ["report", "artifact", "app.jar"],
    ):
        assert muniment(*words).code == 0, words
    gates = [
        ["assert", "artifact", "app.jar"],
        ["assert", "artifact", "app.jar", "--environment", f"{flow}-production"],
    ]
    steps = [
        ["attest", "generic", "--name", "build", "--compliant"],
        ["attest", "junit", "app.jar", "--name", "tests", "--results-file", "unit.xml"],
        ["attest", "trivy", "--name", "app.security-scan", "--scan-results", "scan.json"],
        ["attest", "pull-request", "--name", "review", "--data", "review.json"],
        ["attest", "jira", "app.jar", "--name", "tickets", "--data", "tickets.json"],
        ["attest", "sonar", "app.jar", "--name", "quality", "--data", "sonar.json"],
    ]

    answers = []
    for step in steps:
        answers.append([muniment(*gate).code for gate in gates])
        assert muniment(*step).code == 0, step

    assert answers == [[1, 1], [1, 1], [1, 1], [1, 1], [0, 1], [0, 1]]
    assert [muniment(*gate).code for gate in gates] == [0, 0]
