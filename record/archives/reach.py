"""What belongs into an archive because of what ran and changed: environments, snapshots, deployments, policies, frameworks.

Of changes (a control's, a window's): the deployment, or the snapshot that saw the run; the environment in all its versions, with
the policies that were ever attached to it and its waivers; the artifact's trails and its approvals. Of an environment besides:
every snapshot of the period, back to the one from which reading begins, whatever ran in them, its deployments, the judgements
of the period, and the approvals that were requested or acted upon in it, those of what never came there included. Of a
framework: its version in force, what its controls were ever mapped to, and the policies that mappings name. Of an artifact:
where it was deployed and ran.

Only entry indexes and trail ids are ever held all at once; artifacts are gone through in pages.
"""

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from record.archives.rules import ArchiveKind, Question
from record.controls import population
from record.controls import queries as controls
from record.controls.mappings import PolicyRequired
from record.controls.queries import Control, Framework
from record.controls.reports import CONTROLS_MAX, framework_named
from record.controls.rules import Change, ChangeKind
from record.database import Connection, Database
from record.deployments.queries import grace_of
from record.environments import queries as environments
from record.ids import EnvironmentId, Fingerprint, LedgerSize, TrailId
from record.moment import Moment
from record.refusals import NotFound

CHANGES_A_PAGE: Final = 500
ARTIFACTS_A_PAGE: Final = 1_000
STATEMENT_SECONDS: Final = 600.0

_TRAILS: Final = """
SELECT DISTINCT f.entry_index AS flow_entry, t.entry_index, t.trail_id FROM record.artifacts a
JOIN record.trails t ON t.org_id = $1 AND t.trail_id = a.trail_id AND t.version = 1
JOIN record.flows f ON f.org_id = $1 AND f.flow_id = t.flow_id AND f.version = 1
WHERE a.org_id = $1 AND a.fingerprint = ANY($3::text[]) AND a.entry_index < $2"""

_OF_ENVIRONMENTS: Final = """
WITH attached AS (
    SELECT entry_index, policy_id FROM record.policy_attachments
    WHERE org_id = $1 AND environment_id = ANY($3::uuid[]) AND entry_index < $2
)
SELECT entry_index FROM record.environments
WHERE org_id = $1 AND environment_id = ANY($3::uuid[]) AND entry_index < $2
UNION SELECT entry_index FROM attached
UNION SELECT p.entry_index FROM record.policies p
      WHERE p.org_id = $1 AND p.entry_index < $2 AND p.policy_id IN (SELECT policy_id FROM attached)
UNION SELECT w.entry_index FROM record.waivers w
      WHERE w.org_id = $1 AND w.environment_id = ANY($3::uuid[]) AND w.entry_index < $2
UNION SELECT a.entry_index FROM record.waivers w JOIN record.waiver_acts a ON a.org_id = $1 AND a.waiver_id = w.waiver_id
      WHERE w.org_id = $1 AND w.environment_id = ANY($3::uuid[]) AND a.entry_index < $2"""

_OF_APPROVALS: Final = """
SELECT r.entry_index FROM record.approvals r
WHERE r.org_id = $1 AND r.fingerprint = ANY($3::text[]) AND r.entry_index < $2
UNION SELECT a.entry_index FROM record.approvals r
      JOIN record.approval_acts a ON a.org_id = $1 AND a.approval_id = r.approval_id
      WHERE r.org_id = $1 AND r.fingerprint = ANY($3::text[]) AND a.entry_index < $2"""

_OF_REQUESTS: Final = """
WITH asked AS (
    SELECT r.approval_id, r.entry_index FROM record.approvals r
    WHERE r.org_id = $1 AND r.environment = ANY($3::text[]) AND r.entry_index < $2
      AND (r.at >= $4 AND r.at < $5 OR EXISTS (
          SELECT 1 FROM record.approval_acts a
          WHERE a.org_id = $1 AND a.approval_id = r.approval_id AND a.entry_index < $2 AND a.at >= $4 AND a.at < $5))
)
SELECT entry_index FROM asked
UNION SELECT a.entry_index FROM asked
      JOIN record.approval_acts a ON a.org_id = $1 AND a.approval_id = asked.approval_id AND a.entry_index < $2"""

_OF_JUDGEMENTS: Final = """
SELECT entry_index FROM record.judgements
WHERE org_id = $1 AND subject_id = $3 AND entry_index < $2 AND at >= $4 AND at < $5"""

_OF_POLICIES: Final = """
SELECT p.entry_index FROM record.policies first
JOIN record.policies p ON p.org_id = $1 AND p.policy_id = first.policy_id AND p.entry_index < $2
WHERE first.org_id = $1 AND first.version = 1 AND first.name = ANY($3::text[])"""

_CLOSING: Final = """
SELECT s.entry_index FROM unnest($3::uuid[], $4::int[]) AS asked (environment_id, number)
JOIN record.snapshots s ON s.org_id = $1 AND s.environment_id = asked.environment_id AND s.number = asked.number
WHERE s.entry_index < $2"""

# The snapshots of a period: back to the one that was in force when it began, and from there to where reading that one begins.
_SNAPSHOTS: Final = """
SELECT coalesce(
    (SELECT s.keyframe FROM record.snapshots s
     WHERE s.org_id = $1 AND s.environment_id = $3 AND s.entry_index < $2 AND s.at <= $4 ORDER BY s.entry_index DESC LIMIT 1),
    1) AS low,
    (SELECT s.number FROM record.snapshots s
     WHERE s.org_id = $1 AND s.environment_id = $3 AND s.entry_index < $2 AND s.at < $5 ORDER BY s.entry_index DESC LIMIT 1
    ) AS high"""

_OF_SNAPSHOTS: Final = """
SELECT entry_index FROM record.snapshots WHERE org_id = $1 AND environment_id = $3 AND number BETWEEN $4 AND $5 AND entry_index < $2
UNION SELECT entry_index FROM record.snapshot_members
      WHERE org_id = $1 AND environment_id = $3 AND number BETWEEN $4 AND $5 AND entry_index < $2
UNION SELECT e.entry_index FROM record.environment_events e
      WHERE e.org_id = $1 AND e.environment_id = $3 AND e.number BETWEEN $4 AND $5 AND e.entry_index + e.still_to_come < $2"""

_RAN: Final = """
SELECT DISTINCT m.fingerprint FROM record.snapshot_members m
WHERE m.org_id = $1 AND m.environment_id = $3 AND m.number BETWEEN $4 AND $5 AND m.entry_index < $2 AND m.fingerprint > $6
ORDER BY m.fingerprint LIMIT $7"""

_DEPLOYMENTS: Final = """
SELECT entry_index FROM record.deployments
WHERE org_id = $1 AND environment_id = ANY($3::uuid[]) AND fingerprint = ANY($4::text[]) AND entry_index < $2"""

_DEPLOYED: Final = """
SELECT entry_index FROM record.deployments
WHERE org_id = $1 AND environment_id = $3 AND entry_index < $2 AND deployed_at >= $4 AND deployed_at < $5"""

_OF_ARTIFACT: Final = """
SELECT d.entry_index, d.environment_id, NULL::int AS number FROM record.deployments d
WHERE d.org_id = $1 AND d.fingerprint = $3 AND d.entry_index < $2
UNION SELECT e.entry_index, e.environment_id, e.number FROM record.environment_events e
      WHERE e.org_id = $1 AND e.fingerprint = $3 AND e.entry_index + e.still_to_come < $2 AND e.kind IN ('started', 'stopped')"""

_OF_FRAMEWORK: Final = """
SELECT entry_index FROM record.frameworks WHERE org_id = $1 AND framework_id = $3 AND version = $4 AND entry_index < $2
UNION SELECT entry_index FROM record.controls WHERE org_id = $1 AND framework_id = $3 AND version = $4 AND entry_index < $2
UNION SELECT entry_index FROM record.control_mappings
      WHERE org_id = $1 AND framework_id = $3 AND entry_index < $2 AND control = ANY($5::text[])"""


@dataclass(slots=True)
class Reached:
    """What was found: entries, and trails with the places by which they are ordered."""

    entries: set[int] = field(default_factory=set)
    _trails: dict[TrailId, tuple[int, int]] = field(default_factory=dict)

    @property
    def trail_ids(self) -> list[TrailId]:
        """The trails, flow by flow, in the order in which both began."""
        return sorted(self._trails, key=self._trails.__getitem__)

    async def add_trails(self, connection: Connection, moment: Moment, fingerprints: Iterable[Fingerprint]) -> None:
        """The trails into which these artifacts were reported."""
        wanted = sorted(set(fingerprints))
        rows = await connection.fetch(_TRAILS, moment.org_id, moment.size, wanted, timeout=STATEMENT_SECONDS)
        self._trails |= {row["trail_id"]: (row["flow_entry"], row["entry_index"]) for row in rows}

    async def add(self, connection: Connection, statement: str, moment: Moment, *arguments: object) -> None:
        """The entries that this statement gives."""
        rows = await connection.fetch(statement, moment.org_id, moment.size, *arguments, timeout=STATEMENT_SECONDS)
        self.entries.update(row["entry_index"] for row in rows)


@dataclass(frozen=True, slots=True)
class Asked:
    """The environments that a question is about (None: all), and the controls that its changes come before (none: no test)."""

    environments: tuple[str, ...] | None
    framework: Framework | None
    controls: tuple[Control, ...]


async def asked_by(connection: Connection, question: Question, moment: Moment) -> Asked:
    """What a question about changes means at the moment; refuses what was not there."""
    if question.kind is ArchiveKind.ENVIRONMENT:
        assert question.environment is not None
        return Asked(await _places_of(connection, question.environment, moment), None, ())
    if question.framework is None:
        return Asked(None, None, ())
    framework = await framework_named(connection, moment, question.framework)
    if question.control is None:
        mapped = await controls.controls(connection, moment, framework, limit=CONTROLS_MAX, mapped=True)
        return Asked(None, framework, tuple(mapped))
    control = await controls.control(connection, moment, framework, question.control)
    if control is None:
        raise _unknown(f"control {question.control} in the framework {framework.name}", moment.size)
    scope = None if control.mapping is None else control.mapping.environments
    return Asked(scope, framework, (control,))


async def reached(database: Database, question: Question, moment: Moment) -> Reached:
    """The entries and trails that a question about changes reaches."""
    found = Reached()
    async with database.connection(moment.org_id) as connection:
        asked = await asked_by(connection, question, moment)
        await _add_framework(connection, moment, asked, found)
    if question.kind is ArchiveKind.ENVIRONMENT:
        await _add_environment(database, question, moment, asked, found)
    seen: set[EnvironmentId] = set()
    async for page in changes_of(database, question, moment, asked):
        async with database.connection(moment.org_id) as connection:
            await _add_changes(connection, moment, page, found)
        seen |= {change.environment_id for change in page}
    async with database.connection(moment.org_id) as connection:
        await found.add(connection, _OF_ENVIRONMENTS, moment, sorted(seen))
    return found


async def reached_by_artifact(connection: Connection, moment: Moment, fingerprint: Fingerprint) -> set[int]:
    """The entries about where an artifact was deployed and ran."""
    found = Reached()
    rows = await connection.fetch(_OF_ARTIFACT, moment.org_id, moment.size, fingerprint, timeout=STATEMENT_SECONDS)
    found.entries.update(row["entry_index"] for row in rows)
    snapshots = sorted({(row["environment_id"], row["number"]) for row in rows if row["number"] is not None})
    await found.add(
        connection, _CLOSING, moment, [place for place, _ in snapshots], [number for _, number in snapshots]
    )
    await found.add(connection, _OF_ENVIRONMENTS, moment, sorted({row["environment_id"] for row in rows}))
    return found.entries


def changes_of(database: Database, question: Question, moment: Moment, asked: Asked) -> AsyncIterator[list[Change]]:
    """The population that a question is about, in pages."""
    return population.pages(database, moment, question.window, limit=CHANGES_A_PAGE, environments=asked.environments)


async def _add_changes(connection: Connection, moment: Moment, page: Sequence[Change], found: Reached) -> None:
    found.entries.update(change.place.entry_index for change in page)
    seen = [change for change in page if change.kind is ChangeKind.SHADOW_CHANGE]
    await found.add(
        connection,
        _CLOSING,
        moment,
        [change.environment_id for change in seen],
        [change.snapshot_number for change in seen],
    )
    fingerprints = sorted({change.fingerprint for change in page})
    await found.add(connection, _OF_APPROVALS, moment, fingerprints)
    await found.add_trails(connection, moment, fingerprints)


async def _add_framework(connection: Connection, moment: Moment, asked: Asked, found: Reached) -> None:
    framework = asked.framework
    if framework is None:
        return
    names = [control.control for control in asked.controls]
    await found.add(connection, _OF_FRAMEWORK, moment, framework.framework_id, framework.version, names)
    mapped = [each.mapping for each in asked.controls if each.mapping is not None]
    policies = {each.name for mapping in mapped for each in mapping.requirements if isinstance(each, PolicyRequired)}
    await found.add(connection, _OF_POLICIES, moment, sorted(policies))


async def _add_environment(
    database: Database, question: Question, moment: Moment, asked: Asked, found: Reached
) -> None:
    """An environment, those that it includes, what was to be put there, whether or not it ever was, and what ran in them."""
    assert question.environment is not None
    async with database.connection(moment.org_id) as connection:
        place = await environments.by_name(connection, moment, question.environment)
        assert place is not None, "asked_by has refused it"
        await found.add(connection, _OF_ENVIRONMENTS, moment, sorted({place.environment_id, *place.places}))
    window = question.window
    names = sorted({question.environment, *(asked.environments or ())})
    async with database.connection(moment.org_id) as connection:
        parts = await environments.by_ids(connection, moment, place.places)
        graces = {each.environment_id: grace_of(each) for each in parts if each is not None}
        await found.add(connection, _OF_REQUESTS, moment, names, window.since, window.until)
    for environment_id in {place.environment_id, *place.places}:
        async with database.connection(moment.org_id) as connection:
            await found.add(connection, _OF_JUDGEMENTS, moment, environment_id, window.since, window.until)
    for environment_id in place.places:
        async with database.connection(moment.org_id) as connection:
            # One that was awaited when the period began, and was not seen, drifted in it.
            awaited = window.since if question.since is None else window.since - graces[environment_id]
            await found.add(connection, _DEPLOYED, moment, environment_id, awaited, window.until)
            low, high = await _snapshots(connection, moment, environment_id, window.since, window.until)
            if high is None:
                continue
            await found.add(connection, _OF_SNAPSHOTS, moment, environment_id, low, high)
        async for fingerprints in _ran(database, moment, environment_id, low, high):
            async with database.connection(moment.org_id) as connection:
                await found.add(connection, _DEPLOYMENTS, moment, [environment_id], fingerprints)
                await found.add(connection, _OF_APPROVALS, moment, fingerprints)
                await found.add_trails(connection, moment, fingerprints)


async def _snapshots(
    connection: Connection, moment: Moment, environment_id: UUID, since: datetime, until: datetime
) -> tuple[int, int | None]:
    row = await connection.fetchrow(_SNAPSHOTS, moment.org_id, moment.size, environment_id, since, until)
    assert row is not None
    return row["low"], row["high"]


async def _ran(
    database: Database, moment: Moment, environment_id: UUID, low: int, high: int
) -> AsyncIterator[list[Fingerprint]]:
    """What is named in these snapshots, in pages."""
    after = ""
    while True:
        async with database.connection(moment.org_id) as connection:
            rows = await connection.fetch(
                _RAN, moment.org_id, moment.size, environment_id, low, high, after, ARTIFACTS_A_PAGE,
                timeout=STATEMENT_SECONDS,
            )  # fmt: skip
        if rows:
            yield [row["fingerprint"] for row in rows]
        if len(rows) < ARTIFACTS_A_PAGE:
            return
        after = rows[-1]["fingerprint"]


async def _places_of(connection: Connection, name: str, moment: Moment) -> tuple[str, ...]:
    """The names of the environments that report what runs there: itself, or those that it includes."""
    place = await environments.by_name(connection, moment, name)
    if place is None:
        raise _unknown(f"environment called {name}", moment.size)
    if not place.is_logical:
        return (place.name,)
    included = await environments.by_ids(connection, moment, place.included)
    return tuple(sorted(each.name for each in included if each is not None))


def _unknown(what: str, size: LedgerSize) -> NotFound:
    return NotFound(
        f"There is no {what} in the first {size} entries of the ledger. Check the name, or ask at a later size."
    )
