"""Trails as GraphQL shows and takes them."""

from collections.abc import Awaitable
from datetime import datetime
from typing import Annotated, TypeAlias

import strawberry

from api.graphql.artifacts import ArtifactInTrail
from api.graphql.attestations import Attestation
from api.graphql.connections import Connection
from api.graphql.context import Info
from api.graphql.errors import Refused
from api.graphql.judgements import Judgement, judgements_of
from api.graphql.ledger import After, Before, First, Last, Receipt
from api.graphql.links import Commit, CommitInput, ExternalUrl, ExternalUrlInput, commit_of, links_of, object_of
from api.graphql.loaders import loaders_at
from api.graphql.nodes import Node, global_id
from api.graphql.scalars import Json
from api.graphql.verdicts import Verdict
from api.graphql.writes import perform
from record.access.rules import Action
from record.ids import EntryIndex
from record.moment import Moment
from record.trails import queries, rules, service
from record.trails.facts import TrailFacts
from record.verdicts import Status


@strawberry.type(description="One thing that a template asks for, and how it stands in a trail.")
class TrailRequirement:
    artifact: str | None = strawberry.field(
        description="What the template calls the artifact that it is asked of; null: it is asked of the trail."
    )
    name: str | None = strawberry.field(
        description="The attestation's name; null: the artifact itself has to be reported."
    )
    type: str | None = strawberry.field(description="The attestation's type, `*` for any; null for an artifact.")
    status: Status = strawberry.field(description="COMPLIANT, NON_COMPLIANT, or INCOMPLETE while it is missing.")
    entry_index: EntryIndex | None = strawberry.field(description="The entry that decided; null while it is missing.")

    @classmethod
    def of(cls, requirement: rules.Requirement) -> "TrailRequirement":
        return cls(
            artifact=requirement.artifact,
            name=requirement.name,
            type=requirement.type,
            status=requirement.status,
            entry_index=requirement.entry_index,
        )


@strawberry.type(description="One run of a flow: a commit, a pull request, a ticket, a shell session.")
class Trail(Node):
    name: str = strawberry.field(description="Its name in the flow.")
    flow_name: str = strawberry.field(description="The flow's name.")
    description: str = strawberry.field(description="What this run is.")
    origin_url: str | None = strawberry.field(description="Where it comes from, such as the pull request.")
    begun_at: datetime = strawberry.field(description="When it began.")
    changed_at: datetime = strawberry.field(description="When its details were last given.")
    begun_by: str = strawberry.field(description="Who began it.")
    template_version: int = strawberry.field(description="The version of the flow's template that was in force then.")
    has_own_template: bool = strawberry.field(description="Whether it is judged by a template of its own instead.")
    entry_index: EntryIndex = strawberry.field(description="The entry that last gave its details.")
    row: strawberry.Private[queries.Trail]
    moment: strawberry.Private[Moment]

    @strawberry.field(description="The commit that it is about, where it is about one.")
    def commit(self) -> Commit | None:
        return Commit.of(self.row.commit, self.row.commit_info)

    @strawberry.field(description="Evidence that stays with its owner.")
    def external_urls(self) -> list[ExternalUrl]:
        return ExternalUrl.all(self.row.external_urls)

    @strawberry.field(description="Whatever its reporter attached.")
    def user_data(self) -> Json:
        return Json(self.row.user_data)

    @strawberry.field(
        description="Whether everything that it must contain is there and compliant, and why.", graphql_type=Verdict
    )
    def verdict(self, info: Info) -> Verdict | Awaitable[Verdict]:
        facts = loaders_at(info, self.moment).reading.facts_at_hand(self.row.trail_id)
        return self._later_judged(info) if facts is None else self._judged(info, facts)

    async def _later_judged(self, info: Info) -> Verdict:
        return self._judged(info, await loaders_at(info, self.moment).facts.load(self.row.trail_id))

    def _judged(self, info: Info, facts: TrailFacts) -> Verdict:
        return Verdict.of(info, *rules.judge_at_a_glance(facts, now=self.moment.instant))

    @strawberry.field(
        description="What its template asks for, one by one, and how each stands: the trail's own attestations, then each "
        "artifact with its attestations."
    )
    async def requirements(self, info: Info) -> list[TrailRequirement]:
        loaders = loaders_at(info, self.moment)
        facts = loaders.reading.facts_at_hand(self.row.trail_id) or await loaders.facts.load(self.row.trail_id)
        examined = rules.examine_trail(facts, now=self.moment.instant)
        info.context.expires(examined.holds_until())
        return [TrailRequirement.of(each) for each in examined.requirements()]

    @strawberry.field(description="Its artifacts: the latest of each template name.")
    async def artifacts(self, info: Info) -> list[ArtifactInTrail]:
        reports = await loaders_at(info, self.moment).artifacts_of_trails.load(self.row.trail_id)
        return [ArtifactInTrail.of(report, self.moment) for report in reports]

    @strawberry.field(description="Every attestation in it, oldest first. The latest of a name decides.")
    async def attestations(self, info: Info) -> list[Attestation]:
        rows = await loaders_at(info, self.moment).attestations_of_trails.load(self.row.trail_id)
        return [Attestation.of(row, self.moment) for row in rows]

    @strawberry.field(description="When its verdict changed, and why: the newest first.")
    async def judgements(
        self, info: Info, first: First = None, after: After = None, last: Last = None, before: Before = None
    ) -> Connection[Judgement]:
        return await judgements_of(
            info, self.moment, self.row.trail_id, first=first, after=after, last=last, before=before
        )

    @classmethod
    def of(cls, row: queries.Trail, moment: Moment) -> "Trail":
        return cls(
            id=global_id("Trail", row.trail_id),
            name=row.name,
            flow_name=row.flow,
            description=row.description,
            origin_url=row.origin_url,
            begun_at=row.begun_at,
            changed_at=row.changed_at,
            begun_by=row.begun_by,
            template_version=row.template_version,
            has_own_template=row.has_own_template,
            entry_index=row.entry_index,
            row=row,
            moment=moment,
        )


async def trail_named(info: Info, moment: Moment, flow: str, name: str) -> Trail | None:
    """The trail of this name, if the caller may read its flow."""
    if not info.context.caller.may(Action.READ, flow=flow):
        return None
    async with info.context.record.database.connection(moment.org_id) as connection:
        row = await queries.by_name(connection, moment, flow, name)
        await loaders_at(info, moment).reading.ahead(connection, [] if row is None else [row])
    return None if row is None else Trail.of(row, moment)


@strawberry.input(description="A trail to begin, or to begin again with newer details.")
class BeginTrailInput:
    flow: str = strawberry.field(description="The flow's name.")
    name: str = strawberry.field(description="The trail's name: a letter or digit, then letters, digits and . _ ~ -")
    description: str = strawberry.field(default="", description="What this run is.")
    commit: CommitInput | None = strawberry.field(default=None, description="The commit that it is about.")
    origin_url: str | None = strawberry.field(
        default=None, description="Where it comes from, such as the pull request."
    )
    external_urls: list[ExternalUrlInput] = strawberry.field(
        default_factory=list, description="Evidence that stays with its owner."
    )
    user_data: Json | None = strawberry.field(default=None, description="Whatever you want to attach, a JSON object.")
    template: str | None = strawberry.field(default=None, description="A template for this trail alone (YAML).")
    idempotency_key: str | None = strawberry.field(
        default=None, description="The same key again gives the first receipt."
    )


@strawberry.type(description="The trail was begun.")
class TrailBegun:
    receipt: Receipt = strawberry.field(description="Where and how it was recorded.")
    flow_name: strawberry.Private[str]
    name: strawberry.Private[str]

    @strawberry.field(description="The trail as it is now.")
    async def trail(self, info: Info) -> Trail | None:
        return await trail_named(info, info.context.moment, self.flow_name, self.name)


BeginTrailResult: TypeAlias = Annotated[TrailBegun | Refused, strawberry.union("BeginTrailResult")]


@strawberry.type
class TrailMutations:
    @strawberry.mutation(
        description="Begins a trail in a flow; an existing one gets these details and the flow's present template."
    )
    async def begin_trail(self, info: Info, input: BeginTrailInput) -> BeginTrailResult:  # noqa: A002
        wish = service.BeginTrail(
            flow=input.flow,
            name=input.name,
            description=input.description,
            commit=commit_of(input.commit),
            origin_url=input.origin_url,
            external_urls=links_of(input.external_urls),
            user_data=object_of(input.user_data, field="userData"),
            template=input.template,
        )
        receipt = await perform(
            info,
            lambda caller, once: service.begin(info.context.record, caller, wish, idempotency=once),
            input=input,
            key=input.idempotency_key,
        )
        return TrailBegun(receipt=Receipt.of(receipt), flow_name=receipt.body["flow"], name=receipt.body["name"])
