"""Entries become signed checkpoints, and nothing is signed that does not extend what was signed."""

import asyncio

import pytest

from muniment.proof.checkpoint import open_checkpoint
from record.ids import EntryIndex
from record.ledger import integrate as integration
from record.ledger.integrate import integrate
from record.ledger.publish import checkpoint_key
from record.ledger.signing import ForkRefused
from tests.record.ledger.harness import LedgerUnderTest, new_notary, statements_of


async def test_a_checkpoint_covers_everything_that_was_appended(ledger: LedgerUnderTest) -> None:
    await ledger.append(5)

    signed = await ledger.sign()

    assert signed is not None
    assert signed.size == 8
    assert open_checkpoint(signed.note, ledger.key).origin == "log.invalid/log/acme"
    assert await ledger.check() == 8


async def test_nothing_new_signs_nothing(ledger: LedgerUnderTest) -> None:
    await ledger.sign()

    assert await ledger.sign() is None


@pytest.mark.parametrize("sizes", [(255, 256, 257), (256, 512), (300, 700, 1030), (511, 513)])
async def test_tiles_and_roots_are_right_at_every_boundary(ledger: LedgerUnderTest, sizes: tuple[int, ...]) -> None:
    for size in sizes:
        await ledger.grow_to(size)
        await ledger.sign()

        assert await ledger.check() == size


async def test_a_tree_of_three_levels_is_signed_in_steps(ledger: LedgerUnderTest) -> None:
    await ledger.grow_to(65_536 + 300)

    sizes = []
    while (signed := await ledger.sign()) is not None:
        sizes.append(signed.size)

    assert sizes == [16_384, 32_768, 49_152, 65_536, 65_836]
    assert await ledger.check() == 65_836


async def test_two_integrators_at_once_sign_one_line(ledger: LedgerUnderTest) -> None:
    notaries = [new_notary(ledger.record) for _ in range(4)]
    for _ in range(10):
        appended, _ = await asyncio.gather(
            ledger.append(7),
            asyncio.gather(*(integrate(ledger.record, ledger.org_id, notary) for notary in notaries)),
        )
        assert len(appended) == 7
    await ledger.sign()

    assert await ledger.check() == 73


async def test_what_one_worker_signed_another_goes_on_from(ledger: LedgerUnderTest) -> None:
    other = new_notary(ledger.record)
    await ledger.sign()
    await ledger.append()
    await integrate(ledger.record, ledger.org_id, other)
    await ledger.append()

    await ledger.sign()

    assert await ledger.check() == 5


async def test_a_row_edited_behind_the_signed_edge_is_refused(ledger: LedgerUnderTest) -> None:
    await ledger.append(5)
    await ledger.sign()
    await ledger.append()
    await ledger.execute("UPDATE record.entries SET leaf_hash = sha256('x') WHERE org_id = $1 AND entry_index = 4")

    with pytest.raises(ForkRefused, match="no longer lead to the root"):
        await integrate(ledger.record, ledger.org_id, new_notary(ledger.record))


async def test_an_edited_tile_at_the_edge_is_refused(ledger: LedgerUnderTest) -> None:
    await ledger.grow_to(600)
    await ledger.sign()
    await ledger.append()
    await ledger.execute(
        "UPDATE record.tiles SET root = sha256('x') WHERE org_id = $1 AND level = 0 AND tile_index = 1"
    )

    with pytest.raises(ForkRefused):
        await ledger.sign()


async def test_a_new_entry_that_is_not_what_was_acknowledged_is_refused(ledger: LedgerUnderTest) -> None:
    await ledger.sign()
    await ledger.append(3)
    await ledger.execute(
        "UPDATE record.entries SET content = 'x' WHERE org_id = $1 AND entry_index = $2", EntryIndex(4)
    )

    with pytest.raises(ForkRefused, match="Entry 4 "):
        await ledger.sign()


async def test_a_new_entry_that_was_removed_is_refused(ledger: LedgerUnderTest) -> None:
    await ledger.append(3)
    await ledger.execute("DELETE FROM record.entries WHERE org_id = $1 AND entry_index = 2")

    with pytest.raises(ForkRefused, match="Entry 2 "):
        await ledger.sign()


async def test_a_checkpoint_that_another_key_signed_is_refused(ledger: LedgerUnderTest) -> None:
    await ledger.sign()
    await ledger.append()
    notary = new_notary(ledger.record)
    notary.seed = bytes(32)

    with pytest.raises(ForkRefused, match="does not verify"):
        await integrate(ledger.record, ledger.org_id, notary)


async def test_an_edited_row_of_the_newest_checkpoint_is_refused(ledger: LedgerUnderTest) -> None:
    await ledger.sign()
    await ledger.append()
    await ledger.execute("UPDATE record.checkpoints SET root = sha256('x') WHERE org_id = $1")

    with pytest.raises(ForkRefused, match="differs from its note"):
        await integrate(ledger.record, ledger.org_id, new_notary(ledger.record))


async def test_a_process_refuses_when_postgresql_lost_what_it_signed(ledger: LedgerUnderTest) -> None:
    await ledger.sign()
    await ledger.append()
    await ledger.sign()
    await ledger.execute("DELETE FROM record.checkpoints WHERE org_id = $1 AND size = 4")
    await ledger.append()

    with pytest.raises(ForkRefused, match="this process signed 4"):
        await ledger.sign()


async def test_a_new_process_refuses_when_the_vault_holds_more_than_postgresql(ledger: LedgerUnderTest) -> None:
    await ledger.append(3)
    await ledger.sign()
    await ledger.publish()
    await ledger.execute("DELETE FROM record.checkpoints WHERE org_id = $1")
    await ledger.execute("DELETE FROM record.entries WHERE org_id = $1 AND entry_index >= 4")

    with pytest.raises(ForkRefused, match="the vault holds a checkpoint of 6"):
        await integrate(ledger.record, ledger.org_id, new_notary(ledger.record))
    assert checkpoint_key(ledger.org_id, 6) in await ledger.record.vault.list(f"log/{ledger.org_id}/checkpoint/")  # type: ignore[arg-type]


async def test_removed_checkpoints_over_stored_tiles_are_refused(ledger: LedgerUnderTest) -> None:
    await ledger.grow_to(300)
    await ledger.sign()
    await ledger.execute("DELETE FROM record.checkpoints WHERE org_id = $1")

    with pytest.raises(ForkRefused, match="is there already"):
        await integrate(ledger.record, ledger.org_id, new_notary(ledger.record))


async def test_the_number_of_statements_does_not_depend_on_the_size(ledger: LedgerUnderTest) -> None:
    counts = []
    for size in (200, 5_000, 20_000):
        await ledger.grow_to(size)
        while await ledger.sign() is not None:
            pass
        await ledger.append(3)
        watched, sent = statements_of(ledger.record)
        await integrate(watched, ledger.org_id, ledger.notary)
        counts.append(len(sent))

    assert counts == [8, 8, 8]
    assert integration.ENTRIES_MAX < 20_000
