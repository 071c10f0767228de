"""Reads of policies, and of what they judge by as far as flows, trails and attestations know it."""

import json
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from record.database import Connection
from record.flows import queries as flows
from record.ids import EntryIndex, EnvironmentId, FlowId, PolicyId, TrailId
from record.moment import Moment
from record.policies import documents, forms
from record.policies.facts import ArtifactFacts, Membership
from record.trails import queries as trails
from record.trails.facts import ArtifactFact


@dataclass(frozen=True, slots=True)
class Policy:
    """A version of a policy; `created_at` is when the first one was recorded."""

    policy_id: PolicyId
    name: str
    version: int
    description: str
    comment: str
    source: str
    recorded_by: str
    entry_index: EntryIndex
    created_at: datetime
    changed_at: datetime

    @property
    def understood(self) -> forms.Policy:
        """Its rules."""
        return documents.understood(self.name, self.version, self.source)


_COLUMNS = """p.policy_id, p.name, p.version, p.description, p.comment, p.source, p.recorded_by, p.entry_index,
       first.at AS created_at, p.at AS changed_at"""
_SELECT = f"""
SELECT {_COLUMNS}
FROM record.policies first
CROSS JOIN LATERAL (
    SELECT * FROM record.policies v
    WHERE v.org_id = $1 AND v.policy_id = first.policy_id AND v.entry_index < $2 ORDER BY v.entry_index DESC LIMIT 1
) p
WHERE first.org_id = $1 AND first.version = 1 AND first.entry_index < $2"""


async def by_name(connection: Connection, moment: Moment, name: str) -> Policy | None:
    """The newest version of the policy of this name."""
    return (await by_names(connection, moment, [name]))[0]


async def by_names(connection: Connection, moment: Moment, names: Sequence[str]) -> list[Policy | None]:
    """The newest versions of policies, in the order asked; None for what is not there."""
    rows = await connection.fetch(f"{_SELECT} AND first.name = ANY($3::text[])", moment.org_id, moment.size, names)
    found = {row["name"]: Policy(**row) for row in rows}
    return [found.get(name) for name in names]


async def by_ids(connection: Connection, moment: Moment, ids: Sequence[PolicyId]) -> list[Policy | None]:
    """The newest versions of policies, in the order asked; None for what is not there."""
    rows = await connection.fetch(f"{_SELECT} AND first.policy_id = ANY($3::uuid[])", moment.org_id, moment.size, ids)
    found = {row["policy_id"]: Policy(**row) for row in rows}
    return [found.get(policy_id) for policy_id in ids]


async def page(
    connection: Connection, moment: Moment, *, limit: int, after: str | None = None, before: str | None = None
) -> list[Policy]:
    """Policies by name; with `before`, the last ones before it, still in ascending order."""
    descending = before is not None and after is None
    rows = await connection.fetch(
        f"{_SELECT} AND ($3::text IS NULL OR first.name > $3) AND ($4::text IS NULL OR first.name < $4) "
        f"ORDER BY first.name {'DESC' if descending else 'ASC'} LIMIT $5",
        moment.org_id,
        moment.size,
        after,
        before,
        limit,
    )
    policies = [Policy(**row) for row in rows]
    return policies[::-1] if descending else policies


_VERSIONS = f"""
SELECT {_COLUMNS} FROM record.policies p
JOIN record.policies first ON first.org_id = $1 AND first.policy_id = p.policy_id AND first.version = 1
WHERE p.org_id = $1 AND p.policy_id = $3 AND p.entry_index < $2 ORDER BY p.version DESC LIMIT $4"""


async def versions(connection: Connection, moment: Moment, policy_id: PolicyId, *, limit: int) -> list[Policy]:
    """The versions of a policy, the newest first."""
    rows = await connection.fetch(_VERSIONS, moment.org_id, moment.size, policy_id, limit)
    return [Policy(**row) for row in rows]


_ATTACHED = f"""
SELECT a.environment_id, {_COLUMNS}
FROM (
    SELECT DISTINCT ON (environment_id, policy_id) environment_id, policy_id, attached FROM record.policy_attachments
    WHERE org_id = $1 AND environment_id = ANY($3::uuid[]) AND entry_index < $2
    ORDER BY environment_id, policy_id, entry_index DESC
) a
JOIN record.policies first ON first.org_id = $1 AND first.policy_id = a.policy_id AND first.version = 1
CROSS JOIN LATERAL (
    SELECT * FROM record.policies v
    WHERE v.org_id = $1 AND v.policy_id = a.policy_id AND v.entry_index < $2 ORDER BY v.entry_index DESC LIMIT 1
) p
WHERE a.attached ORDER BY p.name"""


async def attached_to(
    connection: Connection, moment: Moment, environment_ids: Sequence[EnvironmentId]
) -> list[list[Policy]]:
    """The newest versions of the policies that are attached to each environment, by name: one statement for all."""
    found: dict[EnvironmentId, list[Policy]] = defaultdict(list)
    for row in await connection.fetch(_ATTACHED, moment.org_id, moment.size, environment_ids):
        values = dict(row)
        found[values.pop("environment_id")].append(Policy(**values))
    return [found.get(environment_id, []) for environment_id in environment_ids]


_ENVIRONMENTS = """
SELECT policy_id, environment FROM (
    SELECT DISTINCT ON (policy_id, environment_id) policy_id, environment, attached FROM record.policy_attachments
    WHERE org_id = $1 AND policy_id = ANY($3::uuid[]) AND entry_index < $2
    ORDER BY policy_id, environment_id, entry_index DESC
) a
WHERE attached ORDER BY environment"""


async def environments_of(connection: Connection, moment: Moment, policy_ids: Sequence[PolicyId]) -> list[list[str]]:
    """The names of the environments that each policy is attached to."""
    found: dict[PolicyId, list[str]] = defaultdict(list)
    for row in await connection.fetch(_ENVIRONMENTS, moment.org_id, moment.size, policy_ids):
        found[row["policy_id"]].append(row["environment"])
    return [found.get(policy_id, []) for policy_id in policy_ids]


# --- what policies judge by

_REPORTS = """
SELECT DISTINCT ON (fingerprint, trail_id, template_name)
       fingerprint, flow_id, trail_id, template_name, entry_index, commit, name
FROM record.artifacts WHERE org_id = $1 AND fingerprint = ANY($3::text[]) AND entry_index < $2
ORDER BY fingerprint, trail_id, template_name, entry_index DESC"""

_AGES_AND_COUNTS = """
SELECT trail_id, entry_index, at,
       CASE WHEN type = ANY($4::text[]) OR '*' = ANY($4::text[]) THEN (
           SELECT jsonb_object_agg(key, value) FROM jsonb_each(summary)
           WHERE jsonb_typeof(value) = 'number' AND value::text ~ '^-?[0-9]{1,15}$'
       )::text END AS counts
FROM record.attestations WHERE org_id = $1 AND trail_id = ANY($3::uuid[]) AND entry_index < $2"""


async def facts_about(
    connection: Connection, moment: Moment, fingerprints: Sequence[str], *, counted: Collection[str] = ()
) -> list[ArtifactFacts]:
    """What trails say of artifacts, in the order asked: six statements, however many artifacts.

    `counted` are the types of attestations whose counts are wanted (`forms.Policy.counted_types`). What an artifact is called
    where it runs, its approvals, waivers and runs are others' to add with `dataclasses.replace`; it has the name of its
    newest report here.
    """
    reports = await connection.fetch(_REPORTS, moment.org_id, moment.size, list(dict.fromkeys(fingerprints)))
    trail_ids = list({TrailId(row["trail_id"]) for row in reports})
    flow_ids = list({FlowId(row["flow_id"]) for row in reports})
    found = [trail for trail in await trails.by_ids(connection, moment, trail_ids) if trail is not None]
    facts = dict(
        zip([trail.trail_id for trail in found], await trails.facts_of(connection, moment, found), strict=True)
    )
    known = {flow.flow_id: flow for flow in await flows.by_ids(connection, moment, flow_ids) if flow is not None}
    ages: dict[TrailId, dict[EntryIndex, datetime]] = defaultdict(dict)
    counts: dict[TrailId, dict[EntryIndex, Mapping[str, int]]] = defaultdict(dict)
    for row in await connection.fetch(_AGES_AND_COUNTS, moment.org_id, moment.size, trail_ids, sorted(counted)):
        ages[row["trail_id"]][row["entry_index"]] = row["at"]
        if row["counts"] is not None:
            counts[row["trail_id"]][row["entry_index"]] = json.loads(row["counts"])
    by_fingerprint: dict[str, list[Any]] = defaultdict(list)
    for row in reports:
        by_fingerprint[row["fingerprint"]].append(row)
    answers = []
    for fingerprint in fingerprints:
        rows = sorted(by_fingerprint.get(fingerprint, ()), key=lambda row: row["entry_index"])
        members = tuple(
            [
                Membership(
                    known[row["flow_id"]].name,
                    known[row["flow_id"]].tags,
                    facts[row["trail_id"]],
                    ArtifactFact(row["entry_index"], fingerprint, row["template_name"], row["commit"], row["name"]),
                )
                for row in rows
            ]
        )
        within = list(dict.fromkeys(row["trail_id"] for row in rows))
        answers.append(
            ArtifactFacts(
                fingerprint,
                rows[-1]["name"] if rows else "",
                members,
                attested_at={index: at for trail in within for index, at in ages[trail].items()},
                counts={index: count for trail in within for index, count in counts[trail].items()},
            )
        )
    return answers
