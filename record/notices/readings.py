"""Rows of notices, read from entries. What was asked to be sent again or as a sample makes no row: a worker reads the entry."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID

from record.clock import from_rfc3339
from record.ledger.entries import Entry
from record.ledger.readings import Reading, Row
from record.notices.models import NoticeVersion


def notice_rows(entry: Entry) -> list[Row]:
    body = entry.body
    return [
        Row(
            NoticeVersion,
            {
                "notice_id": UUID(body["notice_id"]),
                "version": body["version"],
                "name": body["name"],
                "description": body["description"],
                "channel": body["channel"],
                "targets": body["targets"],
                "triggers": body["triggers"],
                "flows": body.get("flows"),
                "environments": body.get("environments"),
                "disabled": body["disabled"],
                "disabled_because": body.get("disabled_because"),
                "secret_id": _uuid(body, "secret_id"),
                "previous_secret_id": _uuid(body, "previous_secret_id"),
                "previous_secret_until": from_rfc3339(body["previous_secret_until"])
                if "previous_secret_until" in body
                else None,
                "recorded_by": entry.by.principal,
                "at": entry.at,
            },
        )
    ]


def no_rows(_entry: Entry) -> list[Row]:
    return []


def _uuid(body: Mapping[str, Any], name: str) -> UUID | None:
    return UUID(body[name]) if name in body else None


READINGS: Final[Mapping[str, Reading]] = MappingProxyType(
    {
        "notice.created": notice_rows,
        "notice.changed": notice_rows,
        "notice.disabled": notice_rows,
        "notice.tested": no_rows,
        "notice.replayed": no_rows,
    }
)
