"""When an artifact ran: intervals, as the snapshots of environments tell them."""

from datetime import datetime

import strawberry

from api.graphql.context import Info
from api.graphql.loaders import loaders_at
from record.access.rules import Action
from record.environments import queries
from record.environments.rules import Run as Interval
from record.environments.rules import union_of_runs
from record.environments.service import unknown_environment
from record.ids import EnvironmentId, Fingerprint
from record.moment import Moment


@strawberry.type(description="An interval in which an artifact ran in an environment.")
class Run:
    environment_name: str = strawberry.field(description="The environment's name.")
    fingerprint: Fingerprint = strawberry.field(description="The artifact's SHA-256.")
    name: str = strawberry.field(description="What it was called there.")
    since: datetime = strawberry.field(description="When a snapshot first saw it.")
    since_snapshot: int | None = strawberry.field(description="That snapshot's number; null in a logical environment.")
    until: datetime | None = strawberry.field(description="When a snapshot no longer saw it; null while it is running.")
    until_snapshot: int | None = strawberry.field(
        description="That snapshot's number; null while it is running, and in a logical environment."
    )

    @classmethod
    def of(cls, run: Interval, environment: queries.Environment) -> "Run":
        logical = environment.is_logical
        return cls(
            environment_name=environment.name,
            fingerprint=run.fingerprint,
            name=run.name,
            since=run.since,
            since_snapshot=None if logical else run.since_number,
            until=run.until,
            until_snapshot=None if logical else run.until_number,
        )


async def runs_of_artifact(
    info: Info, moment: Moment, fingerprint: Fingerprint, environment: str | None = None
) -> list[Run]:
    """When this artifact ran, oldest first: in that environment, or in each that the caller may read."""
    loaders, caller = loaders_at(info, moment), info.context.caller
    if environment is not None:
        found = await environment_row(info, moment, environment)
        if found is None:
            raise unknown_environment(environment)
        runs = [run for run in await loaders.runs.load(fingerprint) if run.environment_id in found.places]
        if found.is_logical:
            runs = union_of_runs(runs, found.environment_id)
        return [Run.of(run, found) for run in runs]
    runs = await loaders.runs.load(fingerprint)
    ids = list(dict.fromkeys(run.environment_id for run in runs))
    rows = [row for row in await loaders.environments.load_many(ids) if row is not None]
    places: dict[EnvironmentId, queries.Environment] = {
        row.environment_id: row for row in rows if caller.may(Action.READ, environment=row.name)
    }
    return [Run.of(run, places[run.environment_id]) for run in runs if run.environment_id in places]


async def readable_names(info: Info, moment: Moment, environment: str | None) -> frozenset[str] | None:
    """The names of the environments that a list is about: the named one, or all that the caller may read (None: any).

    Refuses a name that is not there or not theirs.
    """
    if environment is None:
        return info.context.caller.readable_environments()
    if await environment_row(info, moment, environment) is None:
        raise unknown_environment(environment)
    return frozenset({environment})


def shown_name(info: Info, name: str, through: str | None) -> str:
    """What a caller is told of where something happened: of a part that they may not read, the logical one that they see it in."""
    return name if through is None or info.context.caller.may(Action.READ, environment=name) else through


async def environment_row(info: Info, moment: Moment, name: str) -> queries.Environment | None:
    """The environment of this name, if the caller may read it."""
    if not info.context.caller.may(Action.READ, environment=name):
        return None
    async with info.context.record.database.connection(moment.org_id) as connection:
        return await queries.by_name(connection, moment, name)
