"""Tiles: where they are served, how a tree is cut into them, and that proofs made from them are the naive ones."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from muniment.proof import tiles
from muniment.proof.merkle import consistency_proof, inclusion_proof, leaf_hash, root_of, subtrees_of
from muniment.proof.tiles import Tile, TileError

LEAVES = [leaf_hash(number.to_bytes(4, "big")) for number in range(70_000)]
SUBTREES = subtrees_of(LEAVES)
SIZES = st.integers(1, 1200) | st.integers(65_000, 70_000)


class TileStore:
    """Tiles by path, as a file server holds them."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.read_paths: list[str] = []

    def read(self, level: int, index: int, width: int) -> bytes:
        path = Tile(level, index, width).path
        self.read_paths.append(path)
        return self.files[path]

    def grow(self, old_size: int, new_size: int) -> None:
        for tile, hashes in tiles.grow(old_size, LEAVES[old_size:new_size], self.read):
            self.files[tile.path] = hashes


GROWN = TileStore()
GROWN.grow(0, 70_000)


def read_any_width(level: int, index: int, width: int) -> bytes:
    """A narrower tile is the beginning of the widest one."""
    widest = tiles.width_of(level, index, 70_000)
    return GROWN.files[Tile(level, index, widest).path][: 32 * width]


@pytest.mark.parametrize(
    ("number", "path"),
    [(0, "000"), (999, "999"), (1000, "x001/000"), (1_234_067, "x001/x234/067"), (10**9, "x001/x000/x000/000")],
)
def test_a_number_is_cut_into_parts_of_three_digits(number: int, path: str) -> None:
    assert Tile(3, number).path == f"tile/3/{path}"
    assert tiles.entries_path(number, 7) == f"tile/entries/{path}.p/7"
    assert tiles.parse_tile_path(f"tile/3/{path}") == (3, number, 256)
    assert tiles.parse_tile_path(f"tile/entries/{path}.p/7") == (None, number, 7)


@pytest.mark.parametrize(
    "path",
    [
        "tile/0/1",
        "tile/00/000",
        "tile/64/000",
        "tile/0/x000/001",
        "tile/0/000/001",
        "tile/0/x001",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/0/000/",
        "tile/-1/000",
        "tile/0/../000",
        "tile/0/\u0660\u0660\u0660",
    ],
)
def test_a_path_that_is_written_otherwise_is_refused(path: str) -> None:
    with pytest.raises(TileError, match="path"):
        tiles.parse_tile_path(path)


def test_a_tree_of_70000_has_the_tiles_that_the_specification_counts() -> None:
    of_level = {level: [tile for tile in tiles.tiles_of(70_000) if tile.level == level] for level in range(4)}

    assert [tile.width for tile in of_level[0]] == [256] * 273 + [112]
    assert [tile.width for tile in of_level[1]] == [256, 17]
    assert [tile.width for tile in of_level[2]] == [1]
    assert of_level[3] == []


def test_a_tree_of_256_has_no_empty_tile() -> None:
    assert list(tiles.tiles_of(256)) == [Tile(0, 0, 256), Tile(1, 0, 1)]


@given(SIZES)
@settings(max_examples=30, deadline=None)
def test_a_root_from_tiles_is_the_root(size: int) -> None:
    assert tiles.root(size, read_any_width) == root_of(LEAVES[:size])


@given(SIZES, st.data())
@settings(deadline=None)
def test_an_inclusion_proof_from_tiles_is_the_naive_one(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))

    assert tiles.inclusion(index, size, read_any_width) == inclusion_proof(index, size, SUBTREES)


@given(SIZES, st.data())
@settings(deadline=None)
def test_a_consistency_proof_from_tiles_is_the_naive_one(size: int, data: st.DataObject) -> None:
    old_size = data.draw(st.integers(0, size))

    assert tiles.consistency(old_size, size, read_any_width) == consistency_proof(old_size, size, SUBTREES)


@given(st.lists(st.integers(0, 400), min_size=1, max_size=6))
@settings(deadline=None, max_examples=50)
def test_growing_in_steps_stores_the_tiles_of_every_size(steps: list[int]) -> None:
    store, size = TileStore(), 0
    for step in steps:
        before = set(store.files)
        store.grow(size, size + step)
        assert set(store.files) - before == {tile.path for tile in tiles.tiles_between(size, size + step)}
        size += step
        assert all(tile.path in store.files for tile in tiles.tiles_of(size))
        assert tiles.root(size, store.read) == root_of(LEAVES[:size])


def test_a_proof_reads_a_handful_of_tiles() -> None:
    GROWN.read_paths.clear()

    tiles.inclusion(12_345, 70_000, GROWN.read)

    assert len(GROWN.read_paths) == len(set(GROWN.read_paths)) <= 6


def test_a_tile_of_the_wrong_length_is_refused() -> None:
    with pytest.raises(TileError, match=r"tile/0/000.p/3 holds 31 bytes instead of 96"):
        tiles.root(3, lambda *_: b"x" * 31)


@given(st.lists(st.binary(max_size=300), max_size=256))
def test_a_bundle_holds_the_entries_that_went_in(entries: list[bytes]) -> None:
    assert tiles.decode_bundle(tiles.encode_bundle(entries)) == entries


def test_the_longest_entry_fits_and_no_longer_one() -> None:
    assert tiles.decode_bundle(tiles.encode_bundle([b"x" * 65_535])) == [b"x" * 65_535]
    with pytest.raises(TileError, match="65536 bytes does not fit"):
        tiles.encode_bundle([b"x" * 65_536])


@pytest.mark.parametrize("bundle", [b"\x00", b"\x00\x02x", b"\x00\x01x\x00"])
def test_a_bundle_that_is_cut_short_is_refused(bundle: bytes) -> None:
    with pytest.raises(TileError, match="ends inside"):
        tiles.decode_bundle(bundle)
