"""Proofs made from stored tiles convince the code that auditors verify with."""

import random
import time

import pytest

from muniment.proof import merkle, tiles
from muniment.proof.bundle import parse_proof, verify_proof
from muniment.proof.policy import Policy
from muniment.proof.tiles import Tile
from record.database import Connection
from record.ids import EntryIndex, LedgerSize
from record.ledger import proofs, queries
from record.ledger.queries import StoredCheckpoint
from tests.record.ledger.harness import LedgerUnderTest, statements_of

SIZES = (1, 2, 3, 200, 255, 256, 257, 511, 512, 513, 700, 1_000)


@pytest.fixture
async def grown(ledger: LedgerUnderTest) -> LedgerUnderTest:
    """A thousand entries, signed at some sizes on the way."""
    for size in (3, 200, 256, 700, 1_000):
        await ledger.grow_to(size)
        await ledger.sign()
    return ledger


async def leaves_of(connection: Connection, ledger: LedgerUnderTest) -> list[bytes]:
    rows = await connection.fetch(
        "SELECT content FROM record.entries WHERE org_id = $1 ORDER BY entry_index", ledger.org_id
    )
    return [merkle.leaf_hash(row["content"]) for row in rows]


async def newest(connection: Connection, ledger: LedgerUnderTest) -> StoredCheckpoint:
    found = await queries.newest_checkpoint(connection, ledger.org_id)
    assert found is not None
    return found


def trusting(ledger: LedgerUnderTest) -> Policy:
    return Policy(logs=(ledger.key,), witnesses={}, groups={}, quorum="none")


async def test_every_entry_is_proven_under_every_checkpoint_that_covers_it(grown: LedgerUnderTest) -> None:
    async with grown.record.database.connection(grown.org_id) as connection:
        leaves = await leaves_of(connection, grown)
        for size in (3, 200, 256, 700, 1_000):
            checkpoint = await queries.checkpoint_of(connection, grown.org_id, LedgerSize(size))
            assert checkpoint is not None
            indexes = [EntryIndex(index) for index in range(size)]

            files = await proofs.tlog_proofs(connection, grown.org_id, indexes, checkpoint)

            for index, file in enumerate(files):
                proof = parse_proof(file)
                assert proof.index == index
                assert verify_proof(proof, leaves[index], trusting(grown)).size == size


async def test_proofs_come_in_the_order_asked(grown: LedgerUnderTest) -> None:
    indexes = [EntryIndex(index) for index in random.Random(5).sample(range(1_000), 50)]
    async with grown.record.database.connection(grown.org_id) as connection:
        checkpoint = await newest(connection, grown)

        files = await proofs.tlog_proofs(connection, grown.org_id, indexes, checkpoint)

        assert [parse_proof(file).index for file in files] == indexes
        assert files[7] == await proofs.tlog_proof(connection, grown.org_id, indexes[7], checkpoint)


async def test_every_size_is_consistent_with_every_later_one(grown: LedgerUnderTest) -> None:
    async with grown.record.database.connection(grown.org_id) as connection:
        leaves = await leaves_of(connection, grown)
        roots = {size: merkle.root_of(leaves[:size]) for size in (0, *SIZES)}
        for old in roots:
            for new in roots:
                if old <= new:
                    proof = await proofs.consistency_proof(
                        connection, grown.org_id, old_size=LedgerSize(old), new_size=LedgerSize(new)
                    )
                    merkle.verify_consistency(old, roots[old], new, roots[new], proof)


async def test_tiles_of_any_signed_size_lead_to_its_root(grown: LedgerUnderTest) -> None:
    async with grown.record.database.connection(grown.org_id) as connection:
        leaves = await leaves_of(connection, grown)
        for size in SIZES:
            served: dict[tuple[int, int], bytes] = {}
            for tile in tiles.tiles_of(size):
                hashes = await proofs.tile(connection, grown.org_id, tile, signed_size=LedgerSize(1_000))
                served[tile.level, tile.index] = hashes or b""

            assert tiles.root(size, reader(served)) == merkle.root_of(leaves[:size])


def reader(served: dict[tuple[int, int], bytes]) -> tiles.ReadTile:
    return lambda level, index, _: served[level, index]


async def test_tiles_beyond_what_is_signed_are_not_there(grown: LedgerUnderTest) -> None:
    async with grown.record.database.connection(grown.org_id) as connection:
        for tile in (Tile(0, 3, 233), Tile(0, 3), Tile(0, 4, 1), Tile(1, 0, 4), Tile(2, 0, 1)):
            assert await proofs.tile(connection, grown.org_id, tile, signed_size=LedgerSize(1_000)) is None
        assert await proofs.entry_bundle(connection, grown.org_id, 3, 233, signed_size=LedgerSize(1_000)) is None


async def test_bundles_hold_the_entries_as_they_were_hashed(grown: LedgerUnderTest) -> None:
    async with grown.record.database.connection(grown.org_id) as connection:
        leaves = await leaves_of(connection, grown)
        for index, width in ((0, 256), (3, 232), (3, 1)):
            bundle = await proofs.entry_bundle(connection, grown.org_id, index, width, signed_size=LedgerSize(1_000))
            assert bundle is not None
            hashes = [merkle.leaf_hash(entry) for entry in tiles.decode_bundle(bundle)]
            assert hashes == leaves[index * 256 : index * 256 + width]


async def test_a_proof_costs_one_statement_whatever_the_size(ledger: LedgerUnderTest) -> None:
    counts = []
    for size in (100, 1_000, 9_000):
        await ledger.grow_to(size)
        await ledger.sign()
        watched, sent = statements_of(ledger.record)
        async with watched.database.connection(ledger.org_id) as connection:
            checkpoint = await newest(connection, ledger)
            sent.clear()
            indexes = [EntryIndex(index) for index in range(0, size, 7)]
            await proofs.tlog_proofs(connection, ledger.org_id, indexes, checkpoint)
            await proofs.consistency_proof(
                connection, ledger.org_id, old_size=LedgerSize(50), new_size=LedgerSize(size)
            )
        counts.append(len(sent))

    assert counts == [2, 2, 2]


async def test_a_page_of_neighbours_costs_microseconds_each(grown: LedgerUnderTest) -> None:
    async with grown.record.database.connection(grown.org_id) as connection:
        checkpoint = await newest(connection, grown)
        indexes = [EntryIndex(index) for index in range(256, 512)]
        await proofs.tlog_proofs(connection, grown.org_id, indexes, checkpoint)

        began = time.thread_time()  # what it costs, however busy the machine is
        await proofs.tlog_proofs(connection, grown.org_id, indexes, checkpoint)
        seconds = time.thread_time() - began

    assert seconds / len(indexes) < 0.001


async def test_queries_find_entries_checkpoints_and_instants(grown: LedgerUnderTest) -> None:
    async with grown.record.database.connection(grown.org_id) as connection:
        receipt = grown.receipts[300]
        covering = await queries.checkpoint_covering(connection, grown.org_id, LedgerSize(257))
        assert covering is not None
        assert covering.size == 700
        assert await queries.checkpoint_covering(connection, grown.org_id, LedgerSize(1_001)) is None
        later = grown.receipts[-1].at
        assert await queries.size_at(connection, grown.org_id, later) == 1_000
        before = grown.receipts[0].at.replace(year=2000)
        assert await queries.size_at(connection, grown.org_id, before) == 0
        size = await queries.size_at(connection, grown.org_id, receipt.at)
        after = [each for each in grown.receipts if each.index >= size]
        assert all(each.at > receipt.at for each in after)
