"""What a record asks of PostgreSQL, statement by statement."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from record.database import Connection, Database
from record.ids import OrgId
from record.ledger.append import Ledger
from record.readings import rows_of
from record.record import Record


class WatchedDatabase(Database):
    """A database that writes down every statement it is sent, except the binding of connections."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.sent: list[str] = []

    @asynccontextmanager
    async def connection(self, org_id: OrgId) -> AsyncIterator[Connection]:
        async with super().connection(org_id) as connection:
            with connection.query_logger(self._note):
                yield connection
            await asyncio.sleep(0)  # the driver tells its loggers in the loop's next round

    @asynccontextmanager
    async def operations(self) -> AsyncIterator[Connection]:
        async with super().operations() as connection:
            with connection.query_logger(self._note):
                yield connection
            await asyncio.sleep(0)

    def _note(self, query: Any) -> None:
        # The driver looks up array types, with JIT off meanwhile: once for each connection.
        if "typeinfo_tree" not in query.query and "set_config('jit'" not in query.query:
            self.sent.append(query.query)

    def appends(self) -> list[str]:
        return [text for text in self.sent if "INSERT INTO record.entries" in text]

    def heads(self) -> list[str]:
        return [text for text in self.sent if "FROM ops.ledgers" in text]

    def reads(self) -> list[str]:
        """Everything that is neither an append nor a question about the head."""
        return [text for text in self.sent if text not in self.appends() and text not in self.heads()]


@asynccontextmanager
async def watched(record: Record) -> AsyncIterator[tuple[Record, WatchedDatabase]]:
    """The same record through connections of its own, which are watched."""
    database = WatchedDatabase(str(record.settings.database_url))
    ledger = Ledger(database, record.clock, rows_of, batch_max=record.settings.append_batch_max)
    try:
        yield replace(record, database=database, ledger=ledger), database
    finally:
        await database.close()
