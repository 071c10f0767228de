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

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import NamedTuple

from record.policies.courses import MISSING, SATISFIED, UNDECIDED, Course, best_of, worst_of
from record.policies.evidence import Bench, Case, Found, attested, trail_compliance
from record.policies.expressions import Condition, Value, known_of
from record.policies.facts import ArtifactFacts
from record.policies.forms import (
    AnyOf,
    Approved,
    Attested,
    DeployedTo,
    Policy,
    Provenance,
    Rule,
    Scope,
    TrailCompliance,
)
from record.policies.running import approved, deployed_to
from record.policies.waiving import accepts, live, waived
from record.verdicts import Reason, Status, Verdict


class Outcome(Enum):
    """How a rule can fare in one trail."""

    SATISFIED = "satisfied"
    NOT_APPLICABLE = "not applicable"
    MISSING = "missing"
    NON_COMPLIANT = "non-compliant"
    WAIVED = "waived"


_OUTCOMES = {
    Status.COMPLIANT.value: Outcome.SATISFIED,
    Status.INCOMPLETE.value: Outcome.MISSING,
    Status.NON_COMPLIANT.value: Outcome.NON_COMPLIANT,
}


class Resolution(NamedTuple):
    """How a rule fared in one trail, or, for approvals and deployments, in the environment."""

    outcome: Outcome
    found: Found


@dataclass(frozen=True, slots=True)
class ArtifactJudgement:
    """What a policy says of an artifact, and how that goes on."""

    policy: Policy
    course: Course
    reasons: tuple[Reason, ...]

    @property
    def verdict(self) -> Verdict:
        return Verdict(self.course.status, self.reasons, self.course.until)


@dataclass(frozen=True, slots=True)
class RunningJudgement:
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
    deciding = [each.course for each in judged if each.course.status is not Status.UNKNOWN]
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
        nothing = Reason("policies", subject, Status.UNKNOWN, f"{what}, so there is nothing to judge by.", remedy)
        return EnvironmentJudgement(Verdict(Status.UNKNOWN, (nothing,)), running)
    course = worst_of([each.course for each in running])
    reasons = tuple([_about_running(each, subject) for each in running])
    return EnvironmentJudgement(Verdict(course.status, reasons, course.until), running)


def _about_running(judged: RunningJudgement, environment: str) -> Reason:
    because = judged.verdict.reasons
    failing = sum(reason.outcome in (Status.NON_COMPLIANT, Status.INCOMPLETE) for reason in because)
    if judged.course.status is Status.COMPLIANT:
        said, remedy = "Every policy that has anything to say is satisfied.", None
    elif judged.course.status is Status.UNKNOWN:
        said, remedy = "No rule of any policy applies to it.", "Report where it comes from, or require provenance."
    else:
        said = f"{failing} rule{' is' if failing == 1 else 's are'} not satisfied."
        remedy = "Do what the reasons below this one say, or waive it."
    return Reason(environment, _named(judged.artifact), judged.course.status, said, remedy, None, because)


def _judge(
    policy: Policy, artifact: ArtifactFacts, cases: Sequence[Case], environment: str | None, bench: Bench
) -> ArtifactJudgement:
    waivers = [] if environment is None else live(artifact, environment, bench.now)
    inside = cases if policy.scope is None else [case for case in cases if _covers(policy.scope, case.known)]
    judgement = _Judgement(artifact, inside, environment, bench)
    subject = _named(artifact)
    courses, reasons = [], []
    for rule, label in zip(policy.rules, policy.labels, strict=True):
        course, reason = _of_rule(rule, label, subject, judgement.resolutions(rule), outside=len(cases) - len(inside))
        if course is not None:
            if waivers:
                course, reason = waived(course, reason, [each for each in waivers if accepts(each, policy, rule)])
            courses.append(course)
        reasons.append(reason)
    course = worst_of(courses) if courses else UNDECIDED
    whole = [each for each in waivers if each.rule is None and each.fingerprint is not None]
    if whole and course.status is not Status.COMPLIANT:
        label = f"policy {policy.name} v{policy.version}"
        above = Reason(label, subject, course.status, "", None, None, tuple(reasons))
        course, reason = waived(course, above, whole)
        return ArtifactJudgement(policy, course, (reason,))
    if whole:
        course, _ = waived(course, reasons[0], whole)
    if not policy.rules:
        reasons = [_asks_nothing(policy, subject)]
    return ArtifactJudgement(policy, course, tuple(reasons))


def _of_rule(
    rule: Rule, label: str, subject: str, resolutions: list[Resolution], *, outside: int
) -> tuple[Course | None, Reason]:
    """A rule from its resolutions: its course (None when it is ignored), and why."""
    applying = [each.found.course for each in resolutions if each.outcome is not Outcome.NOT_APPLICABLE]
    because = tuple([_reason(label, each) for each in resolutions])
    if not applying:
        if resolutions:
            why = "It applies in none of the trails in which the artifact is known."
        elif outside:
            why = f"The policy covers none of the flows of the {outside} trail{'' if outside == 1 else 's'} that know the artifact."
        else:
            why = "No flow knows the artifact, so there is nothing that it could apply to."
        return None, Reason(label, subject, Status.UNKNOWN, f"Ignored. {why}", None, None, because)
    course = worst_of(applying)
    if len(because) == 1:
        return course, because[0]._replace(subject=f"{subject}, {because[0].subject}")
    failing = [each for each in resolutions if each.found.course.status is not Status.COMPLIANT]
    failing = [each for each in failing if each.outcome is not Outcome.NOT_APPLICABLE]
    if not failing:
        said, remedy = "Satisfied wherever it applies.", None
    else:
        places = ", ".join([f"{each.found.subject} ({each.outcome.value})" for each in failing[:5]])
        said = f"Not satisfied in {places}{', …' if len(failing) > 5 else ''}."
        remedy = "Do what the reasons below this one say."
    return course, Reason(label, subject, course.status, said, remedy, None, because)


def _reason(label: str, resolution: Resolution) -> Reason:
    outcome, found = resolution
    status = Status.UNKNOWN if outcome is Outcome.NOT_APPLICABLE else found.course.status
    return Reason(label, found.subject, status, found.explanation, found.remedy, found.entry_index, found.because)


@dataclass(frozen=True, slots=True)
class _Judgement:
    """One artifact before one policy: resolves rules."""

    artifact: ArtifactFacts
    cases: Sequence[Case]
    environment: str | None
    bench: Bench

    def resolutions(self, rule: Rule) -> list[Resolution]:
        """One for each trail that the policy covers; approvals and deployments have one for all of them."""
        if isinstance(rule, Attested):
            if rule.applies is None:
                artifact, now = self.artifact, self.bench.now
                return [_resolved(attested(rule, case, artifact, now=now)) for case in self.cases]
            return [self._attested(rule, case) for case in self.cases]
        if isinstance(rule, AnyOf):
            return [self._any_of(rule, case) for case in self.cases]
        if isinstance(rule, TrailCompliance):
            return [self._trail_compliance(rule, case) for case in self.cases]
        if isinstance(rule, Provenance):
            return [self._known(rule, case) for case in self.cases] or [self._unknown(rule)]
        if not self.cases:
            return []
        if isinstance(rule, Approved):
            return [_resolved(approved(rule, self.artifact, environment=self.environment, now=self.bench.now))]
        assert isinstance(rule, DeployedTo)
        return [_resolved(deployed_to(rule, self.artifact, now=self.bench.now))]

    def _known(self, rule: Provenance, case: Case) -> Resolution:
        excepted, note = _excepted(rule.exceptions, case.known) if rule.exceptions else (None, "")
        if excepted is not None:
            return _excused(excepted, case.place)
        found = Found(
            SATISFIED, case.place, "The artifact was reported there.", None, case.membership.artifact.entry_index
        )
        return _resolved(_noted(found, note))

    def _unknown(self, rule: Provenance) -> Resolution:
        known = known_of(flow=None, tags={}, artifact=self.artifact.name, fingerprint=self.artifact.fingerprint)
        excepted, note = _excepted(rule.exceptions, known)
        if excepted is not None:
            return _excused(excepted, "no flow")
        said = "No flow that this policy covers knows the artifact."
        remedy = "Report it with reportArtifact into the trail that built it."
        return _resolved(_noted(Found(MISSING, "no flow", said, remedy), note))

    def _trail_compliance(self, rule: TrailCompliance, case: Case) -> Resolution:
        excepted, note = _excepted(rule.exceptions, case.known) if rule.exceptions else (None, "")
        if excepted is not None:
            return _excused(excepted, case.place)
        return _resolved(_noted(trail_compliance(case, self.bench), note))

    def _attested(self, rule: Attested, case: Case) -> Resolution:
        applies, note = _applies(rule.applies, case.known)
        if not applies:
            return _inapplicable(rule.applies, case.place)
        return _resolved(_noted(attested(rule, case, self.artifact, now=self.bench.now), note))

    def _any_of(self, rule: AnyOf, case: Case) -> Resolution:
        applies, note = _applies(rule.applies, case.known)
        if not applies:
            return _inapplicable(rule.applies, case.place)
        if not note and (one := self._one_that_will_do(rule, case)) is not None:
            return Resolution(Outcome.SATISFIED, one)
        resolutions = [self._attested(each, case) for each in rule.alternatives]
        found = [each.found for each in resolutions if each.outcome is not Outcome.NOT_APPLICABLE]
        if not found:
            return Resolution(Outcome.NOT_APPLICABLE, Found(UNDECIDED, case.place, "None of the choices applies."))
        course = best_of([each.course for each in found], now=self.bench.now)
        chosen = next(each for each in found if each.course.status is course.status)
        if course.status is Status.COMPLIANT:
            return _resolved(_noted(chosen._replace(course=course), note))
        because = tuple(
            [_reason(each.asked, tried) for each, tried in zip(rule.alternatives, resolutions, strict=True)]
        )
        said = f"None of the {len(found)} choices is satisfied."
        whole = Found(course, case.place, said, f"Provide {rule.asked} in {case.place}.", chosen.entry_index, because)
        return _resolved(_noted(whole, note))

    def _one_that_will_do(self, rule: AnyOf, case: Case) -> Found | None:
        """A choice without a condition that is satisfied for good: nobody needs to look at the others."""
        for each in rule.alternatives:
            if each.applies is None:
                found = attested(each, case, self.artifact, now=self.bench.now)
                if found.course is SATISFIED:
                    return found
        return None


# --- conditions


def _covers(scope: Scope, known: dict[str, Value]) -> bool:
    if scope.flows is not None:
        return known["flow.name"] in scope.flows
    if any(known.get(f"flow.tags.{key}") != value for key, value in scope.tags):
        return False
    return scope.applies is None or scope.applies.test(known) is not False


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


def _noted(found: Found, note: str) -> Found:
    return found._replace(explanation=found.explanation + note) if note else found


def _resolved(found: Found) -> Resolution:
    if found.course is SATISFIED:
        return Resolution(Outcome.SATISFIED, found)
    return Resolution(_OUTCOMES[found.course.status._value_], found)


def _excused(exception: Condition, place: str) -> Resolution:
    return Resolution(Outcome.WAIVED, Found(SATISFIED, place, f"Waived by the exception `{exception.text}`."))


def _inapplicable(condition: Condition | None, place: str) -> Resolution:
    assert condition is not None
    return Resolution(Outcome.NOT_APPLICABLE, Found(UNDECIDED, place, f"Not applicable: `{condition.text}` is false."))


def _asks_nothing(policy: Policy, subject: str) -> Reason:
    label = f"policy {policy.name} v{policy.version}"
    said = "The policy has no rules, so there is nothing to judge by."
    return Reason(label, subject, Status.UNKNOWN, said, "Add rules to the policy, or detach it.")


def _named(artifact: ArtifactFacts) -> str:
    return f"artifact {artifact.name} {artifact.fingerprint[:12]}…"
