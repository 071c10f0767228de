"""The one door: shared commits, gapless indexes, drafts that fail alone, callers who go away."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from record.access.rules import Caller
from record.ids import uuid7
from record.ledger import entries
from record.ledger.append import Ledger
from record.ledger.entries import Draft, Entry
from record.ledger.readings import Row
from record.readings import rows_of
from record.record import Record
from record.refusals import InvalidInput, NotFound, TooLarge
from tests.record.clocks import MovableClock
from tests.record.ledger.harness import LedgerUnderTest, draft
from tests.record.ledger.house_ledger import ledger, size_of, twin_of
from tests.record.statements import watched

__all__ = ["ledger"]


async def contents(ledger: LedgerUnderTest) -> list[bytes]:
    async with ledger.record.database.connection(ledger.org_id) as connection:
        rows = await connection.fetch("SELECT content FROM record.entries ORDER BY entry_index")
    return [row["content"] for row in rows]


# --- sharing


async def test_appends_that_arrive_together_share_commits_and_leave_no_gap(ledger: LedgerUnderTest) -> None:
    async with watched(ledger.record) as (record, database):
        receipts = await asyncio.gather(*(record.ledger.append(ledger.caller, draft()) for _ in range(200)))

        assert sorted(receipt.index for receipt in receipts) == list(range(3, 203))
        assert len(database.appends()) <= 1 + 1 + 200 // 64
    ledger.receipts += receipts
    await ledger.check()


async def test_a_lone_append_waits_for_nobody_and_is_one_statement(ledger: LedgerUnderTest) -> None:
    async with watched(ledger.record) as (record, database):
        await record.ledger.append(ledger.caller, draft())
        database.sent.clear()

        await record.ledger.append(ledger.caller, draft())

        assert len(database.sent) == len(database.appends()) == 1


async def test_entries_come_in_the_order_in_which_they_were_given_to_the_door(ledger: LedgerUnderTest) -> None:
    drafts = [draft(str(number)) for number in range(150)]

    receipts = await asyncio.gather(*(ledger.record.ledger.append(ledger.caller, each) for each in drafts))

    assert [receipt.index for receipt in receipts] == list(range(3, 153))
    assert [receipt.entry_id for receipt in receipts] == [each.id for each in drafts]


async def test_the_receipt_says_what_was_stored(ledger: LedgerUnderTest) -> None:
    receipt = await ledger.record.ledger.append(ledger.caller, draft("äöü 🗝"))

    stored = (await contents(ledger))[receipt.index]
    entry = entries.decode(receipt.index, stored)
    assert entries.leaf_hash(stored).hex() == receipt.leaf_hash
    assert (entry.id, entry.kind, entry.at, entry.body) == (
        receipt.entry_id,
        receipt.kind,
        receipt.at,
        receipt.body,
    )
    assert receipt.ledger == ledger.origin


async def test_two_processes_append_to_one_ledger_without_a_gap(ledger: LedgerUnderTest) -> None:
    other = Ledger(ledger.record.database, ledger.record.clock, rows_of)

    receipts = await asyncio.gather(
        *(door.append(ledger.caller, draft()) for _ in range(60) for door in (ledger.record.ledger, other))
    )

    assert sorted(receipt.index for receipt in receipts) == list(range(3, 123))
    ledger.receipts += receipts
    await ledger.check()


async def test_time_never_runs_backwards_between_skewed_clocks(ledger: LedgerUnderTest) -> None:
    skews = [timedelta(seconds=90), timedelta(seconds=-90), timedelta()]
    doors = [Ledger(ledger.record.database, MovableClock(skew), rows_of) for skew in skews]
    await doors[0].append(ledger.caller, draft())

    receipts = await asyncio.gather(*(door.append(ledger.caller, draft()) for _ in range(20) for door in doors))

    instants = [receipt.at for receipt in sorted(receipts, key=lambda receipt: receipt.index)]
    assert instants == sorted(instants)
    await ledger.check()


async def test_a_ledger_that_does_not_exist_takes_nothing(record: Record) -> None:
    nobody = Caller(uuid7(), "nobody", uuid7(), "eve", None, ())  # type: ignore[arg-type]

    with pytest.raises(NotFound):
        await record.ledger.append(nobody, draft())


# --- what is refused


DEEP: Any = None
for _ in range(2000):
    DEEP = [DEEP]

UNRECORDABLE: dict[str, Any] = {
    "not a number": float("nan"),
    "infinity": float("-inf"),
    "an integer beyond 2^53": 2**53,
    "an integer of a thousand digits": 10**1000,
    "half of a surrogate pair": "\ud83d",
    "NUL": "a\x00b",
    "NUL in a name": {"a\x00b": 1},
    "a name that is no text": {1: 2},
    "bytes": b"bytes",
    "a set": {1, 2},
    "too deep": DEEP,
}


@pytest.mark.parametrize("what", UNRECORDABLE)
async def test_what_canonical_json_cannot_say_is_refused_and_disturbs_nobody(
    ledger: LedgerUnderTest, what: str
) -> None:
    wish = draft()
    bad = replace(wish, body=wish.body | {"user_data": {"value": UNRECORDABLE[what]}})

    refused, kept = await asyncio.gather(
        ledger.record.ledger.append(ledger.caller, bad),
        ledger.record.ledger.append(ledger.caller, draft()),
        return_exceptions=True,
    )

    assert isinstance(refused, InvalidInput)
    assert not isinstance(kept, BaseException)
    assert await size_of(ledger) == 4


async def test_an_entry_may_be_65535_bytes_and_not_one_more(ledger: LedgerUnderTest) -> None:
    wish = draft("")
    room = entries.ENTRY_BYTES_MAX - len(
        entries.encode(ledger.org_id, wish, ledger.caller.by(), ledger.record.clock.now())
    )

    with pytest.raises(TooLarge, match="65536 bytes"):
        await ledger.record.ledger.append(
            ledger.caller, replace(wish, body=wish.body | {"description": "x" * (room + 1)})
        )
    receipt = await ledger.record.ledger.append(
        ledger.caller, replace(wish, body=wish.body | {"description": "x" * room})
    )

    assert len((await contents(ledger))[receipt.index]) == entries.ENTRY_BYTES_MAX
    assert await size_of(ledger) == 4


def too_long_for_an_index() -> Draft:
    wish = draft()
    return replace(wish, body=wish.body | {"name": "".join(chr(0x4E00 + n * 7 % 20_000) for n in range(3_000))})


def without_what_rows_need() -> Draft:
    return Draft("trail.begun", {"trail_id": "no uuid"})


def of_no_kind() -> Draft:
    return Draft("trail.ended", {})


@pytest.mark.parametrize("bad", [too_long_for_an_index, without_what_rows_need, of_no_kind])
async def test_a_draft_that_nobody_can_store_fails_alone(ledger: LedgerUnderTest, bad: Callable[[], Draft]) -> None:
    drafts = [draft() for _ in range(9)]
    drafts[4] = bad()
    first = asyncio.create_task(ledger.record.ledger.append(ledger.caller, draft()))
    await asyncio.sleep(0)

    outcomes = await asyncio.gather(
        *(ledger.record.ledger.append(ledger.caller, each) for each in drafts), return_exceptions=True
    )

    await first
    assert [isinstance(outcome, BaseException) for outcome in outcomes] == [place == 4 for place in range(9)]
    assert await size_of(ledger) == 12


async def test_of_drafts_that_claim_one_name_the_first_gets_it_and_the_rest_fail_alone(
    ledger: LedgerUnderTest,
) -> None:
    twin = twin_of("release-1")
    drafts = [draft(), twin(), draft(), twin(), draft(), twin()]

    outcomes = await asyncio.gather(
        *(ledger.record.ledger.append(ledger.caller, each) for each in drafts), return_exceptions=True
    )

    assert [type(outcome).__name__ for outcome in outcomes] == [
        "Receipt",
        "Receipt",
        "Receipt",
        "AlreadyRecorded",
        "Receipt",
        "AlreadyRecorded",
    ]
    assert await size_of(ledger) == 7
    await ledger.check()


# --- who goes away


async def test_a_caller_who_goes_away_disturbs_neither_its_entry_nor_the_others(ledger: LedgerUnderTest) -> None:
    tasks = [asyncio.create_task(ledger.record.ledger.append(ledger.caller, draft())) for _ in range(20)]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()

    outcomes = await asyncio.gather(*tasks, return_exceptions=True)

    kept = [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]
    assert len(kept) == 10
    after = await ledger.record.ledger.append(ledger.caller, draft())
    assert after.index == 23
    ledger.receipts += [*kept, after]
    await ledger.check()


async def test_many_entries_are_loaded_in_few_commits_and_in_order(ledger: LedgerUnderTest) -> None:
    async with watched(ledger.record) as (record, database):
        receipts = await record.ledger.append_many(ledger.caller, [draft() for _ in range(1200)])

        assert [receipt.index for receipt in receipts] == list(range(3, 1203))
        assert len(database.appends()) == 3


async def test_a_reading_that_fails_is_told_to_whoever_appended(ledger: LedgerUnderTest) -> None:
    def broken(entry: Entry) -> list[Row]:
        raise ValueError("a bug of ours")

    door = Ledger(ledger.record.database, ledger.record.clock, broken)

    with pytest.raises(ValueError, match="a bug of ours"):
        await door.append(ledger.caller, draft())
    assert await size_of(ledger) == 3
