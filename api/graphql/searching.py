"""One box for everything: what is known of a name, a commit or a fingerprint."""

import asyncio
from typing import Annotated, Final, TypeAlias

import strawberry
from strawberry import Parent

from api.graphql.approvals import Approval, approvals_of_artifact
from api.graphql.artifacts import Artifact
from api.graphql.context import Info
from api.graphql.deployments import Deployment, deployments_of_artifact
from api.graphql.environments import Environment
from api.graphql.flows import Flow
from api.graphql.loaders import loaders_at
from api.graphql.nodes import AtMoment
from api.graphql.policies import Policy
from api.graphql.runs import Run, runs_of_artifact
from api.graphql.trails import Trail
from record.ids import FINGERPRINT_PREFIX, Fingerprint
from record.moment import Moment
from record.policies import queries as policies
from record.refusals import InvalidInput
from record.search import queries
from record.search.queries import Found

SEARCH_HITS_MAX: Final = 20
ABOUT_SEARCH: Final = (
    "What begins with this text. By name: flows, trails, artifacts, environments, policies. By commit: trails and artifacts. "
    "By fingerprint: artifacts. Of artifacts found by commit or fingerprint also their deployments, approvals and runs, those of "
    "artifacts that no flow knows included. At most 20 of each."
)

SearchHit: TypeAlias = Annotated[
    Flow | Trail | Artifact | Environment | Policy | Deployment | Approval | Run,
    strawberry.union("SearchHit", description="Something found."),
]


async def search(root: Parent[AtMoment], info: Info, query: str) -> list[SearchHit]:
    """`Record.search`: as far as the caller may read."""
    text = query.strip().removeprefix("sha256:")
    if not 1 <= len(text) <= 256:
        raise InvalidInput("Search for a text of 1 to 256 characters: a name, a commit, a fingerprint.", field="query")
    moment, caller = root.moment, info.context.caller
    async with info.context.record.database.connection(moment.org_id) as connection:
        found = await queries.search(
            connection,
            moment,
            text,
            readable=caller.readable_flows(),
            readable_environments=caller.readable_environments(),
            limit=SEARCH_HITS_MAX,
        )
        reads = caller.readable_flows() != frozenset() or caller.readable_environments() != frozenset()
        rules = await policies.by_ids(connection, moment, found.policies) if reads else []
    hits = [*await _named(info, moment, found), *[Policy.of(row, moment) for row in rules if row is not None]]
    if FINGERPRINT_PREFIX.fullmatch(text) is not None:
        hits += await _whereabouts(info, moment, list(dict.fromkeys([*found.artifacts, *found.seen])))
    return hits


async def _named(info: Info, moment: Moment, found: Found) -> list[SearchHit]:
    loaders = loaders_at(info, moment)
    flows = await loaders.flows.load_many(found.flows)
    trails = await loaders.trails.load_many(found.trails)
    reports = await loaders.reports.load_many(found.artifacts)
    environments = await loaders.environments.load_many(found.environments)
    return [
        *[Flow.of(row, moment) for row in flows if row is not None],
        *[Trail.of(row, moment) for row in trails if row is not None],
        *[hit for hit in (Artifact.of(each, moment) for each in reports) if hit is not None],
        *[Environment.of(row, moment) for row in environments if row is not None],
    ]


async def _whereabouts(info: Info, moment: Moment, fingerprints: list[Fingerprint]) -> list[SearchHit]:
    """Deployments, approvals and runs of these artifacts, the newest first: three statements, however many."""
    deployed = await asyncio.gather(*(deployments_of_artifact(info, moment, each) for each in fingerprints))
    approved = await asyncio.gather(*(approvals_of_artifact(info, moment, each) for each in fingerprints))
    ran = await asyncio.gather(*(runs_of_artifact(info, moment, each) for each in fingerprints))
    deployments = sorted((each for some in deployed for each in some), key=lambda each: -each.entry_index)
    approvals = sorted((each for some in approved for each in some), key=lambda each: -each.entry_index)
    runs = sorted((each for some in ran for each in some), key=lambda each: each.since, reverse=True)
    return [*deployments[:SEARCH_HITS_MAX], *approvals[:SEARCH_HITS_MAX], *runs[:SEARCH_HITS_MAX]]
