"""Rows of attestations, their evidence, types and signing keys, read from entries."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final
from uuid import UUID

from record.attestations.models import AttestationEvidence, AttestationRow, AttestationType, SigningKeyVersion
from record.clock import from_rfc3339
from record.ledger.entries import Entry
from record.ledger.readings import Reading, Row


def attestation_rows(entry: Entry) -> list[Row]:
    body = entry.body
    subject = body["subject"]
    result = body["result"]
    rows = [
        Row(
            AttestationRow,
            {
                "attestation_id": entry.id,
                "flow_id": UUID(body["flow_id"]),
                "flow": body["flow"],
                "trail_id": UUID(body["trail_id"]),
                "trail": body["trail"],
                "name": body["name"],
                "type": body["type"],
                "type_version": body.get("type_version"),
                "compliant": result["compliant"],
                "explanation": result["explanation"],
                "fingerprint": subject.get("fingerprint"),
                "template_name": subject.get("template_name"),
                "commit": subject.get("commit"),
                "overrides": body.get("overrides"),
                "expires_at": from_rfc3339(body["expires_at"]) if body.get("expires_at") else None,
                "description": body.get("description", ""),
                "origin_url": body.get("origin_url"),
                "external_urls": body.get("external_urls", {}),
                "annotations": body.get("annotations", {}),
                "user_data": body.get("user_data", {}),
                "summary": result["summary"],
                "attested_by": entry.by.principal,
                "at": entry.at,
            },
        )
    ]
    rows += [
        Row(
            AttestationEvidence,
            {
                "position": position,
                "digest": file["sha256"],
                "file_name": file["name"],
                "media_type": file["media_type"],
                "size": file["size"],
            },
        )
        for position, file in enumerate(body.get("evidence", ()))
    ]
    return rows


def type_rows(entry: Entry) -> list[Row]:
    body = entry.body
    return [
        Row(
            AttestationType,
            {
                "name": body["name"],
                "version": body["version"],
                "description": body["description"],
                "json_schema": body["json_schema"],
                "rules": body["rules"],
                "at": entry.at,
            },
        )
    ]


def signing_key_rows(entry: Entry) -> list[Row]:
    body = entry.body
    return [
        Row(
            SigningKeyVersion,
            {
                "name": body["name"],
                "key_id": body["key_id"],
                "pem": body["pem"],
                "trusted": entry.kind == "signing_key.trusted",
                "at": entry.at,
            },
        )
    ]


READINGS: Final[Mapping[str, Reading]] = MappingProxyType(
    {
        "attestation.recorded": attestation_rows,
        "attestation_type.defined": type_rows,
        "signing_key.trusted": signing_key_rows,
        "signing_key.retired": signing_key_rows,
    }
)
