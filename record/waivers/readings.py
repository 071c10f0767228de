"""Rows of waivers, read from entries."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final
from uuid import UUID

from record.clock import from_rfc3339
from record.ledger.entries import Entry
from record.ledger.readings import Reading, Row
from record.waivers.models import WaiverAct, WaiverRequest


def request_rows(entry: Entry) -> list[Row]:
    body = entry.body
    return [
        Row(
            WaiverRequest,
            {
                "waiver_id": UUID(body["waiver_id"]),
                "environment_id": UUID(body["environment_id"]),
                "environment": body["environment"],
                "fingerprint": body.get("fingerprint"),
                "name": body.get("name"),
                "policy": body.get("policy"),
                "rule": body.get("rule"),
                "reason": body["reason"],
                "requester_id": entry.by.principal_id,
                "requested_by": entry.by.principal,
                "requested_for": body.get("requested_for"),
                "expires_at": from_rfc3339(body["expires_at"]),
                "at": entry.at,
            },
        )
    ]


def act_rows(entry: Entry) -> list[Row]:
    body = entry.body
    return [
        Row(
            WaiverAct,
            {
                "waiver_id": UUID(body["waiver_id"]),
                "number": body["number"],
                "act": body["act"],
                "state": body["state"],
                "principal_id": entry.by.principal_id,
                "principal": entry.by.principal,
                "comment": body["comment"],
                "at": entry.at,
            },
        )
    ]


READINGS: Final[Mapping[str, Reading]] = MappingProxyType(
    {"waiver.requested": request_rows, "waiver.accepted": act_rows, "waiver.revoked": act_rows}
)
