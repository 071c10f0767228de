"""Proofs about a ledger, from its stored tiles: what a receipt grows into and what an archive carries.

A proof is made for a signed checkpoint and reads, whatever the ledger's size, two tiles a level in one statement: the one that
the leaf or its subtree is in, and the one at the right edge. The arithmetic and the formats are `muniment.proof`'s.
"""

from collections.abc import Sequence
from functools import cache

from muniment.proof.bundle import TlogProof, format_proof
from muniment.proof.merkle import inclusion_proof
from muniment.proof.tiles import Tile, consistency, encode_bundle, subtrees_in, width_of
from record.database import Connection
from record.ids import EntryIndex, LedgerSize, OrgId
from record.ledger.queries import StoredCheckpoint
from record.ledger.stored_tiles import contents, edge_tiles, load_tiles, path_tiles


async def tile(connection: Connection, org_id: OrgId, wanted: Tile, *, signed_size: LedgerSize) -> bytes | None:
    """A tile's hashes; None when signed entries do not fill it to the width that is asked for."""
    if width_of(wanted.level, wanted.index, signed_size) < wanted.width:
        return None
    read = await load_tiles(connection, org_id, [wanted])
    return read(wanted.level, wanted.index, wanted.width)


async def entry_bundle(
    connection: Connection, org_id: OrgId, index: int, width: int, *, signed_size: LedgerSize
) -> bytes | None:
    """The entries of a level-0 tile as C2SP tlog-tiles bundles them; None as for `tile`."""
    if width_of(0, index, signed_size) < width:
        return None
    return encode_bundle(await contents(connection, org_id, index, width))


async def tlog_proof(connection: Connection, org_id: OrgId, index: EntryIndex, checkpoint: StoredCheckpoint) -> bytes:
    """The `.tlog-proof` file (C2SP tlog-proof) of one entry under a checkpoint that covers it."""
    [proof] = await tlog_proofs(connection, org_id, [index], checkpoint)
    return proof


async def tlog_proofs(
    connection: Connection, org_id: OrgId, indexes: Sequence[EntryIndex], checkpoint: StoredCheckpoint
) -> list[bytes]:
    """The `.tlog-proof` files of these entries, in the order given. One statement: ask for some hundreds at a time.

    Neighbours share tiles and subtrees, so a page of neighbours costs little more than formatting its files.
    """
    wanted = {*edge_tiles(checkpoint.size)}
    for tile_index in {index // 256 for index in indexes}:
        wanted.update(path_tiles(EntryIndex(tile_index * 256), checkpoint.size))
    read = await load_tiles(connection, org_id, wanted)
    subtree = cache(subtrees_in(checkpoint.size, read))
    return [
        format_proof(
            TlogProof(index, tuple(inclusion_proof(index, checkpoint.size, subtree)), checkpoint.note)
        ).encode()
        for index in indexes
    ]


async def consistency_proof(
    connection: Connection, org_id: OrgId, *, old_size: LedgerSize, new_size: LedgerSize
) -> list[bytes]:
    """The hashes which show that the ledger at `new_size` extends the ledger at `old_size`. Both must be signed already."""
    wanted = {*edge_tiles(new_size)}
    if old_size > 0:
        wanted.update(path_tiles(EntryIndex(old_size - 1), new_size))
    read = await load_tiles(connection, org_id, wanted)
    return consistency(old_size, new_size, read)
