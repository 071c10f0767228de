"""What every reader of a report answers with: compliant or not, a small summary, and one sentence for people.

The summary becomes part of a ledger entry for good, so it is bounded here, in one place: at most 16 kB of canonical
JSON, whole numbers and texts only (durations in milliseconds), and no character in it that could rewrite a terminal or
turn a line of text around. Who records it is `record.attestations.service`'s affair.
"""

import json
from dataclasses import dataclass
from typing import Final, TypeAlias

from record.refusals import TooLarge

JsonValue: TypeAlias = "dict[str, JsonValue] | list[JsonValue] | str | int | bool | None"

REPORT_BYTES_MAX: Final = 32 * 1024 * 1024
"""The largest report that is read. A larger file can still be evidence; it just cannot decide."""
SUMMARY_BYTES_MAX: Final = 15_900
TEXT_MAX: Final = 200
EXPLANATION_MAX: Final = 600


@dataclass(frozen=True, slots=True)
class ReportResult:
    """The reading of one report. `explanation` is a sentence; `summary` is what the ledger entry keeps."""

    compliant: bool
    summary: dict[str, JsonValue]
    explanation: str

    @classmethod
    def of(cls, *, compliant: bool, summary: dict[str, JsonValue], explanation: str) -> "ReportResult":
        """A result whose summary and explanation are within their limits, whatever the report held."""
        return cls(compliant, fitted(summary), plain(explanation, EXPLANATION_MAX))


def plain(text: str, limit: int = TEXT_MAX) -> str:
    """`text` on one line, at most `limit` characters, everything invisible made visible as an escape."""
    shown = "".join(
        character if character.isprintable() else " " if character in "\t\r\n" else f"\\u{{{ord(character):x}}}"
        for character in text[: limit + 1]
    )
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


def shortened(message: str) -> str:
    """A library's message with the middle left out if it is long: it begins with what was found and ends with why."""
    return plain(message) if len(message) <= TEXT_MAX else f"{plain(message[:80], 80)} … {plain(message[-100:], 100)}"


def fitted(summary: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """`summary` cut down to its limit: the heaviest list loses its last half until all of it fits.

    Counts are never cut. A summary that was cut says so under `truncated`.
    """
    kept = dict(summary)
    while _weight(kept) > SUMMARY_BYTES_MAX:
        name, heaviest = max(
            ((key, value) for key, value in kept.items() if isinstance(value, list) and value),
            key=lambda item: _weight(item[1]),
        )
        kept[name] = heaviest[: len(heaviest) // 2]
        kept["truncated"] = True
    return kept


def check_size(data: bytes) -> None:
    """Refuses a report that is larger than any that is read."""
    if len(data) > REPORT_BYTES_MAX:
        raise TooLarge(
            f"The report has {len(data)} bytes and at most {REPORT_BYTES_MAX} are read. "
            "Split it, or attach it as evidence of a generic attestation."
        )


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """`1 test`, `2 tests`."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def _weight(value: JsonValue) -> int:
    return len(json.dumps(value, ensure_ascii=False).encode())
