"""What a command found, written for a person, a program or a page. stdout is data; stderr is talk.

A command gives its data once, and says how a person reads it: facts (name and value), rows under headings, lines. As JSON it is the
data itself; as markdown it is what a job summary of a CI system shows.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any, TextIO

TABLE, JSON, MARKDOWN = "table", "json", "markdown"
_COLOURS = {"COMPLIANT": "32", "NON_COMPLIANT": "31", "INCOMPLETE": "33", "UNKNOWN": "35"}


class Output:
    """Where a command's data goes, and in which form."""

    def __init__(
        self, form: str, environment: Mapping[str, str], *, is_quiet: bool = False, stdout: TextIO | None = None
    ) -> None:
        self.form = form
        self._is_quiet = is_quiet
        self._out = stdout or sys.stdout
        self._is_coloured = form == TABLE and _likes_colours(self._out, environment)

    def show(self, data: Any, render: Callable[[Output], None]) -> None:
        """`data` as JSON, or what `render` makes of it for a person."""
        if self.form == JSON:
            self.json(data)
        else:
            render(self)

    def json(self, data: Any) -> None:
        """Any JSON value, whatever form was asked for."""
        import json  # not every command prints data

        self._print(json.dumps(data, indent=2, ensure_ascii=False))

    def facts(self, pairs: Sequence[tuple[str, object]]) -> None:
        """Names and values; what is None is left out."""
        told = [(name, _text(value)) for name, value in pairs if value is not None]
        if self.form == MARKDOWN:
            self._print("\n".join(["| | |", "|---|---|", *(f"| {name} | {_cell(value)} |" for name, value in told)]))
            return
        width = max((len(name) for name, _ in told), default=0)
        for name, value in told:
            first, *more = value.splitlines() or [""]
            self._print(f"{name:<{width}}  {self._coloured(first)}")
            for line in more:
                self._print(f"{'':<{width}}  {line}")

    def rows(self, headings: Sequence[str], rows: Sequence[Sequence[object]], *, empty: str = "nothing") -> None:
        """A table. What is None is an empty cell."""
        cells = [["" if value is None else _text(value) for value in row] for row in rows]
        if self.form == MARKDOWN:
            lines = [
                _line(headings),
                _line(["---"] * len(headings)),
                *(_line([_cell(v) for v in row]) for row in cells),
            ]
            self._print("\n".join(lines))
            return
        if not cells:
            self.say(empty)
            return
        widths = [max(len(heading), *(len(row[at]) for row in cells)) for at, heading in enumerate(headings)]
        for number, row in enumerate([[heading.upper() for heading in headings], *cells]):
            padded = [value.ljust(width) for value, width in zip(row, widths)]
            line = "  ".join(padded if number == 0 else [self._coloured(value) for value in padded])
            self._print(line.rstrip())

    def heading(self, text: str) -> None:
        """A title over what follows."""
        self._print(f"\n## {text}\n" if self.form == MARKDOWN else f"\n{text}")

    def line(self, text: str) -> None:
        """One line of text."""
        self._print(text)

    def say(self, text: str) -> None:
        """Talk: to stderr, and not at all when quiet."""
        if not self._is_quiet:
            print(f"muniment: {text}", file=sys.stderr, flush=True)

    def _coloured(self, text: str) -> str:
        colour = _COLOURS.get(text.strip()) if self._is_coloured else None
        return text if colour is None else f"\033[{colour}m{text}\033[0m"

    def _print(self, text: str) -> None:
        try:
            print(text, file=self._out)
        except UnicodeEncodeError:  # a console that knows few characters
            encoding = self._out.encoding or "ascii"
            print(text.encode(encoding, "backslashreplace").decode(encoding), file=self._out)


def _text(value: object) -> str:
    """A value as one reads it, with nothing in it that a terminal would obey."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return ", ".join(_text(each) for each in value)
    return "".join(character if character.isprintable() or character == "\n" else "�" for character in str(value))


def _cell(text: str) -> str:
    for meant, written in (("&", "&amp;"), ("<", "&lt;"), ("|", "\\|"), ("`", "\\`"), ("[", "\\["), ("\n", "<br>")):
        text = text.replace(meant, written)
    return text


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _likes_colours(stream: TextIO, environment: Mapping[str, str]) -> bool:
    return stream.isatty() and not environment.get("NO_COLOR") and environment.get("TERM") != "dumb"
