"""Entries and events for tests of notices, as the nouns that make them write them."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from record.ids import EntryIndex, NoticeId, OrgId, PrincipalId
from record.ledger.entries import By, Entry
from record.notices.events import Trigger
from record.notices.rules import Channel, Notice

ORG = OrgId(UUID(int=7))
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
PROD = UUID(int=70)
FINGERPRINT = "f1" * 32


def entry(kind: str, body: dict[str, Any], *, index: int = 10) -> Entry:
    by = By(PrincipalId(UUID(int=3)), "ada")
    return Entry(ORG, EntryIndex(index), UUID(int=index), kind, NOON, by, body)


def judgement(status: str, previous: str | None, **more: Any) -> dict[str, Any]:
    """The body of `judgement.recorded` about an environment."""
    return {
        "judgement_id": str(uuid4()),
        "subject": "environment",
        "environment_id": str(PROD),
        "environment": "prod",
        "number": 2,
        "previous": previous,
        "status": status,
        "stale": False,
        "size": 9,
        "instant": "2026-11-22T12:00:00.000000Z",
        "cause": 8,
        "reasons": ["app has no unit tests"],
        **more,
    }


def snapshot(*members: tuple[str, str, tuple[str, ...]], number: int = 3) -> dict[str, Any]:
    """The body of `snapshot.reported`, of members by name, change and flows. Only what notices look at."""
    return {
        "environment_id": str(PROD),
        "environment": "prod",
        "number": number,
        "still_to_come": 0,
        "members": [
            {"fingerprint": f"{place:064x}", "name": name, "change": change, "instances": 2, "flows": list(flows)}
            for place, (name, change, flows) in enumerate(members)
        ],
    }


def notice(*triggers: Trigger, **changes: Any) -> Notice:
    """A webhook for these triggers, created by entry 5."""
    values: dict[str, Any] = {
        "notice_id": NoticeId(UUID(int=100)),
        "name": "alerts",
        "version": 1,
        "description": "",
        "channel": Channel.WEBHOOK,
        "targets": ("https://example.com/hook",),
        "triggers": triggers,
        "flows": None,
        "environments": None,
        "disabled": False,
        "disabled_because": None,
        "secret_id": UUID(int=200),
        "previous_secret_id": None,
        "previous_secret_until": None,
        "recorded_by": "ada",
        "entry_index": EntryIndex(5),
        "created_index": EntryIndex(5),
        "created_at": NOON,
        "changed_at": NOON,
    }
    return Notice(**{**values, **changes})
