"""SARIF, Snyk and Trivy: how findings get their severity, what counts, and that a scan that did not happen is not green."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from record.attestations.reports.sarif import read_sarif
from record.attestations.reports.scanners import read_snyk, read_trivy
from record.attestations.reports.severities import SEVERITIES
from record.refusals import InvalidInput, MalformedReport
from tests.assets.make import sarif

ERROR = {"ruleId": "R1", "level": "error", "message": {"text": "bad"}}


def log(*results: dict[str, Any], rules: list[dict[str, Any]] | None = None, **run: Any) -> bytes:
    return json.dumps(sarif(*results, tool={"driver": {"name": "scanner", "rules": rules or []}}, **run)).encode()


def severity_of(result: dict[str, Any], rule: dict[str, Any]) -> str:
    summary = read_sarif(log(result, rules=[{"id": "R1", **rule}])).summary
    return next(name for name in SEVERITIES if summary[name] == 1)


@pytest.mark.parametrize(
    ("result", "rule", "severity"),
    [
        ({}, {"properties": {"security-severity": "9.0"}}, "critical"),
        ({}, {"properties": {"security-severity": "8.9"}}, "high"),
        ({}, {"properties": {"security-severity": 7}}, "high"),
        ({}, {"properties": {"security-severity": "4.0"}}, "medium"),
        ({"level": "error"}, {"properties": {"security-severity": "3.9"}}, "low"),
        ({"level": "error"}, {"properties": {"security-severity": "grave"}}, "high"),
        ({"properties": {"security-severity": "9.9"}}, {}, "critical"),
        ({"level": "error"}, {}, "high"),
        ({"level": "warning"}, {}, "medium"),
        ({"level": "note"}, {}, "low"),
        ({"level": "none"}, {}, "none"),
        ({}, {}, "medium"),
        ({}, {"defaultConfiguration": {"level": "error"}}, "high"),
        ({"kind": "pass"}, {"properties": {"security-severity": "9.0"}}, "none"),
    ],
)
def test_severity_comes_from_the_score_else_from_the_level(
    result: dict[str, Any], rule: dict[str, Any], severity: str
) -> None:
    assert severity_of({"ruleId": "R1", "message": {"text": "m"}, **result}, rule) == severity


def test_a_rule_is_found_by_index_and_by_the_parent_of_its_id() -> None:
    rules: list[dict[str, Any]] = [{"id": "A"}, {"id": "B", "properties": {"security-severity": "9.5"}}]

    by_index = read_sarif(log({"ruleIndex": 1, "message": {"text": "m"}}, rules=rules))
    by_parent = read_sarif(log({"ruleId": "B/1/x", "message": {"text": "m"}}, rules=rules))

    assert by_index.summary["critical"] == by_parent.summary["critical"] == 1


def test_a_level_that_this_run_overrides_holds_for_its_rule() -> None:
    override = {"descriptor": {"id": "R1"}, "configuration": {"level": "error"}}

    result = read_sarif(log({"ruleId": "R1", "message": {}}, invocations=[{"ruleConfigurationOverrides": [override]}]))

    assert result.summary["high"] == 1


@pytest.mark.parametrize(
    ("name", "explanation"),
    [
        ("sarif_run_failed.sarif", "scanner says that its own run failed. Repair the scan and report it again."),
        ("sarif_did_not_scan.sarif", "scanner reports no list of results: it did not scan."),
        ("sarif_no_runs.sarif", "The report has no runs: nothing was scanned."),
        ("sarif_results_elsewhere.sarif", "scanner wrote its results to another file. Have it write one SARIF file."),
    ],
)
def test_a_scan_that_did_not_happen_is_not_green(asset: Callable[[str], bytes], name: str, explanation: str) -> None:
    result = read_sarif(asset(name))

    assert not result.compliant
    assert result.explanation == explanation


def test_a_scan_without_findings_is_compliant() -> None:
    assert read_sarif(log()).compliant


def test_a_suppressed_finding_does_not_count_and_is_listed(asset: Callable[[str], bytes]) -> None:
    result = read_sarif(asset("sarif_suppressed.sarif"))

    assert result.compliant
    assert result.summary["high"] == 0
    assert result.summary["suppressed_findings"] == [
        {"severity": "high", "rule": "R1", "message": "bad", "suppressed": "agreed"}
    ]


def test_a_suppression_that_is_under_review_does_not_count_yet(asset: Callable[[str], bytes]) -> None:
    assert read_sarif(asset("sarif_suppression_under_review.sarif")).summary["high"] == 1


@pytest.mark.parametrize(
    ("name", "field"),
    [("sarif_level_unknown.sarif", "/runs/0/results/0/level"), ("sarif_old_version.sarif", "/version")],
)
def test_a_report_outside_of_the_format_is_refused_by_pointer(
    asset: Callable[[str], bytes], name: str, field: str
) -> None:
    with pytest.raises(MalformedReport) as refusal:
        read_sarif(asset(name))

    assert refusal.value.field == field


@pytest.mark.parametrize(
    "value", ["x", 1, [], {"tool": {}}, {"tool": {"driver": {}}}, {"tool": {"driver": {"name": 1}}}]
)
def test_a_run_of_the_wrong_shape_is_refused_by_pointer(value: Any) -> None:
    with pytest.raises(MalformedReport) as refusal:
        read_sarif(json.dumps({"version": "2.1.0", "runs": [value]}).encode())

    assert str(refusal.value.field).startswith("/runs/0")


def test_thresholds_given_stand_over_the_default_ones() -> None:
    report = log(ERROR, {"ruleId": "R2", "message": {"text": "m"}})

    assert not read_sarif(report).compliant
    assert read_sarif(report, thresholds={"high": 1}).compliant
    assert read_sarif(report, thresholds={"high": None}).compliant
    assert not read_sarif(report, thresholds={"medium": 0, "high": None}).compliant


@pytest.mark.parametrize("thresholds", [{"severe": 0}, {"high": -1}, {"high": True}, {"high": 0.5}])
def test_thresholds_that_mean_nothing_are_refused(thresholds: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        read_sarif(log(), thresholds=thresholds)


@given(st.lists(st.sampled_from(["error", "warning", "note"]), max_size=8), st.integers(0, 8))
def test_one_more_high_finding_never_turns_red_to_green(levels: list[str], limit: int) -> None:
    results = [{**ERROR, "level": level} for level in levels]

    before = read_sarif(log(*results), thresholds={"high": limit})
    after = read_sarif(log(*results, ERROR), thresholds={"high": limit})

    assert before.compliant or not after.compliant


def test_a_real_report_with_raw_control_characters_is_read(corpus: Callable[[str], bytes]) -> None:
    result = read_sarif(corpus("sarif/control-chars.sarif"))

    assert result.explanation == "1 finding within the thresholds: 1 medium."


@pytest.mark.parametrize(
    ("name", "compliant", "counts"),
    [
        ("sarif/report.sarif", False, (0, 7, 2, 0)),
        ("sarif/checkmarx.sarif", False, (1, 2, 0, 0)),
        ("snyk/snyk.sarif.json", True, (0, 0, 9, 25)),
    ],
)
def test_real_sarif_is_counted(
    corpus: Callable[[str], bytes], name: str, compliant: bool, counts: tuple[int, ...]
) -> None:
    result = read_sarif(corpus(name))

    assert result.compliant is compliant
    assert tuple(result.summary[severity] for severity in SEVERITIES[:4]) == counts


def test_a_real_report_of_snyk_is_read_in_both_of_its_formats(corpus: Callable[[str], bytes]) -> None:
    native = read_snyk(corpus("snyk/snyk-test.json"))
    as_sarif = read_snyk(corpus("snyk/snyk.sarif.json"))

    assert (native.compliant, native.summary["critical"], native.summary["high"]) == (False, 6, 30)
    assert as_sarif.summary["format"] == "sarif"


def test_snyk_counts_a_vulnerability_once_for_each_package_and_version() -> None:
    issue = {"id": "S1", "severity": "high", "packageName": "p", "version": "1", "title": "t"}
    project = {"ok": False, "vulnerabilities": [issue, issue, {**issue, "version": "2"}]}

    assert read_snyk(json.dumps(project).encode()).summary["high"] == 2


@pytest.mark.parametrize(
    ("project", "word"),
    [
        ({"ok": False, "error": "no lock file", "path": "app"}, "could not scan app: no lock file"),
        ({"ok": False, "vulnerabilities": []}, "is not ok but lists nothing"),
    ],
)
def test_a_scan_that_snyk_says_failed_is_not_green(project: dict[str, Any], word: str) -> None:
    result = read_snyk(json.dumps([{"ok": True, "vulnerabilities": []}, project]).encode())

    assert not result.compliant
    assert word in result.explanation


def test_what_snyk_was_told_to_ignore_is_listed_and_not_counted() -> None:
    project = {"ok": True, "vulnerabilities": [], "filtered": {"ignore": [{"id": "S1", "severity": "critical"}]}}

    result = read_snyk(json.dumps(project).encode())

    assert result.compliant
    assert result.summary["suppressed"] == 1


def test_trivy_s_lists_are_all_counted_and_passed_checks_are_not() -> None:
    report = {
        "SchemaVersion": 2,
        "Results": [
            {
                "Target": "image",
                "Vulnerabilities": [{"VulnerabilityID": "CVE-1", "PkgName": "p", "Severity": "CRITICAL"}],
            },
            {"Target": "main.tf", "Misconfigurations": [{"ID": "A", "Severity": "HIGH", "Status": "PASS"}]},
            {"Target": "main.tf", "Misconfigurations": [{"ID": "B", "Severity": "HIGH", "Status": "FAIL"}]},
            {"Target": ".env", "Secrets": [{"RuleID": "key", "Severity": "UNKNOWN", "Title": "a key"}]},
            {
                "Target": "image",
                "ExperimentalModifiedFindings": [{"Status": "ignored", "Finding": {"Severity": "HIGH"}}],
            },
        ],
    }

    result = read_trivy(json.dumps(report).encode())

    assert [result.summary[name] for name in SEVERITIES] == [1, 1, 1, 0, 0]
    assert result.summary["suppressed"] == 1


def test_trivy_without_findings_is_compliant() -> None:
    assert read_trivy(b'{"SchemaVersion": 2, "ArtifactName": "app"}').compliant


@pytest.mark.parametrize(
    ("read", "data"),
    [
        (read_trivy, b"[]"),
        (read_trivy, b"{}"),
        (read_trivy, b'{"SchemaVersion": 2, "Results": [{"Vulnerabilities": [{"Severity": "dire"}]}]}'),
        (read_snyk, b"{}"),
        (read_snyk, b'{"vulnerabilities": {}}'),
    ],
)
def test_other_json_is_not_taken_for_a_scanner_s_report(read: Callable[[bytes], Any], data: bytes) -> None:
    with pytest.raises(MalformedReport):
        read(data)
