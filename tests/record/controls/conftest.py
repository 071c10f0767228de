"""A shop of its own for each test."""

import pytest

from tests.record.clocks import MovableClock
from tests.record.controls.rooms import Shop
from tests.record.organizations import Organization


@pytest.fixture
async def shop(acme: Organization, clock: MovableClock) -> Shop:
    return await Shop.open(acme, clock)
