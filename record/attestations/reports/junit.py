"""JUnit XML in, a count of tests and the names of those that failed out.

The format has no standard, so this reads what tools agree on and believes the test cases rather than the totals:
 * `testsuites` or `testsuite` at the root, suites nested in suites, namespaces ignored;
 * a case with a `failure` or `error` anywhere beneath it, or that says `status="failed"`, did not pass;
 * an error directly beneath a suite counts as an error;
 * totals in attributes are only compared: where they differ from the cases the summary says so, and where a suite has no
   cases at all but claims failures, the claim counts. Missing cases never look green;
 * compliant when nothing failed and there is at least one test. A skipped test is a test that did not fail; `passed` in the
   summary tells how many really did, and the sentence says so when all were skipped.

The file is streamed: text outside of failures is never held. What XML is refused is `xml_stream`'s affair.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Final

from record.attestations.reports.result import JsonValue, ReportResult, counted, plain
from record.attestations.reports.xml_stream import XmlRefused, stream
from record.refusals import MalformedReport

FAILED_LISTED: Final = 20
SUITES_LISTED: Final = 20
DISAGREEMENTS_LISTED: Final = 10

_SUITES: Final = frozenset({"testsuites", "testsuite"})
_FAILURES: Final = frozenset({"failure", "rerunFailure"})
_ERRORS: Final = frozenset({"error", "rerunError"})
_FLAKES: Final = frozenset({"flakyFailure", "flakyError"})
_SKIPS: Final = frozenset({"skipped", "ignored", "disabled"})
_FAILED_STATUS: Final = frozenset({"failed", "failure", "fail", "error", "errored", "broken"})
_SKIPPED_STATUS: Final = frozenset({"notrun", "skipped", "suppressed", "disabled", "ignored", "pending"})
_CLAIMS: Final = ("tests", "failures", "errors", "skipped")
_MESSAGE_MAX: Final = 400
_WHOLE: Final = re.compile(r"[0-9]{1,9}")


@dataclass(slots=True)
class _Case:
    name: str
    milliseconds: int
    failures: int = 0
    errors: int = 0
    skipped: bool = False
    flaky: bool = False
    message: str = ""


@dataclass(slots=True)
class _Suite:
    """Counts of a suite and of all suites beneath it; `own_tests` are its own cases alone."""

    name: str
    claims: dict[str, int]
    own_tests: int = 0
    tests: int = 0
    failures: int = 0
    errors: int = 0
    skipped: int = 0
    milliseconds: int = 0
    claimed_beneath: bool = False

    def absorb(self, child: "_Suite") -> None:
        self.tests += child.tests
        self.failures += child.failures
        self.errors += child.errors
        self.skipped += child.skipped
        self.milliseconds += child.milliseconds
        self.claimed_beneath |= child.claimed_beneath

    def counts(self) -> dict[str, int]:
        return {name: getattr(self, name) for name in _CLAIMS}


@dataclass(slots=True)
class _Reading:
    """What has been read so far, over all files."""

    total: _Suite = field(default_factory=lambda: _Suite("", {}))
    flaky: int = 0
    failed: list[dict[str, JsonValue]] = field(default_factory=list)
    failed_count: int = 0
    suites: list[dict[str, JsonValue]] = field(default_factory=list)
    suite_count: int = 0
    disagreements: list[dict[str, JsonValue]] = field(default_factory=list)
    disagreement_count: int = 0
    claimed_failures: int = 0


class _Target:
    """Keeps the open suites and cases, and of what is closed nothing but its counts."""

    def __init__(self, reading: _Reading) -> None:
        self.reading = reading
        self.suites: list[_Suite] = []
        self.cases: list[_Case] = []
        self.fault_depth = 0
        self.listening = False
        self.heard = ""

    def start(self, path: list[str], namespace: str, attributes: Mapping[str, str]) -> None:
        name = path[-1]
        if len(path) == 1 and name not in _SUITES:
            raise XmlRefused(
                f"the root element is <{plain(name, 40)}>. Send a file whose root is <testsuites> or <testsuite>"
            )
        if name in _SUITES:
            self.suites.append(_Suite(plain(attributes.get("name", "")), _claims(attributes)))
        elif name == "testcase":
            self._start_case(attributes)
        elif name in _FAILURES or name in _ERRORS:
            self._start_fault(len(path), name in _ERRORS, attributes)
        elif self.cases and name in _SKIPS:
            self.cases[-1].skipped = True
        elif self.cases and name in _FLAKES:
            self.cases[-1].flaky = True

    def data(self, text: str) -> None:
        if self.listening and len(self.heard) < _MESSAGE_MAX:
            self.heard += text[:_MESSAGE_MAX]

    def end(self, path: list[str]) -> None:
        if self.fault_depth == len(path):
            self._end_fault()
        if path[-1] == "testcase":
            self._end_case(self.cases.pop())
        elif path[-1] in _SUITES:
            self._end_suite(self.suites.pop())

    def _start_case(self, attributes: Mapping[str, str]) -> None:
        owner = attributes.get("file") or attributes.get("classname") or ""
        own = attributes.get("name", "")
        case = _Case(f"{owner}::{own}" if owner else own, _milliseconds(attributes.get("time", "")))
        statuses = {attributes.get(key, "").lower() for key in ("status", "result")}
        if statuses & _FAILED_STATUS:
            case.failures = 1
        case.skipped = bool(statuses & _SKIPPED_STATUS)
        self.cases.append(case)

    def _start_fault(self, depth: int, is_error: bool, attributes: Mapping[str, str]) -> None:
        if self.cases:
            case = self.cases[-1]
            case.errors += is_error
            case.failures += not is_error
        else:
            suite = self.suites[-1]
            suite.errors += is_error
            suite.failures += not is_error
        if not self.fault_depth:
            self.fault_depth = depth
            self.heard = attributes.get("message", "") or attributes.get("type", "")
            self.listening = not self.heard

    def _end_fault(self) -> None:
        message = plain(self.heard.strip())
        self.fault_depth, self.listening, self.heard = 0, False, ""
        if self.cases:
            self.cases[-1].message = self.cases[-1].message or message
        else:
            self._list_failed(f"suite {self.suites[-1].name}", message)

    def _end_case(self, case: _Case) -> None:
        suite = self.suites[-1]
        suite.own_tests += 1
        suite.tests += 1
        suite.milliseconds += case.milliseconds
        self.reading.flaky += case.flaky
        if case.failures:
            suite.failures += 1
        elif case.errors:
            suite.errors += 1
        elif case.skipped:
            suite.skipped += 1
        if case.failures or case.errors:
            self._list_failed(case.name, case.message)

    def _end_suite(self, suite: _Suite) -> None:
        reading = self.reading
        claimed = suite.claims.get("failures", 0) + suite.claims.get("errors", 0)
        if claimed and not suite.tests and not suite.failures and not suite.errors and not suite.claimed_beneath:
            reading.claimed_failures += claimed
            suite.claimed_beneath = True
        counts = suite.counts()
        if any(counts[name] != claim for name, claim in suite.claims.items()):
            reading.disagreement_count += 1
            if len(reading.disagreements) < DISAGREEMENTS_LISTED:
                reading.disagreements.append(
                    {"suite": suite.name, "claimed": dict(suite.claims), "counted": dict(counts)}
                )
        if suite.own_tests:
            reading.suite_count += 1
            if len(reading.suites) < SUITES_LISTED:
                reading.suites.append({"name": suite.name, **counts, "milliseconds": suite.milliseconds})
        (self.suites[-1] if self.suites else reading.total).absorb(suite)

    def _list_failed(self, name: str, message: str) -> None:
        self.reading.failed_count += 1
        if len(self.reading.failed) < FAILED_LISTED:
            listed: dict[str, JsonValue] = {"name": plain(name)}
            self.reading.failed.append({**listed, "message": message} if message else listed)


def read_junit(files: Sequence[bytes]) -> ReportResult:
    """All `files` together as one report. Compliant when no failures, no errors and at least one test."""
    if not files:
        raise MalformedReport("There is no JUnit file. Attach at least one XML file.", field="files")
    reading = _Reading()
    for number, data in enumerate(files, 1):
        which = f"File {number} of {len(files)}" if len(files) > 1 else "The report"
        stream(data, _Target(reading), which=which)
    return _judge(reading, len(files))


def _judge(reading: _Reading, files: int) -> ReportResult:
    total = reading.total
    ran = total.tests - total.skipped
    faults = total.failures + total.errors + reading.claimed_failures
    summary: dict[str, JsonValue] = {
        "format": "junit",
        "files": files,
        **total.counts(),
        "passed": max(0, total.tests - total.skipped - total.failures - total.errors),
        "flaky": reading.flaky,
        "milliseconds": total.milliseconds,
        "suites": reading.suite_count,
        "suite_list": [*reading.suites],
        "failed": [*reading.failed],
    }
    if reading.claimed_failures:
        summary["claimed_failures_without_cases"] = reading.claimed_failures
    if reading.disagreement_count:
        summary["disagreements"] = reading.disagreement_count
        summary["disagreement_list"] = [*reading.disagreements]
    return ReportResult.of(
        compliant=not faults and total.tests > 0, summary=summary, explanation=_explanation(reading, ran, faults)
    )


def _explanation(reading: _Reading, ran: int, faults: int) -> str:
    total = reading.total
    if total.failures or total.errors:
        names = ", ".join(str(case["name"]) for case in reading.failed[:3])
        more = ", …" if reading.failed_count > 3 else "."
        return f"{total.failures + total.errors} of {counted(total.tests, 'test')} failed: {names}{more}"
    if faults:
        return (
            f"The report claims {counted(faults, 'failure')} in suites that list no test cases. Send the whole report."
        )
    if not total.tests:
        return "The report has no tests. Nothing was tested."
    if not ran:
        return f"Nothing failed, but nothing ran either: {total.tests} of {counted(total.tests, 'test')} skipped."
    skipped = f", {total.skipped} skipped" if total.skipped else ""
    differ = " The totals in the file's attributes differ from its cases." if reading.disagreement_count else ""
    return f"{counted(ran, 'test')} passed{skipped}.{differ}"


def _claims(attributes: Mapping[str, str]) -> dict[str, int]:
    """The totals that a suite's attributes claim, those that are whole numbers."""
    skipped = [attributes[key] for key in ("skipped", "skips", "disabled", "ignored") if key in attributes]
    told = {name: [attributes[name]] if name in attributes else [] for name in _CLAIMS[:3]} | {"skipped": skipped}
    readable = {name: [int(text) for text in texts if _WHOLE.fullmatch(text)] for name, texts in told.items()}
    return {name: sum(numbers) for name, numbers in readable.items() if numbers}


def _milliseconds(seconds: str) -> int:
    """Seconds as tools write them (`1,234.5` too) in milliseconds; 0 for what is not a duration."""
    try:
        duration = Decimal(seconds.replace(",", "").strip()[:40])
    except InvalidOperation:
        return 0
    if not duration.is_finite() or not 0 <= duration < 10**9:
        return 0
    return int(duration * 1000)
