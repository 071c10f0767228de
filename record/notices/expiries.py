"""What ends by itself, and the warnings that are due before it does: an API key, a waiver. Pure: the instant is handed in."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from record.clock import to_rfc3339
from record.notices.events import Event, Trigger

LEADS: Final = (timedelta(days=1), timedelta(days=7))
"""How long before an expiry it is told, the last warning first."""


@dataclass(frozen=True, slots=True)
class Expiry:
    """Something that ends by itself: a key or a waiver, what it is called, and where it counts."""

    trigger: Trigger
    id: UUID
    called: str
    expires_at: datetime
    data: Mapping[str, Any]
    flows: tuple[str, ...] | None = None
    environment: str | None = None


def expiring(expiry: Expiry, *, now: datetime) -> Event | None:
    """The warning that is due: a week before, and again a day before. None: it is too early, or it has happened."""
    lead = next((lead for lead in LEADS if expiry.expires_at - lead <= now < expiry.expires_at), None)
    if lead is None:
        return None
    end = to_rfc3339(expiry.expires_at)
    thing = expiry.trigger.value.partition(".")[0]
    return Event(
        expiry.trigger.value,
        f"{expiry.id}/{end}/{lead.days}",
        expiry.expires_at - lead,
        f"The {thing} {expiry.called} expires within {'a day' if lead.days == 1 else f'{lead.days} days'}",
        (("Expires", end),),
        {**expiry.data, f"{thing}_id": str(expiry.id), "expires_at": end},
        flows=expiry.flows,
        environment=expiry.environment,
    )
