"""PostgreSQL as somebody who should not: no row-level security, no triggers."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from tests.servers import TestDatabase


@asynccontextmanager
async def behind_its_back(database: TestDatabase) -> AsyncIterator[asyncpg.Connection]:
    """A connection that can change what nobody may change."""
    connection = await asyncpg.connect(database.superuser_url)
    try:
        await connection.execute("SET session_replication_role = replica")
        yield connection
    finally:
        await connection.close()
