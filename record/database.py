"""Connections to PostgreSQL, each bound to one organization before anyone gets to use it.

Row-level security compares `org_id` with the session setting `muniment.org`. Setting it costs a round trip, so a connection
stays bound between uses and is handed out again to the same organization when possible; only a rebinding costs. That is why
these are our own few lines and not a pool of the driver's: theirs cannot choose a connection by what it is bound to.

The setting belongs to the session: a pooler in front of PostgreSQL must be in session mode (docs/operating.md).
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Any, Final, TypeAlias, TypeVar

import asyncpg

from record.ids import OrgId
from record.refusals import InvalidInput, Unavailable

LOST: Final = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # a backend that is killed in the middle of an answer
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.ReadOnlySQLTransactionError,
    ConnectionError,
    OSError,
    TimeoutError,
)
"""What the driver raises when PostgreSQL is away, going down, full, too slow, or no longer the primary."""

Connection: TypeAlias = asyncpg.Connection
T = TypeVar("T")

_SESSION: Final = {
    "application_name": "muniment",
    "search_path": "record",
    "jit": "off",
    # Each statement is planned once for each connection, for any values. Every statement here goes by a key, so its best plan
    # is the same for all; left to itself, PostgreSQL would plan many anew each time, which costs several times their execution.
    "plan_cache_mode": "force_generic_plan",
}


class Database:
    """A bounded set of connections. `connection(org)` waits for a free one, binds it, and lends it in autocommit."""

    def __init__(self, url: str, *, connections_max: int = 20, timeout_seconds: float = 10.0) -> None:
        self._url = url
        self._timeout_seconds = timeout_seconds
        self._free = asyncio.Semaphore(connections_max)
        self._connections_max = connections_max
        self._open: set[Connection] = set()
        self._opening = 0
        self._idle: dict[OrgId | None, deque[Connection]] = defaultdict(deque)
        self._closed = False

    def connection(self, org_id: OrgId) -> AbstractAsyncContextManager[Connection]:
        """A connection that sees this organization's rows and no other's. Raises `Unavailable` when PostgreSQL is away."""
        return _Loan(self, org_id)

    def operations(self) -> AbstractAsyncContextManager[Connection]:
        """A connection bound to no organization: sees schema `ops` and nothing of the record."""
        return _Loan(self, None)

    async def close(self) -> None:
        """Closes idle connections; borrowed ones close when they come back."""
        self._closed = True
        for idle in self._idle.values():
            while idle:
                await idle.pop().close(timeout=2)

    async def borrow(self, org_id: OrgId | None) -> Connection:
        """Waits for a connection, for `_Loan`."""
        await self._free.acquire()
        try:
            return await self._bound(org_id)
        except BaseException as error:
            self._free.release()
            if isinstance(error, LOST):
                raise Unavailable("The database does not answer. Try again in a moment.") from error
            raise

    def give_back(self, org_id: OrgId | None, connection: Connection) -> None:
        """Ends a loan. What may still be busy is not lent again."""
        self._free.release()
        if connection.is_closed():
            return
        if self._closed or connection.is_in_transaction():
            connection.terminate()
            return
        self._idle[org_id].append(connection)

    async def _bound(self, org_id: OrgId | None) -> Connection:
        """An idle connection of this organization, else a new one, else one of another organization's bound anew."""
        idle = self._idle[org_id]
        while idle:
            connection = idle.pop()
            if not connection.is_closed():
                return connection
        if len(self._open) + self._opening >= self._connections_max:
            for others in self._idle.values():
                while others:
                    connection = others.popleft()
                    if not connection.is_closed():
                        await self._bind(connection, org_id)
                        return connection
        connection = await self._opened()
        await self._bind(connection, org_id)
        return connection

    async def _opened(self) -> Connection:
        self._opening += 1
        try:
            connection = await asyncpg.connect(
                self._url,
                timeout=self._timeout_seconds,
                command_timeout=self._timeout_seconds,
                statement_cache_size=300,
                server_settings=_SESSION,
            )
        finally:
            self._opening -= 1
        self._open.add(connection)
        connection.add_termination_listener(self._open.discard)
        return connection

    @staticmethod
    async def _bind(connection: Connection, org_id: OrgId | None) -> None:
        value = "" if org_id is None else str(org_id)
        try:
            await connection.execute("SELECT set_config('muniment.org', $1, false)", value)
        except BaseException:
            connection.terminate()
            raise


async def meanwhile(question: Coroutine[Any, Any, T], work: Callable[[], object]) -> T:
    """Does some work in Python while PostgreSQL looks for the answer to a question; the answer."""
    asked = asyncio.create_task(question)
    try:
        await asyncio.sleep(0)  # now it is sent
        work()
    except BaseException:
        asked.cancel()
        await asyncio.wait([asked])  # a connection that is still busy must not be lent again
        raise
    return await asked


class _Loan(AbstractAsyncContextManager[Connection]):
    """A connection for as long as a block lasts. By hand rather than from a generator, because every statement begins here."""

    __slots__ = ("_connection", "_database", "_org_id")

    def __init__(self, database: Database, org_id: OrgId | None) -> None:
        self._database = database
        self._org_id = org_id

    async def __aenter__(self) -> Connection:
        self._connection = await self._database.borrow(self._org_id)
        return self._connection

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if error is not None:
                self._say_what_it_means(error)
        finally:
            self._database.give_back(self._org_id, self._connection)

    def _say_what_it_means(self, error: BaseException) -> None:
        if isinstance(error, LOST):
            self._connection.terminate()
            raise Unavailable(
                "The database went away while this was being answered. Try again; give the same idempotency key to a write."
            ) from error
        if isinstance(error, asyncpg.DataError) and _unspeakable(error):
            raise InvalidInput(
                "This text holds a NUL character or half of a surrogate pair, and nothing in the record does. Leave it out."
            ) from error
        if isinstance(error, asyncio.CancelledError):
            self._connection.terminate()  # a statement may still be running on it: never lend it again


def _unspeakable(error: asyncpg.DataError) -> bool:
    """Whether PostgreSQL, or the driver before it, was given a text that UTF-8 or PostgreSQL cannot hold."""
    refused = asyncpg.CharacterNotInRepertoireError, asyncpg.UntranslatableCharacterError
    return isinstance(error, refused) or isinstance(error.__cause__, UnicodeEncodeError)
