"""Fixtures of the client's tests."""

from tests.cli.running import muniment, offline, system

__all__ = ["muniment", "offline", "system"]
