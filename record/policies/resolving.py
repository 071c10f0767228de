"""How each kind of rule resolves: once in each trail that the policy covers; approvals and deployments once for all of them.

What is found is satisfied, missing, wrong, or, where a condition of the rule is false, not applicable. What an exception of the
policy excepts is waived, which is satisfied too. A condition that cannot be decided changes nothing, and the finding says so.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from record.attestations.rules import AttestationFact
from record.policies.bench import Case, Found, Plain, Told, found
from record.policies.courses import MISSING, SATISFIED, UNDECIDED, best_of
from record.policies.evidence import (
    Good,
    attested,
    good,
    good_everywhere,
    is_absent,
    is_plainly_compliant,
    plainly,
    plainly_everywhere,
    said_by,
    said_of_trails,
    trail_compliance,
)
from record.policies.expressions import Condition, Value, known_of
from record.policies.facts import ArtifactFacts
from record.policies.forms import AnyOf, Approved, Attested, DeployedTo, Provenance, TrailCompliance
from record.policies.running import approved, deployed_to
from record.verdicts import COMPLIANT, Reason


class Before(NamedTuple):
    """An artifact before a policy: the trails that it covers, and how many it does not."""

    artifact: ArtifactFacts
    cases: Sequence[Case]
    environment: str | None
    now: datetime
    outside: int
    good: dict[str, Good | None]
    """By what rules ask at any age: what answers it in each trail. Many rules differ in nothing but the age."""


def _provenance(rule: Provenance, before: Before) -> list[Found] | Plain:
    cases = before.cases
    if cases:
        if _excepts_nowhere(rule.exceptions, cases):
            return Plain(SATISFIED, cases, _said_of_reports)
        return _unless_excepted(rule.exceptions, cases, _reported)
    artifact = before.artifact
    known = known_of(flow=None, tags={}, artifact=artifact.name, fingerprint=artifact.fingerprint)
    excepted, note = _excepted(rule.exceptions, known)
    if excepted is not None:
        return [_excused(excepted, "no flow")]
    said = "No flow that this policy covers knows the artifact."
    remedy = "Report it with reportArtifact into the trail that built it."
    return [_noted(found(MISSING, "no flow", said, remedy), note)]


def _reported(case: Case) -> Found:
    return SATISFIED, case.place, _REPORTED, None, case.membership.artifact.entry_index, ()


def _said_of_reports(cases: Sequence[Case], _: Sequence[AttestationFact]) -> list[Told]:
    return [(case.place, COMPLIANT, _REPORTED, None, case.membership.artifact.entry_index, ()) for case in cases]


_REPORTED: Final = "The artifact was reported there."


def _trail_compliance(rule: TrailCompliance, before: Before) -> list[Found] | Plain:
    cases = before.cases
    if _excepts_nowhere(rule.exceptions, cases) and all(map(is_plainly_compliant, cases)):
        return Plain(SATISFIED, cases, said_of_trails)
    return _unless_excepted(rule.exceptions, cases, trail_compliance)


def _attested(rule: Attested, before: Before) -> list[Found] | Plain:
    cases = before.cases
    if _applies_everywhere(rule.applies, cases):
        asked = rule.asks_at_any_age
        if asked not in before.good:
            before.good[asked] = good_everywhere(rule, cases)
        good = before.good[asked]
        plain = None if good is None else plainly_everywhere(rule, good, cases)
        if plain is not None:
            return plain
    return [_attested_in(rule, case) for case in cases]


def _attested_in(rule: Attested, case: Case) -> Found:
    applies, note = _applies(rule.applies, case)
    return _noted(attested(rule, case), note) if applies else _inapplicable(rule.applies, case.place)


def _any_of(rule: AnyOf, before: Before) -> list[Found] | Plain:
    cases = before.cases
    if _applies_everywhere(rule.applies, cases):
        chosen = [fact for case in cases if (fact := _good_for_good(rule, case)) is not None]
        if len(chosen) == len(cases):
            return Plain(SATISFIED, cases, said_by, chosen)
    return [_one_of(rule, case, before.now) for case in cases]


def _good_for_good(rule: AnyOf, case: Case) -> AttestationFact | None:
    """The attestation that answers the first choice of which anything is there, if it plainly does, for good."""
    for each in rule.alternatives:
        if each.applies is None and each.max_age is None:
            fact = good(each, case)
            if fact is not None or not is_absent(each, case):
                return fact
    return None


def _one_of(rule: AnyOf, case: Case, now: datetime) -> Found:
    applies, note = _applies(rule.applies, case)
    if not applies:
        return _inapplicable(rule.applies, case.place)
    if not note and (one := _one_that_will_do(rule, case)) is not None:
        return one
    tried = [_attested_in(each, case) for each in rule.alternatives]
    courses = [each[0] for each in tried if each[0] is not UNDECIDED]
    if not courses:
        return found(UNDECIDED, case.place, "None of the choices applies.")
    course = best_of(courses, now=now)
    chosen = next(each for each in tried if each[0] is not UNDECIDED and each[0].status is course.status)
    if course.status is COMPLIANT:
        return _noted((course, *chosen[1:]), note)
    because = tuple([_reason(each.asked, one) for each, one in zip(rule.alternatives, tried, strict=True)])
    said = f"None of the {len(courses)} choices is satisfied."
    remedy = f"Provide {rule.asked} in {case.place}."
    return _noted(found(course, case.place, said, remedy, chosen[4], because), note)


def _one_that_will_do(rule: AnyOf, case: Case) -> Found | None:
    """A choice without a condition that is satisfied for good: nobody needs to look at the others."""
    for each in rule.alternatives:
        if each.applies is None:
            one = plainly(each, case) or (None if is_absent(each, case) else attested(each, case))
            if one is not None and one[0] is SATISFIED:
                return one
    return None


def _approved(rule: Approved, before: Before) -> list[Found]:
    if not before.cases:
        return []
    return [approved(rule, before.artifact, environment=before.environment, now=before.now)]


def _deployed_to(rule: DeployedTo, before: Before) -> list[Found]:
    if not before.cases:
        return []
    return [deployed_to(rule, before.artifact, now=before.now)]


RESOLVES: Final[Mapping[type, Callable[[Any, Before], list[Found] | Plain]]] = {
    Provenance: _provenance,
    TrailCompliance: _trail_compliance,
    Attested: _attested,
    AnyOf: _any_of,
    Approved: _approved,
    DeployedTo: _deployed_to,
}


# --- conditions


def _excepts_nowhere(exceptions: Sequence[Condition], cases: Sequence[Case]) -> bool:
    """Whether there is a trail, and every exception is false in each. One that looks at the artifact alone is the same in all."""
    return bool(cases) and all(
        case.answer(exception) is False
        for exception in exceptions
        for case in (cases[:1] if exception.is_of_artifact else cases)
    )


def _applies_everywhere(condition: Condition | None, cases: Sequence[Case]) -> bool:
    """Whether there is a trail, and a rule with this `if` surely applies in each."""
    if condition is not None:
        for case in cases:
            if case.answer(condition) is not True:
                return False
    return bool(cases)


def _unless_excepted(
    exceptions: Sequence[Condition], cases: Sequence[Case], otherwise: Callable[[Case], Found]
) -> list[Found]:
    """What is found in each trail that no exception takes out."""
    resolutions = []
    for case in cases:
        for exception in exceptions:
            if case.answer(exception) is not False:
                excepted, note = _excepted(exceptions, case.known)
                said = _excused(excepted, case.place) if excepted is not None else _noted(otherwise(case), note)
                break
        else:
            said = otherwise(case)
        resolutions.append(said)
    return resolutions


def _excepted(exceptions: Sequence[Condition], known: dict[str, Value]) -> tuple[Condition | None, str]:
    """The exception that is true; or a note on those that cannot be decided."""
    notes = []
    for exception in exceptions:
        answer = exception.test(known)
        if answer is True:
            return exception, ""
        if answer is None:
            why = exception.undecided_because(known)
            notes.append(f" The exception `{exception.text}` cannot be decided ({why}), so it waives nothing.")
    return None, "".join(notes)


def _applies(condition: Condition | None, case: Case) -> tuple[bool, str]:
    """Whether a rule with this `if` applies, and a note if that cannot be decided."""
    if condition is None:
        return True, ""
    answer = case.answer(condition)
    if answer is None:
        why = condition.undecided_because(case.known)
        return True, f" Its condition `{condition.text}` cannot be decided ({why}), so the rule applies."
    return answer, ""


def _noted(said: Found, note: str) -> Found:
    return (*said[:2], said[2] + note, *said[3:]) if note else said


def _excused(exception: Condition, place: str) -> Found:
    return found(SATISFIED, place, f"Waived by the exception `{exception.text}`.")


def _inapplicable(condition: Condition | None, place: str) -> Found:
    assert condition is not None
    return found(UNDECIDED, place, f"Not applicable: `{condition.text}` is false.")


def _reason(label: str, resolution: Found) -> Reason:
    course, subject, explanation, remedy, index, because = resolution
    return tuple.__new__(Reason, (label, subject, course[0], explanation, remedy, index, because))  # half the time
