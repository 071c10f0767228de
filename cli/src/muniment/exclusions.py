"""Which files of a directory are not part of it: patterns in, yes or no for each path out.

A pattern is a shell glob, relative to the directory: `*` stays within a name, `**` crosses directories, and a directory
that matches is left out with everything below it. Patterns come from `--exclude` and from the directory's own ignore file.
An ignore file cannot leave itself out: what it hides can be seen in the fingerprint. Only `--exclude` can.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

IGNORE_FILES = (".muniment_ignore", ".kosli_ignore")
"""The first of these that a directory has is read."""


class Exclusions:
    """Patterns, compiled once. Paths are relative to the directory and separated by `/`."""

    def __init__(self, patterns: Iterable[str] = (), *, ignored: Iterable[str] = (), ignore_file: str = "") -> None:
        self._given = [_compiled(pattern) for pattern in patterns]
        self._ignored = [_compiled(pattern) for pattern in ignored]
        self._ignore_file = ignore_file

    @classmethod
    def of(cls, directory: Path, patterns: Sequence[str] = ()) -> Exclusions:
        """The patterns given, and those of the directory's ignore file. Raises OSError when it cannot be read."""
        for name in IGNORE_FILES:
            file = directory / name
            if file.is_file():
                lines = [line.strip() for line in file.read_text(encoding="utf-8").splitlines()]
                return cls(patterns, ignored=[line for line in lines if line and line[0] != "#"], ignore_file=name)
        return cls(patterns)

    def leave_out(self, relative: str) -> bool:
        """Whether this path is not part of the directory. Ask for the directories above it first."""
        if any(pattern.fullmatch(relative) for pattern in self._given):
            return True
        return relative != self._ignore_file and any(pattern.fullmatch(relative) for pattern in self._ignored)


def _compiled(glob: str) -> re.Pattern[str]:
    wanted = glob.replace("\\", "/") if "\\" in glob and "/" not in glob else glob
    while wanted.startswith("./"):
        wanted = wanted[2:]
    parts = [part for part in wanted.split("/") if part]
    if not parts:
        return re.compile(r"(?!)")
    expression = ""
    for place, part in enumerate(parts):
        last = place == len(parts) - 1
        if part == "**":
            expression += ".*" if last else "(?:.*/)?"
        else:
            expression += _name(part) + ("" if last else "/")
    return re.compile(expression, re.DOTALL)


def _name(glob: str) -> str:
    """One name of a path as an expression."""
    expression, place = "", 0
    while place < len(glob):
        letter = glob[place]
        place += 1
        if letter == "*":
            expression += "[^/]*"
        elif letter == "?":
            expression += "[^/]"
        elif letter == "[" and "]" in glob[place + 1 :]:
            end = glob.index("]", place + 1)
            inside = glob[place:end].replace("\\", "\\\\").replace("[", "\\[")
            expression += f"[^{inside[1:]}]" if inside[0] in "!^" else f"[{inside}]"
            place = end + 1
        else:
            expression += re.escape(letter)
    return expression
