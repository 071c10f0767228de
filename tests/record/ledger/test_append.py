"""The one door: shared commits, gapless indexes, drafts that fail alone, requests that are repeated."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from itertools import count
from typing import Any

import pytest

from embedded.postgres import SUPERUSER
from embedded.servers import Stack
from record.access.rules import Caller
from record.ids import uuid7
from record.ledger import entries
from record.ledger.append import AlreadyRecorded, Ledger
from record.ledger.entries import Draft, Entry, Idempotency
from record.ledger.readings import Row
from record.readings import rows_of
from record.record import Record
from record.refusals import IdempotencyConflict, InvalidInput, NotFound, Refusal, TooLarge
from tests.record.clocks import MovableClock
from tests.record.house import DATABASE
from tests.record.ledger.harness import LedgerUnderTest, draft
from tests.record.statements import watched

_numbers = count(1)


@pytest.fixture
async def ledger(house: Record, stack: Stack) -> LedgerUnderTest:
    """A ledger in the database that tests of the record share: a clone for each would take longer than most of these."""
    record = replace(house, ledger=Ledger(house.database, house.clock, rows_of))
    superuser_url = stack.postgres.url(SUPERUSER, DATABASE)
    return await LedgerUnderTest.begin(record, superuser_url, f"append-{next(_numbers)}")


async def contents(ledger: LedgerUnderTest) -> list[bytes]:
    async with ledger.record.database.connection(ledger.org_id) as connection:
        rows = await connection.fetch("SELECT content FROM record.entries ORDER BY entry_index")
    return [row["content"] for row in rows]


async def size_of(ledger: LedgerUnderTest) -> int:
    return (await ledger.record.ledger.head(ledger.org_id)).size


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


def twin_of(name: str) -> Callable[[], Draft]:
    """Drafts that all claim one unique name."""
    body = draft().body
    return lambda: Draft("trail.begun", body | {"name": name})


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


# --- repeated requests

ONCE = Idempotency("pipeline-17", "5" * 64)


async def test_the_same_request_again_gets_the_first_receipt(ledger: LedgerUnderTest) -> None:
    door = ledger.record.ledger
    first = await door.append(ledger.caller, draft("one"), idempotency=ONCE)

    again = await door.append(ledger.caller, draft("one"), idempotency=ONCE)

    assert again == replace(first, replayed=True)
    assert await size_of(ledger) == 4


async def test_the_same_key_for_another_request_is_refused(ledger: LedgerUnderTest) -> None:
    door = ledger.record.ledger
    first = await door.append(ledger.caller, draft("one"), idempotency=ONCE)

    with pytest.raises(IdempotencyConflict, match=f"entry {first.index}"):
        await door.append(ledger.caller, draft("two"), idempotency=replace(ONCE, input_sha256="6" * 64))

    assert await size_of(ledger) == 4


async def test_the_same_key_of_another_principal_is_another_key(ledger: LedgerUnderTest) -> None:
    door = ledger.record.ledger
    other = replace(ledger.caller, principal_id=uuid7())  # type: ignore[arg-type]
    await door.append(ledger.caller, draft("one"), idempotency=ONCE)

    receipt = await door.append(other, draft("two"), idempotency=replace(ONCE, input_sha256="6" * 64))

    assert not receipt.replayed
    assert await size_of(ledger) == 5


@pytest.mark.parametrize("make", [draft, twin_of("release-1")])
async def test_twenty_identical_requests_at_once_are_one_entry(
    ledger: LedgerUnderTest, make: Callable[[], Draft]
) -> None:
    """Also when what they make has a unique name of its own, at which they meet first."""
    doors = [ledger.record.ledger, Ledger(ledger.record.database, ledger.record.clock, rows_of)]

    receipts = await asyncio.gather(
        *(doors[number % 2].append(ledger.caller, make(), idempotency=ONCE) for number in range(20))
    )

    assert len({receipt.entry_id for receipt in receipts}) == 1
    assert len({receipt.leaf_hash for receipt in receipts}) == 1
    assert sum(not receipt.replayed for receipt in receipts) == 1
    assert await size_of(ledger) == 4


async def test_other_input_among_twenty_requests_at_once_is_refused_and_the_rest_are_one(
    ledger: LedgerUnderTest,
) -> None:
    def ask(number: int) -> Any:
        once = replace(ONCE, input_sha256="6" * 64) if number == 13 else ONCE
        return ledger.record.ledger.append(ledger.caller, draft(), idempotency=once)

    outcomes = await asyncio.gather(*(ask(number) for number in range(20)), return_exceptions=True)

    conflicts = [number for number, outcome in enumerate(outcomes) if isinstance(outcome, Refusal)]
    assert conflicts == [13]
    assert await size_of(ledger) == 4


async def test_one_name_without_an_idempotency_key_is_taken(ledger: LedgerUnderTest) -> None:
    twin = twin_of("release-1")
    await ledger.record.ledger.append(ledger.caller, twin())

    with pytest.raises(AlreadyRecorded) as met:
        await ledger.record.ledger.append(ledger.caller, twin(), idempotency=ONCE)

    assert met.value.constraint.startswith("trails_")


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


# --- facts of several entries


async def test_entries_that_belong_together_stand_together_whoever_else_appends(ledger: LedgerUnderTest) -> None:
    async def together() -> tuple[int, int]:
        drafts = [draft() for _ in range(90)]
        receipt = await ledger.record.ledger.append_together(ledger.caller, drafts)
        assert receipt.entry_id == drafts[-1].id
        return receipt.index - 89, receipt.index

    alone = [ledger.record.ledger.append(ledger.caller, draft()) for _ in range(30)]
    one, other, singles = await asyncio.gather(together(), together(), asyncio.gather(*alone))

    taken: list[int] = [receipt.index for receipt in singles]
    for first, last in (one, other):
        taken += range(first, last + 1)
    assert sorted(taken) == list(range(3, 3 + 210))
    await ledger.check()


@pytest.mark.parametrize("batch_max", [1, 4, 64])
async def test_no_commit_divides_what_belongs_together(ledger: LedgerUnderTest, batch_max: int) -> None:
    door = Ledger(ledger.record.database, ledger.record.clock, rows_of, batch_max=batch_max)
    twin = twin_of("release-1")
    await door.append(ledger.caller, twin())
    groups = [[draft() for _ in range(size)] for size in (3, 1, 5, 2, 4, 9, 1, 2, 3, 7)]
    refused = [draft(), twin(), draft()]

    said = await asyncio.gather(
        *[door.append_together(ledger.caller, group) for group in (*groups[:5], refused, *groups[5:])],
        return_exceptions=True,
    )

    async with ledger.record.database.connection(ledger.org_id) as connection:
        rows = await connection.fetch(
            "SELECT id FROM record.entries WHERE org_id = $1 ORDER BY entry_index", ledger.org_id
        )
    ids = [row["id"] for row in rows]
    assert [type(each) for each in said if isinstance(each, Exception)] == [AlreadyRecorded]
    assert not {each.id for each in refused} & set(ids)
    for group in groups:
        first = ids.index(group[0].id)
        assert ids[first : first + len(group)] == [each.id for each in group]
    await ledger.check()


async def test_entries_that_belong_together_are_all_there_or_none(ledger: LedgerUnderTest) -> None:
    twin = twin_of("release-1")
    await ledger.record.ledger.append(ledger.caller, twin())

    with pytest.raises(AlreadyRecorded):
        await ledger.record.ledger.append_together(ledger.caller, [draft(), twin(), draft()])
    with pytest.raises(TooLarge):
        await ledger.record.ledger.append_together(ledger.caller, [draft(), draft("x" * 70_000)])

    assert await size_of(ledger) == 4


async def test_entries_that_belong_together_are_one_request(ledger: LedgerUnderTest) -> None:
    door = ledger.record.ledger
    first = await door.append_together(ledger.caller, [draft(), draft()], idempotency=ONCE)
    again = await door.append_together(ledger.caller, [draft(), draft()], idempotency=ONCE)

    assert (again.index, again.replayed) == (first.index, True)
    assert await size_of(ledger) == 5
