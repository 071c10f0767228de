"""The log's arithmetic: leaf hashes in, roots and proofs out.

Nothing here opens a file, reads a clock or knows what an entry says. That is what lets a stranger check the log with this
module alone, and lets property tests grow thousands of trees a second.

Rules kept here (RFC 6962, section 2.1; RFC 9162 describes the checking):
 * leaves and nodes never hash alike: a leaf starts with 0x00, a node with 0x01;
 * a tree splits at the largest power of two that is smaller than its size;
 * the empty tree's root is the SHA-256 of nothing.

A *complete* subtree is named by (level, index): it covers the leaves from index * 2^level up to, not including,
(index + 1) * 2^level. Proof builders ask for such hashes through a callable, so they do not care where hashes live;
`muniment.proof.tiles` reads them from tiles.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256

HASH_BYTES = 32
EMPTY_ROOT = sha256(b"").digest()

CompleteSubtree = Callable[[int, int], bytes]
"""Given (level, index), the hash of that complete subtree."""


class ProofError(ValueError):
    """A proof does not lead to the root that it should lead to, or cannot exist."""


def leaf_hash(entry: bytes) -> bytes:
    """The hash of an entry's exact bytes."""
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of two neighbouring subtrees."""
    return sha256(b"\x01" + left + right).digest()


class CompactRange:
    """The fewest hashes from which a growing tree's root can be told: one per complete subtree, largest first."""

    def __init__(self, size: int = 0, peaks: Sequence[bytes] = ()) -> None:
        if size < 0 or len(peaks) != bin(size).count("1"):
            raise ProofError(f"A tree of {size} leaves has not {len(peaks)} complete subtrees. Give one hash for each.")
        self.size = size
        self.peaks = list(peaks)

    def append(self, leaf: bytes) -> None:
        """Add one leaf hash at the right."""
        size = self.size
        while size & 1:
            leaf = node_hash(self.peaks.pop(), leaf)
            size >>= 1
        self.peaks.append(leaf)
        self.size += 1

    def root(self) -> bytes:
        """The root of the tree as it now is."""
        return _folded(self.peaks)


def root_of(leaves: Iterable[bytes]) -> bytes:
    """The root over these leaf hashes, in constant memory."""
    grown = CompactRange()
    for leaf in leaves:
        grown.append(leaf)
    return grown.root()


def subtrees_of(leaves: Sequence[bytes]) -> CompleteSubtree:
    """Complete subtrees over leaf hashes that are all at hand; each is computed once."""
    known: dict[tuple[int, int], bytes] = {}

    def subtree(level: int, index: int) -> bytes:
        if level == 0:
            return leaves[index]
        found = known.get((level, index))
        if found is None:
            found = node_hash(subtree(level - 1, 2 * index), subtree(level - 1, 2 * index + 1))
            known[level, index] = found
        return found

    return subtree


def range_root(start: int, end: int, subtree: CompleteSubtree) -> bytes:
    """The root over leaves `start` to `end`, where `start` is a multiple of the smallest power of two that spans them."""
    peaks = []
    while start < end:
        level = (end - start).bit_length() - 1
        peaks.append(subtree(level, start >> level))
        start += 1 << level
    return _folded(peaks)


def inclusion_proof(index: int, size: int, subtree: CompleteSubtree) -> list[bytes]:
    """The hashes that lead from leaf `index` to the root of the tree of `size` leaves: the leaf's sibling first."""
    if not 0 <= index < size:
        raise ProofError(f"Leaf {index} is not in a tree of {size} leaves. Ask for an index below the size.")
    path = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append(range_root(middle, end, subtree))
            end = middle
        else:
            path.append(range_root(start, middle, subtree))
            start = middle
    return path[::-1]


def consistency_proof(old_size: int, new_size: int, subtree: CompleteSubtree) -> list[bytes]:
    """The hashes that show the tree of `old_size` leaves to be the beginning of the tree of `new_size` leaves."""
    if not 0 <= old_size <= new_size:
        raise ProofError(f"A tree does not shrink from {old_size} to {new_size} leaves. Give the smaller size first.")
    if old_size in (0, new_size):
        return []
    path = []
    start, end = 0, new_size
    while end != old_size:
        middle = start + _split(end - start)
        if old_size <= middle:
            path.append(range_root(middle, end, subtree))
            end = middle
        else:
            path.append(range_root(start, middle, subtree))
            start = middle
    if start > 0:
        # The old tree's last part is a right subtree: whoever checks does not know its hash. Otherwise it is the old root.
        path.append(range_root(start, end, subtree))
    return path[::-1]


def root_from_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes]) -> bytes:
    """The root that an inclusion proof leads to (RFC 9162, section 2.1.3.2)."""
    if not 0 <= index < size:
        raise ProofError(f"Leaf {index} is not in a tree of {size} leaves. The proof cannot exist.")
    node, last, found = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            raise ProofError(f"The proof for leaf {index} of {size} is too long. Ask for a fresh one.")
        if node & 1 or node == last:
            found = node_hash(sibling, found)
            while not node & 1 and node:
                node >>= 1
                last >>= 1
        else:
            found = node_hash(found, sibling)
        node >>= 1
        last >>= 1
    if last != 0:
        raise ProofError(f"The proof for leaf {index} of {size} is too short. Ask for a fresh one.")
    return found


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Returns if the proof shows that `leaf` is at `index` of the tree with this size and root; raises ProofError if not."""
    if root_from_inclusion(leaf, index, size, proof) != root:
        raise ProofError(
            f"The proof does not lead from leaf {index} to the root of {size} leaves. Do not rely on the entry."
        )


def verify_consistency(old_size: int, old_root: bytes, new_size: int, new_root: bytes, proof: Sequence[bytes]) -> None:
    """Returns if the old tree is the beginning of the new one (RFC 9162, section 2.1.4.2); raises ProofError if not."""
    refusal = ProofError(
        f"The tree of {new_size} leaves does not extend the tree of {old_size} leaves. The log was rewritten; keep both."
    )
    if not 0 <= old_size <= new_size:
        raise refusal
    if old_size in (0, new_size):
        expected = EMPTY_ROOT if old_size == 0 else new_root
        if proof or old_root != expected or (new_size == 0 and new_root != EMPTY_ROOT):
            raise refusal
        return
    path = list(proof)
    if old_size & (old_size - 1) == 0:
        path.insert(0, old_root)
    if not path:
        raise refusal
    node, last = old_size - 1, new_size - 1
    while node & 1:
        node >>= 1
        last >>= 1
    old_found = new_found = path[0]
    for sibling in path[1:]:
        if last == 0:
            raise refusal
        if node & 1 or node == last:
            old_found = node_hash(sibling, old_found)
            new_found = node_hash(sibling, new_found)
            while not node & 1 and node:
                node >>= 1
                last >>= 1
        else:
            new_found = node_hash(new_found, sibling)
        node >>= 1
        last >>= 1
    if last != 0 or old_found != old_root or new_found != new_root:
        raise refusal


def _split(size: int) -> int:
    """The largest power of two that is smaller than `size`, which is at least 2."""
    return 1 << ((size - 1).bit_length() - 1)


def _folded(peaks: Sequence[bytes]) -> bytes:
    if not peaks:
        return EMPTY_ROOT
    found = peaks[-1]
    for peak in reversed(peaks[:-1]):
        found = node_hash(peak, found)
    return found
