"""What the server fixtures promise to the tests that use them."""

import asyncpg
import pytest
from redis.asyncio import Redis

from embedded.seaweedfs import S3
from tests.embedded.objects import read_object, write_object
from tests.servers import TestDatabase


async def test_a_private_database_has_the_schema_and_may_be_committed_to(database: TestDatabase) -> None:
    connection = await asyncpg.connect(database.owner_url)
    await connection.execute("CREATE TABLE public.left_behind (n int)")
    schemas = await connection.fetchval("SELECT count(*) FROM pg_namespace WHERE nspname IN ('record', 'ops')")
    await connection.close()

    assert schemas == 2


async def test_the_next_database_knows_nothing_of_the_one_before(database: TestDatabase) -> None:
    connection = await asyncpg.connect(database.owner_url)
    left = await connection.fetchval("SELECT to_regclass('public.left_behind')")
    await connection.close()

    assert left is None


async def test_the_application_may_not_make_tables_in_the_record(database: TestDatabase) -> None:
    connection = await asyncpg.connect(database.url)

    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connection.execute("CREATE TABLE record.mine (n int)")
    await connection.close()


async def test_a_database_is_dropped_even_while_somebody_is_connected(database: TestDatabase) -> None:
    connection = await asyncpg.connect(database.url)

    assert await connection.fetchval("SELECT current_database()") == database.name
    connection.terminate()


@pytest.mark.parametrize("run", [1, 2])
async def test_the_queue_is_empty(redis_url: str, run: int) -> None:
    async with Redis.from_url(redis_url) as client:
        assert await client.dbsize() == 0
        await client.set("left", run)


@pytest.mark.parametrize("run", [1, 2])
def test_the_bucket_is_the_tests_own(vault_address: S3, run: int) -> None:
    write_object(vault_address, "word", str(run).encode())

    assert read_object(vault_address, "word") == str(run).encode()
