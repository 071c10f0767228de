"""Verdicts of policies: on an artifact in an environment, and on an environment by all that runs there.

For each rule there is one resolution per trail in which the artifact is known and whose flow the policy covers: satisfied,
not applicable, missing, non-compliant, or waived. Rules kept here (DOMAIN, "Verdicts"):
 * a rule holds when at least one resolution applies and none of those fails; it is ignored when none applies, and then never
   decides;
 * what an exception of the policy excepts is waived, and a waived resolution applies. An `if` that is false makes a rule not
   applicable. An exception or an `if` that cannot be decided changes nothing, and the reason says so;
 * an artifact that no covered flow knows is missing provenance; all other rules have nothing to apply to and are ignored;
 * a policy none of whose rules applies is UNKNOWN by itself, and stands aside when another one decides;
 * approvals are counted within one request; a requester, whoever cannot be told from an author, and what is too old count
   nothing. If the newest request was rejected, that is wrong;
 * a live waiver accepts a rule, or the whole artifact, until the very instant of its expiry, whatever else is recorded;
 * without a policy, or with nothing running, there is nothing to judge by.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple, overload

from record.policies.bench import Bench, Case, Found, found
from record.policies.courses import MISSING, SATISFIED, UNDECIDED, Course, best_of, worst_of
from record.policies.evidence import attested, is_absent, plainly, trail_compliance
from record.policies.expressions import Condition, Value, known_of
from record.policies.facts import ArtifactFacts
from record.policies.forms import (
    AnyOf,
    Approved,
    Attested,
    DeployedTo,
    Policy,
    Provenance,
    Scope,
    TrailCompliance,
)
from record.policies.running import approved, deployed_to
from record.policies.waiving import accepts, live, waived
from record.verdicts import COMPLIANT, INCOMPLETE, NON_COMPLIANT, UNKNOWN, Reason, Verdict


class ArtifactJudgement(NamedTuple):
    """What a policy says of an artifact, and how that goes on."""

    policy: Policy
    course: Course
    reasons: tuple[Reason, ...]

    @property
    def verdict(self) -> Verdict:
        return Verdict(self.course.status, self.reasons, self.course.until)


class RunningJudgement(NamedTuple):
    """What all policies together say of a running artifact."""

    artifact: ArtifactFacts
    course: Course
    by_policy: tuple[ArtifactJudgement, ...]

    @property
    def verdict(self) -> Verdict:
        reasons = tuple([reason for judged in self.by_policy for reason in judged.reasons])
        return Verdict(self.course.status, reasons, self.course.until)


@dataclass(frozen=True, slots=True)
class EnvironmentJudgement:
    """What all policies say of everything that runs in an environment."""

    verdict: Verdict
    running: tuple[RunningJudgement, ...]


def judge(
    policy: Policy, artifact: ArtifactFacts, *, environment: str | None, now: datetime, bench: Bench | None = None
) -> Verdict:
    """The verdict of one policy on one artifact. Without an environment nothing is approved, waived or run there."""
    used = bench or Bench(now)
    return _judge(policy, artifact, used.cases(artifact), environment, used).verdict


def judge_artifact_by(
    policies: Sequence[Policy],
    artifact: ArtifactFacts,
    *,
    environment: str | None,
    now: datetime,
    bench: Bench | None = None,
) -> RunningJudgement:
    """What several policies together say: the worst of those that have anything to say."""
    used = bench or Bench(now)
    cases = used.cases(artifact)
    judged = tuple([_judge(policy, artifact, cases, environment, used) for policy in policies])
    deciding = [each.course for each in judged if each.course.status is not UNKNOWN]
    return RunningJudgement(artifact, worst_of(deciding) if deciding else UNDECIDED, judged)


def judge_environment(
    policies: Sequence[Policy], artifacts: Iterable[ArtifactFacts], *, environment: str, now: datetime
) -> EnvironmentJudgement:
    """The verdict on an environment, and on each artifact that runs there."""
    bench = Bench(now)
    running = tuple(
        [
            judge_artifact_by(policies, artifact, environment=environment, now=now, bench=bench)
            for artifact in sorted(artifacts, key=lambda artifact: (artifact.name, artifact.fingerprint))
        ]
    )
    subject = f"environment {environment}"
    if not policies or not running:
        what = "No policy is attached to it" if not policies else "Nothing runs in it"
        remedy = "Attach a policy with attachPolicy." if not policies else "Report a snapshot of what runs there."
        nothing = Reason("policies", subject, UNKNOWN, f"{what}, so there is nothing to judge by.", remedy)
        return EnvironmentJudgement(Verdict(UNKNOWN, (nothing,)), running)
    course = worst_of([each.course for each in running])
    reasons = tuple([_about_running(each, subject) for each in running])
    return EnvironmentJudgement(Verdict(course.status, reasons, course.until), running)


def _about_running(judged: RunningJudgement, environment: str) -> Reason:
    because = judged.verdict.reasons
    failing = sum(reason.outcome in (NON_COMPLIANT, INCOMPLETE) for reason in because)
    if judged.course.status is COMPLIANT:
        said, remedy = "Every policy that has anything to say is satisfied.", None
    elif judged.course.status is UNKNOWN:
        said, remedy = "No rule of any policy applies to it.", "Report where it comes from, or require provenance."
    else:
        said = f"{failing} rule{' is' if failing == 1 else 's are'} not satisfied."
        remedy = "Do what the reasons below this one say, or waive it."
    return Reason(environment, _named(judged.artifact), judged.course.status, said, remedy, None, because)


def _judge(
    policy: Policy, artifact: ArtifactFacts, cases: Sequence[Case], environment: str | None, bench: Bench
) -> ArtifactJudgement:
    waivers = live(artifact, environment, bench.now) if artifact.waivers and environment is not None else []
    inside = cases if policy.scope is None else [case for case in cases if _covers(policy.scope, case.known)]
    before = _Before(artifact, inside, environment, bench.now, len(cases) - len(inside))
    subject = _named(artifact)
    courses, reasons = [], []
    for rule, label in zip(policy.rules, policy.labels, strict=True):
        course, reason = _of_rule(label, subject, _RESOLVES[type(rule)](rule, before), before)
        if course is not UNDECIDED:
            if waivers:
                course, reason = waived(course, reason, [each for each in waivers if accepts(each, policy, rule)])
            courses.append(course)
        reasons.append(reason)
    course = worst_of(courses) if courses else UNDECIDED
    whole = [each for each in waivers if each.rule is None and each.fingerprint is not None]
    if whole and course.status is not COMPLIANT:
        label = f"policy {policy.name} v{policy.version}"
        above = Reason(label, subject, course.status, "", None, None, tuple(reasons))
        course, reason = waived(course, above, whole)
        return ArtifactJudgement(policy, course, (reason,))
    if whole:
        course, _ = waived(course, reasons[0], whole)
    if not policy.rules:
        reasons = [_asks_nothing(policy, subject)]
    return ArtifactJudgement(policy, course, tuple(reasons))


def _of_rule(label: str, subject: str, resolutions: Sequence[Found], before: "_Before") -> tuple[Course, Reason]:
    """A rule from its resolutions: its course (`UNDECIDED` when it is ignored), and why."""
    applying = [each[0] for each in resolutions if each[0] is not UNDECIDED]
    if not applying:
        said = _ignored(len(resolutions), before.outside)
        return UNDECIDED, Reason(label, subject, UNKNOWN, said, None, None, Steps(label, resolutions))
    if len(resolutions) == 1:
        ((course, place, said, remedy, index, because),) = resolutions
        return course, Reason(label, f"{subject}, {place}", course.status, said, remedy, index, because)
    course, steps = worst_of(applying), Steps(label, resolutions)
    if course.status is COMPLIANT:
        said = "Satisfied wherever it applies."
        return course, tuple.__new__(Reason, (label, subject, COMPLIANT, said, None, None, steps))
    failing = [
        f"{subject} ({_FAILURES[course.status.value]})"
        for course, subject, *_ in resolutions
        if course is not UNDECIDED and course.status is not COMPLIANT
    ]
    said = f"Not satisfied in {', '.join(failing[:5])}{', …' if len(failing) > 5 else ''}."
    remedy = "Do what the reasons below this one say."
    return course, Reason(label, subject, course.status, said, remedy, None, steps)


class Steps(Sequence[Reason]):
    """The resolutions of a rule as reasons. They are made when somebody looks, and mostly nobody looks at all of them."""

    __slots__ = ("_label", "_resolutions")

    def __init__(self, label: str, resolutions: Sequence[Found]) -> None:
        self._label, self._resolutions = label, resolutions

    def __len__(self) -> int:
        return len(self._resolutions)

    def __iter__(self) -> Iterator[Reason]:
        new, label = tuple.__new__, self._label
        return iter(
            [
                new(Reason, (label, subject, course[0], said, remedy, index, because))
                for course, subject, said, remedy, index, because in self._resolutions
            ]
        )

    @overload
    def __getitem__(self, place: int) -> Reason: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Reason]: ...
    def __getitem__(self, place: int | slice) -> Reason | Sequence[Reason]:
        return tuple(self)[place]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    def __hash__(self) -> int:
        return hash((self._label, len(self._resolutions)))


def _ignored(resolutions: int, outside: int) -> str:
    if resolutions:
        why = "It applies in none of the trails in which the artifact is known."
    elif outside:
        trails = f"{outside} trail{'' if outside == 1 else 's'}"
        why = f"The policy covers none of the flows of the {trails} that know the artifact."
    else:
        why = "No flow knows the artifact, so there is nothing that it could apply to."
    return f"Ignored. {why}"


_FAILURES: Final = {INCOMPLETE.value: "missing", NON_COMPLIANT.value: "non-compliant"}


def _reason(label: str, resolution: Found) -> Reason:
    course, subject, explanation, remedy, index, because = resolution
    return tuple.__new__(Reason, (label, subject, course[0], explanation, remedy, index, because))  # half the time


# --- how each kind of rule resolves: once in each trail that the policy covers; approvals and deployments once for all


class _Before(NamedTuple):
    """An artifact before a policy: the trails that it covers, and how many it does not."""

    artifact: ArtifactFacts
    cases: Sequence[Case]
    environment: str | None
    now: datetime
    outside: int


def _provenance(rule: Provenance, before: _Before) -> list[Found]:
    if before.cases:
        return _unless_excepted(rule.exceptions, before.cases, _reported)
    artifact = before.artifact
    known = known_of(flow=None, tags={}, artifact=artifact.name, fingerprint=artifact.fingerprint)
    excepted, note = _excepted(rule.exceptions, known)
    if excepted is not None:
        return [_excused(excepted, "no flow")]
    said = "No flow that this policy covers knows the artifact."
    remedy = "Report it with reportArtifact into the trail that built it."
    return [_noted(found(MISSING, "no flow", said, remedy), note)]


def _reported(case: Case) -> Found:
    answer = case.answers.get("provenance")
    if answer is None:
        index = case.membership.artifact.entry_index
        answer = found(SATISFIED, case.place, "The artifact was reported there.", None, index)
        case.answers["provenance"] = answer
    return answer


def _trail_compliance(rule: TrailCompliance, before: _Before) -> list[Found]:
    return _unless_excepted(rule.exceptions, before.cases, trail_compliance)


def _attested(rule: Attested, before: _Before) -> list[Found]:
    if rule.applies is None:
        return [plainly(rule, case) or attested(rule, case) for case in before.cases]
    test = rule.applies.test
    return [(test(case.known) is True and plainly(rule, case)) or _attested_in(rule, case) for case in before.cases]


def _attested_in(rule: Attested, case: Case) -> Found:
    applies, note = _applies(rule.applies, case.known)
    return _noted(attested(rule, case), note) if applies else _inapplicable(rule.applies, case.place)


def _any_of(rule: AnyOf, before: _Before) -> list[Found]:
    return [_one_of(rule, case, before.now) for case in before.cases]


def _one_of(rule: AnyOf, case: Case, now: datetime) -> Found:
    applies, note = (True, "") if rule.applies is None else _applies(rule.applies, case.known)
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


def _approved(rule: Approved, before: _Before) -> list[Found]:
    if not before.cases:
        return []
    return [approved(rule, before.artifact, environment=before.environment, now=before.now)]


def _deployed_to(rule: DeployedTo, before: _Before) -> list[Found]:
    if not before.cases:
        return []
    answers = before.cases[0].answers  # it is the same for all of them, and policies tend to ask the same
    answer = answers.get(rule.asks)
    if answer is None:
        answer = answers[rule.asks] = deployed_to(rule, before.artifact, now=before.now)
    return [answer]


_RESOLVES: Final[Mapping[type, Callable[[Any, _Before], list[Found]]]] = {
    Provenance: _provenance,
    TrailCompliance: _trail_compliance,
    Attested: _attested,
    AnyOf: _any_of,
    Approved: _approved,
    DeployedTo: _deployed_to,
}


# --- conditions


def _covers(scope: Scope, known: dict[str, Value]) -> bool:
    if scope.flows is not None:
        return known["flow.name"] in scope.flows
    if any(known.get(f"flow.tags.{key}") != value for key, value in scope.tags):
        return False
    return scope.applies is None or scope.applies.test(known) is not False


def _unless_excepted(
    exceptions: Sequence[Condition], cases: Sequence[Case], otherwise: Callable[[Case], Found]
) -> list[Found]:
    """What is found in each trail that no exception takes out."""
    if not exceptions or (cases and _none_is_true_of(exceptions, cases[0])):
        return [otherwise(case) for case in cases]
    resolutions = []
    for case in cases:
        for exception in exceptions:
            if exception.test(case.known) is not False:
                excepted, note = _excepted(exceptions, case.known)
                said = _excused(excepted, case.place) if excepted is not None else _noted(otherwise(case), note)
                break
        else:
            said = otherwise(case)
        resolutions.append(said)
    return resolutions


def _none_is_true_of(exceptions: Sequence[Condition], case: Case) -> bool:
    """Whether no exception can be true in any trail: those that look at nothing but the artifact are the same in all of them."""
    return all(exception.is_of_artifact and exception.test(case.known) is False for exception in exceptions)


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


def _applies(condition: Condition | None, known: dict[str, Value]) -> tuple[bool, str]:
    """Whether a rule with this `if` applies, and a note if that cannot be decided."""
    if condition is None:
        return True, ""
    answer = condition.test(known)
    if answer is None:
        why = condition.undecided_because(known)
        return True, f" Its condition `{condition.text}` cannot be decided ({why}), so the rule applies."
    return answer, ""


def _noted(said: Found, note: str) -> Found:
    return (*said[:2], said[2] + note, *said[3:]) if note else said


def _excused(exception: Condition, place: str) -> Found:
    return found(SATISFIED, place, f"Waived by the exception `{exception.text}`.")


def _inapplicable(condition: Condition | None, place: str) -> Found:
    assert condition is not None
    return found(UNDECIDED, place, f"Not applicable: `{condition.text}` is false.")


def _asks_nothing(policy: Policy, subject: str) -> Reason:
    label = f"policy {policy.name} v{policy.version}"
    said = "The policy has no rules, so there is nothing to judge by."
    return Reason(label, subject, UNKNOWN, said, "Add rules to the policy, or detach it.")


def _named(artifact: ArtifactFacts) -> str:
    return f"artifact {artifact.name} {artifact.fingerprint[:12]}…"
