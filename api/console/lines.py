"""A policy line by line: its text and a verdict's reasons in, each line with what was found by the rule that stands in it out."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from record.policies.service import CANDIDATE
from record.verdicts import Status, worst

_PLACE: Final = re.compile(r"line (\d+)")

TRIED: Final = f"policy {CANDIDATE} v0"
"""How a reason calls a policy that is not recorded."""
_ORDER: Final = {Status.NON_COMPLIANT.value: 0, Status.INCOMPLETE.value: 1, Status.UNKNOWN.value: 2}

Reason = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Line:
    """`status` is the worst over all that runs; None where the line holds no rule or nothing was tried."""

    number: int
    text: str
    status: str | None
    said: str


def lines_of(document: str, reasons: Sequence[Reason]) -> list[Line]:
    """The lines of a policy. `reasons` are a verdict's: one for each artifact, below it one for each rule."""
    found: dict[int, list[Reason]] = {}
    for artifact in reasons:
        for rule in artifact["because"]:
            place = _PLACE.search(rule["rule"])
            if place is not None:
                found.setdefault(int(place[1]), []).append(rule)
    return [_line(number, text, found.get(number, ())) for number, text in enumerate(document.splitlines(), start=1)]


def _line(number: int, text: str, rules: Sequence[Reason]) -> Line:
    if not rules:
        return Line(number, text, None, "")
    deciding = [rule for rule in rules if rule["outcome"] != Status.UNKNOWN.value]
    status = worst(Status(rule["outcome"]) for rule in deciding or rules)
    failing = sum(rule["outcome"] in (Status.NON_COMPLIANT.value, Status.INCOMPLETE.value) for rule in rules)
    if failing:
        said = f"{failing} of {len(rules)} not satisfied"
    elif deciding:
        said = f"satisfied by all {len(deciding)}" if len(deciding) > 1 else "satisfied"
    else:
        said = "applies to nothing that runs"
    return Line(number, text, status.value, said)


def worst_first(reasons: Sequence[Reason], most: int) -> tuple[list[Reason], int]:
    """The reasons that need somebody before those that do not, at most so many; and how many more there are."""
    ordered = sorted(reasons, key=lambda reason: _ORDER.get(reason["outcome"], 9))
    return ordered[:most], max(len(ordered) - most, 0)


def named(reasons: Sequence[Reason], name: str) -> list[Reason]:
    """The reasons of a policy that was tried, with its name in place of the one that trying gives it."""
    return [
        {**each, "rule": each["rule"].replace(TRIED, name, 1), "because": named(each.get("because") or (), name)}
        for each in reasons
    ]
