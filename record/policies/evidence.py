"""What one trail says of one artifact, as far as policies ask: attestations that answer a rule, and how the trail itself stands.

Rules kept here:
 * an attestation on the artifact or on its trail answers; of a name, the latest decides. Everything that answers must be
   right: one good scan hides no bad one;
 * asked for by name, an attestation of the wrong type is wrong and not missing. Asked for by type alone, other types are no
   answer, and do not hide an earlier one of the right type under the same name;
 * an override replaces the verdict of the attestation it was made about, until it expires. It makes nothing younger and no
   finding fewer: `max-age` and `where` are asked of what decides and of what was overridden. Made ahead of any attestation it
   accepts nothing;
 * too old is missing; a count that is not there satisfies no `where`; an attestation without an instant is too old.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Final, NamedTuple

from record.artifacts.rules import Docket, about, examine, open_docket
from record.attestations.rules import AttestationFact, holds_until, matches, summary
from record.clock import to_rfc3339
from record.ids import EntryIndex
from record.policies.courses import MISSING, SATISFIED, WRONG, Course, followed, worst_of
from record.policies.expressions import Value, known_of
from record.policies.facts import ArtifactFacts, Membership
from record.policies.forms import Attested, worded
from record.trails.facts import TrailFacts
from record.trails.rules import Examination, examine_trail
from record.verdicts import Reason, Status

_NO_COUNTS: Final[Mapping[str, int]] = {}
_RIGHT, _MISSING = Status.COMPLIANT, Status.INCOMPLETE


class Found(NamedTuple):
    """How a rule fared on something, and why."""

    course: Course
    subject: str
    explanation: str
    remedy: str | None = None
    entry_index: EntryIndex | None = None
    because: tuple[Reason, ...] = ()


class Held(NamedTuple):
    """The attestations of one subject, by name."""

    subject: str
    by_name: dict[str, list[AttestationFact]]
    overrides: dict[str, AttestationFact]


@dataclass(frozen=True, slots=True)
class Case:
    """One membership, laid out: what conditions read, and what was attested of the artifact and of its trail."""

    membership: Membership
    place: str
    known: dict[str, Value]
    docket: Docket
    own: Held
    trails: Held
    answers: dict[object, Found]
    """What was found already, by what was asked: policies tend to ask the same."""


class Bench:
    """Trails laid out and examined once at an instant, however many artifacts and policies ask about them."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        # By identity: to compare two trails would cost more than to examine one. The trail is kept, so that its id stays its own.
        self._dockets: dict[int, tuple[TrailFacts, Docket, Held]] = {}
        self._examinations: dict[int, tuple[TrailFacts, Examination, Course]] = {}

    def cases(self, artifact: ArtifactFacts) -> tuple[Case, ...]:
        """The artifact's memberships, in the order of the ledger."""
        ordered = sorted(artifact.memberships, key=lambda each: each.artifact.entry_index)
        return tuple([self._case(artifact, membership) for membership in ordered])

    def examination(self, trail: TrailFacts) -> tuple[Examination, Course]:
        """How the trail stands now, and how that goes on."""
        held = self._examinations.get(id(trail))
        if held is None:
            examination = examine_trail(trail, now=self.now)
            later, status, until = [], examination.status, examination.holds_until()
            while until is not None:
                following = examine_trail(trail, now=until)
                if following.status is not status:
                    later.append((until, following.status))
                    status = following.status
                until = following.holds_until()
            held = self._examinations[id(trail)] = trail, examination, Course(examination.status, tuple(later))
        return held[1], held[2]

    def _case(self, artifact: ArtifactFacts, membership: Membership) -> Case:
        trail = membership.trail
        laid_out = self._dockets.get(id(trail))
        if laid_out is None:
            docket = open_docket(trail, now=self.now)
            on_trail = [fact for fact in trail.attestations if fact.fingerprint is None and fact.template_name is None]
            laid_out = self._dockets[id(trail)] = trail, docket, _held(f"trail {trail.name}", on_trail)
        _, docket, trails = laid_out
        report = membership.artifact
        own = _held(f"artifact {report.template_name} {report.fingerprint[:12]}…", about(docket, report))
        known = known_of(
            flow=membership.flow, tags=membership.flow_tags, artifact=artifact.name, fingerprint=artifact.fingerprint
        )
        return Case(membership, f"trail {membership.flow}/{trail.name}", known, docket, own, trails, {})


def _held(subject: str, facts: Iterable[AttestationFact]) -> Held:
    by_name: dict[str, list[AttestationFact]] = {}
    overrides: dict[str, AttestationFact] = {}
    for fact in facts:
        if fact.overrides is None:
            by_name.setdefault(fact.name, []).append(fact)
        else:
            other = overrides.get(fact.overrides)
            if other is None or other.entry_index < fact.entry_index:
                overrides[fact.overrides] = fact
    return Held(subject, dict(sorted(by_name.items())) if len(by_name) > 1 else by_name, overrides)


def attested(rule: Attested, case: Case, artifact: ArtifactFacts, *, now: datetime) -> Found:
    """How a rule that asks for an attestation fared in one trail."""
    answer = case.answers.get(rule.asks)
    if answer is None:
        answer = case.answers[rule.asks] = _attested(rule, case, artifact, now)
    return answer


def _attested(rule: Attested, case: Case, artifact: ArtifactFacts, now: datetime) -> Found:
    found = list(_answers(rule, case, artifact, now))
    if not found:
        return Found(
            MISSING,
            case.place,
            f"Nobody has attested {rule.asked} in {case.place}.",
            f"Attest {rule.asked} on {case.own.subject} in {case.place}, or on the trail.",
        )
    if len(found) == 1:
        return found[0]
    course = worst_of([each.course for each in found])
    deciding = next(each for each in found if each.course.status is course.status)
    return deciding._replace(course=course)


def _answers(rule: Attested, case: Case, artifact: ArtifactFacts, now: datetime) -> Iterator[Found]:
    asked = rule.type
    for held in (case.own, case.trails):
        if rule.name is not None:
            facts = held.by_name.get(rule.name)
            if facts is not None:
                yield _answer(rule, held, rule.name, _latest(facts), facts, case, artifact, now)
        else:
            for name, facts in held.by_name.items():
                right = facts if asked is None else [fact for fact in facts if matches(asked, fact.type)]
                if right:
                    yield _answer(rule, held, name, _latest(right), facts, case, artifact, now)


def _answer(
    rule: Attested,
    held: Held,
    name: str,
    fact: AttestationFact,
    facts: list[AttestationFact],
    case: Case,
    artifact: ArtifactFacts,
    now: datetime,
) -> Found:
    """How the deciding attestation of a name answers."""
    if rule.type is not None and not matches(rule.type, fact.type):
        said = f"{name} was attested as {fact.type}, and {rule.type} is asked for."
        return Found(WRONG, case.place, said, f"Attest {name} on {held.subject} as {rule.type}.", fact.entry_index)
    override = held.overrides.get(name)
    if override is None and rule.max_age is None and rule.where is None:
        if fact.compliant or not rule.must_be_compliant:
            return Found(SATISFIED, case.place, fact.explanation, None, fact.entry_index)
        remedy = f"Attest {name} on {held.subject} again, with a compliant result."
        return Found(WRONG, case.place, fact.explanation, remedy, fact.entry_index)
    if override is None and (quick := _plainly(rule, fact, case, artifact, now)) is not None:
        return quick
    answer = _Answer(rule, held.subject, fact, override, _target(rule, override, facts), artifact)
    course = followed(answer.status_at, answer.instants(), now=now)
    return Found(course, case.place, *answer.told(now))


def _plainly(rule: Attested, fact: AttestationFact, case: Case, artifact: ArtifactFacts, now: datetime) -> Found | None:
    """The answer of an attestation that is good in every respect, which most are: no need to look twice."""
    if rule.must_be_compliant and not fact.compliant:
        return None
    if rule.where is not None and rule.where.test(artifact.counts.get(fact.entry_index, _NO_COUNTS)) is not True:
        return None
    if rule.max_age is None:
        return Found(SATISFIED, case.place, fact.explanation, None, fact.entry_index)
    at = artifact.attested_at.get(fact.entry_index)
    if at is None or (end := at + rule.max_age) <= now:
        return None
    return Found(Course(_RIGHT, ((end, _MISSING),)), case.place, fact.explanation, None, fact.entry_index)


def _target(rule: Attested, override: AttestationFact | None, facts: list[AttestationFact]) -> AttestationFact | None:
    """The attestation that the override was made about, if it answers the rule."""
    if override is None:
        return None
    before = [fact for fact in facts if fact.entry_index < override.entry_index]
    target = _latest(before) if before else None
    return target if target is not None and (rule.type is None or matches(rule.type, target.type)) else None


@dataclass(frozen=True, slots=True)
class _Answer:
    """An attestation whose standing may change with time, or that has more to show than its verdict."""

    rule: Attested
    subject: str
    fact: AttestationFact
    override: AttestationFact | None
    target: AttestationFact | None
    artifact: ArtifactFacts

    def instants(self) -> Iterator[datetime]:
        """When its standing may change."""
        if self.override is not None and self.override.expires_at is not None:
            yield self.override.expires_at
        if self.rule.max_age is not None:
            for fact in (self.fact, self.target):
                at = None if fact is None else self.artifact.attested_at.get(fact.entry_index)
                if at is not None:
                    yield at + self.rule.max_age

    def live(self, instant: datetime) -> AttestationFact | None:
        """The override that stands in for its verdict at an instant. One that accepts must have something to accept."""
        override = self.override
        if override is None or (override.expires_at is not None and override.expires_at <= instant):
            return None
        return override if self.target is not None or not override.compliant else None

    def shown(self, instant: datetime) -> tuple[AttestationFact, ...]:
        """Of what age and findings are asked."""
        target = self.target if self.live(instant) is not None else None
        return (self.fact,) if target is None or target is self.fact else (self.fact, target)

    def status_at(self, instant: datetime) -> Status:
        verdict = self.live(instant) or self.fact
        if self.rule.must_be_compliant and not verdict.compliant:
            return Status.NON_COMPLIANT
        shown = self.shown(instant)
        if any(self._holds_where(fact) is not True for fact in shown):
            return Status.NON_COMPLIANT
        if any(self._is_too_old(fact, instant) for fact in shown):
            return Status.INCOMPLETE
        return Status.COMPLIANT

    def told(self, instant: datetime) -> tuple[str, str | None, EntryIndex]:
        """Its standing at an instant in words, what would mend it, and the entry that decided."""
        override, fact = self.live(instant), self.fact
        verdict = override or fact
        again = f"Attest {fact.name} on {self.subject} again"
        if self.rule.must_be_compliant and not verdict.compliant:
            return self._said(override), f"{again}, with a compliant result.", verdict.entry_index
        for shown in self.shown(instant):
            where = self._holds_where(shown)
            if where is not True:
                return self._about_where(shown, where), f"{again}, with findings that satisfy it.", shown.entry_index
        for shown in self.shown(instant):
            if self._is_too_old(shown, instant):
                at = self.artifact.attested_at.get(shown.entry_index)
                since = "at an unknown instant" if at is None else to_rfc3339(at)
                assert self.rule.max_age is not None
                age = f"{shown.name} was attested {since}, and may be {worded(self.rule.max_age)} old."
                return age, f"{again}.", shown.entry_index
        return self._said(override), None, verdict.entry_index

    def _said(self, override: AttestationFact | None) -> str:
        if override is None:
            return self.fact.explanation
        until = f"until {to_rfc3339(override.expires_at)}" if override.expires_at else "for good"
        return f"Overridden as {'compliant' if override.compliant else 'not compliant'} {until}: {override.explanation}"

    def _holds_where(self, fact: AttestationFact) -> bool | None:
        where = self.rule.where
        return True if where is None else where.test(self.artifact.counts.get(fact.entry_index, _NO_COUNTS))

    def _about_where(self, fact: AttestationFact, answer: bool | None) -> str:
        where = self.rule.where
        assert where is not None
        counts = self.artifact.counts.get(fact.entry_index, _NO_COUNTS)
        if answer is None:
            return (
                f"`{where.text}` cannot be decided for {fact.name}: {where.undecided_because(counts)} in its summary."
            )
        told = ", ".join(f"{name} is {counts[name]}" for name in dict.fromkeys(where.names) if name in counts)
        return f"`{where.text}` is not true of {fact.name}: {told or 'it never is'}."

    def _is_too_old(self, fact: AttestationFact, instant: datetime) -> bool:
        if self.rule.max_age is None:
            return False
        at = self.artifact.attested_at.get(fact.entry_index)
        return at is None or at + self.rule.max_age <= instant


def trail_compliance(case: Case, bench: Bench) -> Found:
    """How the trail stands, and the artifact in it."""
    answer = case.answers.get("trail")
    if answer is None:
        answer = case.answers["trail"] = _trail_compliance(case, bench)
    return answer


def _trail_compliance(case: Case, bench: Bench) -> Found:
    report, trail = case.membership.artifact, case.membership.trail
    examination, whole = bench.examination(trail)
    docket, now = case.docket, bench.now
    steps, until = [], now
    while True:
        examined = examine(docket, report)
        steps.append((until, examined.status))
        ends = holds_until([*docket.asked_of_trail, *examined.own])
        if ends is None:
            break
        until = ends
        docket = open_docket(trail, now=until)
    changes = [after for before, after in pairwise(steps) if after[1] is not before[1]]
    part = Course(steps[0][1], tuple(changes))
    course = _known_or_missing(worst_of([whole, part]))
    if course.status is Status.COMPLIANT:
        return Found(course, case.place, f"The {case.place} is compliant.", None, report.entry_index)
    findings = [*examination.docket.on_trail, *[finding for each in examination.parts for finding in each.found]]
    return Found(
        course,
        case.place,
        f"The {case.place} is {examination.status.value.lower().replace('_', '-')}. {summary(findings)}"
        if examination.status is not Status.COMPLIANT
        else f"The artifact is not compliant in {case.place}, though its newer reports are.",
        "Do what the reasons below this one say.",
        report.entry_index,
        examination.reasons(),
    )


def _known_or_missing(course: Course) -> Course:
    """Where nothing is known of a trail, what a policy asks for is missing."""
    instants = [instant for instant, _ in course.later]
    if course.status is not Status.UNKNOWN and not instants:
        return course
    begin = datetime.min.replace(tzinfo=UTC)
    return followed(lambda instant: _seen(course.at(instant)), instants, now=begin)


def _seen(status: Status) -> Status:
    return Status.INCOMPLETE if status is Status.UNKNOWN else status


def _latest(facts: list[AttestationFact]) -> AttestationFact:
    return facts[0] if len(facts) == 1 else max(facts, key=lambda fact: fact.entry_index)
