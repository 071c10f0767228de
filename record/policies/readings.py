"""Rows of policies, read from entries."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final
from uuid import UUID

from record.ledger.entries import Entry
from record.ledger.readings import Reading, Row
from record.policies.models import PolicyAttachment, PolicyVersion


def policy_rows(entry: Entry) -> list[Row]:
    body = entry.body
    values = {name: body[name] for name in ("version", "name", "description", "comment", "source")}
    said = {"policy_id": UUID(body["policy_id"]), "recorded_by": entry.by.principal, "at": entry.at}
    return [Row(PolicyVersion, values | said)]


def attachment_rows(entry: Entry) -> list[Row]:
    body = entry.body
    return [
        Row(
            PolicyAttachment,
            {
                "environment_id": UUID(body["environment_id"]),
                "policy_id": UUID(body["policy_id"]),
                "environment": body["environment"],
                "policy": body["policy"],
                "attached": entry.kind == "policy.attached",
                "recorded_by": entry.by.principal,
                "at": entry.at,
            },
        )
    ]


READINGS: Final[Mapping[str, Reading]] = MappingProxyType(
    {
        "policy.created": policy_rows,
        "policy.changed": policy_rows,
        "policy.attached": attachment_rows,
        "policy.detached": attachment_rows,
    }
)
