"""A court for each test."""

import pytest

from tests.record.clocks import MovableClock
from tests.record.judgements.court import Court
from tests.record.organizations import Organization


@pytest.fixture
async def court(acme: Organization, clock: MovableClock) -> Court:
    """An organization in which nothing was judged yet."""
    return await Court.begin(acme, clock)
