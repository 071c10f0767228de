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

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple, overload

from record.policies.bench import Bench, Case, Found
from record.policies.courses import UNDECIDED, Course, worst_of
from record.policies.expressions import Value
from record.policies.facts import ArtifactFacts
from record.policies.forms import Policy, Scope
from record.policies.resolving import RESOLVES, Before
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
    before = Before(artifact, inside, environment, bench.now, len(cases) - len(inside))
    subject = _named(artifact)
    courses, reasons = [], []
    for rule, label in zip(policy.rules, policy.labels, strict=True):
        course, reason = _of_rule(label, subject, RESOLVES[type(rule)](rule, before), before)
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


def _of_rule(label: str, subject: str, resolutions: Sequence[Found], before: Before) -> tuple[Course, Reason]:
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


def _covers(scope: Scope, known: dict[str, Value]) -> bool:
    if scope.flows is not None:
        return known["flow.name"] in scope.flows
    if any(known.get(f"flow.tags.{key}") != value for key, value in scope.tags):
        return False
    return scope.applies is None or scope.applies.test(known) is not False


def _asks_nothing(policy: Policy, subject: str) -> Reason:
    label = f"policy {policy.name} v{policy.version}"
    said = "The policy has no rules, so there is nothing to judge by."
    return Reason(label, subject, UNKNOWN, said, "Add rules to the policy, or detach it.")


def _named(artifact: ArtifactFacts) -> str:
    return f"artifact {artifact.name} {artifact.fingerprint[:12]}…"
