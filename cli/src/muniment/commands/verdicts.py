"""Verdicts as a person reads them: why, and what would help."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from muniment.output import Output

_REASON = "rule subject outcome explanation remedy entryIndex"
REASONS = f"reasons {{ {_REASON} because {{ {_REASON} because {{ {_REASON} }} }} }}"
_WORST_FIRST = ("NON_COMPLIANT", "INCOMPLETE", "UNKNOWN", "COMPLIANT")


def worst(statuses: list[str]) -> str:
    """The worst of these; UNKNOWN for none at all."""
    return next((status for status in _WORST_FIRST if status in statuses), "UNKNOWN")


def reasons_table(output: Output, verdict: dict[str, Any], *, title: str = "Why") -> None:
    """What stands in the way, each with what would satisfy it; nothing when nothing does."""
    rows = [
        [each["outcome"], each["subject"], each["explanation"], each["remedy"]]
        for each in telling(verdict["reasons"])
        if each["outcome"] != "COMPLIANT"
    ]
    if rows:
        output.heading(title)
        output.rows(["verdict", "about", "why", "what would help"], rows)


def telling(reasons: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The leaves of a tree of reasons: what was found, without what only sums it up."""
    for reason in reasons:
        below = reason.get("because") or []
        if below:
            yield from telling(below)
        else:
            yield reason
