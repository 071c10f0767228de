"""Rows of scrubs, read from entries."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from record.clock import from_rfc3339
from record.ledger.entries import Entry
from record.ledger.readings import Reading, Row
from record.scrubbing.models import Scrub


def scrub_rows(entry: Entry) -> list[Row]:
    body = entry.body
    return [
        Row(
            Scrub,
            {
                "started_at": from_rfc3339(body["started_at"]),
                "completed_at": entry.at,
                "size": body["size"],
                "entries": body["counts"]["entries"],
                "rows": body["counts"]["rows"],
                "checkpoints": body["counts"]["checkpoints"],
                "tiles": body["counts"]["tiles"],
                "published": body["counts"]["published"],
                "evidence": body["counts"]["evidence"],
                "finding_count": body["finding_count"],
                "findings": body["findings"],
            },
        )
    ]


READINGS: Final[Mapping[str, Reading]] = MappingProxyType({"scrub.completed": scrub_rows})
