"""The schema that migrations build: the same as the models', insert-only for everyone, run twice or by two at once without harm."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from embedded.postgres import OWNER, SUPERUSER
from embedded.servers import Stack
from record.settings import Settings
from record.tables_of_record import METADATA, MODULES
from tests.record.house import DATABASE
from tests.servers import TestDatabase

COLUMNS = """
SELECT n.nspname, c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity, a.attgenerated,
       pg_get_expr(d.adbin, d.adrelid)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
WHERE n.nspname IN ('record', 'ops') AND c.relkind = 'r' AND a.attnum > 0 AND c.relname <> 'alembic_version'
ORDER BY 1, 2, a.attnum"""

INDEXES = """
SELECT indexdef FROM pg_indexes WHERE schemaname IN ('record', 'ops') AND tablename <> 'alembic_version' ORDER BY indexdef"""

CONSTRAINTS = """
SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
WHERE connamespace IN ('record'::regnamespace, 'ops'::regnamespace) AND conrelid::regclass::text !~ 'alembic' ORDER BY 1, 2"""

OPTIONS = """
SELECT relname, reloptions FROM pg_class
WHERE relnamespace IN ('record'::regnamespace, 'ops'::regnamespace) AND relkind = 'r' AND relname <> 'alembic_version'
ORDER BY 1"""

TABLES = (
    "SELECT oid, relname FROM pg_class WHERE relnamespace = 'record'::regnamespace AND relkind IN ('r', 'p') ORDER BY 2"
)


async def asked(url: str, question: str) -> list[tuple[Any, ...]]:
    connection = await asyncpg.connect(url)
    try:
        return [tuple(row) for row in await connection.fetch(question)]
    finally:
        await connection.close()


@pytest.fixture(scope="module")
def migrated(house_settings: Settings, stack: Stack) -> TestDatabase:
    """The database that the tests of the record share. What is asked of it here changes nothing."""
    return TestDatabase(
        DATABASE,
        str(house_settings.database_url),
        str(house_settings.owner_database_url),
        stack.postgres.url(SUPERUSER, DATABASE),
    )


@contextmanager
def empty_database(stack: Stack, name: str) -> Iterator[TestDatabase]:
    stack.postgres.run_sql(f"CREATE DATABASE {name} OWNER {OWNER};")
    try:
        yield TestDatabase(name, "", stack.postgres.url(OWNER, name), stack.postgres.url(SUPERUSER, name))
    finally:
        stack.postgres.run_sql(f"DROP DATABASE {name} WITH (FORCE);")


@pytest.fixture
def empty(stack: Stack) -> Iterator[TestDatabase]:
    """A database with nothing in it."""
    with empty_database(stack, "not_migrated") as database:
        yield database


@pytest.fixture(scope="module")
async def modelled(stack: Stack) -> AsyncIterator[TestDatabase]:
    """A database as the models say it."""
    with empty_database(stack, "modelled") as database:
        engine = create_async_engine(database.owner_url.replace("postgresql://", "postgresql+asyncpg://"))
        async with engine.begin() as connection:
            await connection.execute(text("CREATE SCHEMA record"))
            await connection.execute(text("CREATE SCHEMA ops"))
            await connection.run_sync(METADATA.create_all)
        await engine.dispose()
        yield database


@pytest.mark.parametrize(
    "question", [COLUMNS, INDEXES, CONSTRAINTS, OPTIONS], ids=["columns", "indexes", "constraints", "options"]
)
async def test_migrations_and_models_say_the_same(
    migrated: TestDatabase, modelled: TestDatabase, question: str
) -> None:
    built = await asked(migrated.owner_url, question)

    assert built == await asked(modelled.owner_url, question)
    assert len(built) > 20


async def test_columns_have_the_few_types_of_the_record_and_no_defaults(migrated: TestDatabase) -> None:
    columns = [row for row in await asked(migrated.owner_url, COLUMNS) if row[0] == "record"]

    allowed = {
        "uuid",
        "bigint",
        "integer",
        "character varying",
        "text",
        "boolean",
        "timestamp with time zone",
        "bytea",
        "jsonb",
    }
    assert {row[3] for row in columns} <= allowed
    assert {row[5:] for row in columns} == {(b"\x00", b"\x00", None)}


async def test_every_key_begins_with_the_organization(migrated: TestDatabase) -> None:
    keys = await asked(
        migrated.owner_url,
        "SELECT conrelid::regclass::text, pg_get_constraintdef(oid) FROM pg_constraint WHERE contype = 'p' "
        "AND connamespace IN ('record'::regnamespace, 'ops'::regnamespace) AND conrelid::regclass::text !~ 'alembic'",
    )

    assert len(keys) == len(METADATA.sorted_tables)
    assert [table for table, key in keys if not key.startswith("PRIMARY KEY (org_id")] == []


async def test_every_module_with_tables_is_known_to_the_migrations() -> None:
    listed = {module.__name__ for module in MODULES}

    assert {table.schema for table in METADATA.sorted_tables} == {"record", "ops"}
    assert {name for name in sys.modules if name.startswith("record.") and name.endswith(".models")} <= listed


# --- insert-only


async def test_the_application_may_select_and_insert_in_the_record_and_nothing_else(migrated: TestDatabase) -> None:
    tables = await asked(migrated.superuser_url, TABLES)
    grants = await asked(
        migrated.superuser_url,
        "SELECT table_name, grantee, string_agg(privilege_type, ' ' ORDER BY privilege_type) "
        "FROM information_schema.role_table_grants WHERE table_schema = 'record' AND grantee <> 'muniment_owner' "
        "GROUP BY 1, 2 ORDER BY 1",
    )
    columns = await asked(
        migrated.superuser_url,
        "SELECT table_name FROM information_schema.column_privileges WHERE table_schema = 'record' "
        "AND grantee <> 'muniment_owner' AND privilege_type NOT IN ('SELECT', 'INSERT')",
    )

    assert grants == [(name, "muniment_app", "INSERT SELECT") for _, name in tables]
    assert columns == []


async def test_every_table_of_the_record_has_its_trigger_and_its_policy(migrated: TestDatabase) -> None:
    tables = {name for _, name in await asked(migrated.superuser_url, TABLES)}
    triggers = await asked(
        migrated.superuser_url,
        "SELECT c.relname, t.tgenabled FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_proc p ON p.oid = t.tgfoid "
        "WHERE t.tgname = 'refuse_change' AND p.proname = 'refuse_change' "
        "AND (t.tgtype & 2) > 0 AND (t.tgtype & 8) > 0 AND (t.tgtype & 16) > 0 AND (t.tgtype & 32) > 0",  # before, each of three
    )
    policies = await asked(
        migrated.superuser_url,
        "SELECT c.relname, p.polcmd, p.polpermissive, pg_get_expr(p.polqual, c.oid) LIKE '%org_id%muniment.org%', "
        "pg_get_expr(p.polwithcheck, c.oid) LIKE '%org_id%muniment.org%' "
        "FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid WHERE c.relrowsecurity",
    )

    assert {name for name, enabled in triggers if enabled == b"O"} == tables
    assert sorted(policies) == sorted((name, b"*", True, True, True) for name in tables)


@pytest.mark.parametrize("who", ["url", "owner_url", "superuser_url"])
async def test_nobody_changes_the_record(migrated: TestDatabase, who: str) -> None:
    tables = await asked(migrated.superuser_url, TABLES)
    connection = await asyncpg.connect(getattr(migrated, who))
    for _, table in tables:
        for statement in (
            f"UPDATE record.{table} SET org_id = org_id",
            f"DELETE FROM record.{table}",
            f"TRUNCATE record.{table}",
            f"MERGE INTO record.{table} t USING (SELECT 1) s ON true WHEN MATCHED THEN DELETE",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
    await connection.close()


async def test_the_application_can_neither_drop_the_trigger_nor_become_somebody_else(migrated: TestDatabase) -> None:
    connection = await asyncpg.connect(migrated.url)
    for statement in (
        "ALTER TABLE record.entries DISABLE TRIGGER refuse_change",
        "DROP TABLE record.entries",
        "ALTER TABLE record.entries DISABLE ROW LEVEL SECURITY",
        "SET session_replication_role = replica",
        "SET ROLE muniment_owner",
        "CREATE TABLE record.more (org_id uuid)",
        "CREATE OR REPLACE FUNCTION record.refuse_change() RETURNS trigger LANGUAGE sql AS 'SELECT 1'",
        "UPDATE ops.alembic_version SET version_num = 'none'",
    ):
        with pytest.raises(asyncpg.PostgresError, match=r"permission denied|must be owner"):
            await connection.execute(statement)
    await connection.close()


# --- running them


def environment(settings: Settings, database: TestDatabase) -> dict[str, str]:
    given = {
        "OWNER_DATABASE_URL": database.owner_url,
        "DATABASE_URL": database.owner_url,
        "REDIS_URL": str(settings.redis_url),
        "S3_ENDPOINT": settings.s3_endpoint,
        "S3_BUCKET": settings.s3_bucket,
        "S3_ACCESS_KEY_FILE": str(settings.s3_access_key_file),
        "S3_SECRET_KEY_FILE": str(settings.s3_secret_key_file),
        "SIGNING_KEY_FILE": str(settings.signing_key_file),
        "LOG_ORIGIN": "muniment.test",
    }
    return {"PATH": os.environ["PATH"], "PYTHONPATH": "cli/src"} | {
        f"MUNIMENT_{name}": value for name, value in given.items()
    }


async def migrate(settings: Settings, database: TestDatabase) -> tuple[int | None, str]:
    """As an operator does: `python -m record.migrations`."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "record.migrations",
        env=environment(settings, database),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, complaint = await process.communicate()
    return process.returncode, complaint.decode()


async def test_two_migrations_at_once_take_turns_and_the_second_changes_nothing(
    house_settings: Settings, empty: TestDatabase, migrated: TestDatabase
) -> None:
    both = await asyncio.gather(*(migrate(house_settings, empty) for _ in range(2)))

    assert both == [(0, ""), (0, "")]
    assert await asked(empty.owner_url, COLUMNS) == await asked(migrated.owner_url, COLUMNS)


async def test_migrations_without_the_owners_address_say_what_to_set(
    house_settings: Settings, empty: TestDatabase
) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "record.migrations",
        env={
            name: value
            for name, value in environment(house_settings, empty).items()
            if name != "MUNIMENT_OWNER_DATABASE_URL"
        },
        stderr=asyncio.subprocess.PIPE,
    )
    _, complaint = await process.communicate()

    assert process.returncode == 2
    assert "MUNIMENT_OWNER_DATABASE_URL is not set" in complaint.decode()
