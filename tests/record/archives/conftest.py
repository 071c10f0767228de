"""Archives of an organization of its own for each test."""

import pytest

from record.record import Record
from tests.record.archives.harness import World
from tests.record.ledger.conftest import record, settings

__all__ = ["record", "settings"]


@pytest.fixture
async def world(record: Record) -> World:
    return await World.begin(record)
