"""Tiles as PostgreSQL has them: which tiles, in; a reader for `muniment.proof.tiles`, out.

Only full tiles are rows. A partial tile is what it will be made of: the newest leaf hashes, or the roots of full tiles one
level below. Whatever is asked for is one statement, whose work grows with the tiles asked for and not with the ledger.
"""

from collections.abc import Collection
from typing import Final

from muniment.proof.tiles import TILE_WIDTH, ReadTile, Tile, hashes_at, width_of
from record.database import Connection
from record.ids import EntryIndex, LedgerSize, OrgId

_TILES: Final = """
SELECT w.level, w.tile_index,
    CASE
    WHEN w.width = 256 THEN (
        SELECT t.hashes FROM record.tiles t
        WHERE t.org_id = $1 AND t.level = w.level AND t.tile_index = w.tile_index)
    WHEN w.level = 0 THEN (
        SELECT string_agg(e.leaf_hash, ''::bytea ORDER BY e.entry_index) FROM record.entries e
        WHERE e.org_id = $1 AND e.entry_index >= w.tile_index * 256 AND e.entry_index < w.tile_index * 256 + w.width)
    ELSE (
        SELECT string_agg(t.root, ''::bytea ORDER BY t.tile_index) FROM record.tiles t
        WHERE t.org_id = $1 AND t.level = w.level - 1
          AND t.tile_index >= w.tile_index * 256 AND t.tile_index < w.tile_index * 256 + w.width)
    END AS hashes
FROM unnest($2::integer[], $3::bigint[], $4::integer[]) AS w (level, tile_index, width)"""

_CONTENTS: Final = """
SELECT content FROM record.entries
WHERE org_id = $1 AND entry_index >= $2 AND entry_index < $3 ORDER BY entry_index"""


async def load_tiles(connection: Connection, org_id: OrgId, wanted: Collection[Tile]) -> ReadTile:
    """Reads these tiles. The reader answers with nothing for a tile that is not there, which `muniment.proof.tiles` refuses."""
    found: dict[tuple[int, int], bytes] = {}
    if wanted:
        rows = await connection.fetch(
            _TILES,
            org_id,
            [tile.level for tile in wanted],
            [tile.index for tile in wanted],
            [tile.width for tile in wanted],
        )
        found = {(row["level"], row["tile_index"]): row["hashes"] or b"" for row in rows}
    return lambda level, index, _: found.get((level, index), b"")


async def contents(connection: Connection, org_id: OrgId, tile_index: int, width: int = TILE_WIDTH) -> list[bytes]:
    """The entries of a bundle, as they were hashed."""
    start = tile_index * TILE_WIDTH
    return [row["content"] for row in await connection.fetch(_CONTENTS, org_id, start, start + width)]


def edge_tiles(size: LedgerSize) -> list[Tile]:
    """The partial tiles of a tree, one a level at most: its root and everything that follows need nothing else."""
    tiles = []
    level = 0
    while (hashes := hashes_at(level, size)) > 0:
        index, width = divmod(hashes, TILE_WIDTH)
        if width:
            tiles.append(Tile(level, index, width))
        level += 1
    return tiles


def path_tiles(index: EntryIndex, size: LedgerSize) -> list[Tile]:
    """The tiles that a leaf and the subtrees above it are in. With the edge tiles: everything that a proof about it needs."""
    tiles = []
    level = 0
    while hashes_at(level, size) > 0:
        index = EntryIndex(index // TILE_WIDTH)
        width = width_of(level, index, size)
        if width:
            tiles.append(Tile(level, index, width))
        level += 1
    return tiles
