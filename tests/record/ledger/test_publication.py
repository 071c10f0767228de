"""What the vault holds of a log: everything that its newest checkpoint covers, locked, under known keys."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from record.ids import LedgerSize
from record.ledger import integrate as integration
from record.ledger import publish as publication
from record.ledger.publish import checkpoint_key, log_prefix, publish
from record.refusals import Unavailable
from tests.record.ledger.harness import LedgerUnderTest


async def test_the_published_objects_are_exactly_these(ledger: LedgerUnderTest) -> None:
    await ledger.grow_to(250)
    await ledger.sign()
    await ledger.publish()
    await ledger.grow_to(600)
    await ledger.sign()
    await ledger.publish()

    assert sorted(await ledger.published()) == [
        "checkpoint/00000000000000000250",
        "checkpoint/00000000000000000600",
        "tile/0/000",
        "tile/0/000.p/250",
        "tile/0/001",
        "tile/0/002.p/88",
        "tile/1/000.p/2",
        "tile/entries/000",
        "tile/entries/001",
    ]
    assert await ledger.check() == 600


async def test_published_objects_are_locked_for_the_organization_s_retention(ledger: LedgerUnderTest) -> None:
    await ledger.sign()
    await ledger.publish()

    facts = await ledger.record.vault.stat(
        checkpoint_key(ledger.org_id, LedgerSize(ledger.receipts[0].index + 1)), None
    )

    assert facts is not None
    assert facts.is_kept_until(datetime.now(UTC) + timedelta(hours=23))


async def test_publishing_twice_writes_nothing_twice(ledger: LedgerUnderTest) -> None:
    await ledger.sign()

    assert await ledger.publish() == 3
    assert await ledger.publish() is None


async def test_two_publishers_at_once_leave_the_work_to_one(ledger: LedgerUnderTest) -> None:
    await ledger.grow_to(600)
    await ledger.sign()

    outcomes = await asyncio.gather(*(publish(ledger.record, ledger.org_id) for _ in range(4)))

    assert [outcome for outcome in outcomes if outcome is not None] == [600]
    assert await ledger.check() == 600


async def test_a_publication_that_failed_lets_go_of_its_lock(ledger: LedgerUnderTest) -> None:
    await ledger.sign()
    put_object = ledger.record.vault.put_object

    async def refuse(*_: object, **__: object) -> str:
        raise Unavailable("The vault went away.")

    ledger.record.vault.put_object = refuse  # type: ignore[method-assign]
    outcome = (await asyncio.gather(ledger.publish(), return_exceptions=True))[0]
    ledger.record.vault.put_object = put_object  # type: ignore[method-assign]

    assert isinstance(outcome, Unavailable)
    assert await ledger.publish() == 3


async def test_a_long_backlog_reaches_the_vault_in_steps(
    ledger: LedgerUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(integration, "ENTRIES_MAX", 300)
    monkeypatch.setattr(publication, "ENTRIES_MAX", 700)
    await ledger.grow_to(1_300)
    while await ledger.sign() is not None:
        pass

    assert await ledger.publish() == 1_300

    keys = await ledger.record.vault.list(log_prefix(ledger.org_id) + "checkpoint/")
    assert [int(key[-20:]) for key in keys] == [600, 1_300]
    assert await ledger.check() == 1_300
