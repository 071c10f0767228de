"""Verdicts on environments as they stand at a moment: what is attached, what runs, and what is known of that.

It stands above queries of several nouns and below nobody's service, so that a page of environments is judged with as many
statements as one. The number of statements depends neither on how many artifacts run nor on how many
approvals and waivers there are; every thousand trails that know the artifacts cost one more.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from record.approvals import queries as approvals
from record.database import Connection
from record.environments import queries as environments
from record.environments import snapshots
from record.environments.queries import Environment
from record.environments.rules import Run, union_of_runs
from record.environments.snapshots import Named
from record.ids import EnvironmentId, Fingerprint
from record.moment import Moment
from record.policies import queries, rules
from record.policies.facts import ArtifactFacts, RunFact, WaiverFact
from record.policies.forms import Approved, DeployedTo, Policy
from record.policies.rules import EnvironmentJudgement
from record.waivers import queries as waivers


async def judged_by_attached(
    connection: Connection, moment: Moment, ids: Sequence[EnvironmentId]
) -> list[EnvironmentJudgement | None]:
    """What the attached policies say of what runs in each of these environments; None for what is not there."""
    found = await environments.by_ids(connection, moment, ids)
    places = [each for each in found if each is not None]
    attached = await queries.attached_to(connection, moment, [each.environment_id for each in places])
    policies = [[each.understood for each in rows] for rows in attached]
    judged = await judged_by(connection, moment, list(zip(places, policies, strict=True)))
    by_id = {place.environment_id: judgement for place, judgement in zip(places, judged, strict=True)}
    return [by_id.get(environment_id) for environment_id in ids]


async def judged_by(
    connection: Connection, moment: Moment, asked: Sequence[tuple[Environment, Sequence[Policy]]]
) -> list[EnvironmentJudgement]:
    """What these policies say of what runs in each of these environments."""
    running = await _running(connection, moment, [place for place, _ in asked])
    return await _judged(connection, moment, [(*each, there) for each, there in zip(asked, running, strict=True)])


@dataclass(frozen=True, slots=True)
class OneOfMany:
    """An artifact under the name by which it runs in an environment."""

    environment_id: EnvironmentId
    running: Named


async def some_judged(
    connection: Connection, moment: Moment, asked: Sequence[OneOfMany]
) -> list[EnvironmentJudgement | None]:
    """What the policies attached to its environment say of each of these artifacts, as if nothing else ran there.

    None for an environment that is not there. The statements of one environment, and the work of these artifacts.
    """
    return await _judged_there(connection, moment, [(each.environment_id, [each.running]) for each in asked])


@dataclass(frozen=True, slots=True)
class PastSnapshot:
    """A snapshot by number; of a logical environment, one of each part."""

    environment_id: EnvironmentId
    parts: tuple[tuple[EnvironmentId, int], ...]


async def snapshots_judged(
    connection: Connection, moment: Moment, asked: Sequence[PastSnapshot]
) -> list[EnvironmentJudgement | None]:
    """What is said at this moment of what ran in each of these snapshots, by the policies that are attached at this moment."""
    parts = list(dict.fromkeys(part for each in asked for part in each.parts))
    rows = [row for row in await snapshots.by_numbers(connection, moment, parts) if row is not None]
    ran = await snapshots.names_in(connection, moment, rows)
    found = {(row.environment_id, row.number): running for row, running in zip(rows, ran, strict=True)}
    there = [(each.environment_id, _united([found.get(part, ()) for part in each.parts])) for each in asked]
    return await _judged_there(connection, moment, there)


async def _judged_there(
    connection: Connection, moment: Moment, asked: Sequence[tuple[EnvironmentId, Sequence[Named]]]
) -> list[EnvironmentJudgement | None]:
    """What the attached policies say of what is given with each environment; None for one that is not there."""
    ids = list(dict.fromkeys(environment_id for environment_id, _ in asked))
    found = dict(zip(ids, await environments.by_ids(connection, moment, ids), strict=True))
    attached = dict(zip(ids, await queries.attached_to(connection, moment, ids), strict=True))
    known = [
        (place, [row.understood for row in attached[environment_id]], there)
        for environment_id, there in asked
        if (place := found[environment_id]) is not None
    ]
    judged = iter(await _judged(connection, moment, known))
    return [None if found[environment_id] is None else next(judged) for environment_id, _ in asked]


async def _judged(
    connection: Connection, moment: Moment, asked: Sequence[tuple[Environment, Sequence[Policy], Sequence[Named]]]
) -> list[EnvironmentJudgement]:
    """What policies say of what runs, or ran, in environments."""
    every = [policy for _, policies, _ in asked for policy in policies]
    fingerprints = list(dict.fromkeys(each.fingerprint for *_, there in asked for each in there))
    places = [place for place, *_ in asked]
    facts = await facts_about(connection, moment, fingerprints, every, places) if every else {}

    def judge() -> list[EnvironmentJudgement]:
        return [
            rules.judge_environment(
                policies,
                [_called(each, facts.get(each.fingerprint)) for each in there],
                environment=place.name,
                now=moment.instant,
            )
            for place, policies, there in asked
        ]

    return await asyncio.to_thread(judge)  # hundreds of artifacts before many rules take a while


async def _running(connection: Connection, moment: Moment, places: Sequence[Environment]) -> list[list[Named]]:
    ids = list(dict.fromkeys(part for place in places for part in place.places))
    newest = [each for each in await snapshots.newest(connection, moment, ids) if each is not None]
    there = await snapshots.names_in(connection, moment, newest)
    found = {each.environment_id: running for each, running in zip(newest, there, strict=True)}
    return [_united([found.get(part, ()) for part in place.places]) for place in places]


def _united(parts: Sequence[Sequence[Named]]) -> list[Named]:
    """What runs in any of these parts, each artifact once: under the first of its names, as `rules.union` has it."""
    if len(parts) == 1:
        return list(parts[0])
    first: dict[Fingerprint, Named] = {}
    for each in sorted([each for part in parts for each in part], key=lambda each: each.name):
        first.setdefault(each.fingerprint, each)
    return list(first.values())


async def facts_about(
    connection: Connection,
    moment: Moment,
    fingerprints: Sequence[Fingerprint],
    policies: Sequence[Policy],
    places: Sequence[Environment],
) -> dict[str, ArtifactFacts]:
    """Everything that these policies may ask about these artifacts, known anywhere or not, in these environments."""
    counted = frozenset().union(*(policy.counted_types for policy in policies))
    dated = frozenset().union(*(policy.dated_types for policy in policies))
    known = await queries.facts_about(connection, moment, fingerprints, counted=counted, dated=dated)
    ran = await _runs(connection, moment, fingerprints, policies)
    asks = any(isinstance(rule, Approved) for policy in policies for rule in policy.rules)
    approved = await approvals.facts_about(connection, moment, fingerprints) if asks else {}
    environment_ids = list(dict.fromkeys(place.environment_id for place in places))
    excused = await waivers.facts_about(connection, moment, fingerprints, environment_ids) if places else []
    if not (ran or approved or excused):
        return {each.fingerprint: each for each in known}
    for_all = tuple(each for each in excused if each.fingerprint is None)
    by_fingerprint: dict[str, list[WaiverFact]] = {}
    for waiver in excused:
        if waiver.fingerprint is not None:
            by_fingerprint.setdefault(waiver.fingerprint, []).append(waiver)
    return {
        each.fingerprint: ArtifactFacts(
            each.fingerprint,
            each.name,
            each.memberships,
            approvals=approved.get(Fingerprint(each.fingerprint), ()),
            waivers=(*for_all, *by_fingerprint.get(each.fingerprint, ())),
            runs=tuple(ran.get(each.fingerprint, ())),
            attested_at=each.attested_at,
            counts=each.counts,
        )
        for each in known
    }


async def _runs(
    connection: Connection, moment: Moment, fingerprints: Sequence[Fingerprint], policies: Sequence[Policy]
) -> dict[str, list[RunFact]]:
    """When these artifacts ran in the environments that the policies ask about."""
    names = {rule.environment for policy in policies for rule in policy.rules if isinstance(rule, DeployedTo)}
    if not names:
        return {}
    asked = [each for each in await environments.by_names(connection, moment, sorted(names)) if each is not None]
    within = list(dict.fromkeys(part for place in asked for part in place.places))
    found: dict[str, list[RunFact]] = {}
    for runs in await snapshots.runs_of(connection, moment, fingerprints, environments=within):
        for place in asked:
            for run in _there(place, runs):
                fact = RunFact(place.name, run.fingerprint, run.since, run.until)
                found.setdefault(run.fingerprint, []).append(fact)
    return found


def _there(place: Environment, runs: Sequence[Run]) -> list[Run]:
    inside = [run for run in runs if run.environment_id in place.places]
    return union_of_runs(inside, place.environment_id) if place.is_logical else inside


def _called(running: Named, facts: ArtifactFacts | None) -> ArtifactFacts:
    """An artifact under the name by which it runs."""
    if facts is None:
        return ArtifactFacts(running.fingerprint, running.name)
    return facts if facts.name == running.name else replace(facts, name=running.name)
