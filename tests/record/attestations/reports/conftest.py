"""Where the reports for these tests come from: our own hostile ones, and real ones beside the checkout when they are there."""

from collections.abc import Callable
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[4]


@pytest.fixture
def asset() -> Callable[[str], bytes]:
    """Bytes of a file that `tests/assets/make.py` made."""
    return lambda name: (PROJECT / "tests" / "assets" / name).read_bytes()


@pytest.fixture
def corpus() -> Callable[[str], bytes]:
    """Bytes of a real report from other projects; the test is skipped, and says so, where the corpus is absent."""

    def read(name: str) -> bytes:
        path = PROJECT.parent / "shared" / "corpus" / name
        if not path.exists():
            pytest.skip(f"{path} is absent: this test of a real report did not run")
        return path.read_bytes()

    return read
