"""Rows of archives, read from entries."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final
from uuid import UUID

from record.archives.models import ArchiveDownload, ArchiveOutcome, RequestedArchive
from record.archives.rules import Question
from record.clock import from_rfc3339
from record.ledger.entries import Entry
from record.ledger.readings import Reading, Row


def request_rows(entry: Entry) -> list[Row]:
    body = entry.body
    question = Question.from_json(body["question"])
    return [
        Row(
            RequestedArchive,
            {
                "archive_id": UUID(body["archive_id"]),
                "kind": question.kind.value,
                "flow": question.flow,
                "trail": question.trail,
                "fingerprint": question.fingerprint,
                "since": question.since,
                "until": question.until,
                "environment": question.environment,
                "framework": question.framework,
                "control": question.control,
                "size": body["size"],
                "instant": from_rfc3339(body["instant"]),
                "requested_by": entry.by.principal,
                "at": entry.at,
            },
        )
    ]


def outcome_rows(entry: Entry) -> list[Row]:
    body = entry.body
    return [
        Row(
            ArchiveOutcome,
            {
                "archive_id": UUID(body["archive_id"]),
                "failure": body.get("failure"),
                "digest": body.get("sha256"),
                "byte_count": body.get("size"),
                "files": body.get("files"),
                "checkpoint_size": body.get("checkpoint_size"),
                "key": body.get("key"),
                "version_id": body.get("version_id"),
                "at": entry.at,
            },
        )
    ]


def download_rows(entry: Entry) -> list[Row]:
    return [
        Row(
            ArchiveDownload,
            {
                "archive_id": UUID(entry.body["archive_id"]),
                "downloaded_by": entry.by.principal,
                "at": entry.at,
            },
        )
    ]


READINGS: Final[Mapping[str, Reading]] = MappingProxyType(
    {
        "archive.requested": request_rows,
        "archive.completed": outcome_rows,
        "archive.failed": outcome_rows,
        "archive.downloaded": download_rows,
    }
)
