"""Servers that lose one write, or keep it and never say so. They stand between the record and the real ones.

A write to PostgreSQL is a statement that changes something, or the end of a transaction; a write to the vault is an object.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from types import TracebackType
from typing import Any

import asyncpg

from record.clock import SystemClock
from record.ids import OrgId
from record.ledger.append import Ledger
from record.readings import rows_of
from record.record import Record
from record.refusals import Unavailable

WRITES = ("INSERT", "UPDATE", "WITH")


class Fate(Enum):
    """What becomes of the write that is hit. In both cases whoever wrote learns only that the connection is gone."""

    LOST = "lost"
    KEPT = "kept"


@dataclass
class Fault:
    """Hits the write with this number, counting from 1; 0 hits none and only counts."""

    number: int = 0
    fate: Fate = Fate.LOST
    writes: int = 0

    async def write(self, work: Callable[[], Awaitable[Any]], error: Exception) -> Any:
        self.writes += 1
        if self.writes != self.number:
            return await work()
        if self.fate is Fate.KEPT:
            await work()
        raise error


def faulty(record: Record, fault: Fault) -> Record:
    """The record of a process whose connections suffer the fault."""
    database = FaultyDatabase(record, fault)
    return replace(
        record,
        database=database,  # type: ignore[arg-type]
        vault=FaultyVault(record, fault),  # type: ignore[arg-type]
        ledger=Ledger(database, SystemClock(), rows_of),  # type: ignore[arg-type]
    )


class FaultyDatabase:
    def __init__(self, record: Record, fault: Fault) -> None:
        self._database = record.database
        self._fault = fault

    @asynccontextmanager
    async def connection(self, org_id: OrgId) -> AsyncIterator["FaultyConnection"]:
        async with self._database.connection(org_id) as connection:
            yield FaultyConnection(connection, self._fault)

    @asynccontextmanager
    async def operations(self) -> AsyncIterator["FaultyConnection"]:
        async with self._database.operations() as connection:
            yield FaultyConnection(connection, self._fault)


class FaultyConnection:
    def __init__(self, connection: asyncpg.Connection, fault: Fault) -> None:
        self._connection = connection
        self._fault = fault

    async def execute(self, sql: str, *arguments: Any) -> Any:
        return await self._send(sql, lambda: self._connection.execute(sql, *arguments))

    async def fetch(self, sql: str, *arguments: Any) -> Any:
        return await self._send(sql, lambda: self._connection.fetch(sql, *arguments))

    async def fetchrow(self, sql: str, *arguments: Any) -> Any:
        return await self._send(sql, lambda: self._connection.fetchrow(sql, *arguments))

    async def fetchval(self, sql: str, *arguments: Any) -> Any:
        return await self._send(sql, lambda: self._connection.fetchval(sql, *arguments))

    def transaction(self) -> "FaultyTransaction":
        return FaultyTransaction(self._connection.transaction(), self._fault)

    async def _send(self, sql: str, work: Callable[[], Awaitable[Any]]) -> Any:
        if sql.lstrip().startswith(WRITES):
            return await self._fault.write(work, connection_is_gone())
        return await work()


class FaultyTransaction:
    def __init__(self, transaction: Any, fault: Fault) -> None:
        self._transaction = transaction
        self._fault = fault

    async def __aenter__(self) -> None:
        await self._transaction.start()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is not None:
            await self._transaction.rollback()
            return
        try:
            await self._fault.write(self._transaction.commit, connection_is_gone())
        except asyncpg.PostgresConnectionError:
            if self._fault.fate is Fate.LOST:
                await self._transaction.rollback()
            raise


class FaultyVault:
    def __init__(self, record: Record, fault: Fault) -> None:
        self._vault = record.vault
        self._fault = fault

    async def put_object(self, key: str, data: bytes, *, retain_until: datetime) -> Any:
        return await self._fault.write(
            lambda: self._vault.put_object(key, data, retain_until=retain_until), Unavailable("The vault went away.")
        )

    async def list(self, prefix: str, start_after: str | None = None) -> list[str]:
        return await self._vault.list(prefix, start_after=start_after)


def connection_is_gone() -> asyncpg.PostgresConnectionError:
    return asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation")
