"""Many proofs at once are the proofs that there are one at a time."""

from functools import cache

from hypothesis import given, settings
from hypothesis import strategies as st

from muniment.proof.merkle import inclusion_proof, leaf_hash, node_hash, range_root, verify_inclusion
from record.archives.proving import inclusion_proofs


@cache
def subtree(level: int, index: int) -> bytes:
    """Of an endless tree whose leaves are their own numbers."""
    if level == 0:
        return leaf_hash(str(index).encode())
    return node_hash(subtree(level - 1, 2 * index), subtree(level - 1, 2 * index + 1))


@given(
    st.integers(1, 700).flatmap(lambda size: st.tuples(st.just(size), st.sets(st.integers(0, size - 1), min_size=1)))
)
@settings(max_examples=150)
def test_each_proof_is_the_one_for_its_leaf_alone(chosen: tuple[int, set[int]]) -> None:
    size, leaves = chosen
    indexes = sorted(leaves)

    found = inclusion_proofs(indexes, size, subtree)

    assert found == [tuple(inclusion_proof(index, size, subtree)) for index in indexes]
    root = range_root(0, size, subtree)
    for index, path in zip(indexes, found, strict=True):
        verify_inclusion(subtree(0, index), index, size, path, root)
