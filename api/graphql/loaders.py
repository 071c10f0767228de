"""Loaders: each answers a whole list of questions with one query, at one moment.

They live as long as a request's moment. Each batch takes its own connection, because resolvers of siblings run side by side.
"""

from collections.abc import Awaitable, Callable, Hashable, Sequence
from datetime import datetime
from typing import Generic, TypeVar

from strawberry.dataloader import DataLoader

from api.graphql.context import Info
from record.access import queries as access_queries
from record.approvals import queries as approval_queries
from record.archives import queries as archive_queries
from record.artifacts import queries as artifact_queries
from record.attestations import queries as attestation_queries
from record.database import Connection
from record.deployments import queries as deployment_queries
from record.environments import queries as environment_queries
from record.environments import running as running_queries
from record.environments import snapshots as snapshot_queries
from record.evidence import queries as evidence_queries
from record.flows import queries as flow_queries
from record.ids import Fingerprint, KeyId, PrincipalId, TrailId
from record.judgements import current
from record.judgements import queries as judgement_queries
from record.ledger import queries as ledger_queries
from record.moment import Moment
from record.policies import presence
from record.policies import queries as policy_queries
from record.record import Record
from record.trails import queries as trail_queries
from record.trails.facts import TrailFacts

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Reading:
    """What a request reads at a moment. Strangers' rows read as absent: queries and row-level security see to it."""

    def __init__(
        self, record: Record, moment: Moment, readable: frozenset[str] | None, *, judging: bool, wording: bool
    ) -> None:
        self.record = record
        self.moment = moment
        self._readable = readable
        self._judging = judging
        self._wording = wording
        self._known_facts: dict[TrailId, TrailFacts] = {}
        self._known_trails: dict[TrailId, trail_queries.Trail] = {}

    async def trails(self, connection: Connection, ids: list[TrailId]) -> list[trail_queries.Trail | None]:
        found = await trail_queries.by_ids(connection, self.moment, ids)
        self._known_trails |= {trail.trail_id: trail for trail in found if trail is not None}
        return found

    async def pages_of_trails(
        self, connection: Connection, asked: list[trail_queries.Stretch]
    ) -> list[list[trail_queries.Trail]]:
        found = await trail_queries.pages(connection, self.moment, asked)
        await self.ahead(connection, [trail for page in found for trail in page])
        return found

    async def facts(self, connection: Connection, ids: list[TrailId]) -> list[TrailFacts]:
        unknown = [trail_id for trail_id in ids if trail_id not in self._known_trails]
        if unknown:
            for trail in await trail_queries.by_ids(connection, self.moment, unknown):
                if trail is not None:
                    self._known_trails[trail.trail_id] = trail
        known = [self._known_trails[trail_id] for trail_id in ids]
        return await trail_queries.facts_of(connection, self.moment, known, worded=self._wording)

    async def reports(
        self, connection: Connection, fingerprints: list[Fingerprint]
    ) -> list[list[artifact_queries.ArtifactReport]]:
        found = await artifact_queries.reports_of(connection, self.moment, fingerprints, readable=self._readable)
        ids = list({report.trail_id: None for reports in found for report in reports})
        if self._judging and ids:
            self._known_facts |= zip(ids, await self.facts(connection, ids), strict=True)
        return found

    async def keys_of(self, connection: Connection, ids: list[PrincipalId]) -> list[list[access_queries.Key]]:
        found: dict[PrincipalId, list[access_queries.Key]] = {principal_id: [] for principal_id in ids}
        for key in await access_queries.keys(connection, self.moment, principals=ids):
            found[key.principal_id].append(key)
        return [found[principal_id] for principal_id in ids]

    async def last_uses(self, connection: Connection, ids: list[KeyId]) -> list[datetime | None]:
        return await access_queries.last_uses(connection, self.moment.org_id, ids)

    async def ahead(self, connection: Connection, known: Sequence[trail_queries.Trail]) -> None:
        """What verdicts on these trails need, read on a connection that is there already; if the question names verdicts.

        Then a verdict waits for nothing: fifty that wait cost more than fifty that are reached.
        """
        self._known_trails |= {trail.trail_id: trail for trail in known}
        if self._judging:
            facts = await trail_queries.facts_of(connection, self.moment, known, worded=self._wording)
            self._known_facts |= zip((trail.trail_id for trail in known), facts, strict=True)

    def facts_at_hand(self, trail_id: TrailId) -> TrailFacts | None:
        """What was read ahead; otherwise `Loaders.facts` has to be asked."""
        return self._known_facts.get(trail_id)


class _Batched(Generic[K, V]):
    """A loader of `Loaders`, made when it is first asked for: there are more of them than one request needs."""

    def __init__(self, query: Callable[[Reading, Connection, list[K]], Awaitable[list[V]]]) -> None:
        self._query = query

    def __set_name__(self, _owner: type, name: str) -> None:
        self._name = name

    def __get__(self, loaders: "Loaders", _owner: type) -> DataLoader[K, V]:
        reading, query = loaders.reading, self._query  # and not `loaders`: what a request made has to go when it ends

        async def load(keys: list[K]) -> list[V]:
            async with reading.record.database.connection(reading.moment.org_id) as connection:
                return await query(reading, connection, keys)

        loader: DataLoader[K, V] = DataLoader(load)
        loaders.__dict__[self._name] = loader  # found there from now on
        return loader


def _by(query: Callable[[Connection, Moment, list[K]], Awaitable[list[V]]]) -> _Batched[K, V]:
    """A loader that asks this and nothing else."""
    return _Batched(lambda reading, connection, keys: query(connection, reading.moment, keys))


class Loaders:
    """One loader per question, and what they read."""

    def __init__(self, reading: Reading) -> None:
        self.reading = reading

    flows = _by(flow_queries.by_ids)
    attestations_of_trails = _by(attestation_queries.by_trails)
    attestations = _by(attestation_queries.by_entries)
    artifacts_of_trails = _by(artifact_queries.by_trails)
    files = _by(evidence_queries.attached_to)
    downloads = _by(archive_queries.downloads)
    environments = _by(environment_queries.by_ids)
    newest_snapshots = _by(snapshot_queries.newest)
    running = _by(snapshot_queries.running_now)
    running_names = _by(running_queries.named_now)
    last_reports = _by(environment_queries.last_reports)
    runs = _by(snapshot_queries.runs_of)
    deployments = _by(deployment_queries.of_fingerprints)
    approvals = _by(approval_queries.of_fingerprints)
    previous_deployments = _by(deployment_queries.previous)
    policies_of_environments = _by(policy_queries.attached_to)
    judgements = _by(presence.judged_by_attached)
    some_judged = _by(presence.some_judged)
    standings = _by(current.how_they_stand)
    snapshots_judged = _by(presence.snapshots_judged)
    entries = _by(ledger_queries.entries_at)
    judgements_of_snapshots = _by(judgement_queries.of_snapshots)
    trails = _Batched(Reading.trails)
    pages_of_trails = _Batched(Reading.pages_of_trails)
    facts = _Batched(Reading.facts)
    reports = _Batched(Reading.reports)
    keys_of = _Batched(Reading.keys_of)
    last_uses = _Batched(Reading.last_uses)


def loaders_at(info: Info, moment: Moment) -> Loaders:
    """The loaders of this request at that moment."""
    context = info.context
    if context.loaders is None:
        context.loaders = {}
    at = (moment.size, moment.instant)  # of one organization; hashes faster than the moment
    loaders: Loaders | None = context.loaders.get(at)
    if loaders is None:
        loaders = context.loaders[at] = Loaders(
            Reading(
                context.record,
                moment,
                context.caller.readable_flows(),
                judging="verdict" in context.operation.field_names,
                wording="reasons" in context.operation.field_names,
            )
        )
    return loaders
