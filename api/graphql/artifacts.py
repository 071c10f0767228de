"""Artifacts as GraphQL shows and takes them."""

from collections.abc import Awaitable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Final, TypeAlias

import strawberry

from api.graphql.attestations import Attestation
from api.graphql.context import Info
from api.graphql.errors import Refused
from api.graphql.ledger import Receipt
from api.graphql.links import Commit, CommitInput, ExternalUrl, ExternalUrlInput, commit_of, links_of, object_of
from api.graphql.loaders import loaders_at
from api.graphql.nodes import Node, global_id
from api.graphql.runs import Run, runs_of_artifact
from api.graphql.scalars import Json
from api.graphql.verdicts import Verdict
from api.graphql.writes import perform
from record.artifacts import queries, rules, service
from record.ids import EntryIndex, Fingerprint
from record.moment import Moment
from record.refusals import Ambiguous
from record.trails.facts import ArtifactFact, TrailFacts
from record.verdicts import Verdict as Judged
from record.verdicts import earliest, worst

if TYPE_CHECKING:
    from api.graphql.approvals import Approval
    from api.graphql.deployments import Deployment
    from api.graphql.trails import Trail


FINGERPRINT_LENGTH: Final = 64


@strawberry.type(description="An artifact as it was reported into one trail, and how it is judged there.")
class ArtifactInTrail:
    fingerprint: Fingerprint = strawberry.field(description="Its SHA-256.")
    name: str = strawberry.field(description="The file's or image's name.")
    kind: str = strawberry.field(description="What was fingerprinted: file, dir, oci, docker or other.")
    template_name: str = strawberry.field(description="What the template calls it.")
    flow_name: str = strawberry.field(description="The flow it was reported into.")
    trail_name: str = strawberry.field(description="The trail it was reported into.")
    build_url: str | None = strawberry.field(description="Where it was built.")
    commit_url: str | None = strawberry.field(description="Where to look at its commit.")
    repository_url: str | None = strawberry.field(description="Where its source lives.")
    reported_at: datetime = strawberry.field(description="When it was reported.")
    reported_by: str = strawberry.field(description="Who reported it.")
    entry_index: EntryIndex = strawberry.field(description="The entry that recorded the report.")
    row: strawberry.Private[queries.ArtifactReport]
    moment: strawberry.Private[Moment]

    @strawberry.field(description="The commit it was built from.")
    def commit(self) -> Commit | None:
        return Commit.of(self.row.commit, self.row.commit_info)

    @strawberry.field(description="Evidence that stays with its owner.")
    def external_urls(self) -> list[ExternalUrl]:
        return ExternalUrl.all(self.row.external_urls)

    @strawberry.field(description="Annotations that its reporter gave.")
    def annotations(self) -> Json:
        return Json(self.row.annotations)

    @strawberry.field(description="Whatever its reporter attached.")
    def user_data(self) -> Json:
        return Json(self.row.user_data)

    @strawberry.field(
        description="Whether the template is satisfied for it in this trail, and why.", graphql_type=Verdict
    )
    def verdict(self, info: Info) -> Verdict | Awaitable[Verdict]:
        return _verdict(info, [self.row], self.moment)

    @strawberry.field(description="The trail.")
    async def trail(self, info: Info) -> Annotated["Trail", strawberry.lazy("api.graphql.trails")] | None:
        from api.graphql.trails import Trail

        row = await loaders_at(info, self.moment).trails.load(self.row.trail_id)
        return None if row is None else Trail.of(row, self.moment)

    @strawberry.field(
        description="The attestations about it in this trail, oldest first: those that name its fingerprint, and those that name "
        "its template name and commit."
    )
    async def attestations(self, info: Info) -> list[Attestation]:
        loaders = loaders_at(info, self.moment)
        rows = await loaders.attestations_of_trails.load(self.row.trail_id)
        facts = loaders.reading.facts_at_hand(self.row.trail_id) or await loaders.facts.load(self.row.trail_id)
        reaching = rules.about(rules.open_docket(facts, now=self.moment.instant), _fact(self.row))
        about_it = {fact.entry_index for fact in reaching}
        return [Attestation.of(row, self.moment) for row in rows if row.entry_index in about_it]

    @classmethod
    def of(cls, row: queries.ArtifactReport, moment: Moment) -> "ArtifactInTrail":
        return cls(
            fingerprint=row.fingerprint,
            name=row.name,
            kind=row.kind,
            template_name=row.template_name,
            flow_name=row.flow,
            trail_name=row.trail,
            build_url=row.build_url,
            commit_url=row.commit_url,
            repository_url=row.repository_url,
            reported_at=row.at,
            reported_by=row.reported_by,
            entry_index=row.entry_index,
            row=row,
            moment=moment,
        )


def _verdict(info: Info, reports: Sequence[queries.ArtifactReport], moment: Moment) -> Verdict | Awaitable[Verdict]:
    """The worst over these reports of one artifact; at once when what is known of their trails was read ahead."""
    loaders = loaders_at(info, moment)
    at_hand = [facts for report in reports if (facts := loaders.reading.facts_at_hand(report.trail_id)) is not None]
    if len(at_hand) == len(reports):
        return _judged(info, reports, at_hand, moment)
    return _later_judged(info, reports, moment)


async def _later_judged(info: Info, reports: Sequence[queries.ArtifactReport], moment: Moment) -> Verdict:
    facts = await loaders_at(info, moment).facts.load_many([report.trail_id for report in reports])
    return _judged(info, reports, facts, moment)


def _judged(
    info: Info, reports: Sequence[queries.ArtifactReport], facts: Sequence[TrailFacts], moment: Moment
) -> Verdict:
    judged = [_judge(report, each, moment) for report, each in zip(reports, facts, strict=True)]
    return Verdict.of(
        info,
        worst(verdict.status for verdict in judged),
        earliest(verdict.holds_until for verdict in judged),
        lambda: [reason for verdict in judged for reason in verdict.reasons],
    )


def _fact(report: queries.ArtifactReport) -> ArtifactFact:
    return ArtifactFact(report.entry_index, report.fingerprint, report.template_name, report.commit, report.name)


def _judge(report: queries.ArtifactReport, facts: TrailFacts, moment: Moment) -> Judged:
    artifact = _fact(report)
    return rules.judge_artifact(facts, artifact, now=moment.instant)


@strawberry.type(description="Something that was built, known by its fingerprint, wherever it was reported.")
class Artifact(Node):
    fingerprint: Fingerprint = strawberry.field(description="Its SHA-256.")
    name: str = strawberry.field(description="Its name in the newest report.")
    latest: strawberry.Private[list[queries.ArtifactReport]]
    moment: strawberry.Private[Moment]

    @strawberry.field(description="Its newest report in each trail, newest first.")
    def reports(self) -> list[ArtifactInTrail]:
        return [ArtifactInTrail.of(report, self.moment) for report in self.latest]

    @strawberry.field(
        description="The worst of its verdicts over the trails it was reported into, with the reasons of each.",
        graphql_type=Verdict,
    )
    def verdict(self, info: Info) -> Verdict | Awaitable[Verdict]:
        return _verdict(info, self.latest, self.moment)

    @strawberry.field(
        description="When it ran, oldest first: in each environment that you may read, or in the named one."
    )
    async def runs(self, info: Info, environment: str | None = None) -> list[Run]:
        return await runs_of_artifact(info, self.moment, self.fingerprint, environment)

    @strawberry.field(
        description="Reports that it was deployed, the last one first: to each environment that you may read, or to the named one."
    )
    async def deployments(
        self, info: Info, environment: str | None = None
    ) -> list[Annotated["Deployment", strawberry.lazy("api.graphql.deployments")]]:
        from api.graphql.deployments import deployments_of_artifact

        return await deployments_of_artifact(info, self.moment, self.fingerprint, environment)

    @strawberry.field(
        description="Requests to put it into each environment that you may read, or into the named one, the last one first."
    )
    async def approvals(
        self, info: Info, environment: str | None = None
    ) -> list[Annotated["Approval", strawberry.lazy("api.graphql.approvals")]]:
        from api.graphql.approvals import approvals_of_artifact

        return await approvals_of_artifact(info, self.moment, self.fingerprint, environment)

    @classmethod
    def of(cls, reports: list[queries.ArtifactReport], moment: Moment) -> "Artifact | None":
        """The artifact of these reports of one fingerprint, newest first; None without any."""
        if not reports:
            return None
        latest: dict[tuple[object, str], queries.ArtifactReport] = {}
        for report in reports:
            latest.setdefault((report.trail_id, report.template_name), report)
        newest = reports[0]
        return cls(
            id=global_id("Artifact", newest.fingerprint),
            fingerprint=newest.fingerprint,
            name=newest.name,
            latest=list(latest.values()),
            moment=moment,
        )


async def whole_fingerprint(info: Info, moment: Moment, fingerprint: Fingerprint) -> Fingerprint | None:
    """The whole of a fingerprint, of which the beginning may be given; None when nothing begins so that the caller may see."""
    if len(fingerprint) == FINGERPRINT_LENGTH:
        return fingerprint
    readable = info.context.caller.readable_flows()
    async with info.context.record.database.connection(moment.org_id) as connection:
        found = await queries.fingerprints_like(connection, moment, fingerprint, readable=readable, limit=3)
    if len(found) > 1:
        raise Ambiguous(
            f"{fingerprint} is the beginning of several fingerprints: {', '.join(found)}. Give more digits."
        )
    return found[0] if found else None


async def artifact_of(info: Info, moment: Moment, fingerprint: Fingerprint) -> Artifact | None:
    """The artifact of this fingerprint, as far as the caller may see it."""
    return Artifact.of(await loaders_at(info, moment).reports.load(fingerprint), moment)


@strawberry.input(description="An artifact to report into a trail.")
class ReportArtifactInput:
    flow: str = strawberry.field(description="The flow's name.")
    trail: str = strawberry.field(description="The trail's name.")
    template_name: str = strawberry.field(description="What the flow's template calls this artifact.")
    fingerprint: Fingerprint = strawberry.field(description="Its SHA-256.")
    name: str = strawberry.field(description="The file's or image's name.")
    kind: str = strawberry.field(default="file", description="What was fingerprinted: file, dir, oci, docker or other.")
    commit: CommitInput | None = strawberry.field(
        default=None, description="The commit it was built from; without one, the trail's."
    )
    commit_url: str | None = strawberry.field(default=None, description="Where to look at the commit.")
    build_url: str | None = strawberry.field(default=None, description="Where it was built.")
    repository_url: str | None = strawberry.field(default=None, description="Where its source lives.")
    external_urls: list[ExternalUrlInput] = strawberry.field(
        default_factory=list, description="Evidence that stays with its owner."
    )
    annotations: Json | None = strawberry.field(default=None, description="Annotations, a JSON object.")
    user_data: Json | None = strawberry.field(default=None, description="Whatever you want to attach, a JSON object.")
    idempotency_key: str | None = strawberry.field(
        default=None, description="The same key again gives the first receipt."
    )


@strawberry.type(description="The artifact was reported.")
class ArtifactReported:
    receipt: Receipt = strawberry.field(description="Where and how it was recorded.")
    fingerprint: Fingerprint = strawberry.field(description="The artifact's SHA-256.")

    @strawberry.field(description="The artifact as it is now.")
    async def artifact(self, info: Info) -> Artifact | None:
        return await artifact_of(info, info.context.moment, self.fingerprint)


ReportArtifactResult: TypeAlias = Annotated[ArtifactReported | Refused, strawberry.union("ReportArtifactResult")]


@strawberry.type
class ArtifactMutations:
    @strawberry.mutation(
        description="Reports an artifact into a trail. The same fingerprint again is the same artifact, reported again."
    )
    async def report_artifact(self, info: Info, input: ReportArtifactInput) -> ReportArtifactResult:  # noqa: A002
        wish = service.ReportArtifact(
            flow=input.flow,
            trail=input.trail,
            template_name=input.template_name,
            fingerprint=input.fingerprint,
            name=input.name,
            kind=input.kind,
            commit=commit_of(input.commit),
            commit_url=input.commit_url,
            build_url=input.build_url,
            repository_url=input.repository_url,
            external_urls=links_of(input.external_urls),
            annotations=object_of(input.annotations, field="annotations"),
            user_data=object_of(input.user_data, field="userData"),
        )
        receipt = await perform(
            info,
            lambda caller, once: service.report(info.context.record, caller, wish, idempotency=once),
            input=input,
            key=input.idempotency_key,
        )
        return ArtifactReported(receipt=Receipt.of(receipt), fingerprint=receipt.body["fingerprint"])
