"""A ledger under test: it grows, is signed, is published, is damaged, and is checked as a whole after every step.

`check` trusts nothing of the product but its formats: it reads the tables as the superuser, hashes every entry again, and
builds every root from the leaves.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import asyncpg

from muniment.proof import merkle, tiles
from muniment.proof.checkpoint import Checkpoint, open_checkpoint
from muniment.proof.notes import VerifierKey, parse_verifier_key
from muniment.proof.tiles import Tile, decode_bundle, parse_tile_path
from record.access import service as access
from record.access.rules import Caller, operator
from record.ids import OrgId, uuid7
from record.ledger.entries import Draft, Receipt
from record.ledger.integrate import integrate
from record.ledger.publish import log_prefix, publish
from record.ledger.queries import StoredCheckpoint
from record.ledger.signing import Notary, log_verifier_key
from record.record import Record


def draft(text: str = "") -> Draft:
    """An entry that makes one row and changes nobody's access."""
    return Draft(
        "trail.begun",
        {
            "trail_id": str(uuid7()),
            "version": 1,
            "flow_id": str(uuid7()),
            "flow": "delivery",
            "name": f"trail-{uuid7()}",
            "description": text,
            "template_version": 0,
            "external_urls": {"ticket": {"url": "https://tickets.invalid/1", "weight": 1e30, "n": 1.5}},
        },
    )


@dataclass
class LedgerUnderTest:
    """One organization's ledger, the process's memory of signing it, and the receipts it gave."""

    record: Record
    superuser_url: str
    org_id: OrgId
    caller: Caller
    origin: str
    token: str
    notary: Notary
    receipts: list[Receipt] = field(default_factory=list)

    @classmethod
    async def begin(cls, record: Record, superuser_url: str, name: str = "acme") -> "LedgerUnderTest":
        caller, key = await access.create_organization(record, name, admin="mary")
        assert key.token is not None
        return cls(
            record=record,
            superuser_url=superuser_url,
            org_id=caller.org_id,
            caller=operator(caller.org_id, name),
            origin=key.receipt.ledger,
            token=key.token,
            notary=new_notary(record),
            receipts=[key.receipt],
        )

    @property
    def key(self) -> VerifierKey:
        return parse_verifier_key(log_verifier_key(self.record.settings, self.origin))

    async def append(self, count: int = 1, text: str = "") -> list[Receipt]:
        """Entries that share commits as they come."""
        made = await asyncio.gather(*(self.record.ledger.append(self.caller, draft(text)) for _ in range(count)))
        self.receipts += made
        return made

    async def load(self, count: int) -> None:
        """Many entries, in few commits."""
        self.receipts += await self.record.ledger.append_many(self.caller, [draft() for _ in range(count)])

    async def grow_to(self, size: int) -> None:
        head = await self.record.ledger.head(self.org_id)
        await self.load(size - head.size)

    async def sign(self) -> StoredCheckpoint | None:
        return await integrate(self.record, self.org_id, self.notary)

    async def publish(self) -> int | None:
        return await publish(self.record, self.org_id)

    @asynccontextmanager
    async def superuser(self) -> AsyncIterator[asyncpg.Connection]:
        """Behind the application's back: no row-level security, and triggers are off."""
        connection = await asyncpg.connect(self.superuser_url)
        try:
            await connection.execute("SET session_replication_role = replica")
            yield connection
        finally:
            await connection.close()

    async def execute(self, sql: str, *arguments: Any) -> None:
        async with self.superuser() as connection:
            await connection.execute(sql, self.org_id, *arguments)

    # --- checking

    async def check(self) -> int:
        """Verifies the whole ledger; the size that is signed."""
        async with self.superuser() as connection:
            rows = await connection.fetch(
                "SELECT entry_index, leaf_hash, content FROM record.entries WHERE org_id = $1 ORDER BY entry_index",
                self.org_id,
            )
            notes = await connection.fetch(
                "SELECT size, root, note FROM record.checkpoints WHERE org_id = $1 ORDER BY size", self.org_id
            )
            stored = await connection.fetch(
                "SELECT level, tile_index, hashes, root FROM record.tiles WHERE org_id = $1", self.org_id
            )
        assert [row["entry_index"] for row in rows] == list(range(len(rows)))
        leaves = [merkle.leaf_hash(row["content"]) for row in rows]
        assert leaves == [row["leaf_hash"] for row in rows]
        for receipt in self.receipts:
            assert leaves[receipt.index].hex() == receipt.leaf_hash
        for row in notes:
            opened = open_checkpoint(row["note"], self.key)
            assert opened == Checkpoint(self.origin, row["size"], row["root"])
            assert opened.root == merkle.root_of(leaves[: opened.size])
        signed_size = notes[-1]["size"] if notes else 0
        expected = expected_tiles(leaves[:signed_size])
        full = {key: hashes for key, hashes in expected.items() if len(hashes) == 8192}
        assert {(row["level"], row["tile_index"]): row["hashes"] for row in stored} == full
        for row in stored:
            assert row["root"] == tile_root(row["hashes"])
        await self._check_vault(leaves, [row["content"] for row in rows], {row["size"]: row["note"] for row in notes})
        return signed_size

    async def published(self) -> dict[str, bytes]:
        """The published log, by path."""
        prefix = log_prefix(self.org_id)
        found: dict[str, bytes] = {}
        after = None
        while keys := await self.record.vault.list(prefix, start_after=after):
            for key in keys:
                chunks = [chunk async for chunk in self.record.vault.read(key, version_id=None)]
                found[key.removeprefix(prefix)] = b"".join(chunks)
            after = keys[-1]
        return found

    async def _check_vault(self, leaves: Sequence[bytes], contents: Sequence[bytes], notes: dict[int, str]) -> None:
        objects = await self.published()
        for path, data in objects.items():
            if path.startswith("checkpoint/"):
                assert data.decode() == notes[int(path[11:])]
                self._check_published_tree(int(path[11:]), data, objects)
                continue
            level, index, width = parse_tile_path(path)
            if level is None:
                assert decode_bundle(data) == list(contents[index * 256 : index * 256 + width])
            else:
                assert expected_tiles(leaves)[level, index][: width * 32] == data

    def _check_published_tree(self, size: int, note: bytes, objects: dict[str, bytes]) -> None:
        """Whoever finds a checkpoint finds everything that it covers."""

        def read(level: int, index: int, width: int) -> bytes:
            return objects[Tile(level, index, width).path]

        assert tiles.root(size, read) == open_checkpoint(note, self.key).root
        for index in range(size // 256):
            assert tiles.entries_path(index) in objects


def new_notary(record: Record) -> Notary:
    """The signer of a process that has just started."""
    return Notary(record.settings.signing_seed())


def expected_tiles(leaves: Sequence[bytes]) -> dict[tuple[int, int], bytes]:
    """Every tile over these leaves, computed level by level."""
    found: dict[tuple[int, int], bytes] = {}
    level, hashes = 0, list(leaves)
    while hashes:
        for start in range(0, len(hashes), 256):
            found[level, start // 256] = b"".join(hashes[start : start + 256])
        full = len(hashes) // 256
        hashes = [merkle.root_of(hashes[n * 256 : n * 256 + 256]) for n in range(full)]
        level += 1
    return found


def tile_root(hashes: bytes) -> bytes:
    return merkle.root_of([hashes[place : place + 32] for place in range(0, len(hashes), 32)])


def statements_of(record: Record) -> tuple[Record, list[str]]:
    """A record like this one that writes down every statement it sends."""
    sent: list[str] = []
    watched = WatchedDatabase(record, sent)
    return replace(record, database=watched), sent  # type: ignore[arg-type]


class WatchedDatabase:
    """Lends connections that write down what is asked of them."""

    def __init__(self, record: Record, sent: list[str]) -> None:
        self._database = record.database
        self._sent = sent

    @asynccontextmanager
    async def connection(self, org_id: OrgId) -> AsyncIterator[asyncpg.Connection]:
        async with self._database.connection(org_id) as connection:
            with connection.query_logger(lambda query: self._sent.append(query.query)):
                yield connection
