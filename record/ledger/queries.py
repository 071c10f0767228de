"""Reads of the ledger itself: entries, checkpoints, and where a ledger stood at an instant."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from record.database import Connection
from record.ids import EntryIndex, LedgerSize, OrgId
from record.ledger import entries
from record.ledger.entries import Entry
from record.moment import Moment


@dataclass(frozen=True, slots=True)
class RecordedEntry:
    """An entry as it is stored: the bytes that were hashed, and the columns by which it is found."""

    index: EntryIndex
    id: UUID
    kind: str
    at: datetime
    leaf_hash: bytes
    content: bytes

    def decoded(self) -> Entry:
        """What the bytes say."""
        return entries.decode(self.index, self.content)


@dataclass(frozen=True, slots=True)
class StoredCheckpoint:
    """A checkpoint as it was signed: the note is what anyone gets to see."""

    size: LedgerSize
    root: bytes
    note: str
    signed_at: datetime


@dataclass(frozen=True, slots=True)
class Unsigned:
    """A ledger whose newest entries no checkpoint covers yet."""

    org_id: OrgId
    size: LedgerSize


_ENTRY: Final = """
SELECT entry_index, id, kind, at, leaf_hash, content FROM record.entries
WHERE org_id = $1 AND entry_index < $2 AND entry_index = $3"""

_ENTRY_BY_ID: Final = """
SELECT entry_index, id, kind, at, leaf_hash, content FROM record.entries
WHERE org_id = $1 AND entry_index < $2 AND id = $3"""

_ENTRIES_AT: Final = """
SELECT entry_index, id, kind, at, leaf_hash, content FROM record.entries
WHERE org_id = $1 AND entry_index < $2 AND entry_index = ANY($3::bigint[])"""

_ENTRY_COLUMNS: Final = "entry_index, id, kind, at, leaf_hash, content"

_ENTRIES: Final = f"""
SELECT {_ENTRY_COLUMNS} FROM record.entries
WHERE org_id = $1 AND entry_index < $2 AND entry_index > $3 ORDER BY entry_index {{order}} LIMIT $4"""

# Each kind by its index: entries of rare kinds may lie far apart in a long ledger.
_ENTRIES_OF_KINDS: Final = f"""
SELECT {_ENTRY_COLUMNS} FROM (SELECT DISTINCT * FROM unnest($5::text[])) asked (wanted) CROSS JOIN LATERAL (
    SELECT * FROM record.entries
    WHERE org_id = $1 AND kind = asked.wanted AND entry_index < $2 AND entry_index > $3
    ORDER BY entry_index {{order}} LIMIT $4
) found
ORDER BY entry_index {{order}} LIMIT $4"""

_SIZE_AT: Final = """
SELECT entry_index + 1 FROM record.entries WHERE org_id = $1 AND at <= $2 ORDER BY at DESC, entry_index DESC LIMIT 1"""

_NEWEST: Final = """
SELECT size, root, note, signed_at FROM record.checkpoints WHERE org_id = $1 ORDER BY size DESC LIMIT 1"""

_OF_SIZE: Final = "SELECT size, root, note, signed_at FROM record.checkpoints WHERE org_id = $1 AND size = $2"

_COVERING: Final = """
SELECT size, root, note, signed_at FROM record.checkpoints WHERE org_id = $1 AND size >= $2 ORDER BY size LIMIT 1"""

_CHECKPOINTS: Final = """
SELECT size, root, note, signed_at FROM record.checkpoints
WHERE org_id = $1 AND size < $2 AND size > $3 ORDER BY size {order} LIMIT $4"""

_ORGANIZATION: Final = "SELECT org_id FROM ops.ledgers WHERE name = $1"

_ORGANIZATIONS: Final = "SELECT org_id FROM ops.ledgers ORDER BY org_id"

_UNSIGNED: Final = """
SELECT l.org_id, l.size FROM ops.ledgers l LEFT JOIN ops.publications p USING (org_id)
WHERE l.size > coalesce(p.signed_size, 0)"""

_UNPUBLISHED: Final = "SELECT org_id FROM ops.publications WHERE published_size < signed_size"


async def entry(connection: Connection, moment: Moment, index: EntryIndex) -> RecordedEntry | None:
    """The entry at this place; None at or beyond the moment's size."""
    row = await connection.fetchrow(_ENTRY, moment.org_id, moment.size, index)
    return None if row is None else RecordedEntry(*row.values())


async def entries_at(
    connection: Connection, moment: Moment, indexes: Sequence[EntryIndex]
) -> list[RecordedEntry | None]:
    """The entries at these places, in the order asked; None at or beyond the moment's size."""
    rows = await connection.fetch(_ENTRIES_AT, moment.org_id, moment.size, indexes)
    found = {row["entry_index"]: RecordedEntry(*row.values()) for row in rows}
    return [found.get(index) for index in indexes]


async def entry_by_id(connection: Connection, moment: Moment, entry_id: UUID) -> RecordedEntry | None:
    """The entry with this id."""
    row = await connection.fetchrow(_ENTRY_BY_ID, moment.org_id, moment.size, entry_id)
    return None if row is None else RecordedEntry(*row.values())


async def entries_after(
    connection: Connection, moment: Moment, after: int, *, count_max: int, kinds: Sequence[str] | None = None
) -> list[RecordedEntry]:
    """Entries in ledger order from behind index `after` (-1: from the beginning)."""
    return await _entries(connection, moment.org_id, after, moment.size, count_max, kinds, "ASC")


async def entries_before(
    connection: Connection, moment: Moment, before: int, *, count_max: int, kinds: Sequence[str] | None = None
) -> list[RecordedEntry]:
    """Entries newest first, from in front of index `before` (`moment.size`: from the end)."""
    return await _entries(connection, moment.org_id, -1, min(before, moment.size), count_max, kinds, "DESC")


async def _entries(
    connection: Connection,
    org_id: OrgId,
    after: int,
    before: int,
    count_max: int,
    kinds: Sequence[str] | None,
    order: str,
) -> list[RecordedEntry]:
    if kinds is None:
        rows = await connection.fetch(_ENTRIES.format(order=order), org_id, before, after, count_max)
    else:
        rows = await connection.fetch(_ENTRIES_OF_KINDS.format(order=order), org_id, before, after, count_max, kinds)
    return [RecordedEntry(*row.values()) for row in rows]


async def size_at(connection: Connection, org_id: OrgId, instant: datetime) -> LedgerSize:
    """How many entries the ledger held at this instant. Entries never run backwards in time, so the newest one tells."""
    size: int | None = await connection.fetchval(_SIZE_AT, org_id, instant)
    return LedgerSize(size or 0)


async def newest_checkpoint(connection: Connection, org_id: OrgId) -> StoredCheckpoint | None:
    """The newest signed checkpoint; None while nothing is signed."""
    row = await connection.fetchrow(_NEWEST, org_id)
    return None if row is None else StoredCheckpoint(*row.values())


async def checkpoint_of(connection: Connection, org_id: OrgId, size: LedgerSize) -> StoredCheckpoint | None:
    """The checkpoint that was signed at exactly this size, if one was."""
    row = await connection.fetchrow(_OF_SIZE, org_id, size)
    return None if row is None else StoredCheckpoint(*row.values())


async def checkpoint_covering(connection: Connection, org_id: OrgId, size: LedgerSize) -> StoredCheckpoint | None:
    """The first checkpoint that covers this many entries; None while they are not yet signed."""
    row = await connection.fetchrow(_COVERING, org_id, size)
    return None if row is None else StoredCheckpoint(*row.values())


async def checkpoints(
    connection: Connection, moment: Moment, *, limit: int, below: int | None = None, above: int | None = None
) -> list[StoredCheckpoint]:
    """Signed checkpoints that cover no more than the moment's size, the newest first: below a size; or the next above one."""
    reach = moment.size + 1 if below is None else min(below, moment.size + 1)
    statement = _CHECKPOINTS.format(order="DESC" if above is None else "ASC")
    rows = await connection.fetch(statement, moment.org_id, reach, -1 if above is None else above, limit)
    found = [StoredCheckpoint(*row.values()) for row in rows]
    return found if above is None else found[::-1]


async def organization_named(connection: Connection, name: str) -> OrgId | None:
    """Which organization is called so. For routes that are open to everyone; reads `ops` only."""
    org_id: OrgId | None = await connection.fetchval(_ORGANIZATION, name)
    return org_id


async def organizations(connection: Connection) -> list[OrgId]:
    """Every organization. Reads `ops` only."""
    return [row["org_id"] for row in await connection.fetch(_ORGANIZATIONS)]


async def unsigned(connection: Connection) -> list[Unsigned]:
    """Every ledger that has entries which no checkpoint covers. Reads `ops` only."""
    return [Unsigned(*row.values()) for row in await connection.fetch(_UNSIGNED)]


async def unpublished(connection: Connection) -> list[OrgId]:
    """Every ledger that has a checkpoint which is not in the vault. Reads `ops` only."""
    return [row["org_id"] for row in await connection.fetch(_UNPUBLISHED)]
