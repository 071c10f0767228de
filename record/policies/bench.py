"""Trails laid out for policies: once at an instant, however many artifacts and policies ask about them.

What most trails have in common is found out first, because an environment has thousands of them: a trail in which nothing was
overridden, nothing attested ahead of its artifact and nothing is wrong or missing is compliant for good, and whoever asks needs
none of its findings. Everything else is examined by the trails' own rules, when somebody asks.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple, TypeAlias

from record.artifacts.rules import Docket, about, open_docket
from record.attestations.rules import AttestationFact
from record.ids import EntryIndex
from record.policies.courses import Course
from record.policies.expressions import Answer, Condition, Value, known_of
from record.policies.facts import ArtifactFacts, Membership
from record.policies.shapes import Shapes
from record.trails.facts import ArtifactFact, TrailFacts
from record.trails.rules import Examination, examine_docket, examine_trail
from record.verdicts import Reason, Status

Found: TypeAlias = tuple[Course, str, str, str | None, EntryIndex | None, Sequence[Reason]]
"""How a rule fared on something, and why: its course, the subject, the sentence, the remedy, the entry, the steps below.

A plain tuple, because a named one takes five times as long to make. A course that is `UNDECIDED` says that the rule does not apply
there.
"""

Told: TypeAlias = tuple[str, Status, str, str | None, EntryIndex | None, Sequence[Reason]]
"""A `Reason` but for the rule that asks: what was found, as far as anybody reads it."""


def told_of(one: Found) -> Told:
    """How a finding fared now, in words."""
    course, subject, explanation, remedy, index, because = one
    return subject, course.status, explanation, remedy, index, because


class Plain:
    """What a rule comes to where it is satisfied in every trail for a plain reason: `say` finds the words when somebody looks."""

    __slots__ = ("_facts", "_say", "_told", "cases", "course")

    def __init__(
        self,
        course: Course,
        cases: Sequence["Case"],
        say: "Callable[[Sequence[Case], Sequence[AttestationFact]], list[Told]]",
        facts: Sequence[AttestationFact] = (),
    ) -> None:
        self.course = course
        self.cases = cases
        self._say = say
        self._facts = facts
        self._told: list[Told] | None = None

    def told(self) -> list[Told]:
        """What is said of each trail. `_facts` are the attestations that decided, one for each, where attestations did."""
        if self._told is None:
            self._told = self._say(self.cases, self._facts)
        return self._told


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


class Flow:
    """What conditions read of a flow, and what those that read nothing else came to: the same in all its trails."""

    __slots__ = ("answers", "known", "tags")

    def __init__(self, name: str, tags: Mapping[str, str]) -> None:
        self.tags = tags
        self.known = known_of(flow=name, tags=tags, artifact=None, fingerprint="")
        self.answers: dict[str, Answer] = {}


class Layout:
    """A trail's facts by what they are about. Sorted and examined when somebody asks for more than most trails need."""

    __slots__ = ("_docket", "_examination", "_held", "_latest", "_sorted", "now", "shape", "subjects", "trail")

    def __init__(self, trail: TrailFacts, shapes: Shapes, now: datetime) -> None:
        self.trail = trail
        self.now = now
        self.shape, self.subjects = shapes.of(trail)
        self._sorted: dict[str | None, list[AttestationFact]] | None = None
        self._held: Held | None = None
        self._docket: Docket | None = None
        self._examination: tuple[Examination, Course] | None = None
        self._latest: dict[str, EntryIndex] | None = None

    def on(self, fingerprint: str | None) -> Sequence[AttestationFact]:
        """What was attested of this fingerprint, or, without one, of the trail; nothing that was attested ahead."""
        if self._sorted is None:
            self._sorted = {}
            for fact in self.trail.attestations:
                if fact.fingerprint is not None or fact.template_name is None:
                    self._sorted.setdefault(fact.fingerprint, []).append(fact)
        return self._sorted.get(fingerprint, ())

    def is_latest(self, report: ArtifactFact) -> bool:
        """Whether nothing was reported later under its template name: then it is a part of the trail's own verdict."""
        if len(self.trail.artifacts) == 1:
            return self.trail.artifacts[0].entry_index == report.entry_index
        if self._latest is None:
            self._latest = {}
            for each in self.trail.artifacts:
                if each.entry_index > self._latest.get(each.template_name, -1):
                    self._latest[each.template_name] = each.entry_index
        return self._latest.get(report.template_name) == report.entry_index

    @property
    def docket(self) -> Docket:
        if self._docket is None:
            self._docket = open_docket(self.trail, now=self.now)
        return self._docket

    def held(self) -> Held:
        """What was attested of the trail."""
        if self._held is None:
            self._held = _held(self.on(None), None, self.trail.name)
        return self._held

    def own(self, report: ArtifactFact) -> Held:
        """What was attested of the artifact as it was reported there."""
        if self.shape.is_simple:
            return _held(self.on(report.fingerprint), report, self.trail.name)
        return _held(about(self.docket, report), report, self.trail.name)

    def examination(self) -> tuple[Examination, Course]:
        """How the trail stands now, and how that goes on."""
        if self._examination is None:
            examination = examine_docket(self.docket)
            later, status, until = [], examination.status, examination.holds_until()
            while until is not None:
                following = examine_trail(self.trail, now=until)
                if following.status is not status:
                    later.append((until, following.status))
                    status = following.status
                until = following.holds_until()
            self._examination = examination, Course(examination.status, tuple(later))
        return self._examination


class Case:
    """One membership, laid out: what conditions read, and what was attested of the artifact and of its trail.

    `answers` are what was found already, by what was asked: policies tend to ask the same. What is `seen` answers most questions
    by looking once.
    """

    __slots__ = ("_answers", "_known", "_own", "artifact", "flow", "layout", "membership", "place", "seen")

    def __init__(self, membership: Membership, artifact: ArtifactFacts, layout: Layout, flow: Flow) -> None:
        self.membership = membership
        self.artifact = artifact
        self.layout = layout
        self.flow = flow
        self.place = f"trail {membership.flow}/{layout.trail.name}"
        self._answers: dict[str, Found] | None = None
        self._known: dict[str, Value] | None = None
        self._own: Held | None = None
        self.seen = layout.shape.seen_by(layout.subjects.get(membership.artifact.fingerprint))

    @property
    def answers(self) -> dict[str, Found]:
        """What was found already, by what was asked."""
        if self._answers is None:
            self._answers = {}
        return self._answers

    @property
    def known(self) -> dict[str, Value]:
        """What conditions read."""
        if self._known is None:
            artifact = self.artifact
            about = {"artifact.name": artifact.name, "artifact.fingerprint": artifact.fingerprint}
            self._known = {**self.flow.known, **about}
        return self._known

    def answer(self, condition: Condition) -> Answer:
        """What a condition comes to here."""
        if not condition.is_of_flow:
            return condition.test(self.known)
        answers = self.flow.answers
        if condition.text not in answers:
            answers[condition.text] = condition.test(self.flow.known)
        return answers[condition.text]

    @property
    def own(self) -> Held:
        """What was attested of the artifact."""
        if self._own is None:
            self._own = self.layout.own(self.membership.artifact)
        return self._own

    @property
    def trails(self) -> Held:
        """What was attested of its trail."""
        return self.layout.held()


class Bench:
    """Where cases are laid out, at an instant."""

    def __init__(self, now: datetime) -> None:
        self.now: Final = now
        # By identity: to compare two trails would cost more than to examine one. What is keyed is kept: its id stays its own.
        self._layouts: dict[int, Layout] = {}
        self._flows: dict[tuple[str, int], Flow] = {}
        self._shapes = Shapes()

    def cases(self, artifact: ArtifactFacts) -> Sequence[Case]:
        """The artifact's memberships, in the order of the ledger."""
        members: Sequence[Membership] = artifact.memberships
        if len(members) > 1:
            members = sorted(members, key=_entry_index)
        return [self._case(artifact, membership) for membership in members]

    def _case(self, artifact: ArtifactFacts, membership: Membership) -> Case:
        name, tags, trail, _ = membership
        layout = self._layouts.get(id(trail))
        if layout is None:
            layout = self._layouts[id(trail)] = Layout(trail, self._shapes, self.now)
        flow = self._flows.get((name, id(tags)))
        if flow is None:
            flow = self._flows[name, id(tags)] = Flow(name, tags)
        return Case(membership, artifact, layout, flow)


def _entry_index(membership: Membership) -> EntryIndex:
    return membership.artifact.entry_index


def _held(facts: Iterable[AttestationFact], report: ArtifactFact | None, trail: str) -> Held:
    by_name: dict[str, list[AttestationFact]] = {}
    overrides: dict[str, AttestationFact] = {}
    for fact in facts:
        if fact.overrides is None:
            by_name.setdefault(fact.name, []).append(fact)
        else:
            other = overrides.get(fact.overrides)
            if other is None or other.entry_index < fact.entry_index:
                overrides[fact.overrides] = fact
    return Held(dict(sorted(by_name.items())), overrides, report, trail)
