"""Snyk's and Trivy's own JSON reports in, the same findings by severity out as from SARIF.

Both tools also write SARIF; a report that has SARIF's `runs` is read as such, so that a pipeline may send either.
Snyk lists a vulnerability once for every path that leads to it: here it counts once for each package and version.
A scan that says of itself that it failed is not compliant. A severity that the scanner does not know counts as medium,
like SARIF's result without a level.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from record.attestations.reports import sarif
from record.attestations.reports.result import ReportResult, plain
from record.attestations.reports.severities import DEFAULT_THRESHOLDS, SEVERITIES, Finding, Scan, judge
from record.attestations.reports.shape import an_object, maybe_list, maybe_object, some_text
from record.attestations.reports.strict_json import Parsed, parse
from record.refusals import MalformedReport

_TRIVY_LISTS: Final = ("Vulnerabilities", "Misconfigurations", "Secrets", "Licenses", "CustomResources")


def read_snyk(data: bytes, *, thresholds: Mapping[str, int | None] = DEFAULT_THRESHOLDS) -> ReportResult:
    """Compliant when every project was scanned and the findings are within `thresholds`."""
    document = parse(data, raw_controls=True)
    if _is_sarif(document):
        return judge(sarif.scan_of(document), thresholds)
    projects: list[Parsed] = document if isinstance(document, list) else [document]
    findings: dict[tuple[str, str], Finding] = {}
    problems = [] if projects else ["The report has no projects: nothing was scanned."]
    for place, project in _snyk_projects(projects):
        name = plain(
            some_text(project.get("projectName"), project.get("targetFile"), project.get("path"), "a project"), 80
        )
        found = list(_snyk_findings(project, place))
        for finding in found:
            findings.setdefault((finding.rule, finding.location), finding)
        if error := some_text(project.get("error"), project.get("message")):
            problems.append(f"Snyk could not scan {name}: {plain(error)}")
        elif project.get("ok") is False and not found:
            problems.append(f"Snyk says that {name} is not ok but lists nothing. Report the whole scan.")
    return judge(Scan("snyk", ["Snyk"], list(findings.values()), problems), thresholds)


def read_trivy(data: bytes, *, thresholds: Mapping[str, int | None] = DEFAULT_THRESHOLDS) -> ReportResult:
    """Compliant when vulnerabilities, misconfigurations, secrets and licences found are within `thresholds`."""
    document = parse(data, raw_controls=True)
    if _is_sarif(document):
        return judge(sarif.scan_of(document), thresholds)
    report = an_object(document, "")
    if report.get("SchemaVersion") != 2:
        raise MalformedReport(
            "/SchemaVersion is not 2: this is not a report of `trivy … --format json` of 2021 or later. "
            "Send one, or Trivy's SARIF.",
            field="/SchemaVersion",
        )
    findings: list[Finding] = []
    for index, value in enumerate(maybe_list(report.get("Results"), "/Results")):
        findings += _trivy_findings(an_object(value, f"/Results/{index}"), f"/Results/{index}")
    trivy = maybe_object(report.get("Trivy"), "/Trivy")
    return judge(Scan("trivy", [f"Trivy {some_text(trivy.get('Version'))}".strip()], findings), thresholds)


def _is_sarif(document: Parsed) -> bool:
    return isinstance(document, dict) and "runs" in document


def _snyk_projects(projects: list[Parsed]) -> Iterator[tuple[str, dict[str, Parsed]]]:
    """Every project of the report, and the applications inside of a container's project."""
    for index, value in enumerate(projects):
        place = f"/{index}" if len(projects) > 1 else ""
        project = an_object(value, place)
        if not {"vulnerabilities", "infrastructureAsCodeIssues", "error"} & project.keys():
            raise MalformedReport(
                f"{place}/vulnerabilities is missing: this is not a report of `snyk … --json`. Send one, or Snyk's SARIF.",
                field=f"{place}/vulnerabilities",
            )
        yield place, project
        for number, inner in enumerate(maybe_list(project.get("applications"), f"{place}/applications")):
            yield f"{place}/applications/{number}", an_object(inner, f"{place}/applications/{number}")


def _snyk_findings(project: dict[str, Parsed], place: str) -> Iterator[Finding]:
    for key in ("vulnerabilities", "infrastructureAsCodeIssues"):
        for index, value in enumerate(maybe_list(project.get(key), f"{place}/{key}")):
            yield _snyk_finding(an_object(value, f"{place}/{key}/{index}"), f"{place}/{key}/{index}", suppressed="")
    filtered = maybe_object(project.get("filtered"), f"{place}/filtered")
    for key, why in (("ignore", "ignored"), ("patch", "patched")):
        for index, value in enumerate(maybe_list(filtered.get(key), f"{place}/filtered/{key}")):
            where = f"{place}/filtered/{key}/{index}"
            yield _snyk_finding(an_object(value, where), where, suppressed=why)


def _snyk_finding(issue: dict[str, Parsed], place: str, *, suppressed: str) -> Finding:
    severities = [issue[key] for key in ("severity", "severityWithCritical") if issue.get(key) is not None]
    package = some_text(issue.get("packageName"), issue.get("moduleName"), issue.get("name"), issue.get("path"))
    version = some_text(issue.get("version"))
    return Finding(
        severity=min((_severity(value, place) for value in severities), key=SEVERITIES.index, default="medium"),
        rule=some_text(issue.get("id"), issue.get("publicId")),
        message=some_text(issue.get("title")),
        location=f"{package}@{version}" if version else package,
        suppressed=suppressed,
    )


def _trivy_findings(result: dict[str, Parsed], place: str) -> Iterator[Finding]:
    target = some_text(result.get("Target"))
    for key in _TRIVY_LISTS:
        for index, value in enumerate(maybe_list(result.get(key), f"{place}/{key}")):
            issue = an_object(value, f"{place}/{key}/{index}")
            status = some_text(issue.get("Status"))
            if key == "Misconfigurations" and status == "PASS":
                continue
            excepted = "exception" if key == "Misconfigurations" and status == "EXCEPTION" else ""
            yield _trivy_finding(issue, f"{place}/{key}/{index}", target, suppressed=excepted)
    modified = "ExperimentalModifiedFindings"
    for index, value in enumerate(maybe_list(result.get(modified), f"{place}/{modified}")):
        change = an_object(value, f"{place}/{modified}/{index}")
        issue = maybe_object(change.get("Finding"), f"{place}/{modified}/{index}/Finding")
        why = some_text(change.get("Statement"), change.get("Status"), "suppressed")
        yield _trivy_finding(issue, f"{place}/{modified}/{index}/Finding", target, suppressed=why)


def _trivy_finding(issue: dict[str, Parsed], place: str, target: str, *, suppressed: str) -> Finding:
    package, version = some_text(issue.get("PkgName")), some_text(issue.get("InstalledVersion"))
    located = f"{package}@{version}" if package and version else package
    return Finding(
        severity=_severity(issue.get("Severity"), place),
        rule=some_text(issue.get("VulnerabilityID"), issue.get("ID"), issue.get("RuleID"), issue.get("Name")),
        message=some_text(issue.get("Title"), issue.get("Message"), issue.get("Category")),
        location=f"{target}: {located}" if located else target,
        suppressed=suppressed,
    )


def _severity(value: Parsed, place: str) -> str:
    """A scanner's word for a severity. Not known to the scanner is medium; not known to us is refused."""
    word = value.lower() if isinstance(value, str) else ""
    if word in SEVERITIES:
        return word
    if word in ("", "unknown"):
        return "medium"
    if word in ("negligible", "info", "informational"):
        return "low"
    raise MalformedReport(
        f"{place} has the severity {plain(word, 40)!r}. Use one of {', '.join(SEVERITIES)}.", field=f"{place}/severity"
    )
