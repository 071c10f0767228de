"""Alembic's entry: one connection, one advisory lock, so that two migrations at once take turns."""

import asyncio

from alembic import context
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from record.tables_of_record import METADATA

LOCK = 0x4D554E49  # "MUNI"


def run(connection: Connection) -> None:
    connection.execute(text(f"SELECT pg_advisory_xact_lock({LOCK})"))
    connection.execute(text("CREATE SCHEMA IF NOT EXISTS ops"))
    context.configure(connection=connection, target_metadata=METADATA, version_table_schema="ops", include_schemas=True)
    with context.begin_transaction():
        connection.execute(text("SET LOCAL lock_timeout = '4s'"))
        context.run_migrations()


async def run_online() -> None:
    engine = create_async_engine(context.config.attributes["url"], poolclass=NullPool)
    async with engine.connect() as connection:
        await connection.run_sync(run)
        await connection.commit()
    await engine.dispose()


asyncio.run(run_online())
