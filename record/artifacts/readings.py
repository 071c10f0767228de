"""Rows of artifacts, read from entries."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final
from uuid import UUID

from record.artifacts.models import ArtifactReport
from record.ledger.entries import Entry
from record.ledger.readings import Reading, Row


def artifact_rows(entry: Entry) -> list[Row]:
    body = entry.body
    return [
        Row(
            ArtifactReport,
            {
                "fingerprint": body["fingerprint"],
                "name": body["name"],
                "kind": body["kind"],
                "flow_id": UUID(body["flow_id"]),
                "flow": body["flow"],
                "trail_id": UUID(body["trail_id"]),
                "trail": body["trail"],
                "template_name": body["template_name"],
                "commit": body.get("commit"),
                "commit_info": body.get("commit_info"),
                "commit_url": body.get("commit_url"),
                "build_url": body.get("build_url"),
                "repository_url": body.get("repository_url"),
                "external_urls": body.get("external_urls", {}),
                "annotations": body.get("annotations", {}),
                "user_data": body.get("user_data", {}),
                "reported_by": entry.by.principal,
                "at": entry.at,
            },
        )
    ]


READINGS: Final[Mapping[str, Reading]] = MappingProxyType({"artifact.reported": artifact_rows})
