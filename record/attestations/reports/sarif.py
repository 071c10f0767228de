"""SARIF 2.1.0 in, findings by severity out.

Severity of a result, as GitHub and the OASIS text (section 3.27.10) have it: the rule's `security-severity` if it has one, else the
result's own, else the level: given, overridden for this run, the rule's default, or `warning`. A result whose `kind` says that
nothing is wrong counts as `none`. Suppressed means: at least one suppression, and none of them rejected or still under review.

A run without a `results` list did not scan, an invocation with `executionSuccessful: false` failed, and results that lie in
another file were not sent: none of these is green.
"""

from collections.abc import Mapping
from typing import Final

from record.attestations.reports.result import ReportResult, plain
from record.attestations.reports.severities import DEFAULT_THRESHOLDS, Finding, Scan, judge
from record.attestations.reports.shape import a_list, a_text, an_object, maybe_list, maybe_object, maybe_text, some_text
from record.attestations.reports.strict_json import Parsed, parse
from record.refusals import MalformedReport

_BY_LEVEL: Final = {"error": "high", "warning": "medium", "note": "low", "none": "none"}
_NOTHING_WRONG: Final = frozenset({"pass", "notApplicable", "informational"})
_FLOORS: Final = ((9.0, "critical"), (7.0, "high"), (4.0, "medium"), (0.0, "low"))


def read_sarif(data: bytes, *, thresholds: Mapping[str, int | None] = DEFAULT_THRESHOLDS) -> ReportResult:
    """Compliant when the tool ran and its findings, without suppressed ones, are within `thresholds`."""
    return judge(scan_of(parse(data, raw_controls=True)), thresholds)


def scan_of(document: Parsed) -> Scan:
    """The findings of a parsed SARIF log."""
    log = an_object(document, "")
    version = a_text(log.get("version"), "/version")
    if version != "2.1.0":
        raise MalformedReport(
            f"The report is SARIF {plain(version, 20)!r} and only 2.1.0 is read. Have the tool write SARIF 2.1.0.",
            field="/version",
        )
    tools: list[str] = []
    findings: list[Finding] = []
    problems: list[str] = []
    runs = a_list(log.get("runs"), "/runs")
    if not runs:
        problems.append("The report has no runs: nothing was scanned.")
    for index, value in enumerate(runs):
        run = _Run(an_object(value, f"/runs/{index}"), f"/runs/{index}")
        tools.append(run.tool)
        problems += run.problems()
        findings += run.findings()
    if any(
        maybe_list(an_object(given, "/inlineExternalProperties").get("results"), "/inlineExternalProperties")
        for given in maybe_list(log.get("inlineExternalProperties"), "/inlineExternalProperties")
    ):
        problems.append("The report keeps results outside of its runs. Have the tool write them into the runs.")
    return Scan("sarif", tools, findings, problems)


class _Run:
    """One run of one tool: its rules, by which its results get their severity."""

    def __init__(self, run: dict[str, Parsed], place: str) -> None:
        self.run = run
        self.place = place
        tool = an_object(run.get("tool"), f"{place}/tool")
        driver = an_object(tool.get("driver"), f"{place}/tool/driver")
        name = a_text(driver.get("name"), f"{place}/tool/driver/name")
        self.tool = f"{name} {some_text(driver.get('semanticVersion'), driver.get('version'))}".strip()
        self.components = [self._rules(driver, f"{place}/tool/driver")]
        for index, extension in enumerate(maybe_list(tool.get("extensions"), f"{place}/tool/extensions")):
            where = f"{place}/tool/extensions/{index}"
            self.components.append(self._rules(an_object(extension, where), where))
        self.by_id: dict[str, dict[str, Parsed]] = {}
        for rules in self.components:
            for rule in rules:
                if isinstance(rule_id := rule.get("id"), str):
                    self.by_id.setdefault(rule_id, rule)
        self.invocations = [
            an_object(value, f"{place}/invocations")
            for value in maybe_list(run.get("invocations"), f"{place}/invocations")
        ]
        self.overrides = self._overrides()

    def problems(self) -> list[str]:
        """Why this run may not be read as a scan that happened."""
        found = []
        tool = plain(self.tool, 80)
        if any(invocation.get("executionSuccessful") is False for invocation in self.invocations):
            found.append(f"{tool} says that its own run failed. Repair the scan and report it again.")
        elsewhere = maybe_object(
            self.run.get("externalPropertyFileReferences"), f"{self.place}/externalPropertyFileReferences"
        )
        if elsewhere.get("results"):
            found.append(f"{tool} wrote its results to another file. Have it write one SARIF file.")
        elif self.run.get("results") is None:
            found.append(f"{tool} reports no list of results: it did not scan.")
        return found

    def findings(self) -> list[Finding]:
        """Every result of the run, also those that do not count."""
        results = maybe_list(self.run.get("results"), f"{self.place}/results")
        return [
            self._finding(an_object(result, f"{self.place}/results/{index}"), f"{self.place}/results/{index}")
            for index, result in enumerate(results)
        ]

    def _finding(self, result: dict[str, Parsed], place: str) -> Finding:
        reference = maybe_object(result.get("rule"), f"{place}/rule")
        rule_id = maybe_text(result.get("ruleId"), f"{place}/ruleId") or maybe_text(
            reference.get("id"), f"{place}/rule/id"
        )
        rule = self._rule(result, reference, rule_id, place)
        message = maybe_object(result.get("message"), f"{place}/message")
        described = rule.get("shortDescription")
        short = described.get("text") if isinstance(described, dict) else None
        return Finding(
            severity=self._severity(result, rule, rule_id, place),
            rule=rule_id or some_text(rule.get("id")),
            message=some_text(message.get("text"), message.get("markdown"), short),
            location=_location(result, place),
            suppressed=_suppression(result, place),
        )

    def _rule(
        self, result: dict[str, Parsed], reference: dict[str, Parsed], rule_id: str, place: str
    ) -> dict[str, Parsed]:
        """The rule's description: by index into the component that is named, else by id, else by the id's parents."""
        index = result.get("ruleIndex") if result.get("ruleIndex") is not None else reference.get("index")
        component = maybe_object(reference.get("toolComponent"), f"{place}/rule/toolComponent").get("index")
        rules = self.components[0]
        if isinstance(component, int) and 0 <= component < len(self.components) - 1:
            rules = self.components[component + 1]
        if isinstance(index, int) and 0 <= index < len(rules):
            return rules[index]
        while rule_id:
            if rule_id in self.by_id:
                return self.by_id[rule_id]
            rule_id = rule_id.rpartition("/")[0]
        return {}

    def _severity(self, result: dict[str, Parsed], rule: dict[str, Parsed], rule_id: str, place: str) -> str:
        if result.get("kind", "fail") in _NOTHING_WRONG:
            return "none"
        for properties in (rule.get("properties"), result.get("properties")):
            if isinstance(properties, dict) and (score := _score(properties.get("security-severity"))) is not None:
                return next(severity for floor, severity in _FLOORS if score >= floor)
        default = rule.get("defaultConfiguration")
        level = some_text(
            result.get("level"),
            self.overrides.get(rule_id),
            default.get("level") if isinstance(default, dict) else None,
            "warning",
        )
        if level not in _BY_LEVEL:
            raise MalformedReport(
                f"{place}/level is {plain(level, 40)!r}. Use one of {', '.join(_BY_LEVEL)}.", field=f"{place}/level"
            )
        return _BY_LEVEL[level]

    def _rules(self, component: dict[str, Parsed], place: str) -> list[dict[str, Parsed]]:
        rules = maybe_list(component.get("rules"), f"{place}/rules")
        return [an_object(rule, f"{place}/rules/{index}") for index, rule in enumerate(rules)]

    def _overrides(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for invocation in self.invocations:
            where = f"{self.place}/invocations/ruleConfigurationOverrides"
            for value in maybe_list(invocation.get("ruleConfigurationOverrides"), where):
                override = an_object(value, where)
                rule_id = maybe_object(override.get("descriptor"), where).get("id")
                level = maybe_object(override.get("configuration"), where).get("level")
                if isinstance(rule_id, str) and isinstance(level, str):
                    found[rule_id] = level
        return found


def _score(value: Parsed) -> float | None:
    """A `security-severity`, which the convention writes as a text and some tools as a number; None if it is neither."""
    try:
        score = float(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else None
    except (ValueError, OverflowError):
        return None
    return score if score is not None and 0.0 <= score <= 10.0 else None


def _location(result: dict[str, Parsed], place: str) -> str:
    for value in maybe_list(result.get("locations"), f"{place}/locations")[:1]:
        location = an_object(value, f"{place}/locations/0")
        physical = maybe_object(location.get("physicalLocation"), f"{place}/locations/0/physicalLocation")
        artifact = maybe_object(
            physical.get("artifactLocation"), f"{place}/locations/0/physicalLocation/artifactLocation"
        )
        line = maybe_object(physical.get("region"), f"{place}/locations/0/physicalLocation/region").get("startLine")
        uri = some_text(artifact.get("uri"))
        return f"{uri}:{line}" if uri and isinstance(line, int) else uri
    return ""


def _suppression(result: dict[str, Parsed], place: str) -> str:
    """Why the result does not count, or "". Absent from the baseline's successor is no longer there: it does not count either."""
    if result.get("baselineState") == "absent":
        return "absent"
    suppressions = [
        an_object(value, f"{place}/suppressions")
        for value in maybe_list(result.get("suppressions"), f"{place}/suppressions")
    ]
    if not suppressions or any(given.get("status", "accepted") != "accepted" for given in suppressions):
        return ""
    return some_text(suppressions[0].get("justification"), suppressions[0].get("kind"), "suppressed")
