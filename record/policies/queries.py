"""Reads of policies, and of what they judge by as far as flows, trails and attestations know it."""

import json
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache, partial
from typing import Any, Final, NamedTuple

from record.attestations.rules import AttestationFact
from record.database import Connection, meanwhile
from record.environments import queries as environments
from record.environments.queries import Environment
from record.flows.queries import understood
from record.flows.templates import Template
from record.ids import EntryIndex, EnvironmentId, FlowId, PolicyId, TrailId
from record.moment import Moment
from record.policies import documents, forms
from record.policies.facts import ArtifactFacts, Membership
from record.trails.facts import ArtifactFact, TrailFacts


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


_NAMES: Final = ("policy_id", "name", "version", "description", "comment", "source", "recorded_by", "entry_index")
_COLUMNS = f"{', '.join(f'p.{name}' for name in _NAMES)}, first.at AS created_at, p.at AS changed_at"
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


_PREFIXED: Final = tuple((f"p_{name}", name) for name in (*_NAMES, "created_at", "changed_at"))

_ATTACHED_TO_NAMED = f"""
SELECT e.*, {", ".join(f"p.{name} AS p_{name}" for name in _NAMES)}, f.at AS p_created_at, p.at AS p_changed_at,
       EXISTS (SELECT FROM record.waivers w WHERE w.org_id = $1 AND w.environment = $3 AND w.entry_index < $2) AS waived
FROM ({environments.ENVIRONMENT} AND first.name = $3) e
LEFT JOIN LATERAL (
    SELECT DISTINCT ON (a.policy_id) a.policy_id, a.attached FROM record.policy_attachments a
    WHERE a.org_id = $1 AND a.environment_id = e.environment_id AND a.entry_index < $2
    ORDER BY a.policy_id, a.entry_index DESC
) a ON a.attached
LEFT JOIN record.policies f ON f.org_id = $1 AND f.policy_id = a.policy_id AND f.version = 1
LEFT JOIN LATERAL (
    SELECT * FROM record.policies v
    WHERE v.org_id = $1 AND v.policy_id = a.policy_id AND v.entry_index < $2 ORDER BY v.entry_index DESC LIMIT 1
) p ON true
ORDER BY p.name"""


class Attached(NamedTuple):
    """What a gate needs to know of an environment. `waived`: somebody, at some time, asked for a waiver there."""

    environment: Environment
    policies: list[Policy]
    waived: bool


async def attached_to_named(connection: Connection, moment: Moment, environment: str) -> Attached | None:
    """The environment of this name with the newest versions of its policies: one statement. None: there is none."""
    found: Attached | None = None
    for row in await connection.fetch(_ATTACHED_TO_NAMED, moment.org_id, moment.size, environment):
        values = dict(row)
        policy = {name: values.pop(column) for column, name in _PREFIXED}
        waived = values.pop("waived")
        found = found or Attached(environments.environment_of(values), [], waived)
        if policy["policy_id"] is not None:
            found.policies.append(Policy(**policy))
    return found


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
SELECT r.*, f.name AS flow, f.tags, f.template
FROM (
    SELECT r.entry_index, r.fingerprint, r.template_name, r.commit, r.name, r.trail_id,
           t.name AS trail, t.flow_id, t.template_version, t.own_template,
           row_number() OVER (PARTITION BY t.flow_id, t.template_version) = 1 AS is_first
    FROM (
        SELECT DISTINCT ON (fingerprint, trail_id, template_name)
               fingerprint, trail_id, template_name, entry_index, commit, name
        FROM record.artifacts WHERE org_id = $1 AND fingerprint = ANY($3::text[]) AND entry_index < $2
        ORDER BY fingerprint, trail_id, template_name, entry_index DESC
    ) r
    CROSS JOIN LATERAL (
        SELECT v.name, v.flow_id, v.template_version, v.own_template FROM record.trails v
        WHERE v.org_id = $1 AND v.trail_id = r.trail_id AND v.entry_index < $2 ORDER BY v.entry_index DESC LIMIT 1
    ) t
) r
LEFT JOIN LATERAL (
    SELECT v.name, v.tags, t.template FROM record.flows v
    JOIN record.flow_templates t ON t.org_id = $1 AND t.flow_id = r.flow_id AND t.version = r.template_version
    WHERE r.is_first AND v.org_id = $1 AND v.flow_id = r.flow_id AND v.entry_index < $2
    ORDER BY v.entry_index DESC LIMIT 1
) f ON true"""
"""Flows and templates come with the first of their reports only: thousands of trails share a few."""

_RECORDED = """
SELECT a.entry_index, a.name, a.type, a.compliant, a.explanation, a.fingerprint, a.template_name,
       CASE WHEN a.fingerprint IS NULL THEN a.commit END, a.overrides, a.expires_at, asked.place,
       CASE WHEN $5 OR a.type = ANY($4::text[]) THEN a.at END, CASE WHEN $7 OR a.type = ANY($6::text[]) THEN a.summary END
FROM unnest($3::uuid[]) WITH ORDINALITY AS asked (trail_id, place)
JOIN record.attestations a ON a.org_id = $1 AND a.trail_id = asked.trail_id AND a.entry_index < $2
UNION ALL
SELECT r.entry_index, r.name, NULL, NULL, NULL, r.fingerprint, r.template_name, r.commit, NULL, NULL, asked.place, NULL, NULL
FROM unnest($3::uuid[]) WITH ORDINALITY AS asked (trail_id, place)
JOIN record.artifacts r ON r.org_id = $1 AND r.trail_id = asked.trail_id AND r.entry_index < $2"""
"""Attestations, and, without a type, reports of artifacts. In one statement, because the gate waits for each; and in no order: the
rules need none, and sorting thousands of wide rows takes longer than finding them.

What nobody asks about is left out, and trails go by their place among those asked: every value of tens of thousands of rows is
made into an object of Python's. The commit matters to what is attested ahead of its artifact only."""

_COUNT_MAX = 10**15
_PORTION_LEAST = 1_000
_PORTIONS_MOST = 4
"""While PostgreSQL looks into one portion of many trails, what it found in the one before is made into facts."""


async def facts_about(
    connection: Connection,
    moment: Moment,
    fingerprints: Sequence[str],
    *,
    counted: Collection[str] = (),
    dated: Collection[str] = (),
) -> list[ArtifactFacts]:
    """What trails say of artifacts, in the order asked: two statements; from thousands of trails on five, however many they are.

    `counted` and `dated` are the types of attestations whose counts and instants are wanted (`forms.Policy.counted_types`,
    `dated_types`). What an artifact is called where it runs, its approvals, waivers and runs are others' to add; it has the name
    of its newest report here.
    """
    asked = list(dict.fromkeys(fingerprints))
    reports = await connection.fetch(_REPORTS, moment.org_id, moment.size, asked)
    trails = list(dict.fromkeys([row[5] for row in reports]))
    wanted = sorted(dated), "*" in dated, sorted(counted), "*" in counted
    found = _Found()
    work: Callable[[], None] = partial(found.read_reports, reports)
    portion = max(_PORTION_LEAST, -(-len(trails) // _PORTIONS_MOST))
    for begin in range(0, len(trails), portion):
        some = trails[begin : begin + portion]
        if len(some) == len(trails):  # where there is little to do, as for a gate, a task costs more than it gains
            work()
            rows = await connection.fetch(_RECORDED, moment.org_id, moment.size, some, *wanted)
        else:
            rows = await meanwhile(connection.fetch(_RECORDED, moment.org_id, moment.size, some, *wanted), work)
        work = partial(found.read_recorded, rows, some)
    work()
    members = found.memberships(reports)
    return [
        ArtifactFacts(
            fingerprint,
            max(members[fingerprint], key=_place).artifact.name if fingerprint in members else "",
            tuple(members.get(fingerprint, ())),
            attested_at=found.attested_at,
            counts=found.counts,
        )
        for fingerprint in fingerprints
    ]


def _place(membership: Membership) -> EntryIndex:
    return membership.artifact.entry_index


_new = tuple.__new__
"""As `_make` of a named tuple, without counting: an environment reads tens of thousands of rows."""


@dataclass(slots=True)
class _Found:
    """Rows as facts. Instants and counts are by entry: one mapping for all artifacts."""

    flows: dict[FlowId, tuple[str, dict[str, str]]] = field(default_factory=dict)
    templates: dict[tuple[FlowId, int], Template] = field(default_factory=dict)
    own_reports: list[ArtifactFact] = field(default_factory=list)
    """As the rows of reports, in their order."""
    about: dict[TrailId, Any] = field(default_factory=dict)
    """The row of any report, for what it says of the trail."""
    trails: dict[TrailId, TrailFacts] = field(default_factory=dict)
    attested_at: dict[EntryIndex, datetime] = field(default_factory=dict)
    counts: dict[EntryIndex, Mapping[str, int]] = field(default_factory=dict)

    def read_reports(self, rows: Sequence[Any]) -> None:
        """What reports are, and which flows, templates and trails there are."""
        for row in rows:
            if row["is_first"]:
                self.templates[row["flow_id"], row["template_version"]] = understood(row["template"])
                if row["flow_id"] not in self.flows:
                    self.flows[row["flow_id"]] = row["flow"], json.loads(row["tags"])
        self.own_reports = [_new(ArtifactFact, row[:5]) for row in rows]
        self.about = {row[5]: row for row in rows}

    def read_recorded(self, rows: Sequence[Any], trails: Sequence[TrailId]) -> None:
        """What these trails hold; rows name them by their place among them, from 1."""
        attested: list[list[AttestationFact]] = [[] for _ in trails]
        reported: list[list[ArtifactFact]] = [[] for _ in trails]
        attested_at, counts = self.attested_at, self.counts
        for row in rows:
            place = row[10] - 1
            if row[2] is None:
                reported[place].append(_new(ArtifactFact, (row[0], row[5], row[6], row[7], row[1])))
                continue
            attested[place].append(_new(AttestationFact, row[:10]))
            at, summary = row[11], row[12]
            if at is not None:
                attested_at[row[0]] = at
            if summary is not None:
                counts[row[0]] = _whole_numbers(summary)
        for trail_id, attestations, artifacts in zip(trails, attested, reported, strict=True):
            name, flow_id, version, own_template = self.about[trail_id][6:10]
            template = self.templates[flow_id, version] if own_template is None else understood(own_template)
            recorded = tuple(attestations), tuple(artifacts)
            self.trails[trail_id] = _new(TrailFacts, (name, template, version, *recorded))

    def memberships(self, rows: Sequence[Any]) -> dict[str, list[Membership]]:
        """Of each artifact that was reported, when everything is read."""
        members: dict[str, list[Membership]] = defaultdict(list)
        for row, report in zip(rows, self.own_reports, strict=True):
            flow, tags = self.flows[row[7]]
            members[row[1]].append(_new(Membership, (flow, tags, self.trails[row[5]], report)))
        return members


@lru_cache(maxsize=4096)
def _whole_numbers(summary: str) -> Mapping[str, int]:
    """The counts in a summary: whole numbers of at most fifteen digits. Many summaries are alike."""
    return {key: value for key, value in json.loads(summary).items() if type(value) is int and abs(value) < _COUNT_MAX}
