"""The arithmetic of the log against the published vectors, and against a tree hashed naively."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muniment.proof.merkle import (
    EMPTY_ROOT,
    CompactRange,
    ProofError,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    root_of,
    subtrees_of,
    verify_consistency,
    verify_inclusion,
)

ENTRIES = [bytes.fromhex(text) for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657")]
ENTRIES.append(bytes(range(0x60, 0x70)))
LEAVES = [leaf_hash(entry) for entry in ENTRIES]
SIZES = st.integers(1, 300)


def leaves_of(size: int) -> list[bytes]:
    return [leaf_hash(number.to_bytes(2, "big")) for number in range(size)]


def naive_root(leaves: list[bytes]) -> bytes:
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return node_hash(naive_root(leaves[:split]), naive_root(leaves[split:]))


@pytest.mark.parametrize(
    ("size", "root"),
    [
        (0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        (1, "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"),
        (2, "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"),
        (3, "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"),
        (5, "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4"),
        (8, "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"),
    ],
)
def test_the_published_roots_come_out(size: int, root: str) -> None:
    assert root_of(LEAVES[:size]).hex() == root


def test_the_published_proofs_come_out() -> None:
    inclusion = inclusion_proof(0, 8, subtrees_of(LEAVES))
    consistency = consistency_proof(3, 7, subtrees_of(LEAVES))

    assert [each.hex()[:8] for each in inclusion] == ["96a296d2", "5f083f0a", "6b47aaf2"]
    assert [each.hex()[:8] for each in consistency] == ["0298d122", "07506a85", "fac54203", "837dbb15"]


@given(SIZES)
def test_a_grown_root_is_the_naive_root(size: int) -> None:
    assert root_of(leaves_of(size)) == naive_root(leaves_of(size))


@given(SIZES, st.data())
def test_growing_can_stop_and_go_on(size: int, data: st.DataObject) -> None:
    leaves = leaves_of(size)
    stop = data.draw(st.integers(0, size))
    first = CompactRange()
    for leaf in leaves[:stop]:
        first.append(leaf)

    second = CompactRange(first.size, first.peaks)
    for leaf in leaves[stop:]:
        second.append(leaf)

    assert second.root() == naive_root(leaves)


@given(SIZES, st.data())
def test_every_inclusion_proof_verifies_and_none_does_for_another_leaf(size: int, data: st.DataObject) -> None:
    leaves = leaves_of(size)
    index = data.draw(st.integers(0, size - 1))
    proof = inclusion_proof(index, size, subtrees_of(leaves))

    verify_inclusion(leaves[index], index, size, proof, root_of(leaves))
    with pytest.raises(ProofError):
        verify_inclusion(leaf_hash(b"another"), index, size, proof, root_of(leaves))


@given(SIZES, st.data())
def test_a_damaged_inclusion_proof_never_verifies(size: int, data: st.DataObject) -> None:
    leaves = leaves_of(size)
    index = data.draw(st.integers(0, size - 1))
    proof = inclusion_proof(index, size, subtrees_of(leaves))
    damaged = data.draw(damages(proof))

    with pytest.raises(ProofError):
        verify_inclusion(leaves[index], index, size, damaged, root_of(leaves))


@given(SIZES, st.data())
def test_every_consistency_proof_verifies(new_size: int, data: st.DataObject) -> None:
    leaves = leaves_of(new_size)
    old_size = data.draw(st.integers(0, new_size))
    proof = consistency_proof(old_size, new_size, subtrees_of(leaves))

    verify_consistency(old_size, root_of(leaves[:old_size]), new_size, root_of(leaves), proof)


@given(st.integers(2, 300), st.data())
def test_a_rewritten_or_damaged_history_is_not_consistent(new_size: int, data: st.DataObject) -> None:
    leaves = leaves_of(new_size)
    old_size = data.draw(st.integers(1, new_size - 1))
    rewritten = [leaf_hash(b"rewritten"), *leaves[1:]]
    old_root, new_root = root_of(leaves[:old_size]), root_of(leaves)
    proof = consistency_proof(old_size, new_size, subtrees_of(leaves))

    with pytest.raises(ProofError):
        verify_consistency(old_size, root_of(rewritten[:old_size]), new_size, new_root, proof)
    with pytest.raises(ProofError):
        verify_consistency(old_size, old_root, new_size, root_of(rewritten), proof)
    with pytest.raises(ProofError):
        verify_consistency(old_size, old_root, new_size, new_root, data.draw(damages(proof)))


def damages(proof: list[bytes]) -> st.SearchStrategy[list[bytes]]:
    """The proof with a hash exchanged, dropped or added."""
    ways = [[*proof, EMPTY_ROOT], [EMPTY_ROOT, *proof]]
    for place in range(len(proof)):
        ways.append(proof[:place] + proof[place + 1 :])
        ways.append([*proof[:place], EMPTY_ROOT, *proof[place + 1 :]])
    return st.sampled_from(ways)


def test_equal_sizes_are_consistent_only_with_equal_roots() -> None:
    verify_consistency(3, root_of(LEAVES[:3]), 3, root_of(LEAVES[:3]), [])

    with pytest.raises(ProofError):
        verify_consistency(3, root_of(LEAVES[:3]), 3, root_of(LEAVES[1:4]), [])


def test_anything_extends_the_empty_tree_but_only_the_true_one() -> None:
    verify_consistency(0, EMPTY_ROOT, 3, root_of(LEAVES[:3]), [])

    with pytest.raises(ProofError):
        verify_consistency(0, LEAVES[0], 3, root_of(LEAVES[:3]), [])


@pytest.mark.parametrize(("index", "size"), [(0, 0), (3, 3), (-1, 3)])
def test_a_leaf_outside_the_tree_has_no_proof(index: int, size: int) -> None:
    with pytest.raises(ProofError, match="is not in a tree"):
        inclusion_proof(index, size, subtrees_of(LEAVES))
    with pytest.raises(ProofError, match="is not in a tree"):
        verify_inclusion(LEAVES[0], index, size, [], LEAVES[0])


def test_a_tree_never_shrinks() -> None:
    with pytest.raises(ProofError, match="does not shrink"):
        consistency_proof(5, 3, subtrees_of(LEAVES))
    with pytest.raises(ProofError, match="does not extend"):
        verify_consistency(5, root_of(LEAVES[:5]), 3, root_of(LEAVES[:3]), [])


def test_a_compact_range_wants_one_hash_for_each_complete_subtree() -> None:
    with pytest.raises(ProofError, match="5 leaves has not 1"):
        CompactRange(5, [EMPTY_ROOT])
