"""What counts as damage: stored facts in, findings out. Reads nothing and waits for nothing.

A finding names the place, the entry where one can be named, the fact, and what to do. One edit may be seen from several sides
(the entry, the tile over it, a checkpoint above that); each side that sees it says so.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from muniment.proof import canonical, merkle
from muniment.proof.tiles import TILE_WIDTH, Tile
from record.ids import OrgId
from record.ledger.entries import VERSION, Entry
from record.ledger.queries import RecordedEntry

KEPT_MAX: Final = 1_000
"""Findings that a report spells out; beyond, they are counted only."""
_ENDING: Final = f',"v":{VERSION}}}'.encode()
"""How an entry ends, because canonical JSON sorts names."""
_RESTORE: Final = "Compare with a backup, keep both, and find out who wrote to the database."
_RESTORE_VAULT: Final = "Compare with a backup, keep both, and find out who wrote to the bucket."


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it must be."""

    place: str
    entry_index: int | None
    fact: str
    remedy: str

    def to_json(self) -> dict[str, Any]:
        return {
            "place": self.place[:200],
            "entry_index": self.entry_index,
            "fact": self.fact[:500],
            "remedy": self.remedy[:200],
        }


def in_database(place: str, entry_index: int | None, fact: str) -> Finding:
    """Something in PostgreSQL is not as it must be."""
    return Finding(place, entry_index, fact, _RESTORE)


def in_vault(place: str, entry_index: int | None, fact: str) -> Finding:
    """Something in the vault is not as it must be."""
    return Finding(place, entry_index, fact, _RESTORE_VAULT)


@dataclass(slots=True)
class Findings:
    """What was found so far."""

    kept: list[Finding] = field(default_factory=list)
    count: int = 0

    def add(self, *found: Finding) -> None:
        self.count += len(found)
        self.kept.extend(found[: KEPT_MAX - len(self.kept)])


@dataclass(frozen=True, slots=True)
class ScrubReport:
    """Everything that was re-read up to `size`, how much of it there was, and what was wrong."""

    org_id: OrgId
    organization: str
    size: int
    started_at: datetime
    counts: dict[str, int]
    finding_count: int
    findings: tuple[Finding, ...]

    @property
    def is_clean(self) -> bool:
        return self.finding_count == 0


def check_entry(
    org_id: OrgId, stored: RecordedEntry, previous_at: datetime | None
) -> tuple[Entry | None, list[Finding]]:
    """What an entry's bytes say, if they can be read, and where they differ from its columns and from its neighbours."""
    place = "entries"
    index = stored.index
    if merkle.leaf_hash(stored.content) != stored.leaf_hash:
        return None, [
            in_database(place, index, f"The bytes of entry {index} do not have the leaf hash of its receipt.")
        ]
    try:
        entry = stored.decoded()
    except (canonical.CanonicalError, KeyError, TypeError, ValueError) as error:
        return None, [in_database(place, index, f"Entry {index} cannot be read: {error}.")]
    facts = []
    if not stored.content.endswith(_ENDING):
        facts.append(f"Entry {index} is not of version {VERSION}, the one that this release writes.")
    if entry.org_id != org_id:
        facts.append(f"Entry {index} says that it belongs to the organization {entry.org_id}.")
    for column, said, kept in (
        ("id", entry.id, stored.id),
        ("kind", entry.kind, stored.kind),
        ("at", entry.at, stored.at),
    ):
        if said != kept:
            facts.append(f"Column {column} of entry {index} holds {kept}, but the entry says {said}.")
    if previous_at is not None and entry.at < previous_at:
        facts.append(f"Entry {index} of {entry.at} is older than the entry before it, of {previous_at}.")
    return entry, [in_database(place, index, fact) for fact in facts]


def compare_tile(place: str, tile: Tile, expected: bytes, found: bytes) -> list[tuple[int | None, str]]:
    """How a copy of a tile differs from what it must be: the entry's index where level 0 can tell it, and the fact."""
    if not found:
        return [(None, f"{place} is missing.")]
    if len(found) != len(expected):
        return [(None, f"{place} holds {len(found)} bytes instead of {len(expected)}.")]
    differences: list[tuple[int | None, str]] = []
    for offset in range(0, len(expected), merkle.HASH_BYTES):
        end = offset + merkle.HASH_BYTES
        if expected[offset:end] != found[offset:end]:
            number = tile.index * TILE_WIDTH + offset // merkle.HASH_BYTES
            if tile.level == 0:
                differences.append((number, f"{place} holds another leaf hash than entry {number} has."))
            else:
                differences.append((None, f"{place} holds another root of tile {number} of level {tile.level - 1}."))
    return differences


@dataclass(frozen=True, slots=True)
class TableShape:
    """A table of the record and the columns that readings give it, with their SQL types."""

    name: str
    columns: tuple[tuple[str, str], ...]

    def found(self, values: Iterable[Any]) -> tuple[Any, ...]:
        """A row as the database gives it, such that equal rows compare equal."""
        return tuple(
            _normal_json(value) if kind == "jsonb" and value is not None else value
            for value, (_, kind) in zip(values, self.columns, strict=True)
        )

    def expected(self, values: Mapping[str, Any]) -> tuple[Any, ...]:
        """A row as a reading gives it, in the same form."""
        return self.found(
            json.dumps(value) if kind == "jsonb" and value is not None else value
            for value, kind in ((values.get(name), kind) for name, kind in self.columns)
        )


def _normal_json(text: str) -> str:
    """jsonb keeps the value of a number and not its spelling."""
    return json.dumps(json.loads(text, parse_int=float), sort_keys=True)


def compare_rows(
    shape: TableShape,
    entry_index: int,
    expected: Sequence[tuple[Any, ...]],
    found: Sequence[tuple[Any, ...]],
    *,
    has_entry: bool,
) -> list[Finding]:
    """Where the rows of one table that bear this index differ from what the entry makes. Rows are in normal form."""
    if expected == found:
        return []
    wanted, kept = Counter(expected), Counter(found)
    missing = list((wanted - kept).elements())
    extra = list((kept - wanted).elements())
    facts = []
    while missing and extra:
        row = missing.pop()
        nearest = max(extra, key=lambda other: sum(a == b for a, b in zip(row, other, strict=True)))
        extra.remove(nearest)
        for (name, _), said, held in zip(shape.columns, row, nearest, strict=True):
            if said != held:
                facts.append(
                    f"Column {name} of a row of {shape.name} holds {_shown(held)}, but entry {entry_index} says {_shown(said)}."
                )
    facts += [f"{shape.name} lacks a row that entry {entry_index} makes." for _ in missing]
    origin = f"entry {entry_index} does not make it" if has_entry else f"there is no entry {entry_index}"
    facts += [f"{shape.name} holds a row of its own: {origin}." for _ in extra]
    return [in_database(shape.name, entry_index, fact) for fact in facts]


def _shown(value: Any) -> str:
    text = value.hex() if isinstance(value, bytes) and not value.isascii() else str(value)
    return repr(text if len(text) <= 100 else text[:97] + "...")
