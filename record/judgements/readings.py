"""Rows of judgements, read from entries."""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID

from record.clock import from_rfc3339
from record.judgements.models import Judgement
from record.ledger.entries import Entry
from record.ledger.readings import Reading, Row


def judgement_rows(entry: Entry) -> list[Row]:
    body = entry.body
    said = ("number", "subject", "status", "previous", "changed", "size", "cause", "reasons")
    names = ("environment", "flow", "trail", "snapshot")
    values = {name: body[name] for name in said} | {name: body.get(name) for name in names}
    return [
        Row(
            Judgement,
            values
            | {
                "subject_id": UUID(body[f"{body['subject']}_id"]),
                "judgement_id": UUID(body["judgement_id"]),
                "stale_since": _instant(body, "stale_since"),
                "instant": from_rfc3339(body["instant"]),
                "holds_until": _instant(body, "holds_until"),
                "at": entry.at,
            },
        )
    ]


def _instant(body: Mapping[str, Any], name: str) -> datetime | None:
    return from_rfc3339(body[name]) if name in body else None


READINGS: Final[Mapping[str, Reading]] = MappingProxyType({"judgement.recorded": judgement_rows})
