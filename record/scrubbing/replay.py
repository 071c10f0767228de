"""One pass over a ledger in PostgreSQL, from its first entry to its last, in constant memory.

    entries      bytes against leaf hashes, columns and neighbours
    tiles        the full tiles that the leaf hashes make, against those that are stored
    checkpoints  the root at every size that was ever signed, and every signature
    rows         what the readings make of each entry, against what the tables hold

The tree is grown from the stored leaf hashes, so that edited bytes are named once, by their entry, and do not redden every
checkpoint after it; a leaf hash that was edited along with the bytes shows in its tile and in the checkpoints over it.

Everything below the size at which the pass begins is committed for good, so nothing is locked and no transaction stays open.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final

from muniment.proof import merkle, tiles
from muniment.proof.checkpoint import Checkpoint, open_checkpoint
from muniment.proof.notes import NoteError
from muniment.proof.signing import Signer
from muniment.proof.tiles import TILE_WIDTH, Tile
from record.database import Connection
from record.ids import OrgId
from record.ledger.entries import Entry
from record.ledger.integrate import tile_root
from record.ledger.queries import RecordedEntry, StoredCheckpoint
from record.ledger.readings import Row
from record.scrubbing import queries
from record.scrubbing.queries import Extent, RowStream
from record.scrubbing.rules import Findings, check_entry, compare_rows, compare_tile, in_database

BATCH: Final = 256
_BEYOND: Final = 2**63 - 1
_NO_LEAF: Final = bytes(merkle.HASH_BYTES)
"""Stands for an entry that is gone: what it should be shows in the tile over it."""

RowsOf = Callable[[Entry], Sequence[Row]]


class Replay:
    """The state of a pass: how the tree has grown, and what has been found."""

    def __init__(
        self, connection: Connection, org_id: OrgId, signer: Signer, rows_of: RowsOf, findings: Findings
    ) -> None:
        self._connection = connection
        self._org_id = org_id
        self._signer = signer
        self._rows_of = rows_of
        self._findings = findings
        self._range = merkle.CompactRange()
        self._edges: dict[tuple[int, int], bytes] = {}
        self._previous_at: datetime | None = None
        self._agreed_size = 0
        self._disagrees = False
        self.counts: dict[str, int] = dict.fromkeys(("entries", "rows", "tiles", "checkpoints"), 0)

    async def run(self) -> Extent:
        """Goes over everything that is committed now; how far that was."""
        extent = await queries.extent(self._connection, self._org_id)
        self._check_extent(extent)
        async with queries.row_streams(self._connection, self._org_id) as streams:
            for start in range(0, extent.entries, BATCH):
                end = min(start + BATCH, extent.entries)
                stored = await queries.entries_between(self._connection, self._org_id, start, end)
                entries = self._check_entries(start, end, stored)
                await self._check_tree(start, end, {each.index: each.leaf_hash for each in stored}, extent)
                await self._check_rows(end, entries, streams)
            await self._check_rows_beyond(streams)
        for level, index in await queries.stray_tiles(self._connection, self._org_id):
            place = Tile(level, index).path
            self._findings.add(in_database(place, None, f"{place} is stored, but no signed entries fill it."))
        return extent

    def _check_extent(self, extent: Extent) -> None:
        facts = []
        if extent.lowest < 0:
            facts.append((extent.lowest, f"There is an entry with the index {extent.lowest}; ledgers begin with 0."))
        if extent.head != extent.entries:
            facts.append(
                (extent.entries, f"The ledger's head counts {extent.head} entries, but there are {extent.entries}.")
            )
        if extent.signed > extent.entries:
            facts.append((extent.entries, f"{extent.signed} entries were signed, but only {extent.entries} are there."))
        self._findings.add(*(in_database("entries", index, fact) for index, fact in facts))

    def _check_entries(self, start: int, end: int, stored: Sequence[RecordedEntry]) -> dict[int, Entry | None]:
        """The entries by index; None for one that cannot be read."""
        entries: dict[int, Entry | None] = {}
        for each in stored:
            entry, found = check_entry(self._org_id, each, self._previous_at)
            self._findings.add(*found)
            entries[each.index] = entry
            if entry is not None:
                self._previous_at = entry.at
        for index in range(start, end):
            if index not in entries:
                self._findings.add(in_database("entries", index, f"Entry {index} is missing."))
        self.counts["entries"] += len(stored)
        return entries

    async def _check_tree(self, start: int, end: int, leaf_hashes: dict[int, bytes], extent: Extent) -> None:
        leaves = [leaf_hashes.get(index, _NO_LEAF) for index in range(start, end)]
        grown = tiles.grow(start, leaves, lambda level, index, _: self._edges[level, index])
        full = [(tile, hashes) for tile, hashes in grown if tile.width == TILE_WIDTH]
        self._edges.update({(tile.level, tile.index): hashes for tile, hashes in grown})
        for tile, _ in full:
            del self._edges[tile.level, tile.index]
        await self._check_tiles(
            [(tile, hashes) for tile, hashes in full if (tile.index + 1) << 8 * (tile.level + 1) <= extent.signed]
        )
        signed = await queries.checkpoints_between(self._connection, self._org_id, start, end)
        by_size: dict[int, StoredCheckpoint] = {checkpoint.size: checkpoint for checkpoint in signed}
        for size, leaf in enumerate(leaves, start=start + 1):
            self._range.append(leaf)
            if size in by_size:
                self._check_checkpoint(by_size[size])

    async def _check_tiles(self, full: Sequence[tuple[Tile, bytes]]) -> None:
        stored = await queries.full_tiles(self._connection, self._org_id, [tile for tile, _ in full])
        for tile, hashes in full:
            kept, root = stored.get((tile.level, tile.index), (b"", b""))
            for index, fact in compare_tile(tile.path, tile, hashes, kept):
                self._findings.add(in_database(tile.path, index, fact))
            if kept == hashes and root != tile_root(hashes):
                self._findings.add(in_database(tile.path, None, f"{tile.path} bears a root that is not its own."))
        self.counts["tiles"] += len(stored)

    def _check_checkpoint(self, checkpoint: StoredCheckpoint) -> None:
        """Its signature, and whether the entries up to here have the root that it signed. Of a series of wrong roots, the first."""
        place = f"checkpoint {checkpoint.size}"
        # Ed25519 is deterministic: a note of ours comes out the same when it is signed again, which is quicker than verifying.
        if checkpoint.note != self._signer.sign_checkpoint(checkpoint.size, checkpoint.root):
            self._findings.add(in_database(place, None, self._note_fact(checkpoint)))
        agrees = self._range.root() == checkpoint.root
        if agrees:
            self._agreed_size = checkpoint.size
        elif not self._disagrees:
            self._findings.add(
                in_database(
                    place,
                    None,
                    f"The entries before {checkpoint.size} do not have the root that was signed for them; the change is "
                    f"in entries {self._agreed_size} to {checkpoint.size - 1}, or in the checkpoint.",
                )
            )
        self._disagrees = not agrees
        self.counts["checkpoints"] += 1

    def _note_fact(self, checkpoint: StoredCheckpoint) -> str:
        try:
            said = open_checkpoint(checkpoint.note, self._signer.key)
        except NoteError as error:
            return f"The note of the checkpoint of {checkpoint.size} entries does not verify: {error}"
        if said != Checkpoint(self._signer.key.name, checkpoint.size, checkpoint.root):
            return f"The row of the checkpoint of {checkpoint.size} entries is not what its note says ({said.size})."
        return f"The note of the checkpoint of {checkpoint.size} entries bears signatures that this log does not make."

    async def _check_rows(self, end: int, entries: dict[int, Entry | None], streams: Sequence[RowStream]) -> None:
        expected = self._expected_rows(entries)
        unread = {index for index, entry in entries.items() if entry is None}
        for stream in streams:
            made = expected[stream.shape.name]
            found: dict[int, list[tuple[Any, ...]]] = defaultdict(list)
            for index, values in await stream.rows_before(end):
                found[index].append(values)
                self.counts["rows"] += 1
            for index in sorted((made.keys() | found.keys()) - unread):
                self._findings.add(
                    *compare_rows(
                        stream.shape,
                        index,
                        [stream.shape.expected(row.values) for row in made.get(index, ())],
                        found.get(index, []),
                        has_entry=index in entries,
                    )
                )

    def _expected_rows(self, entries: dict[int, Entry | None]) -> dict[str, dict[int, list[Row]]]:
        """What the readings make of these entries, by table and entry. An entry that no reading takes becomes unread."""
        expected: dict[str, dict[int, list[Row]]] = defaultdict(lambda: defaultdict(list))
        for index, entry in entries.items():
            if entry is None:
                continue
            try:
                rows = self._rows_of(entry)
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                entries[index] = None
                fact = f"No reading of this release takes entry {index} of kind {entry.kind}: {error!r}."
                self._findings.add(in_database("entries", index, fact))
                continue
            for row in rows:
                expected[str(row.table.__tablename__)][index].append(row)
        return expected

    async def _check_rows_beyond(self, streams: Sequence[RowStream]) -> None:
        """Rows of entries that came while we read are for the next pass; rows of entries that never came are not."""
        for stream in streams:
            indexes = sorted({index for index, _ in await stream.rows_before(_BEYOND)})
            present = await queries.entries_present(self._connection, self._org_id, indexes)
            for index in indexes:
                if index not in present:
                    self._findings.add(*compare_rows(stream.shape, index, [], [()], has_entry=False))
