"""Rules of deployments: whether one was seen running, and where what runs and what was reported drift apart.

Three ways to drift, each only when the grace period has passed, because reports of deployments and snapshots cross each other:

    shadow change     it runs, and nobody ever reported that it was deployed there
    not seen          the last deployment of its unit was never seen running
    other             something of a unit runs, but not what was last deployed of it

A unit is what a deployment replaces: a flow's artifact of one template name; or, of an artifact that no flow knows, itself.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from record.environments.rules import Run
from record.ids import EntryIndex, Fingerprint
from record.verdicts import earliest


class Sight(Enum):
    """Whether snapshots confirm a deployment."""

    SEEN = "SEEN"
    AWAITED = "AWAITED"
    NOT_SEEN = "NOT_SEEN"


@dataclass(frozen=True, slots=True)
class Sighting:
    """When a deployment was first seen running, and in which snapshot; `holds_until` is when waiting ends."""

    sight: Sight
    at: datetime | None = None
    number: int | None = None
    holds_until: datetime | None = None


def sighting(deployed_at: datetime, runs: Iterable[Run], *, grace: timedelta, now: datetime) -> Sighting:
    """Whether a deployment was seen, given the artifact's runs in that environment.

    A run that had begun already and goes on counts: pipelines often report a deployment when it is done.
    """
    for run in sorted(runs, key=lambda each: each.since):
        if run.until is None or run.until > deployed_at:
            return Sighting(Sight.SEEN, max(run.since, deployed_at), run.since_number)
    due = deployed_at + grace
    if now < due:
        return Sighting(Sight.AWAITED, holds_until=due)
    return Sighting(Sight.NOT_SEEN)


@dataclass(frozen=True, slots=True)
class DeploymentFact:
    """The last deployment of a unit, and the runs of its artifact in the environment."""

    entry_index: EntryIndex
    fingerprint: Fingerprint
    name: str
    unit: str
    deployed_at: datetime
    runs: tuple[Run, ...] = ()


@dataclass(frozen=True, slots=True)
class RunningFact:
    """What runs, since when, of which units it is, and when it was first reported as deployed there (None: never)."""

    fingerprint: Fingerprint
    name: str
    since: datetime
    units: frozenset[str]
    first_deployed_at: datetime | None = None


class DriftKind(Enum):
    """How what runs and what was reported drift apart."""

    SHADOW_CHANGE = "SHADOW_CHANGE"
    NOT_SEEN = "NOT_SEEN"
    OTHER_VERSION = "OTHER_VERSION"


@dataclass(frozen=True, slots=True)
class Drift:
    """One drift: of which artifact, since when, against which deployment, the sentence for people, and what to do."""

    kind: DriftKind
    fingerprint: Fingerprint
    name: str
    since: datetime
    explanation: str
    remedy: str
    deployment: EntryIndex | None = None


@dataclass(frozen=True, slots=True)
class Drifts:
    """All drifts of an environment, and the instant at which grace ends for something (None: for nothing)."""

    drifts: tuple[Drift, ...]
    holds_until: datetime | None


def drift(running: Sequence[RunningFact], last: Sequence[DeploymentFact], *, grace: timedelta, now: datetime) -> Drifts:
    """Where an environment drifts. `last` are the last deployments, one for each unit."""
    by_fingerprint = {each.fingerprint: each for each in running}
    by_unit: dict[str, list[RunningFact]] = {}
    for fact in running:
        for unit in fact.units:
            by_unit.setdefault(unit, []).append(fact)
    found: list[Drift] = []
    awaited: list[datetime | None] = []
    for fact in running:
        drifted, due = _shadow(fact, grace=grace, now=now)
        found += drifted
        awaited.append(due)
    for deployment in sorted(last, key=lambda each: each.entry_index):
        if deployment.fingerprint in by_fingerprint:
            continue
        sight = sighting(deployment.deployed_at, deployment.runs, grace=grace, now=now)
        awaited.append(sight.holds_until)
        if sight.sight is Sight.AWAITED:
            continue
        if sight.sight is Sight.NOT_SEEN:
            found.append(_not_seen(deployment, grace))
        found += [_other(fact, deployment, grace) for fact in by_unit.get(deployment.unit, ())]
    return Drifts(tuple(found), earliest(awaited))


def _shadow(fact: RunningFact, *, grace: timedelta, now: datetime) -> tuple[list[Drift], datetime | None]:
    if fact.first_deployed_at is not None:
        return [], None
    due = fact.since + grace
    if now < due:
        return [], due
    shadow = Drift(
        DriftKind.SHADOW_CHANGE,
        fact.fingerprint,
        fact.name,
        due,
        f"{fact.name} runs, and nobody reported that it was deployed here.",
        "Report its deployment with reportDeployment, or find out who put it there and remove it.",
    )
    return [shadow], None


def _not_seen(deployment: DeploymentFact, grace: timedelta) -> Drift:
    return Drift(
        DriftKind.NOT_SEEN,
        deployment.fingerprint,
        deployment.name,
        deployment.deployed_at + grace,
        f"{deployment.name} was reported as deployed, and no snapshot saw it run within {_minutes(grace)}.",
        "Find out whether the deployment failed, and whether snapshots of this environment still arrive.",
        deployment.entry_index,
    )


def _other(fact: RunningFact, deployment: DeploymentFact, grace: timedelta) -> Drift:
    return Drift(
        DriftKind.OTHER_VERSION,
        fact.fingerprint,
        fact.name,
        max(fact.since, deployment.deployed_at + grace),
        f"{fact.name} runs, but {deployment.name} was the last that was deployed in its place.",
        "Deploy what should run, and report it; a roll-back is a deployment too.",
        deployment.entry_index,
    )


def _minutes(grace: timedelta) -> str:
    return f"{grace.total_seconds() / 60:g} minutes"


def unit_of(flow: str | None, template_name: str | None, fingerprint: str) -> str:
    """What a deployment replaces. Names of flows hold no slash."""
    return fingerprint if flow is None or template_name is None else f"{flow}/{template_name}"


def last_of_units(deployments: Iterable[DeploymentFact]) -> Mapping[str, DeploymentFact]:
    """The last deployment of each unit: by when it was deployed, then by when it was recorded."""
    last: dict[str, DeploymentFact] = {}
    for each in sorted(deployments, key=lambda one: (one.deployed_at, one.entry_index)):
        last[each.unit] = each
    return last
