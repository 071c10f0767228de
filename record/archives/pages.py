"""The pages that people open first: facts in, `index.html` and `README.txt` out.

`index.html` needs nothing but a browser: one style sheet inside, no script, no address outside of the archive but those that were
recorded. It is written row by row, so that a flow with thousands of trails costs no more memory than one trail. Nothing in it
depends on when it is made: the same question at the same ledger size gives the same page.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from record import showing
from record.archives import paths
from record.archives.rules import ArchiveKind, Question
from record.archives.selection import EvidenceFile
from record.artifacts.queries import ArtifactReport
from record.attestations.queries import Attestation
from record.clock import to_rfc3339
from record.controls.queries import Control
from record.controls.rules import Change, Finding
from record.drift.rules import DriftEvent
from record.ledger.queries import StoredCheckpoint
from record.moment import Moment
from record.trails.queries import Trail
from record.verdicts import Verdict

DETAILED_TRAILS_MAX: Final = 200
"""With more trails than this the page has a row for each and no more: the entries have the rest."""
_CHUNKS: Final = 256


@dataclass(frozen=True, slots=True)
class AttestationSection:
    """An attestation, what it is about, and its files in the archive."""

    attestation: Attestation
    subject: str
    files: Sequence[EvidenceFile]


@dataclass(frozen=True, slots=True)
class ArtifactSection:
    """An artifact as it was reported into the trail, and the verdict on it there."""

    report: ArtifactReport
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class TrailSection:
    """A trail with its verdict. What is in it is asked for only by a page with details; the counts are there always."""

    trail: Trail
    verdict: Verdict
    artifact_count: int
    attestation_count: int
    artifacts: Sequence[ArtifactSection]
    attestations: AsyncIterator[Sequence[AttestationSection]]


@dataclass(frozen=True, slots=True)
class Author:
    """Who wrote entries of this archive, and through which key (None: at the server itself)."""

    principal: str
    key_id: str | None
    key_description: str | None
    entries: int
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True)
class EntryRow:
    """An entry, as the table of entries shows it."""

    index: int
    at: datetime
    kind: str
    principal: str
    key_id: str | None


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """A change, as the table of changes shows it."""

    change: Change


@dataclass(frozen=True, slots=True)
class Happened:
    """An entry about an environment, in a sentence."""

    index: int
    at: datetime
    environment: str
    what: str
    by: str


@dataclass(frozen=True, slots=True)
class DriftRow:
    """A drift that began, and where."""

    event: DriftEvent
    environment: str


@dataclass(frozen=True, slots=True)
class PolicyInForce:
    """A policy that was attached, in the version of then, by the entry that recorded it."""

    environment: str
    policy: str
    version: int
    entry_index: int


@dataclass(frozen=True, slots=True)
class History:
    """What happened in an environment, in figures, and the policies that were in force when the period ended."""

    in_force: Sequence[PolicyInForce]
    happened: int
    drifts: int
    is_cut: bool
    is_drift_cut: bool


@dataclass(slots=True)
class ControlRow:
    """A control, and how many of the changes that it is asked of had what it asks for. Not mapped: not tested."""

    control: Control
    population: int = 0
    met_when_deployed: int = 0
    met_now: int = 0

    def count(self, then: Finding, now: Finding) -> None:
        """One more change."""
        self.population += 1
        self.met_when_deployed += then.met
        self.met_now += now.met


@dataclass(frozen=True, slots=True)
class ExceptionRow:
    """A change that had not what a control asks for when it was deployed."""

    control: Control
    change: Change
    then: Finding
    now: Finding


@dataclass(frozen=True, slots=True)
class Population:
    """All changes of the archive's period in figures, and the controls that they come before."""

    deployments: int
    shadow_changes: int
    controls: Sequence[ControlRow]
    exceptions: int
    is_cut: bool
    are_exceptions_cut: bool
    has_results: bool

    @property
    def total(self) -> int:
        return self.deployments + self.shadow_changes


@dataclass(frozen=True, slots=True)
class Cover:
    """What stands at the head of every archive."""

    organization: str
    origin: str
    question: Question
    moment: Moment
    checkpoint: StoredCheckpoint
    verifier_key: str
    trail_count: int
    entry_count: int
    evidence_count: int
    evidence_bytes: int
    is_whole_ledger: bool
    population: Population | None = None

    @property
    def title(self) -> str:
        """The question in a few words."""
        question = self.question
        if question.trail is not None:
            return f"{question.flow} / {question.trail}"
        if question.fingerprint is not None:
            return f"Artifact {question.fingerprint[:12]}\u2026"
        if question.kind is ArchiveKind.WINDOW:
            return f"Changes{'' if question.framework is None else f', {question.framework}'}"
        if question.control is not None:
            return f"{question.framework} {question.control}"
        return question.flow or question.environment or self.organization

    @property
    def has_entry_table(self) -> bool:
        """Whether the page lists the entries, so that other parts of it can point there."""
        return self.question.kind in (ArchiveKind.TRAIL, ArchiveKind.ARTIFACT)

    def place(self, index: int) -> str | None:
        """Where the page shows an entry, if it lists them."""
        return f"#entry-{index}" if self.has_entry_table else None

    @property
    def is_detailed(self) -> bool:
        """Whether the page has a section for each trail."""
        return self.trail_count <= DETAILED_TRAILS_MAX


async def index_html(
    cover: Cover,
    *,
    trails: AsyncIterator[TrailSection],
    authors: Sequence[Author],
    entries: AsyncIterator[Sequence[EntryRow]],
    changes: AsyncIterator[str] | None = None,
    exceptions: AsyncIterator[str] | None = None,
    history: History | None = None,
    happened: AsyncIterator[str] | None = None,
    drifts: AsyncIterator[str] | None = None,
) -> AsyncIterator[bytes]:
    """The page, in pieces. `changes`, `exceptions`, `happened` and `drifts` are rows that were written already."""
    pieces: list[str] = []
    async for piece in _PAGES.get_template("index.html").generate_async(
        cover=cover,
        trails=_shown(cover, trails),
        authors=authors,
        entries=_rows("entries", cover, entries) if cover.has_entry_table else None,
        changes=None if changes is None else _written(changes),
        exceptions=None if exceptions is None else _written(exceptions),
        history=history,
        happened=None if happened is None else _written(happened),
        drifts=None if drifts is None else _written(drifts),
    ):
        pieces.append(piece)
        if len(pieces) == _CHUNKS:
            yield "".join(pieces).encode()
            pieces.clear()
    yield "".join(pieces).encode()


@dataclass(frozen=True, slots=True)
class _Shown:
    """A trail, and what is written about it: all but its attestations at once, these in runs of rows."""

    section: TrailSection
    head: Markup
    attestations: AsyncIterator[Markup]


async def _shown(cover: Cover, trails: AsyncIterator[TrailSection]) -> AsyncIterator[_Shown]:
    head = _PARTS.get_template("trail.html" if cover.is_detailed else "row.html")
    async for section in trails:
        written = Markup(head.render(cover=cover, section=section))  # noqa: S704 (our own template, which escapes)
        yield _Shown(section, written, _rows("attestations", cover, section.attestations))


async def _rows(name: str, cover: Cover, runs: AsyncIterator[Sequence[Any]]) -> AsyncIterator[Markup]:
    """Runs of rows of a table, each written in one step: a step for each row would take most of the time."""
    template = _PARTS.get_template(f"{name}.html")
    async for run in runs:
        yield Markup(template.render(cover=cover, **{name: run}))  # noqa: S704 (our own template, which escapes)


async def _written(pieces: AsyncIterator[str]) -> AsyncIterator[Markup]:
    async for piece in pieces:
        yield Markup(piece)  # noqa: S704 (written by our own templates, which escape)


def change_rows(rows: Sequence[ChangeRow]) -> bytes:
    """Rows of the table of changes."""
    return _PARTS.get_template("changes.html").render(changes=rows).encode() if rows else b""


def happened_rows(rows: Sequence[Happened]) -> bytes:
    """Rows of what happened in an environment."""
    return _PARTS.get_template("happened.html").render(happened=rows).encode() if rows else b""


def drift_rows(rows: Sequence[DriftRow]) -> bytes:
    """Rows of an environment's drift."""
    return _PARTS.get_template("drifts.html").render(drifts=rows).encode() if rows else b""


def exception_rows(rows: Sequence[ExceptionRow]) -> bytes:
    """Rows of the table of exceptions."""
    return _PARTS.get_template("exceptions.html").render(exceptions=rows).encode() if rows else b""


def readme(cover: Cover) -> bytes:
    """What this is and how to check it, for somebody who has a text editor and Python."""
    return _PARTS.get_template("README.txt").render(cover=cover).encode()


_FILTERS: Final[dict[str, Any]] = {**showing.FILTERS, "href": paths.href, "rfc3339": to_rfc3339}


def _environment(*, streams: bool) -> Environment:
    environment = Environment(
        loader=FileSystemLoader([Path(__file__).parent / "templates", showing.TEMPLATES]),
        autoescape=select_autoescape(("html",)),
        enable_async=streams,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(_FILTERS)
    return environment


_PAGES: Final = _environment(streams=True)
_PARTS: Final = _environment(streams=False)
