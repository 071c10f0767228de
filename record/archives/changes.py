"""The population of an archive, written out: every change of its period as CSV and JSON, and how each fared before controls.

    population.csv, population.json   one row for each change: what, where, when, by whom, from which trail, in which entry
    results.csv, results.json         one row for each change and control: evidence when deployed and now, why, which entries

Written page by page into spools, so memory does not grow with the population; rows for `index.html` are written on the way, the
first `ROWS_SHOWN` of each table. Everything here is derived from entries that the archive holds and proves.
"""

import csv
import io
import json
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, Final

from muniment.proof.archive import proof_path
from record.archives import pages, reach
from record.archives.pages import ChangeRow, ControlRow, ExceptionRow, Population
from record.archives.rules import OF_CHANGES
from record.archives.selection import Selection
from record.archives.spool import Spool
from record.clock import to_rfc3339
from record.controls.queries import Control
from record.controls.reports import court_of
from record.controls.rules import Basis, Change, ChangeKind, Court, Finding, entries_of, in_scope
from record.database import Database
from record.jobs.service import Headway

ROWS_SHOWN: Final = 2_000
_POPULATION: Final = (
    *("kind", "at", "environment", "artifact", "sha256", "by", "flow", "trail", "commit", "entry", "proof"),
    *("deployment_id", "snapshot"),
)
_RESULTS: Final = (
    *(
        "framework",
        "control",
        "mapping",
        "at",
        "environment",
        "artifact",
        "sha256",
        "entry",
        "met_when_deployed",
        "met_now",
    ),
    *("why_when_deployed", "why_now", "entries"),
)
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


@dataclass(slots=True)
class Table:
    """The same rows as CSV and as a JSON array with one object a line."""

    name: str
    columns: Sequence[str]
    csv: Spool
    json: Spool
    rows: int = 0

    @classmethod
    def begin(cls, name: str, columns: Sequence[str], kept: ExitStack) -> "Table":
        """A table with its header; its spools are closed with `kept`."""
        table = cls(name, columns, kept.enter_context(Spool()), kept.enter_context(Spool()))
        table.csv.write(_line(columns))
        table.json.write(b"[")
        return table

    def add(self, row: Mapping[str, Any]) -> None:
        """One more row."""
        told = {name: row[name] for name in self.columns}
        self.csv.write(_line([_cell(value) for value in told.values()]))
        separator = b"\n" if self.rows == 0 else b",\n"
        self.json.write(separator + json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode())
        self.rows += 1

    def end(self) -> None:
        self.json.write(b"\n]\n")


@dataclass(slots=True)
class Listing:
    """What was written out, and what the pages tell of it."""

    tables: list[Table]
    shown_changes: Spool
    shown_exceptions: Spool
    controls: list[ControlRow]
    counts: dict[ChangeKind, int] = field(default_factory=lambda: dict.fromkeys(ChangeKind, 0))
    exceptions: int = 0

    @property
    def population(self) -> Population:
        """What `index.html` and `README.txt` say of it."""
        total = sum(self.counts.values())
        return Population(
            deployments=self.counts[ChangeKind.DEPLOYMENT],
            shadow_changes=self.counts[ChangeKind.SHADOW_CHANGE],
            controls=self.controls,
            exceptions=self.exceptions,
            is_cut=total > ROWS_SHOWN,
            are_exceptions_cut=self.exceptions > ROWS_SHOWN,
            has_results=len(self.tables) > 1,
        )

    def files(self) -> Iterator[tuple[str, Spool]]:
        """Members of the archive, in their order."""
        for table in self.tables:
            yield f"{table.name}.csv", table.csv
            yield f"{table.name}.json", table.json


async def listed(database: Database, chosen: Selection, kept: ExitStack, headway: Headway) -> Listing | None:
    """Goes through the population once; None for questions that are not about changes. `kept` closes the spools."""
    if chosen.question.kind not in OF_CHANGES:
        return None
    moment = chosen.moment
    async with database.connection(moment.org_id) as connection:
        asked = await reach.asked_by(connection, chosen.question, moment)
    tables = [Table.begin("population", _POPULATION, kept)]
    if asked.framework is not None:
        tables.append(Table.begin("results", _RESULTS, kept))
    shown = kept.enter_context(Spool()), kept.enter_context(Spool())
    listing = Listing(tables, *shown, [ControlRow(control) for control in asked.controls])
    async for page in reach.changes_of(database, chosen.question, moment, asked):
        headway.text = f"listing changes, {tables[0].rows} so far"
        async with database.connection(moment.org_id) as connection:
            court = await court_of(connection, moment, page, asked.controls)
        _add_page(listing, page)
        _test_page(listing, page, court)
    for table in tables:
        table.end()
    return listing


def _add_page(listing: Listing, page: Sequence[Change]) -> None:
    table = listing.tables[0]
    rows = []
    for change in page:
        if table.rows < ROWS_SHOWN:
            rows.append(ChangeRow(change))
        listing.counts[change.kind] += 1
        table.add(_told(change))
    listing.shown_changes.write(pages.change_rows(rows))


def _test_page(listing: Listing, page: Sequence[Change], court: Court) -> None:
    """A page of changes before all controls: change by change, so that the order does not depend on where a page ends."""
    shown: list[ExceptionRow] = []
    for change in page:
        for row in listing.controls:
            mapping = row.control.mapping
            if mapping is None or not in_scope(change, mapping.environments):
                continue
            then = court.find(change, mapping.requirements, Basis.WHEN_DEPLOYED)
            now = court.find(change, mapping.requirements, Basis.NOW)
            row.count(then, now)
            listing.tables[1].add(_result(row.control, change, then, now))
            if not then.met:
                if listing.exceptions < ROWS_SHOWN:
                    shown.append(ExceptionRow(row.control, change, then, now))
                listing.exceptions += 1
    listing.shown_exceptions.write(pages.exception_rows(shown))


def _told(change: Change) -> dict[str, Any]:
    index = change.place.entry_index
    return {
        "kind": change.kind.value,
        "at": to_rfc3339(change.place.at),
        "environment": change.environment,
        "artifact": change.name,
        "sha256": change.fingerprint,
        "by": change.by,
        "flow": change.flow,
        "trail": change.trail,
        "commit": change.commit,
        "entry": index,
        "proof": proof_path(index),
        "deployment_id": None if change.deployment_id is None else str(change.deployment_id),
        "snapshot": change.snapshot_number,
    }


def _result(control: Control, change: Change, then: Finding, now: Finding) -> dict[str, Any]:
    assert control.mapping is not None
    entries = {
        *entries_of(change, then, control.mapping.entry_index),
        *entries_of(change, now, control.mapping.entry_index),
    }
    return {
        "framework": control.framework,
        "control": control.control,
        "mapping": control.mapping.version,
        "at": to_rfc3339(change.place.at),
        "environment": change.environment,
        "artifact": change.name,
        "sha256": change.fingerprint,
        "entry": change.place.entry_index,
        "met_when_deployed": then.met,
        "met_now": now.met,
        "why_when_deployed": _why(then),
        "why_now": _why(now),
        "entries": sorted(entries),
    }


def _why(finding: Finding) -> str:
    return " ".join(f"{reason.rule}: {reason.explanation}" for reason in finding.reasons)


def _cell(value: Any) -> str:
    """A value as a spreadsheet should read it. A text that it would take for a formula gets an apostrophe in front."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return " ".join(str(each) for each in value)
    text = str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def _line(cells: Sequence[str]) -> bytes:
    line = io.StringIO()
    csv.writer(line, lineterminator="\r\n").writerow(cells)
    return line.getvalue().encode()


async def pieces(spool: Spool) -> AsyncIterator[str]:
    """What a spool holds, as text in pieces."""
    waiting = b""
    for piece in spool.pieces():
        whole, waiting = _whole(waiting + piece)
        yield whole.decode()
    yield waiting.decode()


def _whole(data: bytes) -> tuple[bytes, bytes]:
    """As much as ends with a line, and the rest."""
    end = data.rfind(b"\n") + 1
    return data[:end], data[end:]
