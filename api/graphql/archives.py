"""Archives as GraphQL shows, requests and watches them."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from enum import Enum
from typing import Annotated, Final, TypeAlias
from uuid import UUID

import strawberry

from api.graphql.connections import Connection, connect, wanted
from api.graphql.context import Info
from api.graphql.errors import Refused
from api.graphql.ledger import Receipt
from api.graphql.loaders import loaders_at
from api.graphql.nodes import Node, global_id, uuid_in
from api.graphql.watching import head_now
from api.graphql.writes import perform
from record.access.rules import Action, Caller
from record.archives import queries, rules, service
from record.archives.queries import Failed, Finished
from record.archives.rules import ArchiveKind
from record.ids import ArchiveId, Digest, EntryIndex, Fingerprint, LedgerSize
from record.moment import Moment
from record.refusals import NotFound

LOOK_EVERY_SECONDS: Final = 0.5

strawberry.enum(ArchiveKind, description="What an archive is about.")


@strawberry.enum(description="How far an archive is.")
class ArchiveStatus(Enum):
    WAITING = strawberry.enum_value("WAITING", description="No worker has taken it up yet.")
    RUNNING = strawberry.enum_value("RUNNING", description="A worker assembles it.")
    READY = strawberry.enum_value("READY", description="It can be downloaded.")
    FAILED = strawberry.enum_value("FAILED", description="It will not come; `failure` says why.")


@strawberry.type(description="How far the assembly is, as of now.")
class ArchiveProgress:
    done: float = strawberry.field(description="Bytes written so far; a whole number that may exceed 2^31.")
    total: float = strawberry.field(description="Bytes to write; 0 until that is known.")
    text: str = strawberry.field(description="What is being done.")
    attempts: int = strawberry.field(description="How many workers took it up.")


@strawberry.type(description="Somebody took an archive away.")
class ArchiveDownload:
    downloaded_by: str = strawberry.field(description="Who.")
    downloaded_at: datetime = strawberry.field(description="When.")
    entry_index: EntryIndex = strawberry.field(description="The entry that says so.")


@strawberry.type(
    description="An audit package: everything about a question, with its proofs, for a stranger to check offline."
)
class Archive(Node):
    kind: ArchiveKind = strawberry.field(description="What it is about.")
    flow_name: str | None = strawberry.field(description="The flow that it is about, or whose trail.")
    trail_name: str | None = strawberry.field(description="The trail that it is about.")
    fingerprint: Fingerprint | None = strawberry.field(description="The artifact that it is about.")
    environment_name: str | None = strawberry.field(description="The environment that it is about.")
    framework_name: str | None = strawberry.field(description="The framework whose controls it holds changes against.")
    control: str | None = strawberry.field(description="The control that it is about.")
    since: datetime | None = strawberry.field(description="Where its period begins, inclusive.")
    until: datetime | None = strawberry.field(description="Where its period ends, exclusive.")
    size: LedgerSize = strawberry.field(description="The ledger size that it answers as of.")
    instant: datetime = strawberry.field(description="The instant that it answers as of.")
    requested_by: str = strawberry.field(description="Who asked for it.")
    requested_at: datetime = strawberry.field(description="When.")
    entry_index: EntryIndex = strawberry.field(description="The entry that requested it.")
    digest: Digest | None = strawberry.field(description="SHA-256 of the file, once it is ready.")
    byte_count: float | None = strawberry.field(description="Size of the file in bytes, once it is ready.")
    files: int | None = strawberry.field(description="How many files it holds, once it is ready.")
    checkpoint_size: LedgerSize | None = strawberry.field(description="Size of the signed checkpoint that it carries.")
    url: str | None = strawberry.field(description="Where to download it, below this server's address.")
    failure: str | None = strawberry.field(description="Why it will not come.")
    row: strawberry.Private[queries.Archive]
    moment: strawberry.Private[Moment]

    @strawberry.field(description="How far it is, as of now.")
    async def status(self, info: Info) -> ArchiveStatus:
        if self.row.outcome is not None:
            return ArchiveStatus.FAILED if isinstance(self.row.outcome, Failed) else ArchiveStatus.READY
        progress = await _progress(info, self.row.archive_id)
        running = progress is not None and progress.state == "running"
        return ArchiveStatus.RUNNING if running else ArchiveStatus.WAITING

    @strawberry.field(description="How far its assembly is, as of now.")
    async def progress(self, info: Info) -> ArchiveProgress | None:
        progress = await _progress(info, self.row.archive_id)
        if progress is None:
            return None
        return ArchiveProgress(
            done=float(progress.done), total=float(progress.total), text=progress.text, attempts=progress.attempts
        )

    @strawberry.field(description="Who took it away, oldest first.")
    async def downloads(self, info: Info) -> list[ArchiveDownload]:
        found = await loaders_at(info, self.moment).downloads.load(self.row.archive_id)
        return [
            ArchiveDownload(downloaded_by=each.downloaded_by, downloaded_at=each.at, entry_index=each.entry_index)
            for each in found
        ]

    @classmethod
    def of(cls, row: queries.Archive, moment: Moment) -> "Archive":
        finished = row.outcome if isinstance(row.outcome, Finished) else None
        question = row.question
        return cls(
            id=global_id("Archive", row.archive_id),
            kind=question.kind,
            flow_name=question.flow,
            trail_name=question.trail,
            fingerprint=question.fingerprint,
            environment_name=question.environment,
            framework_name=question.framework,
            control=question.control,
            since=question.since,
            until=question.until,
            size=row.size,
            instant=row.instant,
            requested_by=row.requested_by,
            requested_at=row.at,
            entry_index=row.entry_index,
            digest=None if finished is None else finished.digest,
            byte_count=None if finished is None else float(finished.byte_count),
            files=None if finished is None else finished.files,
            checkpoint_size=None if finished is None else finished.checkpoint_size,
            url=None if finished is None else f"/archives/{row.archive_id}.zip",
            failure=row.outcome.reason if isinstance(row.outcome, Failed) else None,
            row=row,
            moment=moment,
        )


async def _progress(info: Info, archive_id: ArchiveId) -> queries.Progress | None:
    info.context.look_outside()
    org_id = info.context.caller.org_id
    async with info.context.record.database.connection(org_id) as connection:
        return await queries.progress(connection, org_id, archive_id)


def _may_see(info: Info, row: queries.Archive) -> bool:
    caller = info.context.caller
    return caller.may(Action.ARCHIVE, flow=row.question.flow)


def _archivable_flows(caller: Caller) -> frozenset[str] | None:
    """Names of the flows whose archives the caller may see; None: every archive."""
    if caller.may(Action.ARCHIVE):
        return None
    named = {name for grant in (*caller.grants, *(caller.scopes or ())) for name in grant.flows or ()}
    return frozenset(name for name in named if caller.may(Action.ARCHIVE, flow=name))


async def archive_of(info: Info, moment: Moment, archive_id: UUID) -> Archive | None:
    """The archive of this id, if the caller may see it."""
    async with info.context.record.database.connection(moment.org_id) as connection:
        row = (await queries.by_ids(connection, moment, [ArchiveId(archive_id)]))[0]
    return Archive.of(row, moment) if row is not None and _may_see(info, row) else None


async def archive_page(
    info: Info, moment: Moment, *, first: int | None, after: str | None, last: int | None, before: str | None
) -> Connection[Archive]:
    """Archives, the last requested first: those that the caller may see."""
    caller = info.context.caller
    caller.require_somewhere(Action.ARCHIVE)
    want = wanted(info, "archives", first=first, after=after, last=last, before=before)
    async with info.context.record.database.connection(moment.org_id) as connection:
        rows = await queries.page(
            connection,
            moment,
            limit=want.fetch,
            older_than=want.older_than,
            newer_than=want.newer_than,
            flows=_archivable_flows(caller),
        )
    return connect(rows, want, key=lambda row: row.entry_index, node=lambda row: Archive.of(row, moment))


async def watch(info: Info, archive_id: strawberry.ID) -> AsyncIterator[Archive]:
    """The archive as it is now, again whenever it is further, and a last time when it has ended."""
    wished = ArchiveId(uuid_in(archive_id, "Archive", field="id"))
    context = info.context
    seen: object = None
    while True:
        context.move_to(await head_now(context))
        archive = await archive_of(info, context.moment, wished)
        if archive is None:
            raise NotFound("There is no such archive. Request one with requestArchive, or check the id.")
        state = (archive.row.outcome, await _progress(info, wished))
        if state != seen:
            seen = state
            yield archive
        if archive.row.outcome is not None:
            return
        await asyncio.sleep(LOOK_EVERY_SECONDS)


@strawberry.input(description="A question to be answered with an archive.")
class RequestArchiveInput:
    kind: ArchiveKind = strawberry.field(description="What it is about.")
    flow: str | None = strawberry.field(default=None, description="TRAIL, FLOW: the flow's name.")
    trail: str | None = strawberry.field(default=None, description="TRAIL: the trail's name.")
    fingerprint: Fingerprint | None = strawberry.field(default=None, description="ARTIFACT: its SHA-256, whole.")
    environment: str | None = strawberry.field(default=None, description="ENVIRONMENT: the environment's name.")
    framework: str | None = strawberry.field(
        default=None, description="CONTROL: the framework's name. WINDOW: hold all changes against its controls."
    )
    control: str | None = strawberry.field(default=None, description="CONTROL: its id in the framework.")
    since: datetime | None = strawberry.field(
        default=None,
        description="Where the period begins, inclusive. CONTROL and WINDOW need one, FLOW and ENVIRONMENT may have one.",
    )
    until: datetime | None = strawberry.field(default=None, description="Where the period ends, exclusive; as `since`.")
    size: LedgerSize | None = strawberry.field(default=None, description="As of this ledger size; now, when left out.")
    idempotency_key: str | None = strawberry.field(
        default=None, description="The same key again gives the first receipt."
    )


@strawberry.type(description="The archive was requested; a worker assembles it.")
class ArchiveRequested:
    receipt: Receipt = strawberry.field(description="Where and how it was recorded.")
    archive_id: strawberry.Private[UUID]

    @strawberry.field(description="The archive as it is now. Ask again, or subscribe to it, until it is READY.")
    async def archive(self, info: Info) -> Archive | None:
        return await archive_of(info, info.context.moment, self.archive_id)


RequestArchiveResult: TypeAlias = Annotated[ArchiveRequested | Refused, strawberry.union("RequestArchiveResult")]


@strawberry.type
class ArchiveMutations:
    @strawberry.mutation(
        description="Requests an archive. The same question at the same size gives the same bytes. Needs the role auditor."
    )
    async def request_archive(self, info: Info, input: RequestArchiveInput) -> RequestArchiveResult:  # noqa: A002
        wish = rules.RequestArchive(
            kind=input.kind,
            flow=input.flow,
            trail=input.trail,
            fingerprint=input.fingerprint,
            since=input.since,
            until=input.until,
            size=input.size,
            environment=input.environment,
            framework=input.framework,
            control=input.control,
        )
        receipt = await perform(
            info,
            lambda caller, once: service.request(info.context.record, caller, wish, idempotency=once),
            input=input,
            key=input.idempotency_key,
        )
        archive_id = UUID(receipt.body["archive_id"])
        await info.context.wakes.wake(
            "assemble_archive",
            str(info.context.caller.org_id),
            str(archive_id),
            job_id=f"assemble_archive:{archive_id}",
        )
        return ArchiveRequested(receipt=Receipt.of(receipt), archive_id=archive_id)
