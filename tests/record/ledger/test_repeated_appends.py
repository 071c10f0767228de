"""Requests that are repeated with their idempotency key: one entry, one receipt, however many arrive at once."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from record.ids import uuid7
from record.ledger.append import AlreadyRecorded, Ledger
from record.ledger.entries import Draft
from record.readings import rows_of
from record.refusals import IdempotencyConflict, Refusal
from tests.record.ledger.harness import LedgerUnderTest, draft
from tests.record.ledger.house_ledger import ONCE, ledger, size_of, twin_of

__all__ = ["ledger"]


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
