"""Reads of the scrubber: the ledger's extent, its rows in the order of their entries, its checkpoints, its evidence."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from muniment.proof.tiles import Tile
from record.database import Connection
from record.ids import LedgerSize, OrgId
from record.ledger import statements
from record.ledger.queries import RecordedEntry, StoredCheckpoint
from record.scrubbing.rules import TableShape
from record.tables_of_record import METADATA

_NOT_READINGS: Final = ("entries", "checkpoints", "tiles")
_FETCH: Final = 500
_SORT_SECONDS: Final = 3_600.0


def table_shapes() -> list[TableShape]:
    """Every table whose rows are readings of entries."""
    return [
        TableShape(
            table.name,
            tuple(
                (column.name, statements.sql_type(column))
                for column in table.columns
                if column.name not in ("org_id", "entry_index")
            ),
        )
        for table in METADATA.sorted_tables
        if table.schema == "record" and table.name not in _NOT_READINGS
    ]


@dataclass(frozen=True, slots=True)
class Extent:
    """How far things reach, all as of one instant. `lowest` is the first index that is taken."""

    head: LedgerSize
    lowest: int
    entries: LedgerSize
    signed: LedgerSize
    published: LedgerSize


_EXTENT: Final = """
SELECT coalesce((SELECT size FROM ops.ledgers WHERE org_id = $1), 0),
       coalesce((SELECT min(entry_index) FROM record.entries WHERE org_id = $1), 0),
       coalesce((SELECT max(entry_index) + 1 FROM record.entries WHERE org_id = $1), 0),
       coalesce((SELECT max(size) FROM record.checkpoints WHERE org_id = $1), 0),
       coalesce((SELECT published_size FROM ops.publications WHERE org_id = $1), 0)"""

_ENTRIES: Final = """
SELECT entry_index, id, kind, at, leaf_hash, content FROM record.entries
WHERE org_id = $1 AND entry_index >= $2 AND entry_index < $3 ORDER BY entry_index"""

_TILES: Final = """
SELECT t.level, t.tile_index, t.hashes, t.root FROM unnest($2::integer[], $3::bigint[]) AS wanted (level, tile_index)
JOIN record.tiles t ON t.org_id = $1 AND t.level = wanted.level AND t.tile_index = wanted.tile_index"""

_CHECKPOINTS: Final = """
SELECT size, root, note, signed_at FROM record.checkpoints
WHERE org_id = $1 AND size > $2 AND size <= $3 ORDER BY size"""

_STRAY_TILES: Final = """
SELECT level, tile_index FROM record.tiles
WHERE org_id = $1 AND (tile_index + 1)::numeric * power(256::numeric, level + 1)
    > (SELECT coalesce(max(size), 0) FROM record.checkpoints WHERE org_id = $1)
ORDER BY level, tile_index LIMIT 1000"""

_PRESENT: Final = "SELECT entry_index FROM record.entries WHERE org_id = $1 AND entry_index = ANY($2::bigint[])"

_NEWEST_SCRUB: Final = """
SELECT completed_at FROM record.scrubs WHERE org_id = $1 ORDER BY entry_index DESC LIMIT 1"""


async def extent(connection: Connection, org_id: OrgId) -> Extent:
    """How far head, entries, checkpoints and publication reach."""
    return Extent(*(await connection.fetchrow(_EXTENT, org_id)).values())


async def entries_between(connection: Connection, org_id: OrgId, start: int, end: int) -> list[RecordedEntry]:
    """Entries with `start <= index < end`, in order."""
    return [RecordedEntry(*row.values()) for row in await connection.fetch(_ENTRIES, org_id, start, end)]


async def full_tiles(
    connection: Connection, org_id: OrgId, wanted: Sequence[Tile]
) -> dict[tuple[int, int], tuple[bytes, bytes]]:
    """Hashes and root of these full tiles, by level and index, as they are stored."""
    rows = await connection.fetch(_TILES, org_id, [tile.level for tile in wanted], [tile.index for tile in wanted])
    return {(row["level"], row["tile_index"]): (row["hashes"], row["root"]) for row in rows}


async def checkpoints_between(
    connection: Connection, org_id: OrgId, after: int, through: int
) -> list[StoredCheckpoint]:
    """Checkpoints with `after < size <= through`, smallest first."""
    return [StoredCheckpoint(*row.values()) for row in await connection.fetch(_CHECKPOINTS, org_id, after, through)]


async def stray_tiles(connection: Connection, org_id: OrgId) -> list[tuple[int, int]]:
    """Level and index of full tiles that signed entries do not fill."""
    return [(row["level"], row["tile_index"]) for row in await connection.fetch(_STRAY_TILES, org_id)]


async def entries_present(connection: Connection, org_id: OrgId, indexes: list[int]) -> set[int]:
    """Which of these indexes have an entry by now."""
    return {row["entry_index"] for row in await connection.fetch(_PRESENT, org_id, indexes)}


async def newest_scrub(connection: Connection, org_id: OrgId) -> datetime | None:
    """When the newest scrub was completed."""
    at: datetime | None = await connection.fetchval(_NEWEST_SCRUB, org_id)
    return at


class RowStream:
    """The rows of one table, in the order of their entries, handed out a range of entries at a time."""

    def __init__(self, connection: Connection, shape: TableShape) -> None:
        self.shape = shape
        self._connection = connection
        self._held: list[tuple[int, tuple[Any, ...]]] = []
        self._is_open = True

    async def declare(self, org_id: OrgId) -> None:
        """Sorts the table once, outside of any transaction that would stay open: `WITH HOLD` keeps the result, not a snapshot."""
        columns = "".join(f", {name}" for name, _ in self.shape.columns)
        # DECLARE takes no parameters; table and columns are our own names, and an organization's id is a UUID.
        await self._connection.execute(
            f"DECLARE scrub_{self.shape.name} NO SCROLL CURSOR WITH HOLD FOR "
            f"SELECT entry_index{columns} FROM record.{self.shape.name} WHERE org_id = '{org_id}' ORDER BY entry_index",
            timeout=_SORT_SECONDS,
        )

    async def rows_before(self, entry_index: int) -> list[tuple[int, tuple[Any, ...]]]:
        """The rows not handed out yet that belong to entries before this index, in normal form."""
        while self._is_open and (not self._held or self._held[-1][0] < entry_index):
            fetched = await self._connection.fetch(f"FETCH {_FETCH} FROM scrub_{self.shape.name}")
            self._is_open = len(fetched) == _FETCH
            self._held += [(row[0], self.shape.found(tuple(row)[1:])) for row in fetched]
        taken = [row for row in self._held if row[0] < entry_index]
        self._held = self._held[len(taken) :]
        return taken


@asynccontextmanager
async def row_streams(connection: Connection, org_id: OrgId) -> AsyncIterator[list[RowStream]]:
    """One stream for each table of readings."""
    streams = [RowStream(connection, shape) for shape in table_shapes()]
    try:
        for stream in streams:
            await stream.declare(org_id)
        yield streams
    finally:
        await connection.execute("CLOSE ALL")


@dataclass(frozen=True, slots=True)
class EvidenceToCheck:
    """Bytes that must be in the vault: where, which version, and what they must be."""

    entry_index: int
    digest: str
    size: int
    crc32: int
    key: str
    version_id: str


_EVIDENCE: Final = """
SELECT entry_index, digest, size, crc32, key, version_id FROM record.evidence
WHERE org_id = $1 AND entry_index < $2 AND digest > $3 ORDER BY digest LIMIT $4"""


async def evidence_page(
    connection: Connection, org_id: OrgId, size: LedgerSize, after: str, count_max: int
) -> list[EvidenceToCheck]:
    """Evidence in the order of its digests, from behind `after` (empty: from the beginning)."""
    rows = await connection.fetch(_EVIDENCE, org_id, size, after, count_max)
    return [EvidenceToCheck(*row.values()) for row in rows]
