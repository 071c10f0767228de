"""How people are shown the record: the same marks, trees of reasons and colours in the console and in archives.

An archive's `index.html` outlives the server that made it, and whoever opens it should find what they know from the console. So
what both show is written once, here, where `record.archives` and `api.console` can both reach it: macros (`shown.html`), the
look (`look.css`), and how words, instants and sizes are written. Reasons are objects to one and JSON to the other; `deciding`
reads both.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from markupsafe import Markup

from record.clock import to_rfc3339
from record.verdicts import Status

TEMPLATES: Final = Path(__file__).parent / "templates"
LOOK: Final = (TEMPLATES / "look.css").read_text()
"""The style that both begin with: colours by light and dark, type, tables, marks, trees of reasons."""

_WORDS: Final[dict[object, tuple[str, str]]] = {
    Status.COMPLIANT: ("ok", "Compliant"),
    Status.NON_COMPLIANT: ("bad", "Not compliant"),
    Status.INCOMPLETE: ("open", "Incomplete"),
    Status.UNKNOWN: ("none", "Unknown"),
}
_WORDS.update({status.value: words for status, words in list(_WORDS.items()) if isinstance(status, Status)})


def words(status: object) -> tuple[str, str]:
    """The class and the word of a verdict, given as the status or by its name."""
    return _WORDS[status]


def sign(name: str, size: int) -> str:
    """The shape of a verdict, as a reference into the sprite that every page begins with."""
    return f'<svg class="sign" width="{size}" height="{size}" aria-hidden="true"><use href="#sign-{name}"/></svg>'


_MARKS: Final = {
    status: Markup(f'<span class="mark {name}">{sign(name, 16)}{word}</span>')  # noqa: S704 (constants of ours)
    for status, (name, word) in _WORDS.items()
}


def mark(status: object) -> Markup:
    """A verdict's shape, colour and word. Pages are full of these, so they are put together once."""
    return _MARKS[status]


def instant(at: datetime | str) -> str:
    """`2026-11-22 08:30:00 UTC`, of an instant or of its RFC 3339 text."""
    text = at if isinstance(at, str) else to_rfc3339(at)
    if not text.endswith(("Z", "+00:00")):
        text = to_rfc3339(datetime.fromisoformat(text).astimezone(UTC))
    return f"{text[:10]} {text[11:19]} UTC"


def sized(count: float) -> str:
    """A number of bytes, in the unit that suits it."""
    size = float(count)
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{int(count)} bytes" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"


def counted(number: int) -> str:
    """`1,234`."""
    return f"{number:,}"


def deciding(reason: Any) -> int | None:
    """The entry that decided a reason, be it a record's or a GraphQL answer's; None where the evidence is absent."""
    found: int | None = reason["entryIndex"] if isinstance(reason, Mapping) else reason.entry_index
    return found


FILTERS: Final[dict[str, Any]] = {
    "bytes": sized,
    "count": counted,
    "deciding": deciding,
    "instant": instant,
    "mark": mark,
    "words": words,
}
"""For Jinja."""
