"""The record at a moment: where every question begins."""

from datetime import datetime
from functools import lru_cache
from typing import Annotated

import strawberry

from api.graphql.access import Principal
from api.graphql.adoption import Adoption, adoption_of
from api.graphql.approvals import ABOUT_APPROVAL, ABOUT_QUEUE, Approval, approval_asked, approval_queue
from api.graphql.archives import Archive, archive_of, archive_page
from api.graphql.artifacts import Artifact, artifact_of, whole_fingerprint
from api.graphql.attestations import ABOUT_STORED, AttestationType, SigningKey, stored_evidence
from api.graphql.compliance import ComplianceReport, compliance_of
from api.graphql.connections import Connection
from api.graphql.context import Info
from api.graphql.controls import Framework, framework_named, framework_page
from api.graphql.deployments import Deployment, deployment_of
from api.graphql.differences import SnapshotDifference, difference_of
from api.graphql.environments import Environment, environment_named, environment_page
from api.graphql.flows import Flow, flow_named, flow_page
from api.graphql.gate import ASSERT_ARTIFACT, AssertArtifactResult, By, assert_artifact
from api.graphql.judgements import Judgement, judgements_lately
from api.graphql.ledger import After, Before, First, Last, Ledger
from api.graphql.nodes import uuid_in
from api.graphql.notices import Notice, notice_named, notice_page
from api.graphql.organization import Organization
from api.graphql.policies import Policy, policy_named, policy_page, try_policy
from api.graphql.searching import ABOUT_SEARCH, SearchHit, search
from api.graphql.snapshots import Snapshot, snapshot_named
from api.graphql.trails import Trail, trail_named
from api.graphql.verdicts import Verdict
from api.graphql.waivers import Waiver, waiver_asked, waivers_asked
from api.graphql.whereabouts import ABOUT_WHEREABOUTS, Whereabouts, whereabouts_of
from record.access import queries as access
from record.access.rules import Action
from record.adoption.rules import Bucket
from record.attestations import queries as attestations
from record.clock import to_rfc3339
from record.ids import (
    DeploymentId,
    Digest,
    EntryIndex,
    Fingerprint,
    LedgerSize,
)
from record.ledger import queries as ledger
from record.moment import Moment
from record.refusals import InvalidInput


@strawberry.type(description="The record at one moment. Everything below it is answered as of that moment.")
class Record:
    size: LedgerSize = strawberry.field(description="The ledger size that it is pinned to.")
    instant: datetime = strawberry.field(description="The instant that it is pinned to; only expiry looks at it.")
    moment: strawberry.Private[Moment]
    approvals: Connection[Approval] = strawberry.field(resolver=approval_queue, description=ABOUT_QUEUE)
    approval: Approval | None = strawberry.field(resolver=approval_asked, description=ABOUT_APPROVAL)
    waivers: Connection[Waiver] = strawberry.field(
        resolver=waivers_asked, description="Waivers, the last requested first."
    )
    waiver: Waiver | None = strawberry.field(
        resolver=waiver_asked, description="The waiver of this id; null when there is none."
    )

    @strawberry.field(description="The ledger behind it.")
    def ledger(self, info: Info) -> Ledger:
        return Ledger(origin=info.context.head.origin, size=self.size, moment=self.moment)

    @strawberry.field(description="The organization; null at a size before it began.")
    async def organization(self, info: Info) -> Organization | None:
        info.context.caller.require_somewhere(Action.READ)
        async with info.context.record.database.connection(self.moment.org_id) as connection:
            row = await access.organization(connection, self.moment)
        return None if row is None else Organization.of(row)

    @strawberry.field(description="Its flows, by name.")
    async def flows(
        self, info: Info, first: First = None, after: After = None, last: Last = None, before: Before = None
    ) -> Connection[Flow]:
        return await flow_page(info, self.moment, first=first, after=after, last=last, before=before)

    @strawberry.field(description="The flow of this name; null when there is none.")
    async def flow(self, info: Info, name: str) -> Flow | None:
        return await flow_named(info, self.moment, name)

    @strawberry.field(description="The trail of this name in the flow of that name; null when there is none.")
    async def trail(self, info: Info, flow: str, name: str) -> Trail | None:
        return await trail_named(info, self.moment, flow, name)

    @strawberry.field(
        description="The artifact of this fingerprint, or of the only one that begins so; null when there is none."
    )
    async def artifact(self, info: Info, fingerprint: Fingerprint) -> Artifact | None:
        whole = await whole_fingerprint(info, self.moment, fingerprint)
        return None if whole is None else await artifact_of(info, self.moment, whole)

    @strawberry.field(description=ABOUT_WHEREABOUTS)
    async def whereabouts(self, info: Info, fingerprint: Fingerprint) -> Whereabouts | None:
        return await whereabouts_of(info, self.moment, fingerprint)

    @strawberry.field(description="Environments, by name: those in use, unless the archived ones are asked for, too.")
    async def environments(
        self,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        archived: Annotated[bool, strawberry.argument(description="With the archived ones.")] = False,
    ) -> Connection[Environment]:
        return await environment_page(
            info, self.moment, first=first, after=after, last=last, before=before, archived=archived
        )

    @strawberry.field(description="The environment of this name; null when there is none.")
    async def environment(self, info: Info, name: str) -> Environment | None:
        return await environment_named(info, self.moment, name)

    @strawberry.field(
        description="The snapshot that an expression asks for: an environment's name, and `#12`, `~2` (before the newest), "
        "`@{2026-11-01T12:00:00Z}`, `@{2.days.ago}`, `@{now}`, or nothing for the newest."
    )
    async def snapshot(self, info: Info, expression: str) -> Snapshot:
        return await snapshot_named(info, self.moment, expression)

    @strawberry.field(description="How two snapshots differ, each asked for by an expression as in `snapshot`.")
    async def diff(self, info: Info, first: str, second: str) -> SnapshotDifference:
        return await difference_of(info, self.moment, first, second)

    @strawberry.field(description="Every change of a verdict, of environments and of trails, the newest first.")
    async def judgements(
        self,
        info: Info,
        since: Annotated[datetime | None, strawberry.argument(description="Only what was recorded after it.")] = None,
        until: Annotated[datetime | None, strawberry.argument(description="Only what was recorded up to it.")] = None,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[Judgement]:
        return await judgements_lately(
            info, self.moment, since=since, until=until, first=first, after=after, last=last, before=before
        )

    @strawberry.field(description="The deployment of this id; null when there is none.")
    async def deployment(self, info: Info, id: strawberry.ID) -> Deployment | None:  # noqa: A002
        return await deployment_of(info, self.moment, DeploymentId(uuid_in(id, "Deployment", field="id")))

    @strawberry.field(description="Policies, by name.")
    async def policies(
        self, info: Info, first: First = None, after: After = None, last: Last = None, before: Before = None
    ) -> Connection[Policy]:
        return await policy_page(info, self.moment, first=first, after=after, last=last, before=before)

    @strawberry.field(description="The policy of this name; null when there is none.")
    async def policy(self, info: Info, name: str) -> Policy | None:
        return await policy_named(info, self.moment, name)

    @strawberry.field(
        description="What a policy would say, by itself, of all that runs in an environment. Records nothing: try it here first."
    )
    async def try_policy(
        self,
        info: Info,
        document: Annotated[str, strawberry.argument(description="The policy to try (YAML).")],
        environment: Annotated[str, strawberry.argument(description="The environment's name.")],
    ) -> Verdict:
        return await try_policy(info, self.moment, document=document, environment=environment)

    @strawberry.field(description="Frameworks of controls, by name.")
    async def frameworks(
        self, info: Info, first: First = None, after: After = None, last: Last = None, before: Before = None
    ) -> Connection[Framework]:
        return await framework_page(info, self.moment, first=first, after=after, last=last, before=before)

    @strawberry.field(description="The framework of this name; null when there is none.")
    async def framework(self, info: Info, name: str) -> Framework | None:
        return await framework_named(info, self.moment, name)

    @strawberry.field(
        description="Whether every change of a period had the evidence that a framework's controls ask for. Needs a role that is "
        "not narrowed."
    )
    async def compliance(
        self,
        info: Info,
        framework: Annotated[str, strawberry.argument(description="The framework's name.")],
        since: Annotated[datetime, strawberry.argument(name="from", description="Where the period begins, inclusive.")],
        until: Annotated[datetime, strawberry.argument(name="to", description="Where the period ends, exclusive.")],
    ) -> ComplianceReport:
        return await compliance_of(info, self.moment, framework, since, until)

    @strawberry.field(description=ASSERT_ARTIFACT)
    async def assert_artifact(
        self,
        info: Info,
        fingerprint: Fingerprint,
        environment: Annotated[str | None, strawberry.argument(description="The policies attached to it.")] = None,
        policies: Annotated[list[str] | None, strawberry.argument(description="These policies, by name.")] = None,
        templates: Annotated[bool, strawberry.argument(description="The templates of its flows.")] = False,
    ) -> AssertArtifactResult:
        return await assert_artifact(info, self.moment, fingerprint, By(environment, policies, templates))

    @strawberry.field(description="Notices, by name. Needs the role admin.")
    async def notices(
        self, info: Info, first: First = None, after: After = None, last: Last = None, before: Before = None
    ) -> Connection[Notice]:
        return await notice_page(info, self.moment, first=first, after=after, last=last, before=before)

    @strawberry.field(description="The notice of this name; null when there is none. Needs the role admin.")
    async def notice(self, info: Info, name: str) -> Notice | None:
        return await notice_named(info, self.moment, name)

    @strawberry.field(
        description="How far delivery is reported, evidenced and confirmed in a period. Needs a role that is not narrowed."
    )
    async def adoption(
        self,
        info: Info,
        since: Annotated[datetime, strawberry.argument(name="from", description="Where the window begins, inclusive.")],
        until: Annotated[datetime, strawberry.argument(name="to", description="Where the window ends, exclusive.")],
        by: Annotated[Bucket, strawberry.argument(description="How long its periods are.")] = Bucket.WEEK,
    ) -> Adoption:
        return await adoption_of(info, self.moment, since, until, by)

    @strawberry.field(description="The newest version of each custom attestation type.")
    async def attestation_types(self, info: Info) -> list[AttestationType]:
        info.context.caller.require_somewhere(Action.READ)
        async with info.context.record.database.connection(self.moment.org_id) as connection:
            return [AttestationType.of(row) for row in await attestations.custom_types(connection, self.moment)]

    @strawberry.field(description="Public keys that provenance may be signed with, retired ones included.")
    async def signing_keys(self, info: Info) -> list[SigningKey]:
        info.context.caller.require_somewhere(Action.READ)
        async with info.context.record.database.connection(self.moment.org_id) as connection:
            return [SigningKey.of(row) for row in await attestations.signing_keys(connection, self.moment)]

    @strawberry.field(description="People and service accounts, in the order in which they were added.")
    async def principals(self, info: Info) -> list[Principal]:
        info.context.caller.require(Action.READ)
        async with info.context.record.database.connection(self.moment.org_id) as connection:
            return [Principal.of(row, self.moment) for row in await access.principals(connection, self.moment)]

    @strawberry.field(description="Archives, the last requested first. Needs the role auditor.")
    async def archives(
        self, info: Info, first: First = None, after: After = None, last: Last = None, before: Before = None
    ) -> Connection[Archive]:
        return await archive_page(info, self.moment, first=first, after=after, last=last, before=before)

    @strawberry.field(description="The archive of this id; null when there is none.")
    async def archive(self, info: Info, id: strawberry.ID) -> Archive | None:  # noqa: A002
        return await archive_of(info, self.moment, uuid_in(id, "Archive", field="id"))

    stored_evidence: list[Digest] = strawberry.field(resolver=stored_evidence, description=ABOUT_STORED)
    search: list[SearchHit] = strawberry.field(resolver=search, description=ABOUT_SEARCH)


@lru_cache(maxsize=4096)
def _instant_of(org_id: object, size: int) -> list[datetime]:
    """A place to keep the instant of a size: it never changes, and asking costs a statement."""
    return []


async def record_at(info: Info, at: datetime | None, size: LedgerSize | None) -> Record:
    """The record as it stands; or at a size, at the instant of its newest entry; or at an instant, with what it held then."""
    context = info.context
    if at is None and size is None:
        return _record(context.moment)
    head = context.head
    if size is not None and size > head.size:
        raise InvalidInput(
            f"The ledger holds {head.size} entries, not yet {size}. Ask for a size up to {head.size}.", field="size"
        )
    if at is not None and at > context.instant:
        raise InvalidInput(
            f"{to_rfc3339(at)} is in the future. Ask for an instant that has passed, or leave `at` out.", field="at"
        )
    org_id, was_sized = context.caller.org_id, size is not None
    async with context.record.database.connection(org_id) as connection:
        if size is None:
            assert at is not None
            size = head.size if at >= head.at else await ledger.size_at(connection, org_id, at)
        if at is None:
            kept = _instant_of(org_id, size)
            if not kept:
                # Before the first entry there was no instant; the first entry's is the same for ever, too.
                newest = await ledger.entry(
                    connection, Moment(org_id, head.size, head.at), EntryIndex(max(size - 1, 0))
                )
                kept.append(head.at if newest is None else newest.at)
            at = kept[0]
    if was_sized or at < head.at:
        context.pinned(size)
    else:
        _ = context.moment  # at or after the newest entry: the next one may yet have this instant
    return _record(Moment(org_id, size, at))


def _record(moment: Moment) -> Record:
    return Record(size=moment.size, instant=moment.instant, moment=moment)
