"""The ledger as GraphQL shows it: entries, receipts, checkpoints."""

from datetime import datetime
from typing import Annotated

import strawberry

from api.graphql.connections import Connection, connect, index_key, wanted
from api.graphql.context import Info
from api.graphql.nodes import Node, global_id
from api.graphql.scalars import Json
from record.access.rules import Action
from record.ids import EntryIndex, LedgerSize
from record.ledger import entries, queries
from record.ledger.queries import RecordedEntry, StoredCheckpoint
from record.moment import Moment

First = Annotated[int | None, strawberry.argument(description="How many nodes, from the beginning or after `after`.")]
After = Annotated[str | None, strawberry.argument(description="Cursor of the node after which to begin.")]
Last = Annotated[int | None, strawberry.argument(description="How many nodes, from the end or before `before`.")]
Before = Annotated[str | None, strawberry.argument(description="Cursor of the node before which to end.")]


@strawberry.type(description="What a write gives back: where its entry stands, and the hash by which it can be proven.")
class Receipt:
    ledger: str = strawberry.field(description="The ledger's origin, as its checkpoints name it.")
    index: EntryIndex = strawberry.field(description="Place of the entry in the ledger, from 0.")
    entry_id: strawberry.ID = strawberry.field(description="The entry's own id (UUID).")
    kind: str = strawberry.field(description="The entry's kind, such as attestation.recorded.")
    leaf_hash: str = strawberry.field(description="SHA-256(0x00 || entry), hexadecimal: the entry's leaf in the log.")
    at: datetime = strawberry.field(description="When it was recorded.")
    replayed: bool = strawberry.field(
        description="True when an earlier request with the same idempotency key recorded it."
    )

    @classmethod
    def of(cls, receipt: entries.Receipt) -> "Receipt":
        return cls(
            ledger=receipt.ledger,
            index=receipt.index,
            entry_id=strawberry.ID(str(receipt.entry_id)),
            kind=receipt.kind,
            leaf_hash=receipt.leaf_hash,
            at=receipt.at,
            replayed=receipt.replayed,
        )


@strawberry.type(description="An entry of the ledger: a recorded fact, whole.")
class Entry(Node):
    index: EntryIndex = strawberry.field(description="Place in the ledger, from 0.")
    kind: str = strawberry.field(description="What kind of fact it is.")
    at: datetime = strawberry.field(description="When it was recorded.")
    leaf_hash: str = strawberry.field(description="SHA-256(0x00 || entry), hexadecimal.")
    stored: strawberry.Private[RecordedEntry]

    @strawberry.field(description="The canonical JSON (RFC 8785) that was hashed, byte for byte.")
    def canonical(self) -> str:
        return self.stored.content.decode()

    @strawberry.field(description="What was recorded: the entry's body.")
    def body(self) -> Json:
        return Json(self.stored.decoded().body)

    @strawberry.field(description="Who recorded it.")
    def principal(self) -> str:
        return self.stored.decoded().by.principal

    @strawberry.field(description="The key through which it was recorded; null for the server's operator and workers.")
    def key_id(self) -> strawberry.ID | None:
        key_id = self.stored.decoded().by.key_id
        return None if key_id is None else global_id("ApiKey", key_id)

    @classmethod
    def of(cls, stored: RecordedEntry) -> "Entry":
        return cls(
            id=global_id("Entry", stored.index),
            index=stored.index,
            kind=stored.kind,
            at=stored.at,
            leaf_hash=stored.leaf_hash.hex(),
            stored=stored,
        )


@strawberry.type(description="A signed statement of the ledger's size and root.")
class Checkpoint:
    size: LedgerSize = strawberry.field(description="How many entries it covers.")
    root: str = strawberry.field(description="The Merkle root over them, hexadecimal.")
    note: str = strawberry.field(description="The C2SP signed note: what a verifier reads.")
    signed_at: datetime = strawberry.field(description="When it was signed.")

    @classmethod
    def of(cls, stored: StoredCheckpoint) -> "Checkpoint":
        return cls(size=stored.size, root=stored.root.hex(), note=stored.note, signed_at=stored.signed_at)


@strawberry.type(description="The organization's append-only ledger.")
class Ledger:
    origin: str = strawberry.field(description="The name under which checkpoints are signed.")
    size: LedgerSize = strawberry.field(description="The size that this answer is pinned to.")
    moment: strawberry.Private[Moment]

    @strawberry.field(description="The newest signed checkpoint; null before the first one.")
    async def checkpoint(self, info: Info) -> Checkpoint | None:
        info.context.look_outside()  # signing appends nothing
        async with info.context.record.database.connection(self.moment.org_id) as connection:
            newest = await queries.newest_checkpoint(connection, self.moment.org_id)
        return None if newest is None else Checkpoint.of(newest)

    @strawberry.field(description="The first signed checkpoint that covers this many entries; null until it is signed.")
    async def checkpoint_covering(self, info: Info, size: LedgerSize) -> Checkpoint | None:
        info.context.look_outside()
        async with info.context.record.database.connection(self.moment.org_id) as connection:
            found = await queries.checkpoint_covering(connection, self.moment.org_id, size)
        return None if found is None else Checkpoint.of(found)

    @strawberry.field(
        description="Signed checkpoints that cover no more than this answer's size, the newest first. Each extends those after "
        "it: verify two of them with /log/<organization>/consistency."
    )
    async def checkpoints(
        self, info: Info, first: First = None, after: After = None, last: Last = None, before: Before = None
    ) -> Connection[Checkpoint]:
        info.context.look_outside()
        want = wanted(info, "checkpoints", first=first, after=after, last=last, before=before)
        start, end = index_key(want.after), index_key(want.before)
        async with info.context.record.database.connection(self.moment.org_id) as connection:
            rows = await queries.checkpoints(
                connection,
                self.moment,
                limit=want.fetch,
                below=start,
                above=(-1 if end is None else end) if want.backward else None,
            )
        return connect(rows, want, key=lambda row: row.size, node=Checkpoint.of)

    @strawberry.field(description="The entry at this index; null at or beyond the size.")
    async def entry(self, info: Info, index: EntryIndex) -> Entry | None:
        info.context.caller.require(Action.READ)
        async with info.context.record.database.connection(self.moment.org_id) as connection:
            found = await queries.entry(connection, self.moment, index)
        return None if found is None else Entry.of(found)

    @strawberry.field(description="Entries in ledger order, all or of some kinds.")
    async def entries(
        self,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        kinds: list[str] | None = None,
    ) -> Connection[Entry]:
        info.context.caller.require(Action.READ)
        want = wanted(info, "entries", first=first, after=after, last=last, before=before)
        start, end = index_key(want.after), index_key(want.before)
        async with info.context.record.database.connection(self.moment.org_id) as connection:
            if want.backward:
                reach = self.size if end is None else end
                rows = await queries.entries_before(connection, self.moment, reach, count_max=want.fetch, kinds=kinds)
                rows.reverse()
            else:
                reach = -1 if start is None else start
                rows = await queries.entries_after(connection, self.moment, reach, count_max=want.fetch, kinds=kinds)
        return connect(rows, want, key=lambda row: row.index, node=Entry.of)
