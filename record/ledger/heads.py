"""Where each ledger stands, asked once for everybody who is waiting.

Every request needs the ledger's size (to pin its answer) and the access index (to know that its key still opens). Those who ask
while a round trip is under way share the next one, so the cost per request falls as the load rises, and nobody gets an answer
that is older than the question.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime

from record.database import Database
from record.ids import LedgerSize, OrgId
from record.refusals import NotFound


@dataclass(frozen=True, slots=True)
class Head:
    """A ledger's size, the instant of its newest entry, and the size after the newest entry that changed access."""

    org_id: OrgId
    name: str
    origin: str
    size: LedgerSize
    at: datetime
    access_index: int


_HEADS = "SELECT org_id, name, origin, size, at, access_index FROM ops.ledgers WHERE org_id = ANY($1::uuid[])"


class Heads:
    """Coalesces questions about heads: one statement is under way at a time, for all who wait."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: dict[OrgId, asyncio.Future[Head | None]] = {}
        self._asking: asyncio.Task[None] | None = None

    async def of(self, org_id: OrgId) -> Head:
        """The head as of now or later; refuses an organization that does not exist."""
        future = self._waiting.get(org_id)
        if future is None:
            future = self._waiting[org_id] = asyncio.get_running_loop().create_future()
        if self._asking is None:
            self._asking = asyncio.create_task(self._ask())
        head = await asyncio.shield(future)
        if head is None:
            raise NotFound("There is no such organization. Check the key.")
        return head

    async def _ask(self) -> None:
        try:
            while self._waiting:
                asked, self._waiting = self._waiting, {}
                try:
                    async with self._database.operations() as connection:
                        rows = await connection.fetch(_HEADS, list(asked))
                except BaseException as error:
                    for future in asked.values():
                        if not future.done():
                            future.set_exception(error)
                            future.exception()  # whoever waited may be gone: not an unhandled error
                    if isinstance(error, asyncio.CancelledError):
                        raise
                    continue
                found = {row["org_id"]: Head(*row.values()) for row in rows}
                for org_id, future in asked.items():
                    if not future.done():
                        future.set_result(found.get(org_id))
        finally:
            self._asking = None
