"""A court for each test."""

import pytest

from record.judgements import places
from tests.record.clocks import MovableClock
from tests.record.environments.places import Place
from tests.record.judgements.court import TESTED, Court
from tests.record.organizations import Organization


@pytest.fixture(autouse=True)
def time_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every change is looked at by itself, however slow the machine is; a test about haste sets its own."""
    monkeypatch.setattr(places, "ONE_BY_ONE_SECONDS", 600.0)


@pytest.fixture
async def court(acme: Organization, clock: MovableClock) -> Court:
    """An organization in which nothing was judged yet."""
    return await Court.begin(acme, clock)


@pytest.fixture
async def prod(court: Court) -> Place:
    """An environment in which app-1 runs, built in t1, under a policy that asks for tests."""
    await court.flow(template=None)
    await court.trail()
    await court.artifact(1)
    place = await Place.make(court.organization)
    await court.policy(TESTED, "prod")
    await place.runs(1)
    return place
