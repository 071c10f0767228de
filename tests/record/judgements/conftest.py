"""A court for each test."""

import pytest

from record.judgements import places
from tests.record.clocks import MovableClock
from tests.record.judgements.court import Court
from tests.record.organizations import Organization


@pytest.fixture(autouse=True)
def time_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every change is looked at by itself, however slow the machine is; a test about haste sets its own."""
    monkeypatch.setattr(places, "ONE_BY_ONE_SECONDS", 600.0)


@pytest.fixture
async def court(acme: Organization, clock: MovableClock) -> Court:
    """An organization in which nothing was judged yet."""
    return await Court.begin(acme, clock)
