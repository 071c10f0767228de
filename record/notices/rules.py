"""Rules of notices: who is told of what, when a failed delivery is tried again, and when a receiver is given up.

Attempts at a delivery go on for about a day: 5 s, 15 s, 45 s, 135 s, ... up to four hours, each moved by up to a quarter either
way, so that receivers that fell together are not asked together. A receiver that has taken nothing for three days is told
nothing more until a person says so.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Any, Final
from uuid import UUID, uuid5

from record.clock import to_rfc3339
from record.ids import DeliveryId, EntryIndex, NoticeId, OrgId
from record.notices.events import Event, Trigger, narrowed

JOB: Final = "delivery"
"""The kind of job that makes a delivery; its subject is the delivery's id."""
ATTEMPTS_MAX: Final = 14
"""With the pauses between them: a day, about."""
PAUSE_FACTOR: Final = 3
PAUSE_SECONDS_MAX: Final = 4 * 3600.0
FAILING_MAX: Final = timedelta(days=3)
"""After taking nothing for so long a notice is disabled."""

_IDS: Final = UUID("6f1d3a52-0c6b-5b0e-9a53-4b1f0d1c7e1a")


class Channel(Enum):
    """How a notice travels."""

    WEBHOOK = "webhook"
    SLACK = "slack"
    EMAIL = "email"


class Outcome(Enum):
    """How a delivery ended."""

    DELIVERED = "delivered"
    GIVEN_UP = "given_up"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Notice:
    """A notice as of a moment. `created_index` is the entry that created it: it is told of what came after."""

    notice_id: NoticeId
    name: str
    version: int
    description: str
    channel: Channel
    targets: tuple[str, ...]
    triggers: tuple[Trigger, ...]
    flows: tuple[str, ...] | None
    environments: tuple[str, ...] | None
    disabled: bool
    disabled_because: str | None
    secret_id: UUID | None
    previous_secret_id: UUID | None
    previous_secret_until: datetime | None
    recorded_by: str
    entry_index: EntryIndex
    created_index: EntryIndex
    created_at: datetime
    changed_at: datetime

    @property
    def recipients(self) -> tuple[str, ...]:
        """What is delivered to separately: each mail address, or the one receiver."""
        return self.targets if self.channel is Channel.EMAIL else ("",)

    def secrets(self, *, now: datetime) -> tuple[UUID, ...]:
        """The secrets that count, the newest first: the last one as well while its overlap lasts."""
        last = self.previous_secret_id if self.previous_secret_until and now < self.previous_secret_until else None
        return tuple(each for each in (self.secret_id, last) if each is not None)


@dataclass(frozen=True, slots=True)
class Telling:
    """A delivery to be: what of an event goes to one receiver of a notice."""

    delivery_id: DeliveryId
    notice_id: NoticeId
    recipient: str
    event: Event


def tellings(org_id: OrgId, notices: Sequence[Notice], events: Iterable[Event]) -> list[Telling]:
    """Who is told of these events: notices in use that asked for them, and that were there before they happened."""
    found = []
    for event in events:
        for notice in notices:
            left = _for(notice, event)
            if left is not None:
                found += [
                    Telling(
                        delivery_id_of(org_id, notice.notice_id, recipient, event), notice.notice_id, recipient, left
                    )
                    for recipient in notice.recipients
                ]
    return found


def _for(notice: Notice, event: Event) -> Event | None:
    """What of the event this notice tells."""
    if event.only is not None:
        return event if event.only == notice.notice_id else None
    asked = any(event.type == trigger.value for trigger in notice.triggers)
    if notice.disabled or not asked or (event.entry_index is not None and event.entry_index <= notice.created_index):
        return None
    return narrowed(event, notice.flows, notice.environments)


def delivery_id_of(org_id: OrgId, notice_id: UUID, recipient: str, event: Event) -> DeliveryId:
    """The same for the same event, notice and recipient, for ever: receivers may rely on it."""
    return DeliveryId(uuid5(_IDS, f"{org_id}/{notice_id}/{recipient}/{event.type}/{event.key}"))


def pause_seconds(attempts: int, *, first_seconds: float, jitter: float, asked_seconds: float | None = None) -> float:
    """How long to wait after so many attempts. `jitter` is random, from 0 to 1; `asked_seconds` is what the receiver asked for."""
    pause = min(first_seconds * float(PAUSE_FACTOR) ** min(attempts - 1, 40), PAUSE_SECONDS_MAX)
    return max(pause * (0.75 + jitter / 2), min(asked_seconds or 0.0, PAUSE_SECONDS_MAX))


def is_lost(failing_since: datetime | None, *, now: datetime) -> bool:
    """Whether a receiver that has taken nothing since then is to be told nothing more."""
    return failing_since is not None and now - failing_since >= FAILING_MAX


def body_of(notice: Notice, changes: Mapping[str, Any]) -> dict[str, Any]:
    """The body of the entry that records the notice's next version, with these members instead of what it says now."""
    body: dict[str, Any] = {
        "notice_id": str(notice.notice_id),
        "version": notice.version + 1,
        "name": notice.name,
        "description": notice.description,
        "channel": notice.channel.value,
        "targets": list(notice.targets),
        "triggers": [trigger.value for trigger in notice.triggers],
        "flows": None if notice.flows is None else list(notice.flows),
        "environments": None if notice.environments is None else list(notice.environments),
        "disabled": notice.disabled,
        "disabled_because": notice.disabled_because,
        "secret_id": None if notice.secret_id is None else str(notice.secret_id),
        "previous_secret_id": None if notice.previous_secret_id is None else str(notice.previous_secret_id),
        "previous_secret_until": None
        if notice.previous_secret_until is None
        else to_rfc3339(notice.previous_secret_until),
        **changes,
    }
    return {name: value for name, value in body.items() if value is not None}
