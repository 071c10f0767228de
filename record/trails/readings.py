"""Rows of trails, read from entries."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final
from uuid import UUID

from record.ledger.entries import Entry
from record.ledger.readings import Reading, Row
from record.trails.models import TrailVersion


def trail_rows(entry: Entry) -> list[Row]:
    body = entry.body
    return [
        Row(
            TrailVersion,
            {
                "trail_id": UUID(body["trail_id"]),
                "version": body["version"],
                "flow_id": UUID(body["flow_id"]),
                "flow": body["flow"],
                "name": body["name"],
                "description": body["description"],
                "commit": body.get("commit"),
                "commit_info": body.get("commit_info"),
                "origin_url": body.get("origin_url"),
                "external_urls": body.get("external_urls", {}),
                "user_data": body.get("user_data", {}),
                "template_version": body["template_version"],
                "own_template": body.get("own_template"),
                "begun_by": entry.by.principal,
                "at": entry.at,
            },
        )
    ]


READINGS: Final[Mapping[str, Reading]] = MappingProxyType({"trail.begun": trail_rows})
