"""Signed checkpoints out of PostgreSQL, into the vault: the copy that outlives the database and that nobody can shorten.

Layout, under `log/<organization id>/`: `tile/<L>/<N>`, `tile/<L>/<N>.p/<W>` and `tile/entries/<N>` as in C2SP tlog-tiles, and
`checkpoint/<size, 20 digits>`, so that listing tells the newest. Every object is locked for the organization's retention.

Order: tiles and entries, then the checkpoint over them, then `published_size`. Who finds a checkpoint finds what it covers. If we
die on the way, the next publication writes the same bytes again, as another version of the same objects.

Publication may lag (the vault may be away) while signing goes on; then it takes the newest checkpoint within reach and leaves out
those in between, which PostgreSQL keeps.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Final

from muniment.proof.tiles import TILE_WIDTH, Tile, encode_bundle, entries_path, tiles_between
from record.access.queries import organization
from record.database import Connection
from record.ids import LedgerSize, OrgId
from record.ledger.stored_tiles import contents, load_tiles
from record.moment import Moment
from record.record import Record
from record.vault import Vault

ENTRIES_MAX: Final = 65_536
"""Most entries that one step publishes, so that an interrupted catch-up does not begin anew."""
_AT_ONCE: Final = 4

_LOCK: Final = "SELECT pg_try_advisory_lock(hashtextextended('muniment.publish.' || $1::text, 0))"

_UNLOCK: Final = "SELECT pg_advisory_unlock(hashtextextended('muniment.publish.' || $1::text, 0))"

_NEXT: Final = """
SELECT p.published_size, c.size, c.note FROM ops.publications p
JOIN record.checkpoints c ON c.org_id = $1 AND c.size > p.published_size AND c.size <= p.published_size + $2
WHERE p.org_id = $1 ORDER BY c.size DESC LIMIT 1"""

_PUBLISHED: Final = """
UPDATE ops.publications SET published_size = greatest(published_size, $2) WHERE org_id = $1"""


@dataclass(frozen=True, slots=True)
class _Step:
    """From the size whose tiles are in the vault to the size of the checkpoint that is to be."""

    old_size: LedgerSize
    new_size: LedgerSize
    note: str


def log_prefix(org_id: OrgId) -> str:
    """Where an organization's log lives in the vault."""
    return f"log/{org_id}/"


def checkpoint_key(org_id: OrgId, size: LedgerSize) -> str:
    """Where a checkpoint lives: keys sort as sizes do."""
    return f"{log_prefix(org_id)}checkpoint/{size:020}"


async def newest_published_size(vault: Vault, org_id: OrgId, *, after: LedgerSize) -> LedgerSize | None:
    """The size of a checkpoint in the vault that is larger than `after`, if there is one."""
    prefix = f"{log_prefix(org_id)}checkpoint/"
    keys = await vault.list(prefix, start_after=checkpoint_key(org_id, after))
    return LedgerSize(int(keys[-1].removeprefix(prefix))) if keys else None


async def publish(record: Record, org_id: OrgId) -> LedgerSize | None:
    """Brings the vault up to the newest checkpoint. The size it reached; None when there was nothing to do.

    Returns at once when another process publishes this ledger: the session holds a lock that falls when the connection does.
    """
    reached: LedgerSize | None = None
    async with record.database.connection(org_id) as connection:
        if not await connection.fetchval(_LOCK, str(org_id)):
            return None
        try:
            until = await _retain_until(record, connection, org_id)
            while (step := await _next_step(connection, org_id)) is not None:
                await _put_step(record.vault, connection, org_id, step, until)
                # From here on the vault proves this checkpoint. If we die now, the step is repeated: same keys, same bytes.
                await connection.execute(_PUBLISHED, org_id, step.new_size)
                reached = step.new_size
        finally:
            await connection.execute(_UNLOCK, str(org_id))
    return reached


async def _retain_until(record: Record, connection: Connection, org_id: OrgId) -> datetime:
    now = record.clock.now()
    settled = await organization(connection, Moment.latest(org_id, now))
    return now + timedelta(days=record.settings.retention_days if settled is None else settled.retention_days)


async def _next_step(connection: Connection, org_id: OrgId) -> _Step | None:
    row = await connection.fetchrow(_NEXT, org_id, ENTRIES_MAX)
    return None if row is None else _Step(*row.values())


async def _put_step(vault: Vault, connection: Connection, org_id: OrgId, step: _Step, until: datetime) -> None:
    prefix = log_prefix(org_id)
    changed = tiles_between(step.old_size, step.new_size)
    while group := list(islice(changed, _AT_ONCE)):
        objects = await _objects(connection, org_id, group)
        await asyncio.gather(*(vault.put_object(prefix + path, data, retain_until=until) for path, data in objects))
    key = checkpoint_key(org_id, step.new_size)
    await vault.put_object(key, step.note.encode(), retain_until=until)


async def _objects(connection: Connection, org_id: OrgId, group: Sequence[Tile]) -> list[tuple[str, bytes]]:
    """These tiles, and the entries of those that are full at level 0, with their paths."""
    read = await load_tiles(connection, org_id, group)
    objects = []
    for tile in group:
        objects.append((tile.path, read(tile.level, tile.index, tile.width)))
        if tile.level == 0 and tile.width == TILE_WIDTH:
            objects.append((entries_path(tile.index), encode_bundle(await contents(connection, org_id, tile.index))))
    return objects
