"""How an environment stands, as GraphQL shows it: a status at a cost that does not grow with what runs there."""

from typing import Final

import strawberry

from api.graphql.context import Info
from api.graphql.judgements import Judgement
from api.graphql.loaders import loaders_at
from record.environments.queries import Environment
from record.moment import Moment
from record.verdicts import Status

JUDGED_AT_ONCE_MAX: Final = 1_000
"""When the judgement recorded last is not the last word: how many artifacts may run for the policies to be asked then and there."""


@strawberry.type(
    description="An environment's status, at a cost that does not grow with what runs there. Ask `verdict` for the reasons."
)
class Standing:
    status: Status = strawberry.field(
        description="What the policies say at this moment; or, when that is not known here, what they said last."
    )
    current: bool = strawberry.field(
        description="Whether it is the status at this moment. False when something that may change it was recorded, or fell due, "
        "since it was judged last, and so much runs that the policies are not asked here: a worker judges anew in a "
        "moment. At a moment of the past with so much running it is always false."
    )
    judgement: Judgement | None = strawberry.field(
        description="The judgement that it is by; null where the policies were asked, or where there was nothing to judge yet."
    )


async def standing_of(info: Info, moment: Moment, environment: Environment) -> Standing:
    """By the last judgement if that is still the last word; by asking the policies where little runs; or as it was said last."""
    loaders = loaders_at(info, moment)
    stood = await loaders.standings.load(environment.environment_id)
    judgement = None if stood.judgement is None else Judgement.of(stood.judgement, moment)
    if stood.is_current and not environment.archived:
        info.context.expires(stood.holds_until)
        return Standing(status=stood.status, current=True, judgement=judgement)
    if await artifact_count_of(info, moment, environment) <= JUDGED_AT_ONCE_MAX:
        judged = await loaders.judgements.load(environment.environment_id)
        assert judged is not None  # the environment was read at this very moment
        info.context.expires(judged.verdict.holds_until)
        return Standing(status=judged.verdict.status, current=True, judgement=None)
    info.context.look_outside()  # a moment later it may be known
    return Standing(status=stood.status, current=False, judgement=judgement)


async def artifact_count_of(info: Info, moment: Moment, environment: Environment) -> int:
    """How many artifacts run there, by the newest snapshots; of a logical environment, in each of its parts."""
    found = await loaders_at(info, moment).newest_snapshots.load_many(list(environment.places))
    return sum(snapshot.artifacts for snapshot in found if snapshot is not None)
