"""The only door into the record: drafts in, receipts out.

Appends to one organization that arrive while a commit is under way share the next commit (its flush to disk is what takes the
time); there is no timer, so a lone append waits for nobody. A batch that the database refuses is tried again one by one, so
that a bad draft fails alone.

What may have happened when this process dies or the connection is cut: the statement committed, and nobody was told. The caller
must treat a lost answer as unknown and repeat with the same idempotency key, which gives the first receipt again.

Entries of one ledger never run backwards in time: an entry's `at` is the clock's, or its predecessor's where the clock is behind.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any, Final

import asyncpg

from record.access.rules import Caller
from record.clock import Clock
from record.database import Database
from record.ids import EntryIndex, OrgId
from record.ledger import entries, statements
from record.ledger.entries import By, Draft, Entry, Idempotency, Receipt
from record.ledger.heads import Head, Heads
from record.ledger.models import IdempotencyKey
from record.ledger.readings import Row
from record.refusals import IdempotencyConflict, Refusal, Unavailable

ACCESS_KINDS: Final = frozenset(
    {
        "organization.created",
        "organization.changed",
        "principal.added",
        "principal.changed",
        "key.issued",
        "key.revoked",
    }
)
"""Kinds after which a caller must be recognised anew."""

BULK_MAX: Final = 500
"""Most entries that `append_many` commits at a time."""

_PRIOR: Final = """
SELECT k.input_sha256, e.entry_index, e.id, e.kind, e.leaf_hash, e.at, e.content
FROM record.idempotency_keys k JOIN record.entries e USING (org_id, entry_index)
WHERE k.org_id = $1 AND k.principal_id = $2 AND k.key = $3"""


class AccessChanged(Exception):  # noqa: N818
    """Who may do what changed since the caller was recognised. Recognise the caller again, decide again, append again."""


class AlreadyRecorded(Exception):  # noqa: N818
    """Something else was recorded first under the same unique name; `constraint` says which rule it met."""

    def __init__(self, constraint: str) -> None:
        super().__init__(constraint)
        self.constraint = constraint


@dataclass(frozen=True, slots=True)
class _Written:
    """A draft, who writes it, and its entry's bytes but for the instant."""

    draft: Draft
    by: By
    said: bytes


@dataclass(slots=True)
class _Waiting:
    """Drafts that are recorded next to each other, in one commit, or not at all."""

    drafts: Sequence[_Written]
    access_index: int | None
    done: asyncio.Future[list[Receipt]]

    @property
    def changes_access(self) -> bool:
        return any(written.draft.kind in ACCESS_KINDS for written in self.drafts)


class Ledger:
    """Appends to every organization's ledger. One per process.

    `rows_of` reads the rows out of an entry: it is handed in, because what rows there are is the nouns' affair.
    """

    def __init__(
        self, database: Database, clock: Clock, rows_of: Callable[[Entry], Sequence[Row]], *, batch_max: int = 64
    ) -> None:
        self._database = database
        self._clock = clock
        self._rows_of = rows_of
        self._batch_max = batch_max
        self._heads = Heads(database)
        self._queues: dict[OrgId, deque[_Waiting]] = {}
        self._latest: dict[OrgId, tuple[str, datetime]] = {}

    async def head(self, org_id: OrgId) -> Head:
        """Where the ledger stands, as of now or later."""
        head = await self._heads.of(org_id)
        self._latest[org_id] = (head.origin, head.at)
        return head

    async def append(self, caller: Caller, draft: Draft, *, idempotency: Idempotency | None = None) -> Receipt:
        """Records one entry and its rows, durably. The same idempotency key again gives the first receipt.

        Raises refusals, `AccessChanged`, `AlreadyRecorded`, or `Unavailable` when it is not known whether it was recorded.
        """
        return await self.append_together(caller, [draft], idempotency=idempotency)

    async def append_together(
        self, caller: Caller, drafts: Sequence[Draft], *, idempotency: Idempotency | None = None
    ) -> Receipt:
        """As `append`, for a fact that needs several entries: they stand next to each other, or none is there.

        The last draft is the one that counts: its receipt is given, and it bears the idempotency key.
        """
        *parts, last = drafts
        written = [_written(caller, part, caller.by()) for part in parts]  # refuses before anyone else waits for it
        written.append(_written(caller, last, caller.by(idempotency)))
        waiting = _waiting(caller, written)
        self._enqueue(caller.org_id, waiting)
        try:
            return (await waiting.done)[-1]
        except AlreadyRecorded:
            # Twins may meet at any unique name, not only at that of the idempotency key.
            prior = None if idempotency is None else await self.prior(caller, idempotency)
            if prior is None:
                raise
            return prior

    async def append_next(
        self,
        caller: Caller,
        decide: Callable[[], Awaitable[Sequence[Draft]]],
        *,
        idempotency: Idempotency | None = None,
    ) -> Receipt:
        """As `append_together`, for what follows from what is there: the next version of something, the next act on it.

        When somebody else records that number first, `decide` is asked again, and decides by what that left behind.
        """
        while True:
            drafts = await decide()
            try:
                return await self.append_together(caller, drafts, idempotency=idempotency)
            except AlreadyRecorded:
                continue

    async def append_many(self, caller: Caller, drafts: Sequence[Draft]) -> list[Receipt]:
        """Records many entries in few commits, in order. Each batch is whole or absent; for loading, not for requests.

        The next batch is made ready while PostgreSQL works on the last one.
        """
        receipts: list[Receipt] = []
        by = caller.by()
        left = deque(drafts)
        queue: deque[_Waiting] = deque()
        sent: asyncio.Task[list[Receipt]] | None = None
        try:
            while left or queue:
                while left and len(queue) < BULK_MAX:
                    queue.append(_waiting(caller, [_written(caller, left.popleft(), by)]))
                batch = self._next_batch(queue, BULK_MAX)
                ready = self._ready(caller.org_id, batch, await self._instant(caller.org_id))
                if sent is not None:
                    receipts += await sent
                sent = asyncio.create_task(self._commit(caller.org_id, batch, ready))
                await asyncio.sleep(0)  # so that it is on its way
        finally:
            if sent is not None:
                receipts += await sent
        return receipts

    async def prior(self, caller: Caller, idempotency: Idempotency) -> Receipt | None:
        """The receipt that this idempotency key was given before; refuses when it was for another input."""
        async with self._database.connection(caller.org_id) as connection:
            row = await connection.fetchrow(_PRIOR, caller.org_id, caller.principal_id, idempotency.key)
        if row is None:
            return None
        if row["input_sha256"] != idempotency.input_sha256:
            raise IdempotencyConflict(
                f"The idempotency key {idempotency.key!r} was used before for another request (entry {row['entry_index']}). "
                "Use a new key for a new request."
            )
        return Receipt(
            org_id=caller.org_id,
            ledger=(await self._origin(caller.org_id))[0],
            index=EntryIndex(row["entry_index"]),
            entry_id=row["id"],
            kind=row["kind"],
            leaf_hash=row["leaf_hash"].hex(),
            at=row["at"],
            body=entries.decode(row["entry_index"], row["content"]).body,
            replayed=True,
        )

    async def _origin(self, org_id: OrgId) -> tuple[str, datetime]:
        known = self._latest.get(org_id)
        if known is None:
            await self.head(org_id)
            known = self._latest[org_id]
        return known

    def _enqueue(self, org_id: OrgId, waiting: _Waiting) -> None:
        queue = self._queues.get(org_id)
        if queue is not None:
            queue.append(waiting)
            return
        self._queues[org_id] = deque([waiting])
        task = asyncio.create_task(self._drain(org_id))
        task.add_done_callback(lambda done: done.cancelled() or done.exception())

    async def _drain(self, org_id: OrgId) -> None:
        """Commits batch after batch until nobody waits. The only task that appends to this organization here."""
        queue = self._queues[org_id]
        try:
            while queue:
                batch = self._next_batch(queue, self._batch_max)
                try:
                    await self._commit_or_split(org_id, batch)
                except BaseException as error:
                    for waiting in (*batch, *queue):
                        _fail(
                            waiting, error if isinstance(error, Exception) else Unavailable("The server is stopping.")
                        )
                    raise
        finally:
            del self._queues[org_id]

    @staticmethod
    def _next_batch(queue: deque[_Waiting], most: int) -> list[_Waiting]:
        """Drafts that may share a commit: same access index, and nothing after an entry that changes access."""
        batch = [queue.popleft()]
        count = len(batch[0].drafts)
        while (
            queue
            and count + len(queue[0].drafts) <= most
            and not batch[-1].changes_access
            and queue[0].access_index == batch[0].access_index
        ):
            batch.append(queue.popleft())
            count += len(batch[-1].drafts)
        return batch

    async def _commit_or_split(self, org_id: OrgId, batch: list[_Waiting]) -> None:
        try:
            receipts = await self._commit(org_id, batch)
        except (AccessChanged, Refusal) as error:  # the same for everyone who shares the commit
            for waiting in batch:
                _fail(waiting, error)
        except Exception as error:  # noqa: BLE001 (told to whoever it is the fault of)
            if len(batch) > 1:
                for waiting in batch:
                    await self._commit_or_split(org_id, [waiting])
            else:
                _fail(batch[0], _told(error))
        else:
            given = iter(receipts)
            for waiting in batch:
                own = list(islice(given, len(waiting.drafts)))
                if not waiting.done.done():
                    waiting.done.set_result(own)

    async def _commit(self, org_id: OrgId, batch: list[_Waiting], ready: "_Ready | None" = None) -> list[Receipt]:
        while True:
            ready = ready or self._ready(org_id, batch, await self._instant(org_id))
            async with self._database.connection(org_id) as connection:
                base: int | None = await connection.fetchval(ready.statement, *ready.arguments)
            if base is not None:
                origin, latest = await self._origin(org_id)
                self._latest[org_id] = (origin, max(latest, ready.at))
                return _receipts(ready, origin, base)
            ready = None  # the head did not fit, and nothing was inserted
            head = await self.head(org_id)
            if batch[0].access_index not in (None, head.access_index):
                raise AccessChanged

    async def _instant(self, org_id: OrgId) -> datetime:
        """An entry's `at` if it were committed now."""
        _, latest = await self._origin(org_id)
        return max(self._clock.now(), latest)

    def _ready(self, org_id: OrgId, batch: list[_Waiting], at: datetime) -> "_Ready":
        """The append statement for these drafts, should it be committed at this instant."""
        placed: list[tuple[int, Row]] = []
        written = [each for waiting in batch for each in waiting.drafts]
        for place, each in enumerate(written):
            draft = each.draft
            entry = Entry(org_id, EntryIndex(0), draft.id, draft.kind, at, each.by, draft.body)
            placed += [(place, row) for row in self._rows_of(entry)]
        encoded = [entries.dated(each.said, at) for each in written]
        hashes = [entries.leaf_hash(entry) for entry in encoded]
        statement, columns = statements.appended(
            placed,
            [[each.draft.id for each in written], [each.draft.kind for each in written], hashes, encoded],
        )
        changes_access = any(waiting.changes_access for waiting in batch)
        arguments = [org_id, len(written), at, changes_access, batch[0].access_index, *columns]
        return _Ready(at, written, hashes, statement, arguments)


@dataclass(frozen=True, slots=True)
class _Ready:
    """A batch as it is sent."""

    at: datetime
    written: list[_Written]
    hashes: list[bytes]
    statement: str
    arguments: list[Any]


def _written(caller: Caller, draft: Draft, by: By) -> _Written:
    return _Written(draft, by, entries.undated(caller.org_id, draft, by))


def _waiting(caller: Caller, drafts: Sequence[_Written]) -> _Waiting:
    return _Waiting(drafts, caller.access_index, asyncio.get_running_loop().create_future())


def _receipts(ready: _Ready, origin: str, base: int) -> list[Receipt]:
    return [
        Receipt(
            org_id=OrgId(ready.arguments[0]),
            ledger=origin,
            index=EntryIndex(base + place),
            entry_id=written.draft.id,
            kind=written.draft.kind,
            leaf_hash=leaf.hex(),
            at=ready.at,
            body=written.draft.body,
        )
        for place, (written, leaf) in enumerate(zip(ready.written, ready.hashes, strict=True))
    ]


def idempotency_rows(entry: Entry) -> list[Row]:
    """The row by which a repeated request finds its first receipt."""
    once = entry.by.idempotency
    if once is None:
        return []
    return [
        Row(
            IdempotencyKey,
            {"principal_id": entry.by.principal_id, "key": once.key, "input_sha256": once.input_sha256},
        )
    ]


def _told(error: Exception) -> Exception:
    """What a lone draft's caller is told of why it was not stored."""
    if not isinstance(error, asyncpg.IntegrityConstraintViolationError):
        return error
    if error.constraint_name == "entries_pkey":
        return Unavailable(
            "This ledger's head stands behind its entries, as after restoring an old backup. "
            "Whoever runs the server must run `python -m record repair`."
        )
    return AlreadyRecorded(error.constraint_name or "")


def _fail(waiting: _Waiting, error: Exception) -> None:
    if not waiting.done.done():
        waiting.done.set_exception(error)
        waiting.done.exception()  # whoever waited may have gone away: not an unhandled error
