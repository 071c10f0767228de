"""Fixtures of the client's tests."""

pytest_plugins: list[str] = []

from tests.cli.running import muniment, offline, system  # noqa: E402, F401
