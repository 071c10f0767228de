"""Rows of environments and snapshots, read from entries."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID

from record.environments.models import EnvironmentEvent, EnvironmentVersion, Snapshot, SnapshotMember
from record.ledger.entries import Entry
from record.ledger.readings import Reading, Row


def environment_rows(entry: Entry) -> list[Row]:
    body = entry.body
    return [
        Row(
            EnvironmentVersion,
            {
                "environment_id": UUID(body["environment_id"]),
                "version": body["version"],
                "name": body["name"],
                "type": body["type"],
                "description": body["description"],
                "tags": body["tags"],
                "included": body["included"],
                "cadence_seconds": body.get("cadence_seconds"),
                "grace_seconds": body["grace_seconds"],
                "archived": body["archived"],
                "at": entry.at,
            },
        )
    ]


def part_rows(entry: Entry) -> list[Row]:
    """Members of a snapshot, and the events that they make."""
    body = entry.body
    environment_id, number = UUID(body["environment_id"]), body["number"]
    is_whole = body["keyframe"] == number
    members: list[Row] = []
    events: list[Row] = []
    for member in body["members"]:
        if not (is_whole and member["change"] == "stopped"):
            members.append(_member_row(environment_id, number, member))
        for kind in _events_of(member):
            events.append(
                Row(
                    EnvironmentEvent,
                    {
                        "environment_id": environment_id,
                        "ordinal": len(events),
                        "still_to_come": body["still_to_come"],
                        "number": number,
                        "kind": kind,
                        "fingerprint": member["fingerprint"],
                        "name": member["name"],
                        "since": member["since"],
                        "instances": member["instances"],
                        "instances_before": member.get("was", {}).get("instances", 0),
                        "flows": member.get("flows", []),
                        "flows_before": member.get("was", {}).get("flows"),
                        "at": entry.at,
                    },
                )
            )
    return [*members, *events]


def _member_row(environment_id: UUID, number: int, member: Mapping[str, Any]) -> Row:
    return Row(
        SnapshotMember,
        {
            "environment_id": environment_id,
            "number": number,
            "fingerprint": member["fingerprint"],
            "change": member["change"],
            "since": member["since"],
            "name": member["name"],
            "instances": member["instances"],
            "created": member.get("created", []),
            "facts": member.get("facts", []),
            "facts_omitted": member.get("facts_omitted", 0),
            "flows": member.get("flows", []),
        },
    )


def snapshot_rows(entry: Entry) -> list[Row]:
    """The entry that closes a snapshot: its last members, and the snapshot itself."""
    body = entry.body
    return [
        *part_rows(entry),
        Row(
            Snapshot,
            {
                "environment_id": UUID(body["environment_id"]),
                "number": body["number"],
                "keyframe": body["keyframe"],
                "rows_since": body["rows_since"],
                "artifacts": body["artifacts"],
                "instances": body["instances"],
                "started": body["started"],
                "stopped": body["stopped"],
                "scaled": body["scaled"],
                "found": body["found"],
                "state": body["state"],
                "refused_count": body["refused_count"],
                "refused": body["refused"],
                "reported_by": entry.by.principal,
                "at": entry.at,
            },
        ),
    ]


def _events_of(member: Mapping[str, Any]) -> Iterator[str]:
    """What happened to a member: it started or stopped, or it ran on with more or fewer instances, or was traced to other flows."""
    if member["change"] in ("started", "stopped"):
        yield member["change"]
    was = member.get("was")
    if member["change"] == "changed" and was is not None:
        if was["instances"] != member["instances"]:
            yield "scaled"
        if was["flows"] != member.get("flows", []):
            yield "provenance"


READINGS: Final[Mapping[str, Reading]] = MappingProxyType(
    {
        "environment.created": environment_rows,
        "environment.changed": environment_rows,
        "environment.archived": environment_rows,
        "snapshot.part": part_rows,
        "snapshot.reported": snapshot_rows,
    }
)
