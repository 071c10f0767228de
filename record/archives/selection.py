"""What belongs into an archive: a question and a moment in; trails, entries and files of evidence out, page by page.

Of trails: every version of the trail; what was reported and attested in it, and when its verdict changed; where its evidence was
stored; the organization, the flow and the templates that it was judged by; the custom types and signing keys that decided
attestations; and the people and keys that wrote any of this, and those who let these in, up to the operator. What runs and changes
adds is `reach`'s affair. Of the organization: every entry.

Only entry indexes and trail ids are ever held all at once.
"""

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from operator import itemgetter
from typing import Any, Final, NamedTuple, TypeVar
from uuid import UUID

from record.access.rules import OPERATOR, WORKER
from record.archives import paths, reach
from record.archives.paths import Place
from record.archives.rules import OF_CHANGES, ArchiveKind, Question
from record.database import Connection, Database
from record.ids import Digest, EntryIndex, FlowId, LedgerSize, TrailId
from record.moment import Moment
from record.refusals import NotFound

FILES_A_PAGE: Final = 1_000
IDS_A_STATEMENT: Final = 1_000
ENTRIES_A_STATEMENT: Final = 2_000
STATEMENT_SECONDS: Final = 600.0
"""An archive may wait longer for a statement than a request may."""

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Selection:
    """What an archive holds. `trail_ids` in the order of the archive; `entries` in ledger order, None for the whole ledger."""

    question: Question
    moment: Moment
    trail_ids: Sequence[TrailId]
    entries: Sequence[int] | None
    flow_entries: dict[FlowId, int]
    """The entry that created each flow, which tells its folder from another's."""
    evidence_counts: Sequence[int]
    """How many files each of the trails has."""
    evidence_bytes: int
    catalogue: "EvidenceFile | None" = None
    """The file that the framework was imported from."""

    @property
    def evidence_count(self) -> int:
        """How many files there are: of all trails together, and the catalogue."""
        return sum(self.evidence_counts) + (self.catalogue is not None)


class Attached(NamedTuple):
    """An attestation that has files: how many, and the folder that they are in."""

    trail_id: TrailId
    entry: EntryIndex
    files: int
    folder: str


class EvidenceFile(NamedTuple):
    """A file of evidence in its place in the archive. `entry` is the attestation that names it, `name` what it is called there."""

    path: str
    entry: EntryIndex
    name: str
    digest: Digest
    size: int
    crc32: int
    key: str
    version_id: str


_FLOWS: Final = """
SELECT flow_id, name, entry_index FROM record.flows
WHERE org_id = $1 AND version = 1 AND entry_index < $2 AND ($3::text IS NULL OR name = $3) ORDER BY entry_index"""

_TRAIL: Final = """
SELECT trail_id FROM record.trails
WHERE org_id = $1 AND flow_id = $3 AND name = $4 AND version = 1 AND entry_index < $2"""

_TRAILS_OF_FLOW: Final = """
SELECT trail_id FROM record.trails
WHERE org_id = $1 AND flow_id = $3 AND version = 1 AND entry_index < $2 ORDER BY entry_index"""

_TRAILS_TOUCHED: Final = """
WITH period AS (
    SELECT coalesce((SELECT entry_index + 1 FROM record.entries WHERE org_id = $1 AND at < $4
                     ORDER BY at DESC, entry_index DESC LIMIT 1), 0) AS first,
           least($2::bigint, coalesce((SELECT entry_index + 1 FROM record.entries WHERE org_id = $1 AND at < $5
                     ORDER BY at DESC, entry_index DESC LIMIT 1), 0)) AS beyond
), touched AS (
    SELECT t.trail_id FROM record.trails t, period p
    WHERE t.org_id = $1 AND t.flow_id = $3 AND t.entry_index >= p.first AND t.entry_index < p.beyond
    UNION SELECT a.trail_id FROM record.artifacts a, period p
    WHERE a.org_id = $1 AND a.flow_id = $3 AND a.entry_index >= p.first AND a.entry_index < p.beyond
    UNION SELECT a.trail_id FROM record.attestations a, period p
    WHERE a.org_id = $1 AND a.flow_id = $3 AND a.entry_index >= p.first AND a.entry_index < p.beyond
)
SELECT t.trail_id FROM record.trails t JOIN touched USING (trail_id)
WHERE t.org_id = $1 AND t.version = 1 ORDER BY t.entry_index"""

_TRAILS_OF_ARTIFACT: Final = """
SELECT t.trail_id FROM record.trails t JOIN record.flows f ON f.org_id = $1 AND f.flow_id = t.flow_id AND f.version = 1
WHERE t.org_id = $1 AND t.version = 1 AND t.trail_id IN (
    SELECT trail_id FROM record.artifacts WHERE org_id = $1 AND fingerprint = $3 AND entry_index < $2)
ORDER BY f.entry_index, t.entry_index"""

_OF_TRAILS: Final = """
WITH attested AS (
    SELECT org_id, entry_index, type, type_version, summary FROM record.attestations
    WHERE org_id = $1 AND trail_id = ANY($3::uuid[]) AND entry_index < $2
), begun AS (
    SELECT org_id, entry_index, flow_id, template_version FROM record.trails
    WHERE org_id = $1 AND trail_id = ANY($3::uuid[]) AND entry_index < $2
)
SELECT entry_index FROM begun
UNION SELECT entry_index FROM attested
UNION SELECT entry_index FROM record.artifacts WHERE org_id = $1 AND trail_id = ANY($3::uuid[]) AND entry_index < $2
UNION SELECT entry_index FROM record.judgements
      WHERE org_id = $1 AND subject_id = ANY($3::uuid[]) AND entry_index < $2
UNION SELECT e.entry_index FROM attested a JOIN record.attestation_evidence f USING (org_id, entry_index)
      JOIN record.evidence e ON e.org_id = $1 AND e.digest = f.digest
UNION SELECT t.entry_index FROM record.attestation_types t
      WHERE t.org_id = $1 AND t.entry_index < $2
        AND (t.name, t.version) IN (SELECT substr(type, 8), type_version FROM attested WHERE type LIKE 'custom:%')
UNION SELECT p.entry_index FROM record.flow_templates p
      WHERE p.org_id = $1 AND p.entry_index < $2
        AND (p.flow_id, p.version) IN (SELECT flow_id, template_version FROM begun)
UNION SELECT k.entry_index FROM record.signing_keys k
      WHERE k.org_id = $1 AND k.entry_index < $2 AND k.key_id IN (
          SELECT signer ->> 'id' FROM attested, jsonb_array_elements(
              CASE WHEN type = 'provenance' AND jsonb_typeof(summary -> 'trusted_keys') = 'array'
                   THEN summary -> 'trusted_keys' ELSE '[]' END) AS signer)"""

_OF_FLOWS: Final = """
WITH versions AS (
    SELECT entry_index, flow_id, template_version,
           entry_index = max(entry_index) OVER (PARTITION BY flow_id) AS is_newest, version = 1 AS is_first
    FROM record.flows WHERE org_id = $1 AND flow_id = ANY($3::uuid[]) AND entry_index < $2
)
SELECT entry_index FROM versions WHERE is_newest OR is_first
UNION SELECT t.entry_index FROM record.flow_templates t JOIN versions v USING (flow_id)
      WHERE t.org_id = $1 AND v.is_newest AND t.version = v.template_version
UNION SELECT min(entry_index) FROM record.organizations WHERE org_id = $1 AND entry_index < $2
UNION SELECT max(entry_index) FROM record.organizations WHERE org_id = $1 AND entry_index < $2"""

_AUTHORS: Final = """
SELECT DISTINCT wrote ->> 'principal_id' AS principal_id, wrote ->> 'key_id' AS key_id
FROM (SELECT convert_from(content, 'UTF8')::json -> 'by' AS wrote FROM record.entries
      WHERE org_id = $1 AND entry_index = ANY($2::bigint[])) e"""

_OF_AUTHORS: Final = """
SELECT entry_index FROM record.principals WHERE org_id = $1 AND principal_id = ANY($3::uuid[]) AND entry_index < $2
UNION SELECT entry_index FROM record.api_keys WHERE org_id = $1 AND key_id = ANY($4::uuid[]) AND entry_index < $2
UNION SELECT entry_index FROM record.key_revocations WHERE org_id = $1 AND key_id = ANY($4::uuid[]) AND entry_index < $2"""

_EVIDENCE_SIZES: Final = """
SELECT a.trail_id, count(*) AS files, sum(e.size)::bigint AS bytes
FROM record.attestations a JOIN record.attestation_evidence f USING (org_id, entry_index)
JOIN record.evidence e ON e.org_id = $1 AND e.digest = f.digest
WHERE a.org_id = $1 AND a.trail_id = ANY($3::uuid[]) AND a.entry_index < $2 GROUP BY a.trail_id"""

_ATTACHED: Final = """
SELECT a.trail_id, a.trail, t.entry_index AS begun_index, a.flow_id, a.flow, a.entry_index, a.name, f.files,
       row_number() OVER (PARTITION BY a.trail_id, lower(a.name) ORDER BY a.entry_index) = 1 AS is_first
FROM record.attestations a
JOIN LATERAL (
    SELECT count(*) AS files FROM record.attestation_evidence f WHERE f.org_id = $1 AND f.entry_index = a.entry_index
) f ON f.files > 0
JOIN record.trails t ON t.org_id = $1 AND t.trail_id = a.trail_id AND t.version = 1
WHERE a.org_id = $1 AND a.trail_id = ANY($3::uuid[]) AND a.entry_index < $2
ORDER BY array_position($3::uuid[], a.trail_id), a.entry_index"""

_FILES: Final = """
SELECT f.entry_index, f.file_name, f.digest, e.size, e.crc32, e.key, e.version_id
FROM record.attestation_evidence f JOIN record.evidence e ON e.org_id = $1 AND e.digest = f.digest
WHERE f.org_id = $1 AND f.entry_index = ANY($2::bigint[]) ORDER BY f.entry_index, f.position"""


_CATALOGUE: Final = """
SELECT f.entry_index, f.name, f.version, f.file_name, f.digest, e.size, e.crc32, e.key, e.version_id
FROM record.frameworks f JOIN record.evidence e ON e.org_id = $1 AND e.digest = f.digest
WHERE f.org_id = $1 AND f.name = $3 AND f.entry_index < $2 ORDER BY f.entry_index DESC LIMIT 1"""


async def select(database: Database, question: Question, moment: Moment) -> Selection:
    """Finds out what the archive holds; refuses a question about something that was not there at the moment."""
    found = await reach.reached(database, question, moment) if question.kind in OF_CHANGES else None
    async with database.connection(moment.org_id) as connection:
        flows = await connection.fetch(_FLOWS, moment.org_id, moment.size, question.flow)
        if question.flow is not None and not flows:
            raise _unknown(f"flow called {question.flow}", moment.size)
        flow_entries = {FlowId(row["flow_id"]): int(row["entry_index"]) for row in flows}
        trail_ids = (
            await _trail_ids(connection, question, moment, list(flow_entries)) if found is None else found.trail_ids
        )
        counts, size = array("q"), 0
        for ids in pages(trail_ids, IDS_A_STATEMENT):
            rows = await connection.fetch(_EVIDENCE_SIZES, moment.org_id, moment.size, ids, timeout=STATEMENT_SECONDS)
            files = {row["trail_id"]: row["files"] for row in rows}
            counts.extend(files.get(trail_id, 0) for trail_id in ids)
            size += sum(row["bytes"] for row in rows)
        entries = None
        if question.kind is not ArchiveKind.ORGANIZATION:
            also = set() if found is None else found.entries
            entries = await _entries(connection, moment, trail_ids, list(flow_entries), question, also)
        catalogue = await _catalogue(connection, moment, question)
        size += 0 if catalogue is None else catalogue.size
    return Selection(question, moment, trail_ids, entries, flow_entries, counts, size, catalogue)


async def _catalogue(connection: Connection, moment: Moment, question: Question) -> EvidenceFile | None:
    """The file that the question's framework was imported from. `@` keeps its folder from those of flows."""
    row = await connection.fetchrow(_CATALOGUE, moment.org_id, moment.size, question.framework)
    if row is None:
        return None
    entry, framework, version, name, *values = row.values()
    folder = paths.safe(f"{framework}@v{version}", paths.FLOW_MAX)
    return EvidenceFile(f"evidence/@frameworks/{folder}/{paths.safe(name, paths.FILE_MAX)}", entry, name, *values)


async def require_known(connection: Connection, question: Question, moment: Moment) -> None:
    """Refuses a question about something that was not there at the moment."""
    if question.kind is ArchiveKind.ORGANIZATION:
        return
    if question.kind in OF_CHANGES:
        await reach.asked_by(connection, question, moment)
        return
    flows = await connection.fetch(_FLOWS, moment.org_id, moment.size, question.flow)
    if question.flow is not None and not flows:
        raise _unknown(f"flow called {question.flow}", moment.size)
    if question.kind in (ArchiveKind.TRAIL, ArchiveKind.ARTIFACT):
        await _trail_ids(connection, question, moment, [row["flow_id"] for row in flows])


def trail_pages(selection: Selection, *, trails_max: int) -> Iterator[Sequence[TrailId]]:
    """The trails in the order of the archive, some at a time: fewer when they have many files."""
    start, files = 0, 0
    for place, count in enumerate(selection.evidence_counts):
        if place > start and (place - start == trails_max or files + count > FILES_A_PAGE):
            yield selection.trail_ids[start:place]
            start, files = place, 0
        files += count
    if start < len(selection.trail_ids):
        yield selection.trail_ids[start:]


async def attached_to(connection: Connection, selection: Selection, trail_ids: Sequence[TrailId]) -> list[Attached]:
    """The attestations of these trails that have files, in the order of the archive: trail by trail, oldest first."""
    moment = selection.moment
    rows = await connection.fetch(_ATTACHED, moment.org_id, moment.size, trail_ids, timeout=STATEMENT_SECONDS)
    return [Attached(row["trail_id"], row["entry_index"], row["files"], _folder_of(selection, row)) for row in rows]


async def files_of(connection: Connection, selection: Selection, attached: Sequence[Attached]) -> list[EvidenceFile]:
    """The files of these attestations, each at its place in the archive."""
    entries = [each.entry for each in attached]
    rows = await connection.fetch(_FILES, selection.moment.org_id, entries, timeout=STATEMENT_SECONDS)
    by_entry = {entry: list(files) for entry, files in groupby(rows, key=itemgetter("entry_index"))}
    return [file for each in attached for file in _files(each, by_entry[each.entry])]


def by_file_count(attached: Sequence[Attached]) -> Iterator[Sequence[Attached]]:
    """The attestations in runs that have a page of files together, or one attestation with more."""
    start, files = 0, 0
    for place, each in enumerate(attached):
        if place > start and files + each.files > FILES_A_PAGE:
            yield attached[start:place]
            start, files = place, 0
        files += each.files
    if start < len(attached):
        yield attached[start:]


def pages(items: Sequence[_T], size: int) -> Iterator[Sequence[_T]]:
    """`items` in slices of up to `size`."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _files(attached: Attached, rows: Sequence[Any]) -> Iterator[EvidenceFile]:
    names = paths.file_names(row["file_name"] for row in rows)
    for (entry, *values), name in zip(rows, names, strict=True):
        yield EvidenceFile(f"{attached.folder}/{name}", entry, *values)


def _folder_of(selection: Selection, row: Any) -> str:
    """The folder for the files of an attestation."""
    is_alone = selection.question.kind is ArchiveKind.TRAIL
    place = Place(row["name"], row["entry_index"])
    attestation = paths.folder(place, most=paths.ATTESTATION_MAX, is_only=row["is_first"])
    trail = _folder(row["trail"], row["begun_index"], most=paths.TRAIL_MAX, is_alone=is_alone)
    if is_alone:
        return f"evidence/{trail}/{attestation}"
    flow_entry = selection.flow_entries[row["flow_id"]]
    return f"evidence/{_folder(row['flow'], flow_entry, most=paths.FLOW_MAX, is_alone=False)}/{trail}/{attestation}"


def _folder(name: str, entry: int, *, most: int, is_alone: bool) -> str:
    """Names in lower case cannot differ from each other only in case; the others are marked, whether or not they do."""
    return paths.folder(Place(name, entry), most=most, is_only=is_alone or name == name.lower())


async def _trail_ids(
    connection: Connection, question: Question, moment: Moment, flow_ids: Sequence[FlowId]
) -> list[TrailId]:
    org_id, size = moment.org_id, moment.size
    match question.kind:
        case ArchiveKind.TRAIL:
            rows = await connection.fetch(_TRAIL, org_id, size, flow_ids[0], question.trail)
            if not rows:
                raise _unknown(f"trail called {question.trail} in the flow {question.flow}", size)
        case ArchiveKind.ARTIFACT:
            rows = await connection.fetch(_TRAILS_OF_ARTIFACT, org_id, size, question.fingerprint)
            if not rows:
                raise _unknown(f"artifact with the fingerprint {question.fingerprint}", size)
        case _ if question.since is not None or question.until is not None:
            since = question.since or datetime.min.replace(tzinfo=UTC)
            until = question.until or datetime.max.replace(tzinfo=UTC)
            rows = await connection.fetch(
                _TRAILS_TOUCHED, org_id, size, flow_ids[0], since, until, timeout=STATEMENT_SECONDS
            )
        case _:
            rows = []
            for flow_id in flow_ids:
                rows += await connection.fetch(_TRAILS_OF_FLOW, org_id, size, flow_id, timeout=STATEMENT_SECONDS)
    return [TrailId(row["trail_id"]) for row in rows]


async def _entries(
    connection: Connection,
    moment: Moment,
    trail_ids: Sequence[TrailId],
    flow_ids: Sequence[FlowId],
    question: Question,
    also: set[int],
) -> Sequence[int]:
    """The indexes of every entry that the archive holds, in order: `also` these, and those of the trails."""
    chosen = set(also)
    for ids in pages(trail_ids, IDS_A_STATEMENT):
        rows = await connection.fetch(_OF_TRAILS, moment.org_id, moment.size, ids, timeout=STATEMENT_SECONDS)
        chosen.update(row["entry_index"] for row in rows)
    if question.kind is ArchiveKind.ARTIFACT:
        assert question.fingerprint is not None
        chosen |= await reach.reached_by_artifact(connection, moment, question.fingerprint)
    if question.flow is None:
        flow_ids = await _flows_of(connection, moment, trail_ids)
    rows = await connection.fetch(_OF_FLOWS, moment.org_id, moment.size, flow_ids, timeout=STATEMENT_SECONDS)
    chosen.update(row["entry_index"] for row in rows)
    await _add_authors(connection, moment, chosen)
    return array("q", sorted(chosen))


async def _flows_of(connection: Connection, moment: Moment, trail_ids: Sequence[TrailId]) -> list[FlowId]:
    rows = await connection.fetch(
        "SELECT DISTINCT flow_id FROM record.trails WHERE org_id = $1 AND trail_id = ANY($2::uuid[])",
        moment.org_id,
        trail_ids,
    )
    return [FlowId(row["flow_id"]) for row in rows]


async def _add_authors(connection: Connection, moment: Moment, chosen: set[int]) -> None:
    """Adds who wrote the chosen entries and with which key, then who wrote these, until nobody new appears."""
    known: set[UUID] = {OPERATOR, WORKER}
    unseen = sorted(chosen)
    while unseen:
        people: set[UUID] = set()
        keys: set[UUID] = set()
        for indexes in pages(unseen, ENTRIES_A_STATEMENT):
            for row in await connection.fetch(_AUTHORS, moment.org_id, indexes, timeout=STATEMENT_SECONDS):
                people.add(UUID(row["principal_id"]))
                keys.update({UUID(row["key_id"])} if row["key_id"] else ())
        rows = await connection.fetch(
            _OF_AUTHORS, moment.org_id, moment.size, list(people - known), list(keys - known), timeout=STATEMENT_SECONDS
        )
        known |= people | keys
        unseen = sorted({row["entry_index"] for row in rows} - chosen)
        chosen.update(unseen)


def _unknown(what: str, size: LedgerSize) -> NotFound:
    return NotFound(
        f"There is no {what} in the first {size} entries of the ledger. Check the name, or ask at a later size."
    )
