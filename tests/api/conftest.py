"""The API as tests meet it: real servers behind it, a real socket in front, and a small schema of its own.

The schema here has a field for each thing that the machinery must get right; what the record's own schema says is tested elsewhere.
"""

from collections.abc import AsyncIterator, Callable

import pytest_asyncio

from record.settings import Settings
from tests.api.serving import Organization, Served, make_settings, serving

__all__ = ["acme", "make_settings", "served"]


@pytest_asyncio.fixture
async def served(make_settings: Callable[..., Settings]) -> AsyncIterator[Served]:
    """The API with its defaults."""
    async with serving(make_settings()) as running:
        yield running


@pytest_asyncio.fixture
async def acme(served: Served) -> Organization:
    """An organization on it."""
    return await served.organization()
