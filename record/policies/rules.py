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
from itertools import chain
from typing import NamedTuple, TypeAlias

from record.policies.bench import Bench
from record.policies.courses import UNDECIDED, Course, worst_of
from record.policies.facts import ArtifactFacts
from record.policies.forms import Policy
from record.policies.hearing import Heard, Hearing, Steps, named
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
    def reasons(self) -> tuple[Reason, ...]:
        return tuple(chain.from_iterable([judged.reasons for judged in self.by_policy]))

    @property
    def verdict(self) -> Verdict:
        return Verdict(self.course.status, self.reasons, self.course.until)


@dataclass(frozen=True, slots=True)
class EnvironmentJudgement:
    """What all policies say of everything that runs in an environment."""

    verdict: Verdict
    running: tuple[RunningJudgement, ...]


def judge(
    policy: Policy, artifact: ArtifactFacts, *, environment: str | None, now: datetime, bench: Bench | None = None
) -> Verdict:
    """The verdict of one policy on one artifact. Without an environment nothing is approved, waived or run there."""
    hearing = Hearing.of(artifact, environment, bench or Bench(now))
    return _judge(policy, [hearing])[0].verdict


def judge_artifact_by(
    policies: Sequence[Policy],
    artifact: ArtifactFacts,
    *,
    environment: str | None,
    now: datetime,
    bench: Bench | None = None,
) -> RunningJudgement:
    """What several policies together say: the worst of those that have anything to say."""
    return _judge_all(policies, [Hearing.of(artifact, environment, bench or Bench(now))])[0]


def judge_environment(
    policies: Sequence[Policy], artifacts: Iterable[ArtifactFacts], *, environment: str, now: datetime
) -> EnvironmentJudgement:
    """The verdict on an environment, and on each artifact that runs there."""
    bench = Bench(now)
    ordered = sorted(artifacts, key=lambda artifact: (artifact.name, artifact.fingerprint))
    running = tuple(_judge_all(policies, [Hearing.of(artifact, environment, bench) for artifact in ordered]))
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
    because = judged.reasons
    if judged.course.status is COMPLIANT:
        said, remedy = "Every policy that has anything to say is satisfied.", None
    elif judged.course.status is UNKNOWN:
        said, remedy = "No rule of any policy applies to it.", "Report where it comes from, or require provenance."
    else:
        failing = sum([reason.outcome in (NON_COMPLIANT, INCOMPLETE) for reason in because])
        said = f"{failing} rule{' is' if failing == 1 else 's are'} not satisfied."
        remedy = "Do what the reasons below this one say, or waive it."
    return Reason(environment, named(judged.artifact), judged.course.status, said, remedy, None, because)


def _judge_all(policies: Sequence[Policy], hearings: Sequence[Hearing]) -> list[RunningJudgement]:
    """What all policies together say of each artifact."""
    by_policy = [_judge(policy, hearings) for policy in policies]
    running = []
    for place, hearing in enumerate(hearings):
        judged = tuple([each[place] for each in by_policy])
        deciding = [each.course for each in judged if each.course.status is not UNKNOWN]
        course = worst_of(deciding) if deciding else UNDECIDED
        running.append(RunningJudgement(hearing.before.artifact, course, judged))
    return running


def _judge(policy: Policy, hearings: Sequence[Hearing]) -> list[ArtifactJudgement]:
    """What a policy says of each artifact. Rule by rule: one thing for all artifacts is faster than all things for one."""
    hearings = [hearing.under(policy.scope) for hearing in hearings]
    heard = [
        [hearing.hear(rule, sense) for hearing in hearings]
        for rule, sense in zip(policy.rules, policy.senses, strict=True)
    ]
    reasons = [_reasons(label, each) for label, each in zip(policy.labels, heard, strict=True)]
    judged = []
    for place, hearing in enumerate(hearings):
        found = [(each[place][0], why[place]) for each, why in zip(heard, reasons, strict=True)]
        if hearing.before.artifact.waivers and hearing.before.environment is not None:
            judged.append(_judge_with_waivers(policy, hearing, found))
        else:
            judged.append(_judgement(policy, hearing, found))
    return judged


def _reasons(label: str, heard: Sequence[Heard]) -> list[Reason]:
    """What a rule of this label came to for each artifact, as reasons."""
    new = tuple.__new__  # a named tuple in half the time
    reasons = []
    for course, subject, said, remedy, index, found, count, because in heard:
        steps = because if found is None else Steps(label, found, count)
        reasons.append(new(Reason, (label, subject, course[0], said, remedy, index, steps)))
    return reasons


_Rules: TypeAlias = "list[tuple[Course, Reason]]"
"""How each rule of a policy fared, and why."""


def _judgement(policy: Policy, hearing: Hearing, found: _Rules) -> ArtifactJudgement:
    courses = [course for course, _ in found if course is not UNDECIDED]
    reasons = tuple([reason for _, reason in found]) or (_asks_nothing(policy, hearing.subject),)
    return ArtifactJudgement(policy, worst_of(courses) if courses else UNDECIDED, reasons)


def _judge_with_waivers(policy: Policy, hearing: Hearing, found: _Rules) -> ArtifactJudgement:
    before = hearing.before
    assert before.environment is not None, "without an environment nothing is waived"
    waivers = live(before.artifact, before.environment, before.now)
    for place, (rule, (course, reason)) in enumerate(zip(policy.rules, found, strict=True)):
        if course is not UNDECIDED:
            found[place] = waived(course, reason, [each for each in waivers if accepts(each, policy, rule)])
    judged = _judgement(policy, hearing, found)
    whole = [each for each in waivers if each.rule is None and each.fingerprint is not None]
    if whole and judged.course.status is not COMPLIANT:
        label = f"policy {policy.name} v{policy.version}"
        because = tuple([reason for _, reason in found])
        above = Reason(label, hearing.subject, judged.course.status, "", None, None, because)
        course, reason = waived(judged.course, above, whole)
        return ArtifactJudgement(policy, course, (reason,))
    if whole:
        course, _ = waived(judged.course, judged.reasons[0], whole)
        return judged._replace(course=course)
    return judged


def _asks_nothing(policy: Policy, subject: str) -> Reason:
    label = f"policy {policy.name} v{policy.version}"
    said = "The policy has no rules, so there is nothing to judge by."
    return Reason(label, subject, UNKNOWN, said, "Add rules to the policy, or detach it.")
