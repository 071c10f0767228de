"""The runtime half of the schema alone: environments, snapshots and deployments at a moment."""

from typing import Annotated, Final

import strawberry
from strawberry.schema.config import StrawberryConfig

from api.graphql.connections import Connection
from api.graphql.context import Info
from api.graphql.deployments import Deployment, DeploymentMutations, deployments_of_artifact
from api.graphql.environments import Environment, EnvironmentMutations, environment_named, environment_page
from api.graphql.errors import HANDLERS
from api.graphql.ledger import After, Before, First, Last
from api.graphql.runs import Run, runs_of_artifact
from api.graphql.scalars import SCALARS
from api.graphql.snapshots import SnapshotDifference, SnapshotMutations, difference_of
from record.ids import Fingerprint, LedgerSize
from record.moment import Moment


def moment_of(info: Info, size: LedgerSize | None) -> Moment:
    now = info.context.moment
    return now if size is None else Moment(now.org_id, size, now.instant)


@strawberry.type
class Query:
    @strawberry.field
    async def environment(
        self, info: Info, name: str, size: Annotated[LedgerSize | None, strawberry.argument()] = None
    ) -> Environment | None:
        return await environment_named(info, moment_of(info, size), name)

    @strawberry.field
    async def environments(
        self, info: Info, first: First = None, after: After = None, last: Last = None, before: Before = None
    ) -> Connection[Environment]:
        return await environment_page(info, info.context.moment, first=first, after=after, last=last, before=before)

    @strawberry.field
    async def diff(self, info: Info, first: str, second: str) -> SnapshotDifference:
        return await difference_of(info, info.context.moment, first, second)

    @strawberry.field
    async def runs(self, info: Info, fingerprint: Fingerprint, environment: str | None = None) -> list[Run]:
        return await runs_of_artifact(info, info.context.moment, fingerprint, environment)

    @strawberry.field
    async def deployments(self, info: Info, fingerprint: Fingerprint) -> list[Deployment]:
        return await deployments_of_artifact(info, info.context.moment, fingerprint)


@strawberry.type
class Mutation(EnvironmentMutations, SnapshotMutations, DeploymentMutations):
    pass


SCHEMA: Final = strawberry.Schema(
    query=Query,
    mutation=Mutation,
    config=StrawberryConfig(scalar_map=dict(SCALARS)),
    exception_handlers=list(HANDLERS),
)
