"""Reports as tables for people: every test case of a JUnit report, every finding of a SARIF log, up to a bound.

Run in the sandbox like every other reading of a stranger's file. The outcome decides nothing and is never recorded, so it may hold
more than a summary does; what is left out is counted.
"""

from collections.abc import Mapping
from typing import Final

from record.attestations.reports.result import JsonValue, ReportResult, plain
from record.attestations.reports.sarif import scan_of
from record.attestations.reports.strict_json import parse
from record.attestations.reports.xml_stream import stream

ROWS_MAX: Final = 400
_TEXT_MAX: Final = 600
_WRONG: Final = {"failure": "failed", "error": "error", "skipped": "skipped"}
_ORDER: Final = {"critical": 0, "high": 1, "medium": 2, "low": 3, "none": 4}


class _Cases:
    """Collects test cases as the document goes by; failures are kept before the others."""

    def __init__(self) -> None:
        self.rows: list[dict[str, JsonValue]] = []
        self.left_out = 0
        self._case: dict[str, JsonValue] | None = None
        self._said: list[str] | None = None

    def start(self, path: list[str], _namespace: str, attributes: Mapping[str, str]) -> None:
        if path[-1] == "testcase":
            self._case = {
                "suite": plain(attributes.get("classname") or attributes.get("file") or "", 200),
                "name": plain(attributes.get("name", ""), 200),
                "seconds": plain(attributes.get("time", ""), 20),
                "outcome": "passed",
                "said": "",
            }
        elif self._case is not None and path[-1] in _WRONG:
            self._case["outcome"] = _WRONG[path[-1]]
            self._case["said"] = plain(attributes.get("message", ""), _TEXT_MAX)
            self._said = []

    def data(self, text: str) -> None:
        if self._said is not None and sum(map(len, self._said)) < _TEXT_MAX:
            self._said.append(text)

    def end(self, path: list[str]) -> None:
        if self._case is not None and self._said is not None and path[-1] in _WRONG:
            self._case["said"] = self._case["said"] or plain("".join(self._said).strip(), _TEXT_MAX)
            self._said = None
        elif path[-1] == "testcase" and self._case is not None:
            if self._case["outcome"] != "passed" or len(self.rows) < ROWS_MAX:
                self.rows.append(self._case)
            else:
                self.left_out += 1
            self._case = None


def preview_junit(data: bytes) -> ReportResult:
    """The test cases, those that did not pass first."""
    cases = _Cases()
    stream(data, cases)
    rows = sorted(cases.rows, key=lambda row: row["outcome"] == "passed")
    return _table(rows, cases.left_out)


def preview_sarif(data: bytes) -> ReportResult:
    """The findings, the most severe first."""
    findings = sorted(scan_of(parse(data, raw_controls=True)).findings, key=lambda each: _ORDER.get(each.severity, 9))
    rows: list[dict[str, JsonValue]] = [
        {
            "severity": each.severity,
            "rule": plain(each.rule, 200),
            "said": plain(each.message, _TEXT_MAX),
            "location": plain(each.location, 300),
            "suppressed": plain(each.suppressed, 200),
        }
        for each in findings[:ROWS_MAX]
    ]
    return _table(rows, len(findings) - len(rows))


def _table(rows: list[dict[str, JsonValue]], left_out: int) -> ReportResult:
    shown: list[JsonValue] = [*rows[:ROWS_MAX]]
    return ReportResult(True, {"rows": shown, "left_out": left_out + len(rows) - len(shown)}, "")
