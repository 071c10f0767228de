"""The one place that reads the time. Rules never do: they are handed an instant."""

from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Tells the time as an aware UTC datetime."""

    def now(self) -> datetime: ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)


def to_rfc3339(instant: datetime) -> str:
    """`2026-11-22T08:30:00.000000Z`: UTC, always six digits, so that texts sort as instants do."""
    return instant.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def from_rfc3339(text: str) -> datetime:
    """The instant that `to_rfc3339` wrote."""
    return datetime.fromisoformat(text)
