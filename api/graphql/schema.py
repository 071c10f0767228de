"""The schema: the parts put together. `make schema` writes it to schema.graphql, and a test fails when that is stale."""

from collections.abc import AsyncIterator
from datetime import datetime
from functools import cache
from typing import Annotated, Final

import strawberry
from strawberry.schema.config import StrawberryConfig
from strawberry.schema.name_converter import NameConverter
from strawberry.utils.str_converters import to_camel_case

from api.graphql import finding
from api.graphql.access import AccessMutations, Viewer
from api.graphql.approving import ApprovalMutations
from api.graphql.archives import Archive, ArchiveMutations, watch
from api.graphql.artifacts import ArtifactMutations
from api.graphql.attest import AttestationMutations
from api.graphql.attest_reviews import ReviewAttestationMutations
from api.graphql.context import Info
from api.graphql.deployments import DeploymentMutations
from api.graphql.environment_mutations import EnvironmentMutations
from api.graphql.errors import HANDLERS
from api.graphql.flows import FlowMutations
from api.graphql.inputs import plan_inputs
from api.graphql.ledger import Entry
from api.graphql.mapping import ControlMutations
from api.graphql.nodes import Node
from api.graphql.notice_mutations import NoticeMutations
from api.graphql.organization import OrganizationMutations
from api.graphql.policies import PolicyMutations
from api.graphql.record import Record, record_at
from api.graphql.scalars import SCALARS
from api.graphql.snapshot_mutations import SnapshotMutations
from api.graphql.trails import TrailMutations
from api.graphql.waivers import WaiverMutations
from api.graphql.watching import entries_after
from record.ids import LedgerSize


@strawberry.type(description="Questions. Each answer is of one moment, and says which.")
class Query:
    @strawberry.field(description="Who is asking.")
    def viewer(self, info: Info) -> Viewer:
        _ = info.context.moment  # it is about the caller as of now
        return Viewer.of(info.context.caller)

    @strawberry.field(description="The record as it stands, or as it stood at an instant or at a ledger size.")
    async def record(
        self,
        info: Info,
        at: Annotated[datetime | None, strawberry.argument(description="As it stood at this instant.")] = None,
        size: Annotated[LedgerSize | None, strawberry.argument(description="As it stood at this ledger size.")] = None,
    ) -> Record:
        return await record_at(info, at, size)

    @strawberry.field(description="Whatever has this id, as of now; null when it is not there or not yours to see.")
    async def node(self, info: Info, id: strawberry.ID) -> Node | None:  # noqa: A002
        return await finding.node(info, id)


@strawberry.type(description="Writes. Each appends an entry, and gives its receipt or the reason why not.")
class Mutation(
    FlowMutations,
    TrailMutations,
    ArtifactMutations,
    AttestationMutations,
    ReviewAttestationMutations,
    EnvironmentMutations,
    SnapshotMutations,
    DeploymentMutations,
    PolicyMutations,
    NoticeMutations,
    ApprovalMutations,
    WaiverMutations,
    ControlMutations,
    ArchiveMutations,
    AccessMutations,
    OrganizationMutations,
):
    pass


@strawberry.type(description="What happens, as it happens.")
class Subscription:
    @strawberry.subscription(
        description="Entries in ledger order, from `after` on or from now on, as they become durable. To go on after a break, "
        "give the size that follows the last entry you saw."
    )
    async def entries(
        self,
        info: Info,
        after: Annotated[
            LedgerSize | None,
            strawberry.argument(description="Begin behind this many entries; without it, from now on."),
        ] = None,
    ) -> AsyncIterator[Entry]:
        async for entry in entries_after(info, after):
            yield entry

    @strawberry.subscription(description="An archive: now, whenever it is further, and a last time when it has ended.")
    async def archive(self, info: Info, id: strawberry.ID) -> AsyncIterator[Archive]:  # noqa: A002
        async for state in watch(info, id):
            yield state


@cache
def _camel_case(name: str) -> str:
    return to_camel_case(name)


class _Names(NameConverter):
    """As Strawberry names things, each worked out once: a resolver asks for the names of its arguments at each call."""

    def apply_naming_config(self, name: str) -> str:
        return _camel_case(name)


SCHEMA: Final = strawberry.Schema(
    query=Query,
    mutation=Mutation,
    subscription=Subscription,
    config=StrawberryConfig(name_converter=_Names(), scalar_map=dict(SCALARS)),
    exception_handlers=list(HANDLERS),
)
"""The schema that the server serves."""
plan_inputs(SCHEMA)
