"""New entries in, a signed checkpoint out: what makes a receipt into something that a stranger can check.

One transaction, under a lock per organization, and always the same few steps: read the newest checkpoint; compute its root again
from the stored hashes at the tree's right edge; hash the bytes of the entries that follow; store the tiles that are full now;
sign. The work grows with the new entries and the tree's height, not with the ledger.

Rules kept here:
 * one line of history: a checkpoint is signed only when it extends the newest one, which must verify and whose root must follow
   from what is stored. What does not fit is never repaired, it is refused, and the refusal ends the process;
 * PostgreSQL may have been set back to an older copy. So its newest checkpoint is held against what this process signed and,
   when the process or the PostgreSQL server is new, against what the vault holds. Until the vault has answered, nothing is signed;
 * a note leaves this function only after its transaction is committed.

What may have happened when we die: nothing, or everything. A note that was signed and not committed is seen by nobody.
Publication is `record.ledger.publish`'s; what lies behind the right edge is `record.scrubbing`'s.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import asyncpg

from muniment.proof import merkle, tiles
from muniment.proof.checkpoint import Checkpoint, open_checkpoint
from muniment.proof.notes import NoteError, VerifierKey
from muniment.proof.tiles import ReadTile, Tile, TileError
from record.database import Connection
from record.ids import LedgerSize, OrgId
from record.ledger.publish import newest_published_size
from record.ledger.queries import StoredCheckpoint, newest_checkpoint
from record.ledger.signing import ForkRefused, Notary
from record.ledger.stored_tiles import edge_tiles, load_tiles
from record.record import Record
from record.refusals import NotFound

ENTRIES_MAX: Final = 16_384
"""Most entries that one checkpoint adds, so that a backlog is worked off in bounded memory."""
_PAGE: Final = 1024
_EMPTY: Final = LedgerSize(0)

_SERVER_STARTED: Final = "SELECT pg_postmaster_start_time()"

_LOCK: Final = "SELECT pg_advisory_xact_lock(hashtextextended('muniment.integrate.' || $1::text, 0))"

_ORIGIN: Final = "SELECT origin FROM ops.ledgers WHERE org_id = $1"

_NEW_ENTRIES: Final = """
SELECT entry_index, leaf_hash, content FROM record.entries
WHERE org_id = $1 AND entry_index >= $2 ORDER BY entry_index LIMIT $3"""

_STORE: Final = """
WITH full_tiles AS (
    INSERT INTO record.tiles (org_id, level, tile_index, hashes, root)
    SELECT $1, t.level, t.tile_index, t.hashes, t.root
    FROM unnest($2::integer[], $3::bigint[], $4::bytea[], $5::bytea[]) AS t (level, tile_index, hashes, root)
), checkpoint AS (
    INSERT INTO record.checkpoints (org_id, size, root, note, signed_at) VALUES ($1, $6, $7, $8, $9)
)
INSERT INTO ops.publications (org_id, signed_size, published_size) VALUES ($1, $6, 0)
ON CONFLICT (org_id) DO UPDATE SET signed_size = excluded.signed_size"""


@dataclass(frozen=True, slots=True)
class _Tree:
    """The tree as it was last signed: its size, its root, and the hashes at its right edge."""

    size: LedgerSize
    root: bytes
    read: ReadTile


async def integrate(record: Record, org_id: OrgId, notary: Notary) -> StoredCheckpoint | None:
    """Signs a checkpoint over the entries that have none, up to `ENTRIES_MAX` of them; None when there are none.

    Raises `ForkRefused` when the ledger contradicts what was signed, `Unavailable` when a server is away.
    """
    async with record.database.connection(org_id) as connection:
        published = await _compare_with_vault(record, connection, org_id, notary)
        async with connection.transaction():
            await connection.execute(_LOCK, str(org_id))
            signer = notary.signer(await _origin(connection, org_id))
            last = await newest_checkpoint(connection, org_id)
            _refuse_set_back(last, notary.signed.get(org_id), published, origin=signer.key.name)
            if last is not None and last != notary.signed.get(org_id):
                _refuse_foreign(last, signer.key)
            tree = await _signed_tree(connection, org_id, last, origin=signer.key.name)
            leaves = await _new_leaves(connection, org_id, tree.size)
            if leaves:
                size = LedgerSize(tree.size + len(leaves))
                grown = tiles.grow(tree.size, leaves, tree.read)
                root = _grown_root(size, grown, tree.read)
                note = signer.sign_checkpoint(size, root)
                last = StoredCheckpoint(size, root, note, signed_at=record.clock.now())
                await _store(connection, org_id, grown, last, origin=signer.key.name)
        # From here on the checkpoint is PostgreSQL's newest for good. If we die before anybody is told, the next
        # integration finds it there, and `publish` carries it to the vault by comparing published_size with signed_size.
    if last is not None:
        notary.signed[org_id] = last
    return last if leaves else None


async def _compare_with_vault(
    record: Record, connection: Connection, org_id: OrgId, notary: Notary
) -> LedgerSize | None:
    """The size of a checkpoint in the vault that PostgreSQL must have too, asked once per process and PostgreSQL server.

    The vault is asked before the lock is taken: what it holds was committed before, so PostgreSQL's newest can only be newer.
    """
    started: datetime = await connection.fetchval(_SERVER_STARTED)
    if notary.compared.get(org_id) == started:
        return None
    last = await newest_checkpoint(connection, org_id)
    published = await newest_published_size(record.vault, org_id, after=_EMPTY if last is None else last.size)
    if published is None:
        notary.compared[org_id] = started
    return published


async def _origin(connection: Connection, org_id: OrgId) -> str:
    origin: str | None = await connection.fetchval(_ORIGIN, org_id)
    if origin is None:
        raise NotFound("There is no such ledger. Check the organization's id.")
    return origin


def _refuse_set_back(
    last: StoredCheckpoint | None, signed: StoredCheckpoint | None, published: LedgerSize | None, *, origin: str
) -> None:
    """Refuses when PostgreSQL's newest checkpoint is older than one that is known from elsewhere, or differs from it."""
    size = _EMPTY if last is None else last.size
    if signed is not None and (size < signed.size or (size == signed.size and last != signed)):
        raise ForkRefused(
            f"{origin}: this process signed {signed.size} entries, but PostgreSQL's newest checkpoint has {size} or differs. "
            "The database was set back or edited. Stop all writers and restore the newest copy."
        )
    if published is not None and size < published:
        raise ForkRefused(
            f"{origin}: the vault holds a checkpoint of {published} entries, but PostgreSQL's newest has {size}. "
            "The database was set back. Stop all writers and restore the newest copy."
        )


def _refuse_foreign(last: StoredCheckpoint, key: VerifierKey) -> None:
    """Refuses a newest checkpoint that our key did not sign, or whose columns are not what its note says."""
    try:
        said = open_checkpoint(last.note, key)
    except NoteError as error:
        raise ForkRefused(
            f"{key.name}: the checkpoint of {last.size} entries does not verify: {error} "
            "Give the worker the key that this log began with, and run `python -m record verify`."
        ) from error
    if said != Checkpoint(key.name, last.size, last.root):
        raise ForkRefused(
            f"{key.name}: the row of the checkpoint of {last.size} entries differs from its note, which says {said.size}. "
            "Somebody edited it. Run `python -m record verify`."
        )


async def _signed_tree(connection: Connection, org_id: OrgId, last: StoredCheckpoint | None, *, origin: str) -> _Tree:
    """The signed tree's edge, after computing its root again from what is stored now."""
    if last is None:
        return _Tree(_EMPTY, merkle.EMPTY_ROOT, await load_tiles(connection, org_id, []))
    read = await load_tiles(connection, org_id, edge_tiles(last.size))
    try:
        root: bytes | None = tiles.root(last.size, read)
    except TileError:
        root = None
    if root != last.root:
        raise ForkRefused(
            f"{origin}: the stored hashes of {last.size} entries no longer lead to the root that was signed for them. "
            "Somebody edited or removed them. Run `python -m record verify` to learn which."
        )
    return _Tree(last.size, last.root, read)


async def _new_leaves(connection: Connection, org_id: OrgId, size: LedgerSize) -> list[bytes]:
    """The leaf hashes of entries from `size` on, computed from their bytes."""
    leaves: list[bytes] = []
    while len(leaves) < ENTRIES_MAX:
        wanted = min(_PAGE, ENTRIES_MAX - len(leaves))
        rows = await connection.fetch(_NEW_ENTRIES, org_id, size + len(leaves), wanted)
        for index, stored, content in rows:
            leaf = merkle.leaf_hash(content)
            if index != size + len(leaves) or leaf != stored:
                raise ForkRefused(
                    f"Entry {size + len(leaves)} of {org_id} is missing or is not what was acknowledged with its receipt. "
                    "Somebody edited it. Run `python -m record verify`."
                )
            leaves.append(leaf)
        if len(rows) < wanted:
            break
    return leaves


def _grown_root(size: LedgerSize, grown: Sequence[tuple[Tile, bytes]], read: ReadTile) -> bytes:
    """The root after growing: a tile at the right edge is new, or stayed as it was."""
    new = {(tile.level, tile.index): hashes for tile, hashes in grown}

    def newest(level: int, index: int, width: int) -> bytes:
        return new.get((level, index)) or read(level, index, width)

    return tiles.root(size, newest)


async def _store(
    connection: Connection,
    org_id: OrgId,
    grown: Sequence[tuple[Tile, bytes]],
    checkpoint: StoredCheckpoint,
    *,
    origin: str,
) -> None:
    full = [(tile, hashes) for tile, hashes in grown if tile.width == tiles.TILE_WIDTH]
    try:
        await connection.execute(
            _STORE,
            org_id,
            [tile.level for tile, _ in full],
            [tile.index for tile, _ in full],
            [hashes for _, hashes in full],
            [tile_root(hashes) for _, hashes in full],
            checkpoint.size,
            checkpoint.root,
            checkpoint.note,
            checkpoint.signed_at,
        )
    except asyncpg.UniqueViolationError as error:
        raise ForkRefused(
            f"{origin}: a tile or a checkpoint of {checkpoint.size} entries is there already, but no checkpoint leads to it. "
            "Somebody removed checkpoints. Run `python -m record verify`."
        ) from error


def tile_root(hashes: bytes) -> bytes:
    """The root over a tile's hashes: one hash of the tile above."""
    return merkle.root_of(hashes[place : place + 32] for place in range(0, len(hashes), 32))
