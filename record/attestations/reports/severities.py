"""Findings by severity, and the thresholds that decide: shared by every scanner's reader.

Rules kept here:
 * five severities; without other thresholds no critical and no high finding is allowed, the rest is unlimited;
 * what the report's own tool or people suppressed is not counted against the thresholds, but it is listed;
 * a scan that says of itself that it failed, or that did not happen, is never compliant, however few its findings.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from record.attestations.reports.result import JsonValue, ReportResult, counted, plain
from record.refusals import InvalidInput

SEVERITIES: Final = ("critical", "high", "medium", "low", "none")
DEFAULT_THRESHOLDS: Final[Mapping[str, int | None]] = {"critical": 0, "high": 0}
FINDINGS_LISTED: Final = 20
SUPPRESSED_LISTED: Final = 10


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a scanner found. `suppressed` says why it does not count ("" when it counts)."""

    severity: str
    rule: str
    message: str
    location: str = ""
    suppressed: str = ""

    def listed(self) -> dict[str, JsonValue]:
        """The finding as the summary keeps it."""
        texts = {"rule": self.rule, "message": self.message, "location": self.location, "suppressed": self.suppressed}
        return {"severity": self.severity, **{name: plain(text) for name, text in texts.items() if text}}


@dataclass(frozen=True, slots=True)
class Scan:
    """What one report says: its format, the tools that wrote it, its findings, and why it may not be a scan at all."""

    report_format: str
    tools: Sequence[str]
    findings: Sequence[Finding]
    problems: Sequence[str] = ()


def settled(thresholds: Mapping[str, int | None]) -> dict[str, int | None]:
    """The given thresholds over the default ones. None lifts a limit; an unknown severity or a negative one is refused."""
    for severity, limit in thresholds.items():
        if severity not in SEVERITIES:
            raise InvalidInput(
                f"{plain(severity, 40)!r} is not a severity. Use {', '.join(SEVERITIES)}.", field="thresholds"
            )
        if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 0):
            raise InvalidInput(
                f"The threshold of {severity} must be a whole number from 0, or null for no limit.", field="thresholds"
            )
    return {**DEFAULT_THRESHOLDS, **thresholds}


def judge(scan: Scan, thresholds: Mapping[str, int | None]) -> ReportResult:
    """Compliant when the scan happened and no severity has more counted findings than its threshold."""
    limits = settled(thresholds)
    alive = sorted((f for f in scan.findings if not f.suppressed), key=lambda f: SEVERITIES.index(f.severity))
    silenced = sorted((f for f in scan.findings if f.suppressed), key=lambda f: SEVERITIES.index(f.severity))
    counts = Counter(finding.severity for finding in alive)
    over = [name for name in SEVERITIES if (limit := limits.get(name)) is not None and counts[name] > limit]
    summary: dict[str, JsonValue] = {
        "format": scan.report_format,
        "tools": [plain(tool, 80) for tool in scan.tools[:10]],
        **{name: counts[name] for name in SEVERITIES},
        "suppressed": len(silenced),
        "thresholds": {name: limits[name] for name in SEVERITIES if name in limits},
        "findings": [finding.listed() for finding in alive[:FINDINGS_LISTED]],
    }
    if silenced:
        summary["suppressed_findings"] = [finding.listed() for finding in silenced[:SUPPRESSED_LISTED]]
    if scan.problems:
        summary["problems"] = [plain(problem) for problem in scan.problems[:10]]
    return ReportResult.of(
        compliant=not over and not scan.problems,
        summary=summary,
        explanation=_explanation(scan, alive, counts, over, limits, len(silenced)),
    )


def _explanation(
    scan: Scan,
    alive: Sequence[Finding],
    counts: Counter[str],
    over: Sequence[str],
    limits: Mapping[str, int | None],
    silenced: int,
) -> str:
    if scan.problems:
        return scan.problems[0]
    tail = f" {silenced} more suppressed." if silenced else ""
    if over:
        excess = ", ".join(f"{counts[name]} {name} ({limits[name]} allowed)" for name in over)
        worst = [finding for finding in alive if finding.severity in over]
        names = ", ".join(plain(_name(finding), 80) for finding in worst[:3])
        return f"Too many findings: {excess}: {names}{', …' if len(worst) > 3 else '.'}{tail}"
    if not alive:
        return f"No findings.{tail}"
    held = ", ".join(f"{counts[name]} {name}" for name in SEVERITIES if counts[name])
    return f"{counted(len(alive), 'finding')} within the thresholds: {held}.{tail}"


def _name(finding: Finding) -> str:
    return f"{finding.rule} in {finding.location}" if finding.location else finding.rule or finding.message
