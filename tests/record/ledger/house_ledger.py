"""A ledger in the database that tests of the record share, for tests that do nothing to the whole of it."""

from collections.abc import Callable
from dataclasses import replace
from itertools import count

import pytest

from embedded.postgres import SUPERUSER
from embedded.servers import Stack
from record.ledger.append import Ledger
from record.ledger.entries import Draft, Idempotency
from record.readings import rows_of
from record.record import Record
from tests.record.house import DATABASE
from tests.record.ledger.harness import LedgerUnderTest, draft

_numbers = count(1)

ONCE = Idempotency("pipeline-17", "5" * 64)


@pytest.fixture
async def ledger(house: Record, stack: Stack) -> LedgerUnderTest:
    """A ledger in the database that tests of the record share: a clone for each would take longer than most of these."""
    record = replace(house, ledger=Ledger(house.database, house.clock, rows_of))
    superuser_url = stack.postgres.url(SUPERUSER, DATABASE)
    return await LedgerUnderTest.begin(record, superuser_url, f"append-{next(_numbers)}")


async def size_of(ledger: LedgerUnderTest) -> int:
    return (await ledger.record.ledger.head(ledger.org_id)).size


def twin_of(name: str) -> Callable[[], Draft]:
    """Drafts that all claim one unique name."""
    body = draft().body
    return lambda: Draft("trail.begun", body | {"name": name})
