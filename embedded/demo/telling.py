"""How the demo talks: chapters, facts with a mark, and a progress bar; plain where stderr is not a terminal."""

import sys
import time
from dataclasses import dataclass, field

_STYLES = {"bold": "1", "dim": "2", "green": "32", "red": "31", "yellow": "33", "cyan": "36"}
_MARKS = {
    "COMPLIANT": ("✓", "green"),
    "NON_COMPLIANT": ("✗", "red"),
    "INCOMPLETE": ("…", "yellow"),
    "UNKNOWN": ("?", "dim"),
}


@dataclass(slots=True)
class Teller:
    """Talks on stderr and remembers how long each chapter took, in seconds."""

    seconds: dict[str, float] = field(default_factory=dict)
    _chapter: str | None = None
    _began: float = 0.0

    def chapter(self, key: str, title: str) -> None:
        """Begins a chapter; its time is kept under `key`."""
        self.finish()
        self._chapter, self._began = key, time.monotonic()
        self.line()
        self.line(styled(title, "bold"))

    def finish(self) -> None:
        """Ends the chapter."""
        if self._chapter is not None:
            self.seconds[self._chapter] = round(time.monotonic() - self._began, 2)
            self._chapter = None

    def line(self, text: str = "") -> None:
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()

    def fact(self, text: str, *, detail: str = "") -> None:
        """Something that was done and worked."""
        self.line(f"  {styled('✓', 'green')} {text}" + (f"  {styled(detail, 'dim')}" if detail else ""))

    def verdict(self, what: str, status: str, *, detail: str = "") -> None:
        """A verdict on something."""
        mark, colour = _MARKS[status]
        self.line(
            f"  {styled(mark, colour)} {what:<34} {styled(status, colour)}"
            + (f"  {styled(detail, 'dim')}" if detail else "")
        )

    def reasons(self, reasons: list[dict[str, object]], *, depth: int = 2) -> None:
        """The reasons that a verdict is not green, as an indented tree."""
        for reason in reasons:
            if reason["outcome"] == "COMPLIANT":
                continue
            self.line(f"{'  ' * depth}- {reason['explanation']}")
            if reason.get("remedy"):
                self.line(f"{'  ' * depth}  {styled(str(reason['remedy']), 'dim')}")
            below = reason.get("because")
            if isinstance(below, list):
                self.reasons(below, depth=depth + 1)

    def progress(self, what: str, done: int, total: int) -> None:
        """A bar that moves on a terminal, a line at each call otherwise."""
        share = done / total if total else 0.0
        bar = "█" * round(24 * share) + "░" * (24 - round(24 * share))
        text = f"    {bar} {share:4.0%}  {what}"
        if sys.stderr.isatty():
            sys.stderr.write(f"\r\x1b[K{text}" + ("\n" if done >= total > 0 else ""))
            sys.stderr.flush()
        else:
            self.line(text)


def styled(text: str, *names: str) -> str:
    """`text` in these styles where stderr is a terminal."""
    if not sys.stderr.isatty():
        return text
    return f"\x1b[{';'.join(_STYLES[name] for name in names)}m{text}\x1b[0m"
