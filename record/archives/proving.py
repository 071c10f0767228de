"""Proofs for many entries of one ledger at once: what an archive of thousands of entries spends most of its time on, made cheap.

The proofs of neighbours differ in their first hashes only. So the tree is walked once for all of a page's entries, from the root
down, and every hash on the way is computed once. Each proof is the one that `muniment.proof.merkle.inclusion_proof` gives; a test
holds the two together. The format is `muniment.proof.bundle`'s.
"""

from bisect import bisect_left
from collections.abc import Sequence
from functools import cache

from muniment.proof.bundle import TlogProof, format_proof
from muniment.proof.merkle import CompleteSubtree, range_root
from muniment.proof.tiles import subtrees_in
from record.database import Connection
from record.ids import EntryIndex, OrgId
from record.ledger.queries import StoredCheckpoint
from record.ledger.stored_tiles import edge_tiles, load_tiles, path_tiles


async def proof_files(
    connection: Connection, org_id: OrgId, indexes: Sequence[EntryIndex], checkpoint: StoredCheckpoint
) -> list[bytes]:
    """The `.tlog-proof` files of these entries, which are in ledger order. One statement: ask for some hundreds at a time."""
    wanted = {*edge_tiles(checkpoint.size)}
    for tile_index in {index // 256 for index in indexes}:
        wanted.update(path_tiles(EntryIndex(tile_index * 256), checkpoint.size))
    read = await load_tiles(connection, org_id, wanted)
    subtree = cache(subtrees_in(checkpoint.size, read))
    found = inclusion_proofs(indexes, checkpoint.size, subtree)
    return [
        format_proof(TlogProof(index, path, checkpoint.note)).encode()
        for index, path in zip(indexes, found, strict=True)
    ]


def inclusion_proofs(indexes: Sequence[int], size: int, subtree: CompleteSubtree) -> list[tuple[bytes, ...]]:
    """The hashes that lead from each of these leaves, in ascending order, to the root: the leaf's sibling first."""
    found: list[tuple[bytes, ...]] = []

    def walk(low: int, high: int, start: int, end: int, above: tuple[bytes, ...]) -> None:
        """Finds the proofs of `indexes[low:high]`, all of which are leaves from `start` to `end`."""
        if end - start == 1:
            found.append(above)
            return
        middle = start + (1 << ((end - start - 1).bit_length() - 1))
        cut = bisect_left(indexes, middle, low, high)
        if low < cut:
            walk(low, cut, start, middle, (range_root(middle, end, subtree), *above))
        if cut < high:
            walk(cut, high, middle, end, (range_root(start, middle, subtree), *above))

    walk(0, len(indexes), 0, size, ())
    return found
