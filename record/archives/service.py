"""Uses of archives: ask for one, make it, end it, take it away. Each leaves an entry.

What is to be made follows from the record: an archive that was requested and has no outcome. The job is only how workers agree on
who makes it, so a lost job is queued again and an archive that two workers finish has one outcome.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final
from uuid import UUID

from record.access import queries as access
from record.access.rules import Action, Caller, worker
from record.archives import assembly, queries, rules, selection
from record.archives.assembly import Admit, Assembled, Order
from record.archives.queries import Archive, Failed, Finished
from record.archives.rules import RequestArchive
from record.clock import to_rfc3339
from record.ids import ArchiveId, EntryIndex, LedgerSize, OrgId, uuid7
from record.jobs import service as jobs
from record.jobs.queries import Lease
from record.jobs.service import Headway
from record.ledger.append import AlreadyRecorded
from record.ledger.entries import Draft, Idempotency, Receipt
from record.ledger.queries import entry
from record.moment import Moment
from record.record import Record
from record.refusals import InvalidInput, NotFound

_OUTCOME_EXISTS: Final = "archive_outcomes_pkey"
_FAILURE_MAX: Final = 2_000


async def request(
    record: Record, caller: Caller, wish: RequestArchive, *, idempotency: Idempotency | None = None
) -> Receipt:
    """Asks for an archive: an entry, and a job that makes it. It is about the ledger as it is now, or was at the wished size.

    The receipt's body holds the `archive_id`. Refuses what nobody recorded until then.
    """
    question = rules.question_of(wish)
    rules.require_asking(caller, question)
    moment = await _pinned(record, caller, wish.size)
    async with record.database.connection(caller.org_id) as connection:
        await selection.require_known(connection, question, moment)
    body = {
        "archive_id": str(uuid7()),
        "question": question.to_json(),
        "size": moment.size,
        "instant": to_rfc3339(moment.instant),
    }
    receipt = await record.ledger.append(caller, Draft("archive.requested", body), idempotency=idempotency)
    # From here on the archive is asked for. If we die before its job is there, `queue_forgotten` makes one.
    await jobs.ensure(record, caller.org_id, jobs.ARCHIVE, [UUID(receipt.body["archive_id"])])
    return receipt


async def queue_forgotten(record: Record, org_id: OrgId) -> int:
    """Queues every archive that was requested, has no outcome, and that nobody is going to make. How many there were."""
    async with record.database.connection(org_id) as connection:
        forgotten = await queries.without_job(connection, org_id)
    if forgotten:
        await jobs.ensure(record, org_id, jobs.ARCHIVE, forgotten)
    return len(forgotten)


@asynccontextmanager
async def _anything(_evidence_bytes: int) -> AsyncIterator[None]:
    yield


async def make(record: Record, lease: Lease, headway: Headway, *, admit: Admit = _anything) -> None:
    """Assembles the archive that this lease is about, and records that it is there. Nothing to do when it has an outcome already.

    Raises `LeaseLost` when somebody else has taken over, `DamagedEvidence` when the vault has lost something, refusals when a
    server is away.
    """
    moment = Moment.latest(lease.org_id, record.clock.now())
    async with record.database.connection(lease.org_id) as connection:
        [archive] = await queries.by_ids(connection, moment, [ArchiveId(lease.subject)])
        organization = await access.organization(connection, moment)
    if archive is None or organization is None or archive.outcome is not None:
        return
    retain_until = moment.instant + timedelta(days=organization.retention_days)
    order = Order(
        org_id=lease.org_id,
        organization=organization.name,
        origin=organization.origin,
        archive=archive,
        key=f"archives/{lease.org_id}/{archive.archive_id}/{lease.token}.zip",
        retain_until=retain_until,
    )

    async def still_ours() -> None:
        await jobs.require_held(record, lease)

    made = await assembly.assemble(record, order, headway=headway, admit=admit, still_ours=still_ours)
    # From here on the object is in the vault for good. If we die before the entry, the next attempt writes another under its
    # own lease's name and records that one; this one stays unnamed until its retention ends, and scrubbing says so.
    await _end(record, order.org_id, organization.name, _completed(archive, made, to_rfc3339(retain_until)))


async def give_up(record: Record, lease: Lease, reason: str) -> None:
    """Records that this archive will not come, and why."""
    async with record.database.connection(lease.org_id) as connection:
        organization = await access.organization(connection, Moment.latest(lease.org_id, record.clock.now()))
    assert organization is not None, "a job belongs to an organization"
    body = {"archive_id": str(lease.subject), "failure": reason[:_FAILURE_MAX]}
    await _end(record, lease.org_id, organization.name, Draft("archive.failed", body))


async def finished(record: Record, caller: Caller, archive_id: ArchiveId) -> tuple[Archive, Finished]:
    """An archive that can be taken away by this caller; refuses while it is being made, saying how far it is."""
    caller.require_somewhere(Action.ARCHIVE)
    moment = Moment.latest(caller.org_id, record.clock.now())
    async with record.database.connection(caller.org_id) as connection:
        [archive] = await queries.by_ids(connection, moment, [archive_id])
        if archive is None or not rules.may_see(caller, archive.question):
            raise NotFound("There is no such archive. Request one with requestArchive, or check its id.")
        match archive.outcome:
            case Finished() as outcome:
                return archive, outcome
            case Failed(reason=reason):
                raise NotFound(f"This archive could not be made: {reason} Request it again when that is mended.")
        progress = await queries.progress(connection, caller.org_id, archive_id)
    text = "it waits for a worker" if progress is None else progress.text
    raise NotFound(
        f"This archive is not ready: {text}. Watch its progress with the subscription `archive`, or ask again."
    )


async def note_download(
    record: Record, caller: Caller, archive: Archive, outcome: Finished, *, is_resumed: bool
) -> None:
    """Records that the caller takes the archive away: before the first byte, so that nobody can without leaving an entry.

    `is_resumed`: it asks for a later part, which needs no entry if the caller has one for this archive already.
    """
    if is_resumed:
        moment = Moment.latest(caller.org_id, record.clock.now())
        async with record.database.connection(caller.org_id) as connection:
            [before] = await queries.downloads(connection, moment, [archive.archive_id])
        if any(download.downloaded_by == caller.principal for download in before):
            return
    body = {"archive_id": str(archive.archive_id), "sha256": outcome.digest}
    await record.ledger.append(caller, Draft("archive.downloaded", body))


async def _pinned(record: Record, caller: Caller, size: LedgerSize | None) -> Moment:
    """The size that is asked about, and the instant of its newest entry."""
    head = await record.ledger.head(caller.org_id)
    wished = head.size if size is None else size
    if not 1 <= wished <= head.size:
        raise InvalidInput(
            f"The ledger has {head.size} entries, so it cannot be asked at size {wished}. Choose 1 to {head.size}.",
            field="size",
        )
    latest = Moment.latest(caller.org_id, record.clock.now())
    async with record.database.connection(caller.org_id) as connection:
        newest = await entry(connection, latest, EntryIndex(wished - 1))
    assert newest is not None, "every entry below the head is there"
    return Moment(caller.org_id, LedgerSize(wished), newest.at)


def _completed(archive: Archive, made: Assembled, retained_until: str) -> Draft:
    return Draft(
        "archive.completed",
        {
            "archive_id": str(archive.archive_id),
            "question": archive.question.to_json(),
            "sha256": made.digest,
            "size": made.byte_count,
            "files": made.files,
            "checkpoint_size": made.checkpoint_size,
            "key": made.key,
            "version_id": made.version_id,
            "retained_until": retained_until,
        },
    )


async def _end(record: Record, org_id: OrgId, organization: str, draft: Draft) -> None:
    try:
        await record.ledger.append(worker(org_id, organization), draft)
    except AlreadyRecorded as error:
        if error.constraint != _OUTCOME_EXISTS:
            raise
        # somebody else ended it first, and their outcome counts
