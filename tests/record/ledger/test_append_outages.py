"""PostgreSQL goes away, comes back, loses everything operational: nothing acknowledged is lost, nothing is recorded twice."""

import asyncio

import pytest

from embedded.servers import Stack
from record.access import service
from record.ledger.append import Ledger
from record.ledger.entries import Idempotency, Receipt
from record.ledger.repair import repair
from record.readings import rows_of
from record.record import open_record
from record.refusals import InvalidInput, NotFound, Unavailable
from record.settings import Settings
from tests.record.ledger.harness import LedgerUnderTest, draft
from tests.record.statements import watched
from tests.servers import TestDatabase

OPERATIONAL = "ops.ledgers, ops.publications, ops.jobs, ops.key_uses"


async def ask_until_answered(door: Ledger, ledger: LedgerUnderTest, once: Idempotency) -> Receipt:
    """What a pipeline does: the same request with the same key until somebody says what became of it."""
    while True:
        try:
            return await door.append(ledger.caller, draft(), idempotency=once)
        except Unavailable:
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("kill", [True, False], ids=["killed", "stopped"])
async def test_a_restart_under_load_loses_and_doubles_nothing(
    ledger: LedgerUnderTest, stack: Stack, kill: bool
) -> None:
    doors = [ledger.record.ledger, Ledger(ledger.record.database, ledger.record.clock, rows_of)]
    acknowledged: dict[str, Receipt] = {}
    enough = asyncio.Event()
    done = asyncio.Event()

    async def pipeline(number: int) -> None:
        turn = 0
        while not done.is_set():
            once = Idempotency(f"{number}-{turn}", "0" * 64)
            acknowledged[once.key] = await ask_until_answered(doors[number % 2], ledger, once)
            turn += 1
            if len(acknowledged) > 100:
                enough.set()

    pipelines = [asyncio.create_task(pipeline(number)) for number in range(12)]
    await enough.wait()
    before = len(acknowledged)
    await asyncio.to_thread(stack.restart_postgres, kill=kill)
    while len(acknowledged) < before + 50:
        await asyncio.sleep(0.01)
    done.set()
    await asyncio.gather(*pipelines)

    ledger.receipts += acknowledged.values()
    head = await ledger.record.ledger.head(ledger.org_id)
    assert head.size == 3 + len(acknowledged)
    assert len({receipt.index for receipt in acknowledged.values()}) == len(acknowledged)
    await ledger.sign()
    assert await ledger.check() == head.size


async def test_a_connection_that_is_cut_is_told_and_the_next_append_works(
    ledger: LedgerUnderTest, database: TestDatabase
) -> None:
    async with ledger.superuser() as superuser:
        await superuser.execute("BEGIN")
        await superuser.execute("SELECT FROM ops.ledgers FOR UPDATE")
        waiting = asyncio.create_task(ledger.record.ledger.append(ledger.caller, draft()))
        while not (blocked := await superuser.fetch("SELECT pid FROM pg_locks WHERE NOT granted")):
            await asyncio.sleep(0.01)
        for row in blocked:
            await superuser.execute("SELECT pg_terminate_backend($1)", row["pid"])
        with pytest.raises(Unavailable, match="same idempotency key"):
            await waiting
        await superuser.execute("ROLLBACK")

    receipt = await ledger.record.ledger.append(ledger.caller, draft())

    assert receipt.index == 3
    ledger.receipts.append(receipt)
    await ledger.check()


async def test_what_became_of_a_statement_that_took_too_long_is_told_to_whoever_repeats_it(
    settings: Settings, ledger: LedgerUnderTest
) -> None:
    hasty = open_record(settings.model_copy(update={"database_timeout_seconds": 0.2}))
    once = Idempotency("pipeline-17", "5" * 64)
    async with ledger.superuser() as superuser:
        await superuser.execute("BEGIN")
        await superuser.execute("SELECT FROM ops.ledgers FOR UPDATE")
        with pytest.raises(Unavailable, match="same idempotency key"):
            await hasty.ledger.append(ledger.caller, draft(), idempotency=once)
        await superuser.execute("ROLLBACK")

    receipt = await ask_until_answered(hasty.ledger, ledger, once)

    assert receipt.index == 3
    assert (await ledger.append())[0].index == 4
    await ledger.check()
    await hasty.close()


async def test_a_database_that_became_read_only_is_unavailable_and_not_our_bug(
    settings: Settings, ledger: LedgerUnderTest, database: TestDatabase
) -> None:
    async with ledger.superuser() as superuser:
        await superuser.execute(
            f"ALTER ROLE muniment_app IN DATABASE {database.name} SET default_transaction_read_only = on"
        )
    demoted = open_record(settings)

    with pytest.raises(Unavailable):
        await demoted.ledger.append(ledger.caller, draft())

    assert (await demoted.ledger.head(ledger.org_id)).size == 3
    await demoted.close()


async def test_a_database_that_is_not_there_is_unavailable(settings: Settings, ledger: LedgerUnderTest) -> None:
    nowhere = str(settings.database_url).replace(f":{settings.database_url.hosts()[0]['port']}/", ":1/")
    away = open_record(settings.model_copy(update={"database_url": nowhere}))

    with pytest.raises(Unavailable):
        await away.ledger.append(ledger.caller, draft())
    with pytest.raises(Unavailable):
        await away.ledger.head(ledger.org_id)
    await away.close()


async def test_everybody_who_asks_for_a_head_shares_the_round_trips(ledger: LedgerUnderTest) -> None:
    other = await LedgerUnderTest.begin(ledger.record, ledger.superuser_url, "globex")
    async with watched(ledger.record) as (record, database):
        asking = [record.ledger.head(each.org_id) for _ in range(50) for each in (ledger, other)]

        heads = await asyncio.gather(*asking)

        assert {head.size for head in heads} == {3}
        assert len(database.heads()) <= 2


async def test_a_head_is_never_older_than_the_question(ledger: LedgerUnderTest) -> None:
    other = Ledger(ledger.record.database, ledger.record.clock, rows_of)
    asking = [asyncio.create_task(ledger.record.ledger.head(ledger.org_id)) for _ in range(3)]
    await asyncio.sleep(0)

    receipt = await other.append(ledger.caller, draft())
    head = await ledger.record.ledger.head(ledger.org_id)
    await asyncio.gather(*asking)

    assert head.size == receipt.index + 1


# --- ops is lost


async def lose_operations(ledger: LedgerUnderTest) -> None:
    async with ledger.superuser() as superuser:
        await superuser.execute(f"TRUNCATE {OPERATIONAL}")


def as_owner(settings: Settings, database: TestDatabase) -> Settings:
    return settings.model_copy(update={"owner_database_url": database.owner_url})


async def test_a_lost_ops_schema_is_made_again_from_the_record(
    ledger: LedgerUnderTest, settings: Settings, database: TestDatabase
) -> None:
    other = await LedgerUnderTest.begin(ledger.record, ledger.superuser_url, "globex")
    await ledger.append(7)
    heads = [await ledger.record.ledger.head(each.org_id) for each in (ledger, other)]
    await lose_operations(ledger)
    with pytest.raises(NotFound):
        await ledger.record.ledger.head(ledger.org_id)

    made = await repair(as_owner(settings, database))

    assert made == 2
    assert [await ledger.record.ledger.head(each.org_id) for each in (ledger, other)] == heads
    assert (await service.recognise(ledger.record, ledger.token)).principal == "mary"
    assert (await ledger.append())[0].index == 10
    await ledger.sign()
    await ledger.check()


async def test_a_repair_of_what_is_whole_changes_nothing(
    ledger: LedgerUnderTest, settings: Settings, database: TestDatabase
) -> None:
    before = await ledger.record.ledger.head(ledger.org_id)

    assert await repair(as_owner(settings, database)) == 0
    assert await ledger.record.ledger.head(ledger.org_id) == before


async def test_a_head_from_an_old_backup_is_moved_up(
    ledger: LedgerUnderTest, settings: Settings, database: TestDatabase
) -> None:
    old = await ledger.record.ledger.head(ledger.org_id)
    await ledger.append(5)
    await ledger.execute("UPDATE ops.ledgers SET size = 3, at = $2 WHERE org_id = $1", old.at)

    assert await repair(as_owner(settings, database)) == 1
    assert (await ledger.append())[0].index == 8
    await ledger.check()


async def test_a_head_behind_its_entries_overwrites_nothing(ledger: LedgerUnderTest) -> None:
    """The place is taken. Whoever appends is told so, instead of trying the next free one for ever."""
    await ledger.append(5)
    await ledger.execute("UPDATE ops.ledgers SET size = 3 WHERE org_id = $1")

    with pytest.raises(Unavailable, match="python -m record repair"):
        await ledger.record.ledger.append(ledger.caller, draft())
    await ledger.check()


async def test_repairs_need_the_owner(settings: Settings) -> None:
    with pytest.raises(InvalidInput, match="MUNIMENT_OWNER_DATABASE_URL"):
        await repair(settings.model_copy(update={"owner_database_url": None}))
