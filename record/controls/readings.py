"""Rows of frameworks, controls and mappings, read from entries."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final
from uuid import UUID

from record.controls.models import ControlMapping, FrameworkVersion, ListedControl
from record.ledger.entries import Entry
from record.ledger.readings import Reading, Row


def part_rows(entry: Entry) -> list[Row]:
    """Controls of a framework's version."""
    body = entry.body
    return [
        Row(
            ListedControl,
            {
                "framework_id": UUID(body["framework_id"]),
                "version": body["version"],
                "control": control["id"],
                "position": control["position"],
                "label": control["label"],
                "title": control["title"],
                "section": control.get("section", ""),
                "statement": control.get("statement", ""),
                "withdrawn": control.get("withdrawn", False),
            },
        )
        for control in body["controls"]
    ]


def framework_rows(entry: Entry) -> list[Row]:
    """The entry that closes a framework's version: its last controls, and the version itself."""
    body = entry.body
    file = body["evidence"][0] if body.get("evidence") else {}
    return [
        *part_rows(entry),
        Row(
            FrameworkVersion,
            {
                "framework_id": UUID(body["framework_id"]),
                "version": body["version"],
                "name": body["framework"],
                "title": body["title"],
                "description": body["description"],
                "comment": body["comment"],
                "control_count": body["control_count"],
                "digest": file.get("sha256"),
                "file_name": file.get("name"),
                "file_size": file.get("size"),
                "catalog": body.get("catalog"),
                "recorded_by": entry.by.principal,
                "at": entry.at,
            },
        ),
    ]


def mapping_rows(entry: Entry) -> list[Row]:
    body = entry.body
    return [
        Row(
            ControlMapping,
            {
                "framework_id": UUID(body["framework_id"]),
                "control": body["control"],
                "version": body["version"],
                "requirements": body["requirements"],
                "environments": body.get("environments"),
                "comment": body["comment"],
                "recorded_by": entry.by.principal,
                "at": entry.at,
            },
        )
    ]


READINGS: Final[Mapping[str, Reading]] = MappingProxyType(
    {
        "framework.part": part_rows,
        "framework.recorded": framework_rows,
        "control.mapped": mapping_rows,
    }
)
