"""Rows of evidence, read from entries."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from record.clock import from_rfc3339
from record.evidence.models import StoredEvidence
from record.ledger.entries import Entry
from record.ledger.readings import Reading, Row


def evidence_rows(entry: Entry) -> list[Row]:
    body = entry.body
    return [
        Row(
            StoredEvidence,
            {
                "digest": body["sha256"],
                "size": body["size"],
                "crc32": body["crc32"],
                "media_type": body["media_type"],
                "key": body["key"],
                "version_id": body["version_id"],
                "retained_until": from_rfc3339(body["retained_until"]),
                "stored_by": entry.by.principal,
                "at": entry.at,
            },
        )
    ]


READINGS: Final[Mapping[str, Reading]] = MappingProxyType({"evidence.stored": evidence_rows})
