"""How far delivery is reported and evidenced, as GraphQL shows it: by period, flow and environment."""

from datetime import datetime

import strawberry

from api.graphql.context import Info
from record.access.rules import Action
from record.adoption import queries, rules
from record.adoption.rules import Bucket
from record.controls.rules import Window
from record.moment import Moment

strawberry.enum(Bucket, name="AdoptionPeriodLength", description="How long periods are, in UTC; weeks begin on Monday.")


@strawberry.type(description="What was counted. Shares and rates are null where there is nothing to divide by.")
class AdoptionFigures:
    runs: int = strawberry.field(description="Runs that began: an artifact was seen running that had not been before.")
    runs_reported: int = strawberry.field(description="Those whose deployment was reported in time.")
    reported_share: float | None = strawberry.field(description="Share of runs that had a deployment report, 0 to 1.")
    shadow_changes: int = strawberry.field(
        description="Runs whose grace period has passed without a report: drift, seen from what runs."
    )
    deployments: int = strawberry.field(description="Deployments that were reported.")
    deployments_not_seen: int = strawberry.field(
        description="Those that no snapshot confirmed within the grace period: drift, seen from what was reported."
    )
    artifacts: int = strawberry.field(description="Different artifacts that were reported.")
    attestations: int = strawberry.field(description="Attestations that were recorded, overrides left out.")
    evidence_files: int = strawberry.field(description="Files of evidence that these named.")
    attestations_per_artifact: float | None = strawberry.field(description="Attestations for each artifact.")
    evidence_per_artifact: float | None = strawberry.field(description="Files of evidence for each artifact.")
    build_to_deploy_median_seconds: float | None = strawberry.field(
        description="From the first report of an artifact to a deployment of it, in seconds: the median."
    )
    build_to_deploy_p90_seconds: float | None = strawberry.field(
        description="The same: nine of ten deployments took at most this long."
    )
    times_stale: int = strawberry.field(description="How often environments fell silent for longer than expected.")

    @classmethod
    def of(cls, figures: rules.Figures) -> "AdoptionFigures":
        return cls(
            runs=figures.runs,
            runs_reported=figures.runs_reported,
            reported_share=figures.reported_share,
            shadow_changes=figures.shadow_changes,
            deployments=figures.deployments,
            deployments_not_seen=figures.deployments_not_seen,
            artifacts=figures.artifacts,
            attestations=figures.attestations,
            evidence_files=figures.evidence_files,
            attestations_per_artifact=figures.attestations_per_artifact,
            evidence_per_artifact=figures.evidence_per_artifact,
            build_to_deploy_median_seconds=figures.build_to_deploy_median,
            build_to_deploy_p90_seconds=figures.build_to_deploy_p90,
            times_stale=figures.times_stale,
        )


@strawberry.type(description="The figures of one period.")
class AdoptionPeriod:
    since: datetime = strawberry.field(description="Where it begins, inclusive.")
    until: datetime = strawberry.field(description="Where it ends, exclusive.")
    figures: AdoptionFigures = strawberry.field(description="What was counted in it.")


@strawberry.type(description="The figures of everything, of one flow, or of one environment.")
class AdoptionSeries:
    name: str | None = strawberry.field(description="The flow's or the environment's name; null for everything.")
    whole: AdoptionFigures = strawberry.field(description="What was counted in the whole window.")
    periods: list[AdoptionPeriod] = strawberry.field(description="The same by period; together they are the window.")

    @classmethod
    def of(cls, row: rules.Series) -> "AdoptionSeries":
        return cls(
            name=row.name or None,
            whole=AdoptionFigures.of(row.whole),
            periods=[
                AdoptionPeriod(since=period.since, until=period.until, figures=AdoptionFigures.of(figures))
                for period, figures in row.periods
            ],
        )


@strawberry.type(description="How far delivery is reported, evidenced and confirmed.")
class Adoption:
    everything: AdoptionSeries = strawberry.field(description="All flows and environments together.")
    flows: list[AdoptionSeries] = strawberry.field(description="Each flow in which something happened, by name.")
    environments: list[AdoptionSeries] = strawberry.field(
        description="Each environment in which something happened, by name. Artifacts and attestations belong to flows alone."
    )


async def adoption_of(info: Info, moment: Moment, since: datetime, until: datetime, bucket: Bucket) -> Adoption:
    """The figures. They reach over flows and environments, so they need a role that is not narrowed to some."""
    info.context.caller.require(Action.READ)
    window = Window.checked(since, until)
    async with info.context.record.database.connection(moment.org_id) as connection:
        found = await queries.adoption(connection, moment, window, bucket)
        info.context.expires(await queries.next_due(connection, moment, window))
    return Adoption(
        everything=AdoptionSeries.of(found.everything),
        flows=[AdoptionSeries.of(row) for row in found.flows],
        environments=[AdoptionSeries.of(row) for row in found.environments],
    )
