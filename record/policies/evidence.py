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

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Final

from record.artifacts.rules import examine, open_docket
from record.attestations.rules import AttestationFact, holds_until, summary
from record.clock import to_rfc3339
from record.ids import EntryIndex
from record.policies.bench import Case, Found, Held, Plain, Told, found
from record.policies.courses import MISSING, SATISFIED, WRONG, Course, followed, worst_of
from record.policies.facts import ArtifactFacts
from record.policies.forms import Attested, worded
from record.verdicts import Status

_NO_COUNTS: Final[Mapping[str, int]] = {}
_RIGHT, _MISSING = Status.COMPLIANT, Status.INCOMPLETE


def attested(rule: Attested, case: Case) -> Found:
    """How a rule that asks for an attestation fared in one trail."""
    return plainly(rule, case) or _at_length(rule, case)


def plainly(rule: Attested, case: Case) -> Found | None:
    """The answer when there is one attestation that answers and it is good in every respect, which most are. None: look closer."""
    fact = good(rule, case)
    if fact is None:
        return None
    course = SATISFIED if rule.max_age is None else lasting(rule, Good([fact]), case)
    return None if course is None else (course, case.place, fact.explanation, None, fact.entry_index, ())


class Good:
    """Good attestations that answer a rule at any age, one for each trail of an artifact."""

    __slots__ = ("_first", "facts")

    def __init__(self, facts: Sequence[AttestationFact]) -> None:
        self.facts = facts
        self._first: datetime | None = None

    def first(self, attested_at: Mapping[EntryIndex, datetime]) -> datetime | None:
        """When the oldest was made; None when that is not known of each."""
        if self._first is None:
            instants = [attested_at.get(fact.entry_index) for fact in self.facts]
            known = [instant for instant in instants if instant is not None]
            self._first = min(known) if len(known) == len(instants) else None
        return self._first


def good_everywhere(rule: Attested, cases: Sequence[Case]) -> Good | None:
    """What answers the rule at any age in each of several trails of an artifact. None: look closer."""
    facts = []
    for case in cases:
        fact = good(rule, case)
        if fact is None:
            return None
        facts.append(fact)
    return Good(facts)


def plainly_everywhere(rule: Attested, found: Good, cases: Sequence[Case]) -> Plain | None:
    """The rule, answered by these: None when one of them is too old."""
    course = lasting(rule, found, cases[0])
    return None if course is None else Plain(course, cases, said_by, found.facts)


def good(rule: Attested, case: Case) -> AttestationFact | None:
    """The attestation that answers, when there is one and it is good in every respect but perhaps its age. None: look closer."""
    known = case.seen.good
    place = known[rule.asks_at_any_age] if rule.asks_at_any_age in known else _answering(rule, case)
    if place is None:
        return None
    fact = case.layout.trail.attestations[place]
    where = rule.where
    if where is not None and where.test(case.artifact.counts.get(fact.entry_index, _NO_COUNTS)) is not True:
        return None
    return fact


def _answering(rule: Attested, case: Case) -> int | None:
    """The place of the attestation that answers in trails of that shape, if there is one and it is right."""
    seen = case.seen
    place = seen.named.get(rule.name) if rule.name is not None else seen.typed.get(rule.type or "")
    if place is not None:
        fact = case.layout.trail.attestations[place]
        is_right = fact.compliant or not rule.must_be_compliant
        others_may_answer = rule.name is None and rule.answering is not None and len(rule.answering) > 1
        if not is_right or rule.type not in (None, fact.type) or others_may_answer:
            place = None
    seen.good[rule.asks_at_any_age] = place
    return place


def lasting(rule: Attested, found: Good, case: Case) -> Course | None:
    """The course of good attestations of one artifact: until the first is too old. None when one is already."""
    if rule.max_age is None:
        return SATISFIED
    first = found.first(case.artifact.attested_at)
    if first is None or (end := first + rule.max_age) <= case.layout.now:
        return None
    return Course(_RIGHT, ((end, _MISSING),))


def said_by(cases: Sequence[Case], facts: Sequence[AttestationFact]) -> list[Told]:
    """What good attestations say, each in its trail."""
    return [
        (case.place, _RIGHT, fact.explanation, None, fact.entry_index, ())
        for case, fact in zip(cases, facts, strict=True)
    ]


def is_absent(rule: Attested, case: Case) -> bool:
    """Whether nothing answers, as far as that can be told without looking closer."""
    if not case.layout.shape.is_simple:
        return False
    if rule.name is not None:
        return rule.name not in case.seen.named
    return rule.answering is not None and rule.answering.isdisjoint(case.seen.typed)


def _at_length(rule: Attested, case: Case) -> Found:
    answer = case.answers.get(rule.asks)
    if answer is None:
        answers = _of_any_name(rule, case) if rule.name is None else _of_name(rule, rule.name, case)
        answer = answers[0] if len(answers) == 1 else _of_several(answers) if answers else _nobody(rule, case)
        case.answers[rule.asks] = answer
    return answer


def _of_name(rule: Attested, name: str, case: Case) -> list[Found]:
    """How the attestations fared that have the name: on the artifact, and on the trail."""
    answers = []
    facts = case.own.by_name.get(name)
    if facts is not None:
        answers.append(_answer(rule, case.own, name, _latest(facts), facts, case))
    facts = case.trails.by_name.get(name)
    if facts is not None:
        answers.append(_answer(rule, case.trails, name, _latest(facts), facts, case))
    return answers


def _of_any_name(rule: Attested, case: Case) -> list[Found]:
    """How the attestations fared that have the type, under whatever names: on the artifact, then on the trail."""
    accepted = rule.answering
    answers = []
    for held in (case.own, case.trails):
        for name, facts in held.by_name.items():
            if len(facts) == 1:
                if accepted is None or facts[0].type in accepted:
                    answers.append(_answer(rule, held, name, facts[0], facts, case))
                continue
            right = [fact for fact in facts if accepted is None or fact.type in accepted]
            if right:
                answers.append(_answer(rule, held, name, _latest(right), facts, case))
    return answers


def _of_several(answers: list[Found]) -> Found:
    course = worst_of([each[0] for each in answers])
    deciding = next(each for each in answers if each[0].status is course.status)
    return course, *deciding[1:]


def _nobody(rule: Attested, case: Case) -> Found:
    asked, place = rule.asked, case.place
    said = f"Nobody has attested {asked} in {place}."
    return MISSING, place, said, f"Attest {asked} on {case.own.subject} in {place}, or on the trail.", None, ()


def _answer(
    rule: Attested, held: Held, name: str, fact: AttestationFact, facts: list[AttestationFact], case: Case
) -> Found:
    """How the deciding attestation of a name answers."""
    accepted = rule.answering
    if accepted is not None and fact.type not in accepted:
        said = f"{name} was attested as {fact.type}, and {rule.type} is asked for."
        return found(WRONG, case.place, said, f"Attest {name} on {held.subject} as {rule.type}.", fact.entry_index)
    override = held.overrides.get(name)
    answer = _Answer(rule, held, fact, override, _target(rule, override, facts), case.artifact)
    now = case.layout.now
    course = followed(answer.status_at, answer.instants(), now=now)
    return found(SATISFIED if course == SATISFIED else course, case.place, *answer.told(now))


def _target(rule: Attested, override: AttestationFact | None, facts: list[AttestationFact]) -> AttestationFact | None:
    """The attestation that the override was made about, if it answers the rule."""
    if override is None:
        return None
    before = [fact for fact in facts if fact.entry_index < override.entry_index]
    target = _latest(before) if before else None
    return target if target is not None and (rule.answering is None or target.type in rule.answering) else None


@dataclass(frozen=True, slots=True)
class _Answer:
    """An attestation whose standing may change with time, or that has more to show than its verdict."""

    rule: Attested
    held: Held
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
        again = f"Attest {fact.name} on {self.held.subject} again"
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


def trail_compliance(case: Case) -> Found:
    """How the trail stands, and the artifact in it."""
    answer = case.answers.get("trail")
    if answer is None:
        answer = case.answers["trail"] = _trail_compliance(case)
    return answer


def is_plainly_compliant(case: Case) -> bool:
    """Whether the trail is, with the artifact in it, and time alone changes nothing about that."""
    return case.layout.shape.is_plain and case.layout.is_latest(case.membership.artifact)


def said_of_trails(cases: Sequence[Case], _: Sequence[AttestationFact]) -> list[Told]:
    """What is said of trails that are plainly compliant."""
    return [
        (case.place, _RIGHT, f"The {case.place} is compliant.", None, case.membership.artifact.entry_index, ())
        for case in cases
    ]


def _trail_compliance(case: Case) -> Found:
    report, layout = case.membership.artifact, case.layout
    if is_plainly_compliant(case):
        return found(SATISFIED, case.place, f"The {case.place} is compliant.", None, report.entry_index)
    examination, whole = layout.examination()
    course = _known_or_missing(worst_of([whole, _part(case)]))
    if course.status is Status.COMPLIANT:
        return found(course, case.place, f"The {case.place} is compliant.", None, report.entry_index)
    findings = [*examination.docket.on_trail, *[finding for each in examination.parts for finding in each.found]]
    return found(
        course,
        case.place,
        f"The {case.place} is {examination.status.value.lower().replace('_', '-')}. {summary(findings)}"
        if examination.status is not Status.COMPLIANT
        else f"The artifact is not compliant in {case.place}, though its newer reports are.",
        "Do what the reasons below this one say.",
        report.entry_index,
        examination.reasons(),
    )


def _part(case: Case) -> Course:
    """How the artifact stands in the trail, as it was reported there."""
    docket, until = case.layout.docket, case.layout.now
    steps = []
    while True:
        examined = examine(docket, case.membership.artifact)
        steps.append((until, examined.status))
        ends = holds_until([*docket.asked_of_trail, *examined.own])
        if ends is None:
            break
        until = ends
        docket = open_docket(case.layout.trail, now=until)
    changes = [after for before, after in pairwise(steps) if after[1] is not before[1]]
    return Course(steps[0][1], tuple(changes))


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
