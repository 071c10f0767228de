"""Rows of approvals, read from entries."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final
from uuid import UUID

from record.approvals.models import ApprovalAct, ApprovalRequest
from record.clock import from_rfc3339
from record.ledger.entries import Entry
from record.ledger.readings import Reading, Row


def request_rows(entry: Entry) -> list[Row]:
    body = entry.body
    return [
        Row(
            ApprovalRequest,
            {
                "approval_id": UUID(body["approval_id"]),
                "environment_id": UUID(body["environment_id"]),
                "environment": body["environment"],
                "fingerprint": body["fingerprint"],
                "name": body["name"],
                "description": body["description"],
                "flow_id": UUID(body["flow_id"]) if "flow_id" in body else None,
                "flow": body.get("flow"),
                "trail_id": UUID(body["trail_id"]) if "trail_id" in body else None,
                "trail": body.get("trail"),
                "template_name": body.get("template_name"),
                "commits": body["commits"],
                "authors": body["authors"],
                "authors_known": body["authors_known"],
                "requester_id": entry.by.principal_id,
                "requested_by": entry.by.principal,
                "requested_for": body.get("requested_for"),
                "reported": body.get("reported", False),
                "expires_at": from_rfc3339(body["expires_at"]) if "expires_at" in body else None,
                "at": entry.at,
            },
        )
    ]


def act_rows(entry: Entry) -> list[Row]:
    body = entry.body
    return [
        Row(
            ApprovalAct,
            {
                "approval_id": UUID(body["approval_id"]),
                "number": body["number"],
                "act": body["act"],
                "state": body["state"],
                "principal_id": entry.by.principal_id,
                "principal": entry.by.principal,
                "who": body.get("approved_by", entry.by.principal),
                "comment": body["comment"],
                "reported": body.get("reported", False),
                "url": body.get("url"),
                "given_at": from_rfc3339(body["approved_at"]) if "approved_at" in body else entry.at,
                "at": entry.at,
            },
        )
    ]


READINGS: Final[Mapping[str, Reading]] = MappingProxyType(
    {"approval.requested": request_rows, "approval.reviewed": act_rows, "approval.withdrawn": act_rows}
)
