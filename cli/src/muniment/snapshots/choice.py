"""Which of many are meant: names and regular expressions to take and to leave, the leaving ones stronger."""

from __future__ import annotations

import re
from collections.abc import Sequence

from muniment.snapshots.members import SnapshotError


class Choice:
    """Takes everything, unless names or expressions to take are given; then only those. Remembers what it took."""

    def __init__(
        self,
        what: str,
        *,
        names: Sequence[str] = (),
        expressions: Sequence[str] = (),
        without: Sequence[str] = (),
        without_expressions: Sequence[str] = (),
    ) -> None:
        self._what = what
        self.names = tuple(dict.fromkeys(names))
        self._expressions = [_compiled(each) for each in expressions]
        self._without = frozenset(without)
        self._without_expressions = [_compiled(each) for each in without_expressions]
        self._taken: set[str] = set()

    def takes(self, name: str) -> bool:
        """Whether this one is meant."""
        if name in self._without or any(each.search(name) for each in self._without_expressions):
            return False
        taken = not (self.names or self._expressions) or (
            name in self.names or any(each.search(name) for each in self._expressions)
        )
        if taken:
            self._taken.add(name)
        return taken

    @property
    def only_names(self) -> bool:
        """Whether all that is meant is known by name, so that nothing else needs to be asked for."""
        return bool(self.names) and not self._expressions

    def remarks(self) -> list[str]:
        """What is to be said of names that were meant and are not there."""
        missing = [name for name in self.names if name not in self._taken and self.takes(name)]
        return [f"There is no {self._what} {name}, or nothing runs in it." for name in missing]


def _compiled(expression: str) -> re.Pattern[str]:
    try:
        return re.compile(expression)
    except re.error as error:
        raise SnapshotError(f"{expression!r} is no regular expression ({error}). Correct it.") from None
