"""Loaders: each answers a whole list of questions with one query, at one moment.

They live as long as a request's moment. Each batch takes its own connection, because resolvers of siblings run side by side.
"""

from collections.abc import Awaitable, Callable, Hashable
from datetime import datetime
from typing import TypeVar

from strawberry.dataloader import DataLoader

from api.graphql.context import Info
from record.access import queries as access
from record.archives import queries as archives
from record.artifacts import queries as artifacts
from record.attestations import queries as attestations
from record.database import Connection
from record.evidence import queries as evidence
from record.flows import queries as flows
from record.ids import ArchiveId, EntryIndex, Fingerprint, FlowId, KeyId, PrincipalId, TrailId
from record.moment import Moment
from record.record import Record
from record.trails import queries as trails
from record.trails.facts import TrailFacts

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Loaders:
    """One field per question. Strangers' rows read as absent: queries and row-level security see to it."""

    def __init__(self, record: Record, moment: Moment, readable: frozenset[str] | None) -> None:
        self._record = record
        self._moment = moment
        self._trails: dict[TrailId, trails.Trail] = {}
        self.flows: DataLoader[FlowId, flows.Flow | None] = self._batched(flows.by_ids)
        self.trails: DataLoader[TrailId, trails.Trail | None] = self._batched(trails.by_ids)
        self.attestations_of_trails: DataLoader[TrailId, list[attestations.Attestation]] = self._batched(
            attestations.by_trails
        )
        self.attestations: DataLoader[EntryIndex, attestations.Attestation | None] = self._batched(
            attestations.by_entries
        )
        self.artifacts_of_trails: DataLoader[TrailId, list[artifacts.ArtifactReport]] = self._batched(
            artifacts.by_trails
        )
        self.files: DataLoader[EntryIndex, list[evidence.AttachedFile]] = self._batched(evidence.attached_to)
        self.downloads: DataLoader[ArchiveId, list[archives.Download]] = self._batched(archives.downloads)
        self.keys_of: DataLoader[PrincipalId, list[access.Key]] = self._batched(_keys_of)
        self.last_uses: DataLoader[KeyId, datetime | None] = self._batched(_last_uses)
        self.facts: DataLoader[TrailId, TrailFacts] = self._batched(self._facts)

        async def reports(
            connection: Connection, moment: Moment, fingerprints: list[Fingerprint]
        ) -> list[list[artifacts.ArtifactReport]]:
            return await artifacts.reports_of(connection, moment, fingerprints, readable=readable)

        self.reports: DataLoader[Fingerprint, list[artifacts.ArtifactReport]] = self._batched(reports)

    def know(self, trail: trails.Trail) -> None:
        """Remembers a trail that was read already, so that its facts need no second look for it."""
        self._trails[trail.trail_id] = trail

    async def _facts(self, connection: Connection, moment: Moment, ids: list[TrailId]) -> list[TrailFacts]:
        unknown = [trail_id for trail_id in ids if trail_id not in self._trails]
        if unknown:
            for trail in await trails.by_ids(connection, moment, unknown):
                if trail is not None:
                    self.know(trail)
        return await trails.facts_of(connection, moment, [self._trails[trail_id] for trail_id in ids])

    def _batched(self, query: Callable[[Connection, Moment, list[K]], Awaitable[list[V]]]) -> DataLoader[K, V]:
        async def load(keys: list[K]) -> list[V]:
            async with self._record.database.connection(self._moment.org_id) as connection:
                return await query(connection, self._moment, keys)

        return DataLoader(load)


async def _keys_of(connection: Connection, moment: Moment, ids: list[PrincipalId]) -> list[list[access.Key]]:
    found: dict[PrincipalId, list[access.Key]] = {principal_id: [] for principal_id in ids}
    for key in await access.keys(connection, moment, principals=ids):
        found[key.principal_id].append(key)
    return [found[principal_id] for principal_id in ids]


async def _last_uses(connection: Connection, moment: Moment, ids: list[KeyId]) -> list[datetime | None]:
    return await access.last_uses(connection, moment.org_id, ids)


def loaders_at(info: Info, moment: Moment) -> Loaders:
    """The loaders of this request at that moment."""
    context = info.context
    if context.loaders is None:
        context.loaders = {}
    loaders: Loaders | None = context.loaders.get(moment)
    if loaders is None:
        loaders = context.loaders[moment] = Loaders(context.record, moment, context.caller.readable_flows())
    return loaders
