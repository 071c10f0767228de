"""Fixtures of the acceptance tests."""

from collections.abc import Iterator

import pytest

from tests.cli.deliveries import delivery
from tests.cli.faulty import Network, network_to
from tests.cli.running import Muniment

__all__ = ["delivery"]


@pytest.fixture
def network(muniment: Muniment) -> Iterator[Network]:
    """A network to the server that fails when it is told to."""
    with network_to(muniment.environment["MUNIMENT_HOST"]) as between:
        yield between
