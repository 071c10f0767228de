"""Tickets: whether the work refers to any, and whether those that it refers to exist, by what the reporter found out.

Compliant when at least one is referred to and all exist. One that is named twice, once as existing and once as not, does not.
"""

from typing import Final

from record.attestations.reports.result import JsonValue, ReportResult, counted, plain
from record.attestations.reports.shape import a_list, a_text, an_object
from record.attestations.reports.strict_json import Parsed, check_value
from record.refusals import MalformedReport

REFERENCES_MOST: Final = 500
REFERENCE_MOST: Final = 200


def read_tickets(data: Parsed) -> ReportResult:
    """Compliant when `data["references"]` names at least one ticket and each `exists`.

    `data` is `{"references": [{"reference": "PAY-12", "exists": true}, …]}`; whatever else it says is for people. Refuses
    (`MalformedReport`) any other form, with the place of the fault.
    """
    check_value(data, field="data")
    references = a_list(an_object(data, "").get("references"), "/references")
    if len(references) > REFERENCES_MOST:
        raise MalformedReport(
            f"/references holds {len(references)} tickets and at most {REFERENCES_MOST} are read. Attest them in parts.",
            field="/references",
        )
    exists: dict[str, bool] = {}
    for number, each in enumerate(references):
        name, there = _reference(each, f"/references/{number}")
        exists[name] = there and exists.get(name, True)
    missing = [name for name, there in exists.items() if not there]
    summary: dict[str, JsonValue] = {
        "format": "tickets",
        "references": len(exists),
        "missing": len(missing),
        "missing_list": [plain(name) for name in missing],
        "reference_list": [plain(name) for name in exists],
    }
    return ReportResult.of(
        compliant=bool(exists) and not missing, summary=summary, explanation=_explanation(exists, missing)
    )


def _reference(value: Parsed, place: str) -> tuple[str, bool]:
    """What the ticket is called, and whether it exists."""
    ticket = an_object(value, place)
    name, there = a_text(ticket.get("reference"), f"{place}/reference").strip(), ticket.get("exists")
    if not 0 < len(name) <= REFERENCE_MOST or not name.isprintable():
        raise MalformedReport(
            f"{place}/reference is no reference: it is empty, longer than {REFERENCE_MOST} characters, or holds what cannot be "
            "seen. Give what the ticket is called, such as PAY-12.",
            field=f"{place}/reference",
        )
    if not isinstance(there, bool):
        raise MalformedReport(
            f"{place}/exists must be true or false. Look {plain(name, 80)} up, and say whether it is there.",
            field=f"{place}/exists",
        )
    return name, there


def _explanation(exists: dict[str, bool], missing: list[str]) -> str:
    if not exists:
        return "No ticket is referred to, and at least one is asked for."
    if missing:
        names = ", ".join(plain(name, 80) for name in missing[:3])
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        verb = "does" if len(missing) == 1 else "do"
        return f"{len(missing)} of {counted(len(exists), 'ticket')} {verb} not exist: {names}{more}."
    names = ", ".join(plain(name, 80) for name in list(exists)[:3])
    more = f" and {len(exists) - 3} more" if len(exists) > 3 else ""
    return f"{counted(len(exists), 'ticket')}, and all exist: {names}{more}."
