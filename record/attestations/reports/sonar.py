"""SonarQube's and SonarCloud's quality gate: compliant when it is OK, and only then.

Read are both forms in which Sonar tells it: what its webhooks send (`qualityGate`) and what its API answers for the status of a
project (`projectStatus`). The gate decides; which conditions failed is for the explanation. A webhook about an analysis that did
not succeed is not compliant, whatever gate it carries.
"""

from typing import Final

from record.attestations.reports.result import JsonValue, ReportResult, counted, plain
from record.attestations.reports.shape import a_text, an_object, maybe_list, maybe_object, maybe_text, some_text
from record.attestations.reports.strict_json import Parsed, check_value
from record.refusals import MalformedReport

GATES: Final = ("OK", "WARN", "ERROR", "NONE")
ANALYSES: Final = ("SUCCESS", "FAILED", "CANCELLED")
CONDITIONS_MOST: Final = 500


def read_sonar(data: Parsed) -> ReportResult:
    """Compliant when the quality gate that `data` tells of is OK. Refuses (`MalformedReport`) what is in neither form."""
    check_value(data, field="data")
    whole = an_object(data, "")
    analysis = _word(whole.get("status"), "/status", ANALYSES) if whole.get("status") is not None else "SUCCESS"
    forms = [name for name in ("qualityGate", "projectStatus") if whole.get(name) is not None]
    if len(forms) > 1:
        raise MalformedReport(
            "The data tells of two quality gates: qualityGate and projectStatus. Send one of them.", field="data"
        )
    if not forms and analysis == "SUCCESS":
        raise MalformedReport(
            "The data tells of no quality gate. Send what Sonar's webhook sends (qualityGate) or its API answers (projectStatus).",
            field="data",
        )
    place = f"/{forms[0]}" if forms else ""
    told = an_object(whole[forms[0]], place) if forms else {}
    gate = _word(told.get("status"), f"{place}/status", GATES) if forms else "NONE"
    failed = _failed(told, place)
    project = maybe_object(whole.get("project"), "/project")
    names = {
        "project": some_text(project.get("key"), project.get("name")),
        "gate": maybe_text(told.get("name"), f"{place}/name"),
        "revision": maybe_text(whole.get("revision"), "/revision"),
    }
    summary: dict[str, JsonValue] = {
        "format": "sonar",
        "status": gate,
        "analysis": analysis,
        **{name: plain(text) for name, text in names.items() if text},
        "failed_conditions": len(failed),
        "failed_condition_list": list(failed),
    }
    compliant = gate == "OK" and analysis == "SUCCESS"
    return ReportResult.of(compliant=compliant, summary=summary, explanation=_explanation(gate, analysis, failed))


def _failed(told: dict[str, Parsed], place: str) -> list[str]:
    """What is wrong by each condition that is neither OK nor without a value."""
    conditions = maybe_list(told.get("conditions"), f"{place}/conditions")
    if len(conditions) > CONDITIONS_MOST:
        raise MalformedReport(
            f"{place}/conditions holds {len(conditions)} conditions and at most {CONDITIONS_MOST} are read. Send Sonar's own.",
            field=f"{place}/conditions",
        )
    failed = []
    for number, each in enumerate(conditions):
        at = f"{place}/conditions/{number}"
        condition = an_object(each, at)
        status = a_text(condition.get("status"), f"{at}/status").upper()
        if status in ("OK", "NO_VALUE"):
            continue
        metric = some_text(condition.get("metricKey"), condition.get("metric")) or "a condition"
        value = some_text(condition.get("actualValue"), condition.get("value"))
        failed.append(plain(f"{metric} is {value}" if value else f"{metric} is {status}", 120))
    return failed


def _word(value: Parsed, place: str, known: tuple[str, ...]) -> str:
    word = a_text(value, place).strip().upper()
    if word not in known:
        raise MalformedReport(
            f"{place} is {plain(word, 40)!r}, which Sonar does not say. Send its own {', '.join(known)}.", field=place
        )
    return word


def _explanation(gate: str, analysis: str, failed: list[str]) -> str:
    if analysis != "SUCCESS":
        return f"Sonar's analysis did not succeed: it is {analysis}."
    if gate == "OK":
        return "The quality gate is OK."
    if gate == "NONE":
        return "The project has no quality gate (NONE), and OK is asked for."
    tail = f", {counted(len(failed), 'condition')} failed: {', '.join(failed[:3])}" if failed else ""
    return f"The quality gate is {gate}, and OK is asked for{tail}{', …' if len(failed) > 3 else ''}."
