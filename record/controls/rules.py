"""Whether a change had the evidence that a control asks for: when it was deployed, and as the record stands now.

The population of a period is every change in it: each reported deployment, and each shadow change (a run that began, of an
artifact of which no deployment to that environment was reported in time). Rules kept here:
 * a control is met by a change when every requirement of its mapping is; a control without a mapping is not tested at all;
 * when deployed: only what was recorded by the instant of the deployment, and before its report, counts; overrides, waivers
   and approvals stand as they stood at that instant. Now: everything, at the record's instant;
 * an attestation is there when one of the trails asked has it, right, and none of them has it wrong: a good one hides no bad
   one, and a trail that does not have it takes nothing away;
 * a policy must be satisfied; one of which no rule applies is no evidence;
 * a shadow change is an exception to every control, whatever is known of the artifact: nobody said that it was made.

So each change in a control's scope is met or an exception, in both readings: population = met + exceptions.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from typing import NamedTuple, Protocol

from record.clock import to_rfc3339
from record.controls.mappings import ApprovalRequired, AttestationRequired, PolicyRequired, Requirement
from record.details import checked_instant
from record.ids import DeploymentId, EntryIndex, EnvironmentId, Fingerprint, LedgerSize
from record.policies.bench import Bench, Case, Found
from record.policies.courses import MISSING, UNDECIDED, Course, followed
from record.policies.evidence import attested
from record.policies.facts import ApprovalFact, ArtifactFacts, Membership, WaiverFact
from record.policies.forms import Approved, Attested, Policy
from record.policies.rules import judge_artifact_by
from record.policies.running import approved
from record.refusals import InvalidInput
from record.trails.facts import ArtifactFact, TrailFacts
from record.verdicts import Reason, Status, earliest, worst


class ChangeKind(Enum):
    """How a change is known."""

    DEPLOYMENT = "DEPLOYMENT"
    SHADOW_CHANGE = "SHADOW_CHANGE"


@dataclass(frozen=True, slots=True)
class Window:
    """A period: `since` inclusive, `until` exclusive. A deployment lies in it by when it happened, a run by when it began."""

    since: datetime
    until: datetime

    @classmethod
    def checked(cls, since: datetime, until: datetime) -> "Window":
        """The period between two instants; refuses one that ends before it begins."""
        checked_instant(since, field="from")
        checked_instant(until, field="to")
        if since >= until:
            raise InvalidInput(
                f"The period ends ({to_rfc3339(until)}) before it begins. Give a `from` that is earlier than `to`.",
                field="to",
            )
        return cls(since, until)


class Place(NamedTuple):
    """Where a change stands among all changes: its instant, its entry, and its number in that entry."""

    at: datetime
    entry_index: EntryIndex
    ordinal: int


@dataclass(frozen=True, slots=True)
class Change:
    """A member of the population. `known_size`: how many entries there were when it was made and not yet reported."""

    kind: ChangeKind
    place: Place
    environment_id: EnvironmentId
    environment: str
    fingerprint: Fingerprint
    name: str
    known_size: LedgerSize
    by: str | None = None
    deployment_id: DeploymentId | None = None
    snapshot_number: int | None = None
    flow: str | None = None
    trail: str | None = None
    commit: str | None = None

    @property
    def subject(self) -> str:
        """How reasons name it."""
        return f"artifact {self.name} {self.fingerprint[:12]}… in {self.environment}"


class Basis(Enum):
    """As of when evidence is asked for."""

    WHEN_DEPLOYED = "WHEN_DEPLOYED"
    NOW = "NOW"


@dataclass(frozen=True, slots=True)
class Finding:
    """How a change fared: whether all was there, why, and until when that holds by time alone."""

    met: bool
    reasons: tuple[Reason, ...]
    holds_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Tally:
    """How many changes there were, and how many had the evidence."""

    population: int
    met_when_deployed: int
    met_now: int

    def met(self, basis: Basis) -> int:
        return self.met_when_deployed if basis is Basis.WHEN_DEPLOYED else self.met_now

    def exceptions(self, basis: Basis) -> int:
        """How many had not."""
        return self.population - self.met(basis)


class History(Protocol):
    """What knows how approvals and waivers stood when a change was made."""

    def approvals_at(self, change: Change) -> tuple[ApprovalFact, ...]: ...

    def waivers_at(self, change: Change) -> tuple[WaiverFact, ...]: ...


class Court:
    """Looks at changes, with what is known of their artifacts, at one moment. What it worked out for now it keeps."""

    def __init__(
        self,
        facts: Mapping[str, ArtifactFacts],
        policies: Mapping[str, Policy],
        *,
        now: datetime,
        history: History | None = None,
    ) -> None:
        self._history = history
        self._facts = facts
        self._policies = policies
        self._bench = Bench(now)
        self._now: dict[tuple[str, str, str], _View] = {}
        self._then: tuple[Place, _View] | None = None

    def find(self, change: Change, requirements: Sequence[Requirement], basis: Basis) -> Finding:
        """Whether a change had all that these requirements ask for. Ask about one change after the other: it costs less."""
        if change.kind is ChangeKind.SHADOW_CHANGE:
            return Finding(False, (_shadow(change),))
        view = self._view_then(change) if basis is Basis.WHEN_DEPLOYED else self._view_now(change)
        found = [view.resolved(requirement) for requirement in requirements]
        until = None if basis is Basis.WHEN_DEPLOYED else earliest(course.until for course, _ in found)
        return Finding(_all_met(found), tuple([reason for _, reason in found]), until)

    def _view_then(self, change: Change) -> "_View":
        """What was known when it was deployed. Kept for the next question, which is about the same change as a rule."""
        if self._then is None or self._then[0] != change.place:
            facts = as_it_stood(self._known(change), change, self._history)
            self._then = change.place, _View.of(facts, change, Bench(change.place.at), self._policies)
        return self._then[1]

    def _view_now(self, change: Change) -> "_View":
        """What is known now: the same for all deployments of an artifact to an environment."""
        key = (change.fingerprint, change.environment, change.name)
        view = self._now.get(key)
        if view is None:
            view = self._now[key] = _View.of(self._known(change), change, self._bench, self._policies)
        return view

    def _known(self, change: Change) -> ArtifactFacts:
        facts = self._facts.get(change.fingerprint) or ArtifactFacts(change.fingerprint, change.name)
        return replace(facts, name=change.name)


def tally(findings: Iterable[tuple[bool, bool]]) -> Tally:
    """Counts what was found of each change: whether it was met when deployed, and now."""
    population = when_deployed = now = 0
    for was_met, is_met in findings:
        population += 1
        when_deployed += was_met
        now += is_met
    return Tally(population, when_deployed, now)


def in_scope(change: Change, environments: Sequence[str] | None) -> bool:
    """Whether a control that is asked of these environments (None: of all) is asked of this change."""
    return environments is None or change.environment in environments


def entries_of(change: Change, finding: Finding, mapping: EntryIndex) -> tuple[EntryIndex, ...]:
    """Every entry that a finding rests on: the change, the mapping, and whatever decided; in ledger order."""
    found = {change.place.entry_index, mapping}
    waiting = list(finding.reasons)
    while waiting:
        reason = waiting.pop()
        if reason.entry_index is not None:
            found.add(reason.entry_index)
        waiting += reason.because
    return tuple(sorted(found))


def as_it_stood(facts: ArtifactFacts, change: Change, history: History | None = None) -> ArtifactFacts:
    """What was known of the artifact when it was deployed: nothing recorded later, nothing that ended later ended yet.

    Without a history, of approvals and waivers only what came later is left out.
    """
    size = change.known_size
    trails: dict[int, TrailFacts] = {}
    for each in facts.memberships:
        if id(each.trail) not in trails:
            trails[id(each.trail)] = each.trail._replace(
                attestations=tuple([fact for fact in each.trail.attestations if fact.entry_index < size]),
                artifacts=tuple([fact for fact in each.trail.artifacts if fact.entry_index < size]),
            )
    memberships = []
    for each in facts.memberships:
        trail = trails[id(each.trail)]
        report = _report_then(each, trail, size)
        if report is not None:
            memberships.append(each._replace(trail=trail, artifact=report))
    at = change.place.at
    return replace(
        facts,
        memberships=tuple(memberships),
        approvals=tuple([_approval_then(each, size) for each in facts.approvals if each.entry_index < size])
        if history is None
        else history.approvals_at(change),
        waivers=tuple([each for each in facts.waivers if each.entry_index < size])
        if history is None
        else history.waivers_at(change),
        runs=tuple(
            [
                replace(run, until=None) if run.until is not None and run.until > at else run
                for run in facts.runs
                if run.since <= at
            ]
        ),
    )


def _report_then(member: Membership, trail: TrailFacts, size: LedgerSize) -> ArtifactFact | None:
    """The newest report of the artifact into the trail, of those that were there; None when there was none."""
    if member.artifact.entry_index < size:
        return member.artifact
    earlier = [
        report
        for report in trail.artifacts
        if (report.fingerprint, report.template_name) == (member.artifact.fingerprint, member.artifact.template_name)
    ]
    return max(earlier, key=lambda report: report.entry_index, default=None)


def _approval_then(request: ApprovalFact, size: LedgerSize) -> ApprovalFact:
    return replace(request, approved_by=tuple([given for given in request.approved_by if given[2] < size]))


@dataclass(frozen=True, slots=True)
class _View:
    """A change, and what is to be known of its artifact; what requirements came to is kept."""

    artifact: ArtifactFacts
    change: Change
    bench: Bench
    policies: Mapping[str, Policy]
    cases: Sequence[Case]
    kept: dict[Requirement, tuple[Course, Reason]]

    @classmethod
    def of(cls, facts: ArtifactFacts, change: Change, bench: Bench, policies: Mapping[str, Policy]) -> "_View":
        return cls(facts, change, bench, policies, bench.cases(facts), {})

    def resolved(self, requirement: Requirement) -> tuple[Course, Reason]:
        """How a requirement fared, and why."""
        answer = self.kept.get(requirement)
        if answer is None:
            if isinstance(requirement, AttestationRequired):
                answer = self._attestation(requirement)
            elif isinstance(requirement, ApprovalRequired):
                answer = self._approval(requirement)
            else:
                answer = self._policy(requirement)
            self.kept[requirement] = answer
        return answer

    def _attestation(self, requirement: AttestationRequired) -> tuple[Course, Reason]:
        asked = [case for case in self.cases if requirement.flows is None or case.membership.flow in requirement.flows]
        if not asked:
            flows = "any flow" if requirement.flows is None else " or ".join(requirement.flows)
            said = f"The artifact was not reported in {flows}, so nothing that was attested there is about it."
            remedy = "Report it with reportArtifact into the trail that built it, and attest it there."
            return MISSING, Reason(requirement.asked, self.change.subject, Status.INCOMPLETE, said, remedy)
        rule = Attested(line=1, name=requirement.name, type=requirement.type)
        found = [attested(rule, case) for case in asked]
        courses = [course for course, *_ in found]
        if len(courses) == 1:
            return courses[0], self._reason(requirement, found[0])
        instants = [instant for course in courses for instant, _ in course.later]
        whole = followed(_some_right_none_wrong(courses), instants, now=self.bench.now)
        deciding = next(each for each in found if each[0].status is whole.status)
        because = tuple([self._reason(requirement, each)._replace(subject=each[1]) for each in found])
        return whole, self._reason(requirement, deciding)._replace(because=because)

    def _approval(self, requirement: ApprovalRequired) -> tuple[Course, Reason]:
        rule = Approved(line=1, least=requirement.least, not_author=requirement.not_author)
        found = approved(rule, self.artifact, environment=self.change.environment, now=self.bench.now)
        return found[0], self._reason(requirement, found)

    def _reason(self, requirement: Requirement, found: Found) -> Reason:
        """How a requirement fared, as a reason about the change."""
        course, _, explanation, remedy, index, because = found
        return Reason(requirement.asked, self.change.subject, course.status, explanation, remedy, index, because)

    def _policy(self, requirement: PolicyRequired) -> tuple[Course, Reason]:
        policy = self.policies.get(requirement.name)
        if policy is None:
            said = f"There is no policy called {requirement.name} at this moment."
            return UNDECIDED, Reason(requirement.asked, self.change.subject, Status.UNKNOWN, said, "Map another.")
        judged = judge_artifact_by(
            [policy], self.artifact, environment=self.change.environment, now=self.bench.now, bench=self.bench
        )
        said, remedy = {
            Status.COMPLIANT: ("The policy is satisfied.", None),
            Status.UNKNOWN: (
                "No rule of the policy applies to the artifact.",
                "Map a policy that says something of it.",
            ),
        }.get(judged.course.status, ("The policy is not satisfied.", "Do what the reasons below this one say."))
        label = f"{requirement.asked} v{policy.version}"
        reason = Reason(label, self.change.subject, judged.course.status, said, remedy, None, judged.verdict.reasons)
        return judged.course, reason


def _some_right_none_wrong(courses: Sequence[Course]) -> Callable[[datetime], Status]:
    def status_at(instant: datetime) -> Status:
        found = [course.at(instant) for course in courses]
        if Status.NON_COMPLIANT in found:
            return Status.NON_COMPLIANT
        return Status.COMPLIANT if Status.COMPLIANT in found else worst(found)

    return status_at


def _all_met(found: Sequence[tuple[Course, Reason]]) -> bool:
    return bool(found) and all(course.status is Status.COMPLIANT for course, _ in found)


def _shadow(change: Change) -> Reason:
    return Reason(
        "every change is reported",
        change.subject,
        Status.NON_COMPLIANT,
        f"It was seen running in {change.environment}, and nobody reported in time that it was deployed there.",
        "Find out who put it there. Report deployments with reportDeployment when they happen.",
        change.place.entry_index,
    )
