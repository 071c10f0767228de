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
from typing import NamedTuple

from record.policies.bench import Bench
from record.policies.courses import UNDECIDED, Course, worst_of
from record.policies.facts import ArtifactFacts
from record.policies.forms import Policy
from record.policies.hearing import Hearing, Steps, named
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
    return _judge(policy, Hearing.of(artifact, environment, used)).verdict


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
    hearing = Hearing.of(artifact, environment, used)
    judged = tuple([_judge(policy, hearing) for policy in policies])
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
    return Reason(environment, named(judged.artifact), judged.course.status, said, remedy, None, because)


def _judge(policy: Policy, hearing: Hearing) -> ArtifactJudgement:
    hearing = hearing.under(policy.scope)
    before = hearing.before
    artifact, environment = before.artifact, before.environment
    waivers = live(artifact, environment, before.now) if artifact.waivers and environment is not None else []
    new = tuple.__new__
    courses, reasons = [], []
    for rule, label, sense in zip(policy.rules, policy.labels, policy.senses, strict=True):
        course, subject, said, remedy, index, found, because = hearing.hear(rule, sense)
        steps = because if found is None else Steps(label, found)
        reason = new(Reason, (label, subject, course[0], said, remedy, index, steps))
        if course is not UNDECIDED:
            if waivers:
                course, reason = waived(course, reason, [each for each in waivers if accepts(each, policy, rule)])
            courses.append(course)
        reasons.append(reason)
    course = worst_of(courses) if courses else UNDECIDED
    whole = [each for each in waivers if each.rule is None and each.fingerprint is not None]
    if whole and course.status is not COMPLIANT:
        label = f"policy {policy.name} v{policy.version}"
        above = Reason(label, hearing.subject, course.status, "", None, None, tuple(reasons))
        course, reason = waived(course, above, whole)
        return ArtifactJudgement(policy, course, (reason,))
    if whole:
        course, _ = waived(course, reasons[0], whole)
    if not policy.rules:
        reasons = [_asks_nothing(policy, hearing.subject)]
    return ArtifactJudgement(policy, course, tuple(reasons))


def _asks_nothing(policy: Policy, subject: str) -> Reason:
    label = f"policy {policy.name} v{policy.version}"
    said = "The policy has no rules, so there is nothing to judge by."
    return Reason(label, subject, UNKNOWN, said, "Add rules to the policy, or detach it.")
