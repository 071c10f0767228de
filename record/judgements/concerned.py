"""Whom entries concern: which trails and environments may have another verdict after each of them.

Too many is harmless, because looking again finds nothing new; too few would lose a change. So everything here is as of the whole
range of entries: an environment concerns whoever ever included it, a policy whoever it was ever attached to.

    trail begun, artifact, attestation    the trail, and the environments in which an artifact of the trail runs
    snapshot                              the environment, and those whose policies ask what ran there
    policy changed, attached, detached    the environments that it is or was attached to
    approval, waiver, environment         the environment
    flow changed                          every environment with a policy, because policies select flows by tags

An environment always brings along the logical ones that include it. Judgements concern nobody.
"""

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

import orjson

from record.database import Connection
from record.ids import EnvironmentId, PolicyId, TrailId
from record.judgements.rules import Mark
from record.ledger.queries import RecordedEntry
from record.moment import Moment
from record.policies import queries as policies
from record.policies.forms import DeployedTo

OF_TRAILS: Final = ("trail.begun", "artifact.reported", "attestation.recorded")
OF_ENVIRONMENTS: Final = ("environment.created", "environment.changed", "environment.archived")
OF_APPROVALS: Final = (
    *("approval.requested", "approval.reviewed", "approval.withdrawn"),
    *("waiver.requested", "waiver.accepted", "waiver.revoked"),
)
OF_POLICIES: Final = ("policy.changed", "policy.attached", "policy.detached")
KINDS: Final = (*OF_TRAILS, *OF_ENVIRONMENTS, *OF_APPROVALS, *OF_POLICIES, "snapshot.reported", "flow.changed")


@dataclass(slots=True)
class Step:
    """An entry at which these environments are looked at. `snapshot` is the number of the one that it closes, and whose."""

    mark: Mark
    environments: set[EnvironmentId]
    may_wait: bool = False
    """Whether looking a little later, together with others, will do: there may be very many such entries at once."""
    snapshot: tuple[EnvironmentId, int] | None = None


@dataclass(slots=True)
class Concerned:
    """What a range of entries asks for, in their order."""

    trails: dict[TrailId, list[Mark]] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)


_RUNNING = """
SELECT DISTINCT a.trail_id, began.environment_id FROM record.artifacts a
CROSS JOIN LATERAL (
    SELECT b.environment_id FROM record.environment_events b
    WHERE b.org_id = $1 AND b.fingerprint = a.fingerprint AND b.kind = 'started' AND b.entry_index + b.still_to_come < $2
      AND NOT EXISTS (
          SELECT 1 FROM record.environment_events e
          WHERE e.org_id = $1 AND e.fingerprint = b.fingerprint AND e.environment_id = b.environment_id
            AND e.kind = 'stopped' AND e.since = b.number AND e.entry_index + e.still_to_come < $4
      )
) began
WHERE a.org_id = $1 AND a.trail_id = ANY($3::uuid[]) AND a.entry_index < $2"""

_ENVIRONMENTS = """
SELECT environment_id, name, included FROM record.environments
WHERE org_id = $1 AND entry_index < $2 ORDER BY entry_index"""

_ATTACHED = """
SELECT DISTINCT environment_id, policy_id FROM record.policy_attachments WHERE org_id = $1 AND entry_index < $2"""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """How environments and policies hang together, or ever did."""

    ids: Mapping[str, EnvironmentId]
    including: Mapping[EnvironmentId, Collection[EnvironmentId]]
    attached: Mapping[PolicyId, Collection[EnvironmentId]]
    asking: Mapping[EnvironmentId, Collection[EnvironmentId]]
    """The environments whose policies ask what ran in this one."""

    @property
    def governed(self) -> set[EnvironmentId]:
        """The environments that have a policy, or ever had one."""
        return {place for places in self.attached.values() for place in places}

    def widened(self, places: Iterable[EnvironmentId]) -> set[EnvironmentId]:
        """These, and the logical environments that include them."""
        found = set(places)
        return found.union(*(self.including.get(place, ()) for place in found))


async def concerned(connection: Connection, moment: Moment, entries: Sequence[RecordedEntry]) -> Concerned:
    """Whom these entries concern, each in turn: at most five statements. `moment` is behind the last of them."""
    found = Concerned()
    # Our own bytes, and a thousand of them a round: this parser takes a tenth of the time of the strict one.
    bodies = [(entry, Mark(entry.index, entry.at), orjson.loads(entry.content)["body"]) for entry in entries]
    for entry, mark, body in bodies:
        if entry.kind in OF_TRAILS:
            found.trails.setdefault(TrailId(UUID(body["trail_id"])), []).append(mark)
    running = await _running(connection, moment, list(found.trails), entries[0].index) if found.trails else {}
    others = [each for each in bodies if each[0].kind not in OF_TRAILS]
    if not running and not others:
        return found
    catalogue = await _catalogue(
        connection, moment, with_questions=any(e.kind == "snapshot.reported" for e, *_ in others)
    )
    governed = catalogue.governed
    for entry, mark, body in bodies:
        step = _step(entry.kind, mark, body, catalogue, governed, running)
        if step.environments:
            found.steps.append(step)
    return found


def _step(
    kind: str,
    mark: Mark,
    body: Mapping[str, Any],
    catalogue: Catalogue,
    governed: set[EnvironmentId],
    running: Mapping[TrailId, Collection[EnvironmentId]],
) -> Step:
    if kind in OF_TRAILS:
        places = catalogue.widened(running.get(TrailId(UUID(body["trail_id"])), ()))
        return Step(mark, places & governed, may_wait=True)
    if kind == "flow.changed":
        return Step(mark, governed)
    if kind == "policy.changed":
        return Step(mark, set(catalogue.attached.get(PolicyId(UUID(body["policy_id"])), ())))
    place = _place(body, catalogue)
    if place is None:
        return Step(mark, governed)
    if kind == "snapshot.reported":
        asking = catalogue.asking.get(place, ())
        return Step(mark, catalogue.widened([place]).union(asking), snapshot=(place, body["number"]))
    return Step(mark, catalogue.widened([place]))


def _place(body: Mapping[str, Any], catalogue: Catalogue) -> EnvironmentId | None:
    """The environment that an entry names, by id or by name."""
    if "environment_id" in body:
        return EnvironmentId(UUID(body["environment_id"]))
    return catalogue.ids.get(body.get("environment", ""))


async def _running(
    connection: Connection, moment: Moment, trails: Sequence[TrailId], since: int
) -> dict[TrailId, set[EnvironmentId]]:
    """Where artifacts of these trails run, or ran since that entry."""
    found: dict[TrailId, set[EnvironmentId]] = defaultdict(set)
    for row in await connection.fetch(_RUNNING, moment.org_id, moment.size, trails, since):
        found[row["trail_id"]].add(row["environment_id"])
    return found


async def _catalogue(connection: Connection, moment: Moment, *, with_questions: bool) -> Catalogue:
    ids: dict[str, EnvironmentId] = {}
    including: dict[EnvironmentId, set[EnvironmentId]] = defaultdict(set)
    for row in await connection.fetch(_ENVIRONMENTS, moment.org_id, moment.size):
        ids[row["name"]] = row["environment_id"]
        for part in json.loads(row["included"]):
            including[EnvironmentId(UUID(part))].add(row["environment_id"])
    attached: dict[PolicyId, set[EnvironmentId]] = defaultdict(set)
    for row in await connection.fetch(_ATTACHED, moment.org_id, moment.size):
        attached[row["policy_id"]].add(row["environment_id"])
    asking = await _asking(connection, moment, ids, including, attached) if with_questions and attached else {}
    return Catalogue(ids, including, attached, asking)


async def _asking(
    connection: Connection,
    moment: Moment,
    ids: Mapping[str, EnvironmentId],
    including: Mapping[EnvironmentId, Collection[EnvironmentId]],
    attached: Mapping[PolicyId, Collection[EnvironmentId]],
) -> dict[EnvironmentId, set[EnvironmentId]]:
    """For each environment, those whose policies ask what ran there; a logical one is asked through its parts."""
    by_name: dict[str, set[EnvironmentId]] = defaultdict(set)
    for policy in await policies.by_ids(connection, moment, list(attached)):
        for rule in () if policy is None else policy.understood.rules:
            if policy is not None and isinstance(rule, DeployedTo):
                by_name[rule.environment] |= set(attached[policy.policy_id])
    asking: dict[EnvironmentId, set[EnvironmentId]] = defaultdict(set)
    for name, askers in by_name.items():
        if (asked := ids.get(name)) is not None:
            asking[asked] |= askers
            for part, wholes in including.items():
                if asked in wholes:
                    asking[part] |= askers
    return asking
