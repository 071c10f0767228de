"""Trails laid out for policies: once at an instant, however many artifacts and policies ask about them.

What most trails have in common is found out first, because an environment has thousands of them: a trail in which nothing was
overridden, nothing attested ahead of its artifact and nothing is wrong or missing is compliant for good, and whoever asks needs
none of its findings. Everything else is examined by the trails' own rules, when somebody asks.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple, TypeAlias

from record.artifacts.rules import Docket, about, open_docket
from record.attestations.rules import AttestationFact
from record.ids import EntryIndex
from record.policies.courses import SATISFIED, Course
from record.policies.expressions import Value, known_of
from record.policies.facts import ArtifactFacts, Membership
from record.trails.facts import ArtifactFact, TrailFacts
from record.trails.rules import Examination, examine_docket, examine_trail, is_plainly_compliant
from record.verdicts import Reason

Found: TypeAlias = tuple[Course, str, str, str | None, EntryIndex | None, Sequence[Reason]]
"""How a rule fared on something, and why: its course, the subject, the sentence, the remedy, the entry, the steps below.

A plain tuple: an environment has a hundred thousand of them, and a named one takes five times as long to make. A course that is
`UNDECIDED` says that the rule does not apply there.
"""


def found(
    course: Course,
    subject: str,
    explanation: str,
    remedy: str | None = None,
    entry_index: EntryIndex | None = None,
    because: Sequence[Reason] = (),
) -> Found:
    """A finding with what it needs."""
    return course, subject, explanation, remedy, entry_index, because


class Held(NamedTuple):
    """The attestations of one subject by name, names in order: of an artifact as it was reported, or of its trail."""

    by_name: dict[str, list[AttestationFact]]
    overrides: dict[str, AttestationFact]
    report: ArtifactFact | None
    trail: str

    @property
    def subject(self) -> str:
        """How reasons name it."""
        if self.report is None:
            return f"trail {self.trail}"
        return f"artifact {self.report.template_name} {self.report.fingerprint[:12]}…"


class Case(NamedTuple):
    """One membership, laid out: what conditions read, and what was attested of the artifact and of its trail."""

    membership: Membership
    artifact: ArtifactFacts
    place: str
    known: dict[str, Value]
    own: Held
    trails: Held
    layout: "Layout"
    answers: dict[str, Found]
    """What was found already, by what was asked: policies tend to ask the same."""


@dataclass(slots=True)
class Layout:
    """A trail's facts by what they are about. Examined when somebody asks how the trail stands."""

    trail: TrailFacts
    now: datetime
    held: Held
    by_fingerprint: dict[str, list[AttestationFact]]
    awaits: bool
    """Whether anything was attested ahead of its artifact: then only the docket knows what is about an artifact."""
    kept_docket: Docket | None = None
    kept_examination: tuple[Examination, Course] | None = None
    kept_plain: bool | None = None
    kept_latest: dict[str, EntryIndex] | None = None

    @property
    def is_plain(self) -> bool:
        """Whether the trail is compliant, and time alone changes nothing about that."""
        if self.kept_plain is None:
            self.kept_plain = is_plainly_compliant(self.trail)
        return self.kept_plain

    def is_latest(self, report: ArtifactFact) -> bool:
        """Whether nothing was reported later under its template name: then it is a part of the trail's own verdict."""
        if len(self.trail.artifacts) == 1:
            return self.trail.artifacts[0].entry_index == report.entry_index
        if self.kept_latest is None:
            self.kept_latest = {}
            for each in self.trail.artifacts:
                if each.entry_index > self.kept_latest.get(each.template_name, -1):
                    self.kept_latest[each.template_name] = each.entry_index
        return self.kept_latest.get(report.template_name) == report.entry_index

    @property
    def docket(self) -> Docket:
        if self.kept_docket is None:
            self.kept_docket = open_docket(self.trail, now=self.now)
        return self.kept_docket

    def own(self, report: ArtifactFact) -> Held:
        """What was attested of the artifact as it was reported there."""
        facts: Iterable[AttestationFact]
        facts = about(self.docket, report) if self.awaits else self.by_fingerprint.get(report.fingerprint, ())
        return _held(facts, report, self.trail.name)

    def examination(self) -> tuple[Examination, Course]:
        """How the trail stands now, and how that goes on."""
        if self.kept_examination is None:
            examination = examine_docket(self.docket)
            later, status, until = [], examination.status, examination.holds_until()
            while until is not None:
                following = examine_trail(self.trail, now=until)
                if following.status is not status:
                    later.append((until, following.status))
                    status = following.status
                until = following.holds_until()
            self.kept_examination = (
                examination,
                Course(examination.status, tuple(later)) if later else _course(examination),
            )
        return self.kept_examination


class Bench:
    """Where cases are laid out, at an instant."""

    def __init__(self, now: datetime) -> None:
        self.now: Final = now
        # By identity: to compare two trails would cost more than to examine one. What is keyed is kept: its id stays its own.
        self._layouts: dict[int, Layout] = {}
        self._flows: dict[tuple[str, int], tuple[Any, dict[str, Value]]] = {}

    def cases(self, artifact: ArtifactFacts) -> Sequence[Case]:
        """The artifact's memberships, in the order of the ledger."""
        members: Sequence[Membership] = artifact.memberships
        if len(members) > 1:
            members = sorted(members, key=_entry_index)
        return [self._case(artifact, membership) for membership in members]

    def _case(self, artifact: ArtifactFacts, membership: Membership) -> Case:
        trail = membership.trail
        layout = self._layouts.get(id(trail))
        if layout is None:
            layout = self._layouts[id(trail)] = _laid_out(trail, self.now)
        known = self._known_of(membership).copy()
        known["artifact.name"], known["artifact.fingerprint"] = artifact.name, artifact.fingerprint
        place = f"trail {membership.flow}/{trail.name}"
        return Case(membership, artifact, place, known, layout.own(membership.artifact), layout.held, layout, {})

    def _known_of(self, membership: Membership) -> dict[str, Value]:
        key = membership.flow, id(membership.flow_tags)
        kept = self._flows.get(key)
        if kept is None:
            known = known_of(flow=membership.flow, tags=membership.flow_tags, artifact=None, fingerprint="")
            kept = self._flows[key] = membership.flow_tags, known
        return kept[1]


def _entry_index(membership: Membership) -> EntryIndex:
    return membership.artifact.entry_index


def _course(examination: Examination) -> Course:
    return SATISFIED if examination.status is SATISFIED.status else Course(examination.status)


def _laid_out(trail: TrailFacts, now: datetime) -> Layout:
    on_trail: list[AttestationFact] = []
    by_fingerprint: dict[str, list[AttestationFact]] = {}
    awaits = False
    for fact in trail.attestations:
        if fact.fingerprint is not None:
            held = by_fingerprint.get(fact.fingerprint)
            if held is None:
                by_fingerprint[fact.fingerprint] = [fact]
            else:
                held.append(fact)
        elif fact.template_name is not None:
            awaits = True
        else:
            on_trail.append(fact)
    return Layout(trail, now, _held(on_trail, None, trail.name), by_fingerprint, awaits)


def _held(facts: Iterable[AttestationFact], report: ArtifactFact | None, trail: str) -> Held:
    by_name: dict[str, list[AttestationFact]] = {}
    overrides: dict[str, AttestationFact] = {}
    for fact in facts:
        if fact.overrides is None:
            same = by_name.get(fact.name)
            if same is None:
                by_name[fact.name] = [fact]
            else:
                same.append(fact)
        else:
            other = overrides.get(fact.overrides)
            if other is None or other.entry_index < fact.entry_index:
                overrides[fact.overrides] = fact
    return Held(dict(sorted(by_name.items())) if len(by_name) > 1 else by_name, overrides, report, trail)
