"""The fault table: each write of append, integrate and publish, lost, or kept without anybody being told.

After each, the whole ledger is verified, everything acknowledged is there, and the same process goes on, as does a new one.
"""

import pytest

from record.ledger.entries import Idempotency
from record.ledger.integrate import integrate
from record.ledger.publish import publish
from record.refusals import Unavailable
from tests.record.ledger.faults import Fate, Fault, faulty
from tests.record.ledger.harness import LedgerUnderTest, draft, new_notary

APPEND_WRITES = 1
INTEGRATE_WRITES = 2
PUBLISH_WRITES = 6
"""Two tiles of level 0, one of level 1, the entries of the full one, the checkpoint, and the note of how far it is."""

FATES = pytest.mark.parametrize("fate", Fate)
ONCE = Idempotency("pipeline-17", "5" * 64)


@pytest.fixture
async def grown(ledger: LedgerUnderTest) -> LedgerUnderTest:
    """250 entries published, and 50 that wait: the next step crosses the end of a tile."""
    await ledger.grow_to(250)
    await ledger.sign()
    await ledger.publish()
    await ledger.load(50)
    return ledger


async def go_on(ledger: LedgerUnderTest) -> None:
    """The system is healthy again: it must come to a signed and published ledger, by the old process and by a new one."""
    for notary in (ledger.notary, new_notary(ledger.record)):
        await ledger.append(2)
        await integrate(ledger.record, ledger.org_id, notary)
        await ledger.publish()
        signed_size = await ledger.check()
        head = await ledger.record.ledger.head(ledger.org_id)
        assert signed_size == head.size
        assert f"checkpoint/{signed_size:020}" in await ledger.published()


@FATES
@pytest.mark.parametrize("number", range(1, APPEND_WRITES + 1))
async def test_an_append_that_fails_at_any_write_is_recorded_once_when_repeated(
    grown: LedgerUnderTest, number: int, fate: Fate
) -> None:
    wish = draft()
    broken = faulty(grown.record, Fault(number, fate))
    with pytest.raises(Unavailable):
        await broken.ledger.append(grown.caller, wish, idempotency=ONCE)
    await grown.check()
    kept = await grown.record.ledger.head(grown.org_id)

    receipt = await grown.record.ledger.prior(grown.caller, ONCE)
    receipt = receipt or await grown.record.ledger.append(grown.caller, wish, idempotency=ONCE)

    assert kept.size == (301 if fate is Fate.KEPT else 300)
    assert receipt.index == 300
    assert receipt.replayed is (fate is Fate.KEPT)
    assert (await grown.record.ledger.head(grown.org_id)).size == 301
    grown.receipts.append(receipt)
    await go_on(grown)


@FATES
@pytest.mark.parametrize("number", range(1, INTEGRATE_WRITES + 1))
async def test_an_integration_that_fails_at_any_write_forks_nothing(
    grown: LedgerUnderTest, number: int, fate: Fate
) -> None:
    broken = faulty(grown.record, Fault(number, fate))

    with pytest.raises(Unavailable):
        await integrate(broken, grown.org_id, grown.notary)

    committed = number == INTEGRATE_WRITES and fate is Fate.KEPT
    assert await grown.check() == (300 if committed else 250)
    await go_on(grown)


@FATES
@pytest.mark.parametrize("number", range(1, PUBLISH_WRITES + 1))
async def test_a_publication_that_fails_at_any_write_never_shows_a_checkpoint_without_its_tiles(
    grown: LedgerUnderTest, number: int, fate: Fate
) -> None:
    await grown.sign()
    broken = faulty(grown.record, Fault(number, fate))

    with pytest.raises(Unavailable):
        await publish(broken, grown.org_id)

    assert await grown.check() == 300
    assert await grown.publish() == (None if number == PUBLISH_WRITES and fate is Fate.KEPT else 300)
    await go_on(grown)


async def test_the_writes_of_the_fault_table_are_all_that_there_are(grown: LedgerUnderTest) -> None:
    counts = []
    for work in (
        lambda record: record.ledger.append(grown.caller, draft()),
        lambda record: integrate(record, grown.org_id, grown.notary),
        lambda record: publish(record, grown.org_id),
    ):
        fault = Fault()
        await work(faulty(grown.record, fault))
        counts.append(fault.writes)

    assert counts == [APPEND_WRITES, INTEGRATE_WRITES, PUBLISH_WRITES]
