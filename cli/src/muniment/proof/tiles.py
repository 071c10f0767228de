"""A tree's hashes cut into files that never change: tiles of 256, as C2SP tlog-tiles lays them out.

A tile at level 0 holds leaf hashes; a tile above holds the roots of full tiles below it. So a log is served by any file
server, and every proof can be made from a handful of small immutable files.

Nothing here fetches: builders of proofs read through a callable `read(level, index, width)` that answers with exactly
32 * width bytes. Who stores tiles is the server's affair.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from muniment.proof.merkle import (
    HASH_BYTES,
    CompleteSubtree,
    ProofError,
    consistency_proof,
    inclusion_proof,
    range_root,
    root_of,
)

TILE_HEIGHT = 8
TILE_WIDTH = 1 << TILE_HEIGHT
LEVEL_MAX = 63
ENTRY_BYTES_MAX = 65_535

ReadTile = Callable[[int, int, int], bytes]
"""Given (level, index, width), the tile's hashes, one after another."""

_PATH = re.compile(
    r"tile/(?P<level>entries|0|[1-9][0-9]?)/(?P<number>(?:x[0-9]{3}/)*[0-9]{3})(?:\.p/(?P<width>[1-9][0-9]{0,2}))?"
)


class TileError(ValueError):
    """A tile, a bundle or its path does not have the form that it must have."""


@dataclass(frozen=True)
class Tile:
    """Which tile: its level, its place in the level, and how many hashes it holds (256 when it is full)."""

    level: int
    index: int
    width: int = TILE_WIDTH

    @property
    def path(self) -> str:
        """Where the tile is served, relative to the log's prefix."""
        return f"tile/{self.level}/{_number_path(self.index)}{_width_path(self.width)}"


def entries_path(index: int, width: int = TILE_WIDTH) -> str:
    """Where a bundle of entries is served, relative to the log's prefix."""
    return f"tile/entries/{_number_path(index)}{_width_path(width)}"


def parse_tile_path(path: str) -> tuple[int | None, int, int]:
    """(level, index, width) of a tile's path; the level of a bundle of entries is None."""
    match = _PATH.fullmatch(path)
    if match is None:
        raise TileError(
            f"{path[:200]!r} is not the path of a tile. Write it as tile/<level>/<index> with three digits a part."
        )
    parts = match["number"].split("/")
    width = int(match["width"]) if match["width"] else TILE_WIDTH
    level = None if match["level"] == "entries" else int(match["level"])
    leading_zeros = len(parts) > 1 and parts[0] == "x000"
    full_width_as_partial = match["width"] is not None and width >= TILE_WIDTH
    if leading_zeros or full_width_as_partial or (level is not None and level > LEVEL_MAX):
        raise TileError(
            f"{path[:200]!r} is not how a tile's path is written. Leave out leading zeros; a part is 1 to 255 wide."
        )
    return level, int("".join(part.lstrip("x") for part in parts)), width


def hashes_at(level: int, size: int) -> int:
    """How many hashes the level holds when the tree has `size` leaves."""
    return size >> (TILE_HEIGHT * level)


def width_of(level: int, index: int, size: int) -> int:
    """How wide the tile is when the tree has `size` leaves: 0 if it does not exist yet."""
    return max(0, min(TILE_WIDTH, hashes_at(level, size) - index * TILE_WIDTH))


def tiles_of(size: int) -> Iterator[Tile]:
    """Every tile of a tree with `size` leaves, level by level."""
    return tiles_between(0, size)


def tiles_between(old_size: int, new_size: int) -> Iterator[Tile]:
    """The tiles that a tree of `new_size` leaves has and a tree of `old_size` leaves has not (or has less of)."""
    level = 0
    while hashes_at(level, new_size) > 0:
        old, new = hashes_at(level, old_size), hashes_at(level, new_size)
        if new > old:
            first, last = old // TILE_WIDTH, (new - 1) // TILE_WIDTH
            for index in range(first, last + 1):
                yield Tile(level, index, width_of(level, index, new_size))
        level += 1


def grow(old_size: int, leaves: Sequence[bytes], read: ReadTile) -> list[tuple[Tile, bytes]]:
    """The tiles to store when `leaves` (hashes) follow a tree of `old_size`, lower levels first.

    Reads at most one partial tile a level: the one that the new hashes continue.
    """
    made: list[tuple[Tile, bytes]] = []
    level, arriving = 0, list(leaves)
    while arriving:
        before = hashes_at(level, old_size)
        index, kept = divmod(before, TILE_WIDTH)
        held = list(_cut(_read(read, level, index, kept))) if kept else []
        held += arriving
        arriving = []
        for start in range(0, len(held), TILE_WIDTH):
            hashes = held[start : start + TILE_WIDTH]
            made.append((Tile(level, index + start // TILE_WIDTH, len(hashes)), b"".join(hashes)))
            if len(hashes) == TILE_WIDTH:
                arriving.append(root_of(hashes))
        level += 1
    return made


def root(size: int, read: ReadTile) -> bytes:
    """The root of the tree with `size` leaves, from its tiles."""
    return range_root(0, size, subtrees_in(size, read))


def inclusion(index: int, size: int, read: ReadTile) -> list[bytes]:
    """The inclusion proof of leaf `index` in the tree with `size` leaves, from its tiles."""
    return inclusion_proof(index, size, subtrees_in(size, read))


def consistency(old_size: int, new_size: int, read: ReadTile) -> list[bytes]:
    """The proof that the tree with `new_size` leaves extends the one with `old_size`, from the newer one's tiles."""
    return consistency_proof(old_size, new_size, subtrees_in(new_size, read))


def subtrees_in(size: int, read: ReadTile) -> CompleteSubtree:
    """Complete subtrees of the tree with `size` leaves; each tile is read once, as wide as that tree has it."""
    known: dict[tuple[int, int], bytes] = {}

    def subtree(level: int, index: int) -> bytes:
        tile_level, height = divmod(level, TILE_HEIGHT)
        tile_index, offset = divmod(index << height, TILE_WIDTH)
        width = width_of(tile_level, tile_index, size)
        if offset + (1 << height) > width:
            raise ProofError(
                f"Subtree {index} at level {level} is not complete in a tree of {size} leaves. Ask inside the tree."
            )
        key = (tile_level, tile_index)
        if key not in known:
            known[key] = _read(read, tile_level, tile_index, width)
        hashes = known[key][offset * HASH_BYTES : (offset + (1 << height)) * HASH_BYTES]
        return root_of(_cut(hashes))

    return subtree


def encode_bundle(entries: Iterable[bytes]) -> bytes:
    """Entries one after another, each behind its length as two bytes."""
    pieces = []
    for entry in entries:
        if len(entry) > ENTRY_BYTES_MAX:
            raise TileError(
                f"An entry of {len(entry)} bytes does not fit. Keep entries within {ENTRY_BYTES_MAX} bytes."
            )
        pieces.append(struct.pack(">H", len(entry)))
        pieces.append(entry)
    return b"".join(pieces)


def decode_bundle(bundle: bytes) -> list[bytes]:
    """The entries of a bundle."""
    entries = []
    place = 0
    while place < len(bundle):
        start = place + 2
        if start > len(bundle):
            raise TileError("The bundle ends inside a length. Fetch it again.")
        place = start + int.from_bytes(bundle[start - 2 : start], "big")
        if place > len(bundle):
            raise TileError("The bundle ends inside an entry. Fetch it again.")
        entries.append(bundle[start:place])
    return entries


def _read(read: ReadTile, level: int, index: int, width: int) -> bytes:
    hashes = read(level, index, width)
    if len(hashes) != width * HASH_BYTES:
        raise TileError(
            f"{Tile(level, index, width).path} holds {len(hashes)} bytes instead of {width * HASH_BYTES}. Fetch it again."
        )
    return hashes


def _cut(hashes: bytes) -> Iterator[bytes]:
    return (hashes[place : place + HASH_BYTES] for place in range(0, len(hashes), HASH_BYTES))


def _number_path(number: int) -> str:
    if number < 0:
        raise TileError(f"A tile has no place {number}. Count from 0.")
    parts = []
    while True:
        number, part = divmod(number, 1000)
        parts.append(f"{part:03}")
        if number == 0:
            break
    return "/".join(["x" + part for part in parts[:0:-1]] + [parts[0]])


def _width_path(width: int) -> str:
    if not 1 <= width <= TILE_WIDTH:
        raise TileError(f"A tile is not {width} wide. Give 1 to {TILE_WIDTH}.")
    return "" if width == TILE_WIDTH else f".p/{width}"
