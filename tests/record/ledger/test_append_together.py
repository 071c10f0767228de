"""Facts of several entries: next to each other or not at all; and facts that follow from what is there."""

import asyncio

import pytest

from record.ledger.append import AlreadyRecorded, Ledger
from record.ledger.entries import Draft
from record.readings import rows_of
from record.refusals import TooLarge
from tests.record.ledger.harness import LedgerUnderTest, draft
from tests.record.ledger.house_ledger import ONCE, ledger, size_of, twin_of

__all__ = ["ledger"]


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


async def test_what_follows_from_what_is_there_is_decided_again_when_somebody_was_first(
    ledger: LedgerUnderTest,
) -> None:
    door = ledger.record.ledger
    taken = twin_of("release-1")
    asked: list[int] = []

    async def decide() -> list[Draft]:
        asked.append(await size_of(ledger))
        if len(asked) == 1:
            await door.append(ledger.caller, taken())
        return [draft(), taken() if len(asked) == 1 else draft("the second try")]

    receipt = await door.append_next(ledger.caller, decide)

    assert asked == [3, 4]
    assert receipt.body["description"] == "the second try"
    assert await size_of(ledger) == 6
