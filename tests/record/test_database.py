"""Connections: bounded, bound to one organization, and honest about a database that is away."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import asyncpg
import pytest

from record.database import Database, meanwhile
from record.ids import OrgId
from record.refusals import InvalidInput, Unavailable
from record.settings import Settings

ONE, TWO = OrgId(UUID(int=1)), OrgId(UUID(int=2))


@pytest.fixture
async def database(house_settings: Settings) -> AsyncIterator[Database]:
    opened = Database(str(house_settings.database_url), connections_max=2, timeout_seconds=5)
    yield opened
    await opened.close()


async def pid_and_organization(database: Database, org_id: OrgId) -> tuple[int, str]:
    async with database.connection(org_id) as connection:
        row = await connection.fetchrow("SELECT pg_backend_pid(), current_setting('muniment.org')")
    return row[0], row[1]


async def test_a_connection_comes_back_to_the_organization_it_was_bound_to(database: Database) -> None:
    first = await pid_and_organization(database, ONE)

    assert await pid_and_organization(database, ONE) == first
    assert first[1] == str(ONE)


async def test_a_connection_is_bound_anew_before_it_is_lent_to_another(database: Database) -> None:
    pids = {(await pid_and_organization(database, org_id))[0] for org_id in (ONE, TWO)}
    third = OrgId(UUID(int=3))

    pid, organization = await pid_and_organization(database, third)

    assert pid in pids
    assert organization == str(third)


async def test_operations_are_bound_to_nobody_even_after_somebody(database: Database) -> None:
    for org_id in (ONE, TWO):
        await pid_and_organization(database, org_id)

    async with database.operations() as connection:
        assert await connection.fetchval("SELECT current_setting('muniment.org')") == ""
        assert await connection.fetchval("SELECT count(*) FROM record.entries") == 0


async def test_no_more_connections_are_open_than_may_be(database: Database) -> None:
    pids: set[int] = set()

    async def borrow(org_id: OrgId) -> None:
        async with database.connection(org_id) as connection:
            pids.add(await connection.fetchval("SELECT pg_backend_pid()"))
            await connection.execute("SELECT pg_sleep(0.01)")

    await borrow(ONE)
    await asyncio.gather(*(borrow(OrgId(uuid4())) for _ in range(12)))

    assert len(pids) == 2


async def test_a_cancelled_question_takes_its_connection_with_it_and_not_its_place(database: Database) -> None:
    async def sleep() -> None:
        async with database.connection(ONE) as connection:
            await connection.execute("SELECT pg_sleep(60)")

    for _ in range(3):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(sleep(), timeout=0.05)

    async with asyncio.timeout(5):
        assert (await pid_and_organization(database, ONE))[1] == str(ONE)


async def test_a_question_left_in_a_transaction_is_not_handed_on(database: Database) -> None:
    async with database.connection(ONE) as connection:
        first = await connection.fetchval("SELECT pg_backend_pid()")
        await connection.execute("BEGIN")

    assert (await pid_and_organization(database, ONE))[0] != first


async def test_our_own_mistake_in_a_statement_is_not_called_an_outage(database: Database) -> None:
    with pytest.raises(asyncpg.UndefinedTableError):
        async with database.connection(ONE) as connection:
            await connection.fetch("SELECT * FROM record.nothing")
    with pytest.raises(asyncpg.DataError):
        async with database.connection(ONE) as connection:
            await connection.fetch("SELECT $1::bigint", 2**70)


@pytest.mark.parametrize("text", ["a\x00b", "half \ud83d", "\udc00"])
async def test_a_text_that_no_database_holds_is_refused_and_the_connection_goes_on(
    database: Database, text: str
) -> None:
    pid, _ = await pid_and_organization(database, ONE)

    with pytest.raises(InvalidInput, match="NUL character or half of a surrogate pair"):
        async with database.connection(ONE) as connection:
            await connection.fetch("SELECT $1::text", text)

    assert (await pid_and_organization(database, ONE))[0] == pid


async def test_a_killed_connection_is_unavailable_once_and_replaced(database: Database) -> None:
    with pytest.raises(Unavailable):
        async with database.connection(ONE) as connection:
            await connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    assert (await pid_and_organization(database, ONE))[1] == str(ONE)


async def test_a_wrong_password_or_port_is_unavailable(house_settings: Settings) -> None:
    url = house_settings.database_url
    port = url.hosts()[0]["port"]
    away = Database(str(url).replace(f":{port}/", ":1/"), timeout_seconds=2)

    with pytest.raises(Unavailable, match="does not answer"):
        async with away.connection(ONE):
            pass


async def test_a_slow_statement_is_unavailable(house_settings: Settings) -> None:
    hasty = Database(str(house_settings.database_url), timeout_seconds=0.1)

    with pytest.raises(Unavailable):
        async with hasty.connection(ONE) as connection:
            await connection.execute("SELECT pg_sleep(60)")
    await hasty.close()


async def test_a_closed_database_keeps_no_connection(house_settings: Settings) -> None:
    closing = Database(str(house_settings.database_url))
    async with closing.connection(ONE) as borrowed:
        await closing.close()
        assert not borrowed.is_closed()

    assert borrowed.is_closed()


async def test_work_is_done_while_a_question_is_asked(database: Database) -> None:
    done: list[str] = []
    async with database.connection(ONE) as connection:

        async def ask() -> int:
            done.append("asked")
            answer: int = await connection.fetchval("SELECT 7")
            done.append("answered")
            return answer

        answer = await meanwhile(ask(), lambda: done.append("worked"))

    assert (answer, done) == (7, ["asked", "worked", "answered"])


async def test_work_that_fails_leaves_no_busy_connection(database: Database) -> None:
    async with database.connection(ONE) as connection:
        with pytest.raises(ZeroDivisionError):
            await meanwhile(connection.fetchval("SELECT 7 FROM pg_sleep(60)"), lambda: 1 // 0)

        assert await connection.fetchval("SELECT 8") == 8
