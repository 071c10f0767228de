"""What the vault holds, read back whole: the published log against PostgreSQL, and evidence against its digests.

The published log needs no lock: what is in the vault was committed in PostgreSQL before it was written, and neither ever changes.
"""

import asyncio
import hashlib
import zlib
from collections.abc import AsyncIterator
from typing import Final

from muniment.proof.tiles import (
    TILE_WIDTH,
    Tile,
    TileError,
    decode_bundle,
    encode_bundle,
    entries_path,
    hashes_at,
    parse_tile_path,
)
from record.database import Connection
from record.ids import LedgerSize, OrgId
from record.ledger.publish import checkpoint_key, log_prefix
from record.ledger.queries import checkpoint_of
from record.ledger.stored_tiles import contents, load_tiles
from record.record import Record
from record.refusals import NotFound
from record.scrubbing import queries
from record.scrubbing.queries import EvidenceToCheck
from record.scrubbing.rules import Finding, Findings, compare_tile, in_vault

_AT_ONCE: Final = 8
_EVIDENCE_AT_ONCE: Final = 4
_PAGE: Final = 200


async def scrub_published(record: Record, org_id: OrgId, published: LedgerSize, findings: Findings) -> int:
    """Every object of the published log; how many there were. `published`: the size that has been published for certain."""
    prefix = log_prefix(org_id)
    newest = 0
    count = 0
    full: set[tuple[int | None, int]] = set()
    async for keys in _keys(record, prefix):
        checked = await asyncio.gather(*(_check_object(record, org_id, key) for key in keys))
        for found in checked:
            findings.add(*found)
        for key in keys:
            path = key.removeprefix(prefix)
            if path.startswith("checkpoint/") and path[11:].isdigit():
                newest = max(newest, int(path[11:]))
            elif path.startswith("tile/") and ".p/" not in path:
                full.add(_place_of(path))
        count += len(keys)
    if newest < published:
        key = checkpoint_key(org_id, published)
        findings.add(
            in_vault(key, None, f"The checkpoint of {published} entries was published and is gone from the vault.")
        )
    for path, place in _full_tiles(newest):
        if place not in full:
            findings.add(in_vault(prefix + path, None, f"The vault lacks {path}, which its newest checkpoint covers."))
    return count


async def _keys(record: Record, prefix: str) -> AsyncIterator[list[str]]:
    """All keys under the prefix, a few at a time."""
    after = None
    while page := await record.vault.list(prefix, start_after=after):
        for start in range(0, len(page), _AT_ONCE):
            yield page[start : start + _AT_ONCE]
        after = page[-1]


def _place_of(path: str) -> tuple[int | None, int]:
    try:
        level, index, _ = parse_tile_path(path)
    except TileError:
        return None, -1
    return level, index


def _full_tiles(size: int) -> list[tuple[str, tuple[int | None, int]]]:
    """Path and place of every full tile and full bundle of a log of this size."""
    expected: list[tuple[str, tuple[int | None, int]]] = [
        (entries_path(index), (None, index)) for index in range(size // TILE_WIDTH)
    ]
    level = 0
    while count := hashes_at(level + 1, size):
        expected += [(Tile(level, index).path, (level, index)) for index in range(count)]
        level += 1
    return expected


async def _check_object(record: Record, org_id: OrgId, key: str) -> list[Finding]:
    """Holds one object of the published log against PostgreSQL."""
    held = b"".join([chunk async for chunk in record.vault.read(key, version_id=None)])
    path = key.removeprefix(log_prefix(org_id))
    async with record.database.connection(org_id) as connection:
        if path.startswith("checkpoint/"):
            return await _check_checkpoint(connection, org_id, key, held)
        try:
            level, index, width = parse_tile_path(path)
        except TileError:
            return [in_vault(key, None, "This object is no part of a log.")]
        if level is None:
            kept = await contents(connection, org_id, index, width)
            return _compare_bundle(key, index, kept, held)
        read = await load_tiles(connection, org_id, [Tile(level, index, width)])
        tile = Tile(level, index, width)
        return [
            in_vault(key, entry_index, fact)
            for entry_index, fact in compare_tile(f"{tile.path} in the vault", tile, read(level, index, width), held)
        ]


async def _check_checkpoint(connection: Connection, org_id: OrgId, key: str, held: bytes) -> list[Finding]:
    size = int(key.rsplit("/", 1)[1])
    kept = await checkpoint_of(connection, org_id, LedgerSize(size))
    if kept is None:
        return [in_vault(key, None, f"The vault holds a checkpoint of {size} entries that PostgreSQL does not have.")]
    if kept.note.encode() != held:
        return [in_vault(key, None, f"The checkpoint of {size} entries in the vault is not the one in PostgreSQL.")]
    return []


def _compare_bundle(key: str, tile_index: int, kept: list[bytes], held: bytes) -> list[Finding]:
    if encode_bundle(kept) == held:
        return []
    start = tile_index * TILE_WIDTH
    try:
        published = decode_bundle(held)
    except TileError as error:
        return [in_vault(key, None, f"The bundle of entries from {start} on cannot be read: {error}")]
    if len(published) != len(kept):
        return [in_vault(key, None, f"The bundle holds {len(published)} entries, PostgreSQL {len(kept)}.")]
    return [
        in_vault(key, number, f"Entry {number} in the vault is not entry {number} in PostgreSQL.")
        for number, (one, other) in enumerate(zip(published, kept, strict=True), start=start)
        if one != other
    ]


async def scrub_evidence(record: Record, org_id: OrgId, size: LedgerSize, findings: Findings) -> int:
    """The bytes of all evidence; how many pieces there were."""
    count = 0
    after = ""
    while True:
        async with record.database.connection(org_id) as connection:
            page = await queries.evidence_page(connection, org_id, size, after, _PAGE)
        if not page:
            return count
        for start in range(0, len(page), _EVIDENCE_AT_ONCE):
            group = page[start : start + _EVIDENCE_AT_ONCE]
            for found in await asyncio.gather(*(_check_evidence(record, each) for each in group)):
                findings.add(*found)
        count += len(page)
        after = page[-1].digest


async def _check_evidence(record: Record, evidence: EvidenceToCheck) -> list[Finding]:
    """Reads one piece whole and measures it."""
    digest, crc32, size = hashlib.sha256(), 0, 0
    place = f"evidence sha256:{evidence.digest}"
    try:
        async for chunk in record.vault.read(evidence.key, version_id=evidence.version_id):
            digest.update(chunk)
            crc32 = zlib.crc32(chunk, crc32)
            size += len(chunk)
    except NotFound:
        fact = f"Version {evidence.version_id} of {evidence.key} is gone from the vault."
        return [in_vault(place, evidence.entry_index, fact)]
    facts = []
    if digest.hexdigest() != evidence.digest:
        facts.append(f"The bytes in the vault have the digest {digest.hexdigest()}.")
    if size != evidence.size:
        facts.append(f"The vault holds {size} bytes, entry {evidence.entry_index} says {evidence.size}.")
    if crc32 != evidence.crc32:
        facts.append(
            f"The bytes in the vault have the CRC-32 {crc32}, entry {evidence.entry_index} says {evidence.crc32}."
        )
    return [in_vault(place, evidence.entry_index, fact) for fact in facts]
