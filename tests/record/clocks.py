"""A clock that tests move."""

from datetime import UTC, datetime, timedelta


class MovableClock:
    """The machine's clock, ahead by `ahead`; or standing still at `stopped_at`."""

    def __init__(self, ahead: timedelta = timedelta()) -> None:
        self.ahead = ahead
        self.stopped_at: datetime | None = None

    def now(self) -> datetime:
        return self.stopped_at or datetime.now(UTC) + self.ahead

    def stop(self, at: datetime | None = None) -> datetime:
        """Stands still, from now or from that instant."""
        self.stopped_at = at or self.now()
        return self.stopped_at
