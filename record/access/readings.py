"""Rows of access, read from entries."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final
from uuid import UUID

from record.access.models import ApiKey, KeyRevocation, OrganizationVersion, PrincipalVersion
from record.clock import from_rfc3339
from record.ledger.entries import Entry
from record.ledger.readings import Reading, Row


def organization_rows(entry: Entry) -> list[Row]:
    body = entry.body
    return [
        Row(
            OrganizationVersion,
            {
                "name": body["name"],
                "origin": body["origin"],
                "retention_days": body["retention_days"],
                "flow_name_pattern": body.get("flow_name_pattern"),
                "required_types": body["required_types"],
                "public": body["public"],
            },
        )
    ]


def principal_rows(entry: Entry) -> list[Row]:
    body = entry.body
    return [
        Row(
            PrincipalVersion,
            {
                "principal_id": UUID(body["principal_id"]),
                "version": body["version"],
                "name": body["name"],
                "kind": body["kind"],
                "grants": body["grants"],
                "disabled": body["disabled"],
            },
        )
    ]


def key_rows(entry: Entry) -> list[Row]:
    body = entry.body
    replaces = body.get("replaces")
    rows = [
        Row(
            ApiKey,
            {
                "key_id": UUID(body["key_id"]),
                "principal_id": UUID(body["principal_id"]),
                "token_sha256": bytes.fromhex(body["token_sha256"]),
                "description": body["description"],
                "scopes": body.get("scopes"),
                "expires_at": from_rfc3339(body["expires_at"]) if body.get("expires_at") else None,
                "replaces": UUID(replaces) if replaces else None,
            },
        )
    ]
    if replaces:
        rows.append(
            Row(
                KeyRevocation,
                {
                    "key_id": UUID(replaces),
                    "effective_at": from_rfc3339(body["replaced_until"]),
                    "reason": "rotated",
                },
            )
        )
    return rows


def revocation_rows(entry: Entry) -> list[Row]:
    body = entry.body
    return [
        Row(KeyRevocation, {"key_id": UUID(body["key_id"]), "effective_at": entry.at, "reason": body["reason"]}),
    ]


READINGS: Final[Mapping[str, Reading]] = MappingProxyType(
    {
        "organization.created": organization_rows,
        "organization.changed": organization_rows,
        "principal.added": principal_rows,
        "principal.changed": principal_rows,
        "key.issued": key_rows,
        "key.revoked": revocation_rows,
    }
)
