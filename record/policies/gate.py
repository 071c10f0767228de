"""The gate: may this artifact run in an environment, by policies, or by its flows' templates? Records nothing.

It is asked by pipelines that wait, so it takes few statements: whatever the artifact's trails hold, one for the environment with
its policies, two for what trails know, and more only for what a policy asks beyond them.

What cannot be judged has an answer of its own, and none of these is "compliant": no such environment or policy, nothing attached
or asked to judge by, an artifact that nobody knows. The artifact need not run where it is asserted; it goes by the name of its
newest report.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from record.access.rules import Action, Caller
from record.artifacts.rules import judge_artifact
from record.database import Connection
from record.environments import snapshots
from record.environments.queries import Environment
from record.flows.templates import Template
from record.ids import Fingerprint
from record.moment import Moment
from record.policies import presence, queries, rules
from record.policies.facts import ArtifactFacts, Membership
from record.record import Record
from record.refusals import InvalidInput
from record.verdicts import COMPLIANT, UNKNOWN, Reason, Verdict, earliest, worst

POLICIES_MAX: Final = 50


class Obstacle(Enum):
    """Why nothing could be judged."""

    UNKNOWN_ARTIFACT = "UNKNOWN_ARTIFACT"
    UNKNOWN_ENVIRONMENT = "UNKNOWN_ENVIRONMENT"
    UNKNOWN_POLICY = "UNKNOWN_POLICY"
    NO_POLICY = "NO_POLICY"
    NO_TEMPLATE = "NO_TEMPLATE"


@dataclass(frozen=True, slots=True)
class By:
    """What an artifact is asserted against: exactly one of an environment's policies, named policies, its flows' templates."""

    environment: str | None = None
    policies: Sequence[str] | None = None
    templates: bool = False


@dataclass(frozen=True, slots=True)
class Asserted:
    """The artifact was judged. `judged_by` names policies and their versions, or trails with theirs of the template."""

    fingerprint: Fingerprint
    name: str
    verdict: Verdict
    judged_by: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NotAsserted:
    """The artifact could not be judged: why, and what to do."""

    obstacle: Obstacle
    explanation: str
    remedy: str


async def assert_artifact(
    record: Record, caller: Caller, moment: Moment, fingerprint: Fingerprint, by: By
) -> Asserted | NotAsserted:
    """Whether the artifact of this (whole) fingerprint satisfies what it is asserted against, at a moment.

    Everything that is known counts, also what the caller may not read: a gate answers the same to all who may ask. An artifact of
    which the caller may read nothing is unknown to them.
    """
    given = (by.environment is not None) + (by.policies is not None) + by.templates
    if given != 1:
        raise InvalidInput(
            "Assert an artifact against exactly one of: an environment, policies, or templates. "
            f"{'Leave out all but one.' if given else 'Give one.'}",
            field="environment",
        )
    async with record.database.connection(moment.org_id) as connection:
        asked = _Asked(connection, moment, caller, fingerprint)
        if by.environment is not None:
            return await _by_environment(asked, by.environment)
        return await _by_templates(asked) if by.policies is None else await _by_policies(asked, by.policies)


@dataclass(frozen=True, slots=True)
class _Asked:
    connection: Connection
    moment: Moment
    caller: Caller
    fingerprint: Fingerprint


async def _by_environment(asked: _Asked, name: str) -> Asserted | NotAsserted:
    readable = asked.caller.may(Action.READ, environment=name)
    found = await queries.attached_to_named(asked.connection, asked.moment, name) if readable else None
    if found is None:
        return NotAsserted(
            Obstacle.UNKNOWN_ENVIRONMENT,
            f"There is no environment called {name[:80]} in this organization.",
            "Create it with createEnvironment, or check the name.",
        )
    place, policies, waived = found
    if not policies:
        return NotAsserted(
            Obstacle.NO_POLICY,
            f"No policy is attached to the environment {place.name}, so there is nothing to judge by.",
            "Attach a policy with attachPolicy.",
        )
    return await _judged(asked, policies, place, waived=waived)


async def _by_policies(asked: _Asked, names: Sequence[str]) -> Asserted | NotAsserted:
    asked.caller.require_somewhere(Action.READ)
    names = sorted(set(names))
    if len(names) > POLICIES_MAX:
        raise InvalidInput(
            f"{len(names)} policies are too many at once. Name at most {POLICIES_MAX}.", field="policies"
        )
    if not names:
        return NotAsserted(
            Obstacle.NO_POLICY, "No policy is named, so there is nothing to judge by.", "Name at least one."
        )
    found = await queries.by_names(asked.connection, asked.moment, names)
    missing = [name for name, policy in zip(names, found, strict=True) if policy is None]
    if missing:
        return NotAsserted(
            Obstacle.UNKNOWN_POLICY,
            f"There is no policy called {missing[0][:80]} in this organization.",
            "Create it with createPolicy, or check the name.",
        )
    return await _judged(asked, [policy for policy in found if policy is not None], None, waived=False)


async def _judged(
    asked: _Asked, policies: Sequence[queries.Policy], place: Environment | None, *, waived: bool
) -> Asserted | NotAsserted:
    understood = [policy.understood for policy in policies]
    places = [place] if place is not None and waived else []  # where nobody asked for a waiver, none is looked for
    found = await presence.facts_about(asked.connection, asked.moment, [asked.fingerprint], understood, places)
    facts = await _known(asked, found[asked.fingerprint])
    if facts is None:
        return _unknown(asked.fingerprint)
    environment = None if place is None else place.name
    judged = rules.judge_artifact_by(understood, facts, environment=environment, now=asked.moment.instant).verdict
    if not _may_see(asked.caller, facts.memberships, all):
        judged = replace(judged, reasons=tuple([_hidden(reason) for reason in judged.reasons]))
    by = tuple([f"policy {policy.name} v{policy.version}" for policy in policies])
    return Asserted(asked.fingerprint, facts.name, judged, by)


async def _by_templates(asked: _Asked) -> Asserted | NotAsserted:
    asked.caller.require_somewhere(Action.READ)
    (facts,) = await queries.facts_about(asked.connection, asked.moment, [asked.fingerprint])
    if not facts.memberships or not _may_see(asked.caller, facts.memberships, any):
        return _unknown(asked.fingerprint)
    members = [each for each in facts.memberships if _asks(each.trail.template, each.artifact.template_name)]
    if not members:
        return NotAsserted(
            Obstacle.NO_TEMPLATE,
            f"No template of a flow that knows {asked.fingerprint[:12]}… asks anything of it, so there is nothing to judge by.",
            "Give a flow a template that says what the artifact needs, or assert it against policies.",
        )
    # A trail whose template asks nothing counts by what was attested there: what is wrong anywhere is wrong.
    judged = [(each, judge_artifact(each.trail, each.artifact, now=asked.moment.instant)) for each in facts.memberships]
    counted = [(each, verdict) for each, verdict in judged if each in members or verdict.status is not UNKNOWN]
    readable = [each for each in members if _may_see(asked.caller, [each], all)]
    reasons = [_of_trail(each, verdict) for each, verdict in counted]
    shown = [
        reason if _may_see(asked.caller, [each], all) else _hidden(reason)
        for (each, _), reason in zip(counted, reasons, strict=True)
    ]
    verdict = Verdict(
        worst([verdict.status for _, verdict in counted]),
        tuple(shown),
        earliest([verdict.holds_until for _, verdict in counted]),
    )
    by = tuple([f"trail {each.flow}/{each.trail.name}, template v{each.trail.template_version}" for each in readable])
    return Asserted(asked.fingerprint, facts.name, verdict, by)


def _of_trail(member: Membership, verdict: Verdict) -> Reason:
    """How the artifact stands in one trail, with what its template asked below."""
    failing = sum(reason.outcome is not COMPLIANT for reason in verdict.reasons)
    said = f"{failing} of {len(verdict.reasons)} is not as asked." if failing else "Everything is as asked."
    remedy = "Do what the reasons below this one say." if failing else None
    rule, index = f"template v{member.trail.template_version}", member.artifact.entry_index
    place = f"trail {member.flow}/{member.trail.name}"
    return Reason(rule, place, verdict.status, said, remedy, index, verdict.reasons)


async def _known(asked: _Asked, facts: ArtifactFacts) -> ArtifactFacts | None:
    """The artifact under its name; None when nobody knows it, as far as this caller may tell.

    One that no flow knows is known by the snapshots in which it ran, or by a waiver that names it.
    """
    if facts.memberships and _may_see(asked.caller, facts.memberships, any):
        return facts
    if asked.caller.readable_flows() is not None:
        return None
    name = await snapshots.name_of(asked.connection, asked.moment, asked.fingerprint)
    if name is not None:
        return replace(facts, name=name)
    return facts if any(waiver.fingerprint == asked.fingerprint for waiver in facts.waivers) else None


def _may_see(caller: Caller, members: Sequence[Membership], how_many: Callable[[Iterable[bool]], bool]) -> bool:
    readable = caller.readable_flows()
    return readable is None or how_many([each.flow in readable for each in members])


def _hidden(reason: Reason) -> Reason:
    """How a rule fared, without what it was found in: the caller may not read all of that."""
    said = "It is decided by trails of which you may not read all."
    return Reason(reason.rule, "trails that you may not all read", reason.outcome, said)


def _asks(template: Template | None, name: str) -> bool:
    if template is None:
        return False
    wanted = template.artifact(name)
    return bool(template.trail) or (wanted is not None and bool(wanted.attestations))


def _unknown(fingerprint: Fingerprint) -> NotAsserted:
    return NotAsserted(
        Obstacle.UNKNOWN_ARTIFACT,
        f"Nobody has reported an artifact with the fingerprint {fingerprint[:12]}….",
        "Report it with reportArtifact into the trail that built it, or check the fingerprint.",
    )
