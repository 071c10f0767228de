"""What the pages of an archive tell, read from the record at the archive's moment: trails with verdicts, authors, entries.

Read page by page while the page is written, and not held.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from record.access import queries as access
from record.archives.pages import ArtifactSection, AttestationSection, Author, EntryRow, TrailSection
from record.archives.selection import (
    STATEMENT_SECONDS,
    Attached,
    EvidenceFile,
    Selection,
    attached_to,
    by_file_count,
    files_of,
    pages,
    trail_pages,
)
from record.artifacts import queries as artifacts
from record.artifacts.queries import ArtifactReport
from record.artifacts.rules import ArtifactFact, judge_artifact
from record.attestations import queries as attestations
from record.attestations.queries import Attestation
from record.database import Database
from record.ids import EntryIndex, LedgerSize
from record.ledger.queries import RecordedEntry
from record.moment import Moment
from record.trails import queries as trails
from record.trails.facts import TrailFacts
from record.trails.queries import Trail
from record.trails.rules import judge_trail

TRAILS_A_PAGE: Final = 50
ENTRIES_A_PAGE: Final = 256
"""An entry is at most 64 KiB, so a page is at most 16 MiB, and usually a quarter of one."""

_CHOSEN: Final = """
SELECT entry_index, id, kind, at, leaf_hash, content FROM record.entries
WHERE org_id = $1 AND entry_index = ANY($2::bigint[]) ORDER BY entry_index"""

_ROWS: Final = """
SELECT entry_index, at, kind, wrote ->> 'principal' AS principal, wrote ->> 'key_id' AS key_id
FROM (SELECT entry_index, at, kind, convert_from(content, 'UTF8')::json -> 'by' AS wrote
      FROM record.entries WHERE org_id = $1 AND entry_index = ANY($2::bigint[])) e ORDER BY entry_index"""

_AUTHORS: Final = """
SELECT wrote ->> 'principal' AS principal, wrote ->> 'key_id' AS key_id, count(*) AS entries,
       min(at) AS first_at, max(at) AS last_at
FROM (SELECT at, convert_from(content, 'UTF8')::json -> 'by' AS wrote
      FROM record.entries WHERE org_id = $1 AND entry_index = ANY($2::bigint[])) e
GROUP BY 1, 2"""


def indexes_of(selection: Selection, checkpoint_size: LedgerSize) -> Sequence[int]:
    """The entries that the archive holds: those that were chosen, or all under the checkpoint."""
    return range(checkpoint_size) if selection.entries is None else selection.entries


async def entry_pages(database: Database, moment: Moment, indexes: Sequence[int]) -> AsyncIterator[list[RecordedEntry]]:
    """These entries with their bytes, some at a time, in ledger order."""
    for page in pages(indexes, ENTRIES_A_PAGE):
        async with database.connection(moment.org_id) as connection:
            rows = await connection.fetch(_CHOSEN, moment.org_id, page, timeout=STATEMENT_SECONDS)
        yield [RecordedEntry(*row.values()) for row in rows]


async def entry_rows(database: Database, moment: Moment, indexes: Sequence[int]) -> AsyncIterator[Sequence[EntryRow]]:
    """These entries as a table shows them."""
    for page in pages(indexes, ENTRIES_A_PAGE):
        async with database.connection(moment.org_id) as connection:
            rows = await connection.fetch(_ROWS, moment.org_id, page, timeout=STATEMENT_SECONDS)
        yield [EntryRow(*row.values()) for row in rows]


@dataclass(slots=True)
class _Wrote:
    entries: int
    first_at: datetime
    last_at: datetime


async def authors(database: Database, moment: Moment, indexes: Sequence[int]) -> list[Author]:
    """Who wrote these entries and through which keys, those who wrote most first."""
    wrote: dict[tuple[str, str | None], _Wrote] = {}
    for page in pages(indexes, ENTRIES_A_PAGE * 16):
        async with database.connection(moment.org_id) as connection:
            rows = await connection.fetch(_AUTHORS, moment.org_id, page, timeout=STATEMENT_SECONDS)
        for principal, key_id, entries, first_at, last_at in rows:
            held = wrote.setdefault((principal, key_id), _Wrote(0, first_at, last_at))
            held.entries += entries
            held.first_at, held.last_at = min(held.first_at, first_at), max(held.last_at, last_at)
    async with database.connection(moment.org_id) as connection:
        descriptions = {str(key.key_id): key.description for key in await access.keys(connection, moment)}
    return [
        Author(principal, key_id, descriptions.get(key_id or ""), told.entries, told.first_at, told.last_at)
        for (principal, key_id), told in sorted(wrote.items(), key=lambda each: (-each[1].entries, each[1].first_at, each[0][0]))
    ]  # fmt: skip


async def trail_sections(database: Database, selection: Selection, *, is_detailed: bool) -> AsyncIterator[TrailSection]:
    """The trails with their verdicts at the archive's moment, and with what is in them if there is room for that."""
    moment = selection.moment
    for trail_ids in trail_pages(selection, trails_max=TRAILS_A_PAGE):
        async with database.connection(moment.org_id) as connection:
            page = [trail for trail in await trails.by_ids(connection, moment, trail_ids) if trail is not None]
            facts = await trails.facts_of(connection, moment, page)
            reported = await artifacts.by_trails(connection, moment, trail_ids) if is_detailed else [[] for _ in page]
        for trail, known, reports in zip(page, facts, reported, strict=True):
            yield TrailSection(
                trail=trail,
                verdict=judge_trail(known, now=moment.instant),
                artifact_count=len({fact.template_name for fact in known.artifacts}),
                attestation_count=len(known.attestations),
                artifacts=[_artifact(known, report, moment.instant) for report in reports],
                attestations=_attested(database, selection, trail, known),
            )


async def _attested(
    database: Database, selection: Selection, trail: Trail, facts: TrailFacts
) -> AsyncIterator[Sequence[AttestationSection]]:
    """The attestations of a trail with their files, oldest first, some at a time: there may be thousands of either."""
    async with database.connection(selection.moment.org_id) as connection:
        attached = {each.entry: each for each in await attached_to(connection, selection, [trail.trail_id])}
    entries = sorted(fact.entry_index for fact in facts.attestations)
    everything = [attached.get(entry) or Attached(trail.trail_id, entry, 1, "") for entry in entries]
    for run in by_file_count(everything):
        async with database.connection(selection.moment.org_id) as connection:
            found = await attestations.by_entries(connection, selection.moment, [each.entry for each in run])
            with_files = [each for each in run if each.folder]
            files: dict[EntryIndex, list[EvidenceFile]] = {}
            for file in await files_of(connection, selection, with_files):
                files.setdefault(file.entry, []).append(file)
        yield [
            AttestationSection(attestation, _subject(attestation), files.get(attestation.entry_index, ()))
            for attestation in found
            if attestation is not None
        ]


def _artifact(facts: TrailFacts, report: ArtifactReport, instant: datetime) -> ArtifactSection:
    fact = ArtifactFact(report.entry_index, report.fingerprint, report.template_name, report.commit, report.name)
    return ArtifactSection(report, judge_artifact(facts, fact, now=instant))


def _subject(attestation: Attestation) -> str:
    if attestation.fingerprint is not None:
        return f"artifact {attestation.fingerprint[:12]}\u2026"
    if attestation.template_name is not None:
        return f"artifact {attestation.template_name} of commit {(attestation.commit or '')[:12]}"
    return "the trail"
