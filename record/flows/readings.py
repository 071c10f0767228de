"""Rows of flows, read from entries."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final
from uuid import UUID

from record.flows.models import FlowTemplate, FlowVersion
from record.ledger.entries import Entry
from record.ledger.readings import Reading, Row


def flow_rows(entry: Entry) -> list[Row]:
    body = entry.body
    flow_id = UUID(body["flow_id"])
    rows = [
        Row(
            FlowVersion,
            {
                "flow_id": flow_id,
                "version": body["version"],
                "name": body["name"],
                "description": body["description"],
                "tags": body["tags"],
                "public": body["public"],
                "template_version": body["template_version"],
                "at": entry.at,
            },
        )
    ]
    if "template" in body:
        rows.append(
            Row(
                FlowTemplate,
                {
                    "flow_id": flow_id,
                    "version": body["template_version"],
                    "source": body["template"]["source"],
                    "template": body["template"]["parsed"],
                },
            )
        )
    return rows


READINGS: Final[Mapping[str, Reading]] = MappingProxyType({"flow.created": flow_rows, "flow.changed": flow_rows})
