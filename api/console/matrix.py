"""The matrix of a flow: trails downwards, what their templates ask for across, a status in each cell.

Trails keep the template that they began under, so their rows may ask for different things: the columns are all of these together,
in the order of the newest trail that asks. A cell is None where a trail's template does not ask.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Column:
    """One thing that is asked for: `artifact` and `name` as in a requirement."""

    artifact: str | None
    name: str | None
    type: str | None

    @property
    def label(self) -> str:
        return self.name or "reported"


@dataclass(frozen=True, slots=True)
class Matrix:
    """`groups` are the columns' subjects (None: the trail) with how many columns each spans."""

    columns: Sequence[Column]
    groups: Sequence[tuple[str | None, int]]
    rows: Sequence[tuple[Mapping[str, Any], Sequence[Mapping[str, Any] | None]]]


def matrix_of(trails: Sequence[Mapping[str, Any]]) -> Matrix:
    """The matrix of trails as GraphQL gave them, each with its `requirements`."""
    asked: dict[str | None, dict[str | None, Column]] = {None: {}}
    for trail in trails:
        for each in trail["requirements"]:
            group = asked.setdefault(each["artifact"], {})
            group.setdefault(each["name"], Column(each["artifact"], each["name"], each["type"]))
    groups = {artifact: columns for artifact, columns in asked.items() if columns}
    columns = [column for group in groups.values() for column in group.values()]
    rows = []
    for trail in trails:
        found = {(each["artifact"], each["name"]): each for each in trail["requirements"]}
        rows.append((trail, [found.get((column.artifact, column.name)) for column in columns]))
    return Matrix(columns, [(artifact, len(group)) for artifact, group in groups.items()], rows)
