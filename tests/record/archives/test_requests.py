"""Asking for an archive: what is refused, what is recorded, who may take it away."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest

from record.access.rules import Grant, Role
from record.archives import queries, service
from record.archives.queries import Failed
from record.archives.rules import ArchiveKind, RequestArchive
from record.ids import ArchiveId, LedgerSize, uuid7
from record.jobs import service as jobs
from record.jobs.service import Headway
from record.ledger.entries import Idempotency
from record.moment import Moment
from record.refusals import InvalidInput, NotAllowed, NotFound
from tests.record.archives.harness import World
from tests.record.archives.superuser import behind_its_back
from tests.servers import TestDatabase

TRAIL = RequestArchive(ArchiveKind.TRAIL, flow="delivery", trail="build-1")
MARCH = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
async def world(world: World) -> World:
    """With a trail in it."""
    await world.flow()
    await world.trail()
    return world


@pytest.mark.parametrize(
    ("wish", "sentence"),
    [
        (RequestArchive(ArchiveKind.TRAIL, flow="delivery"), "An archive of kind trail needs a trail. Give one."),
        (RequestArchive(ArchiveKind.ARTIFACT), "An archive of kind artifact needs a fingerprint. Give one."),
        (RequestArchive(ArchiveKind.ORGANIZATION, flow="delivery"), "knows no flow. Leave it out."),
        (RequestArchive(ArchiveKind.TRAIL, flow="delivery", trail="build-1", since=MARCH), "knows no since."),
        (
            RequestArchive(ArchiveKind.FLOW, flow="delivery", since=MARCH, until=MARCH),
            "The period ends before it begins.",
        ),
        (RequestArchive(ArchiveKind.FLOW, flow="delivery", since=datetime(2026, 3, 1)), "since has no time zone."),  # noqa: DTZ001
        (RequestArchive(ArchiveKind.FLOW, flow="no/slash"), "is not a valid flow name"),
        (RequestArchive(ArchiveKind.ARTIFACT, fingerprint="abc"), "is not a SHA-256 fingerprint"),
        (RequestArchive(ArchiveKind.ORGANIZATION, size=LedgerSize(10_000)), "so it cannot be asked at size 10000."),
        (RequestArchive(ArchiveKind.ORGANIZATION, size=LedgerSize(0)), "Choose 1 to"),
    ],
)
async def test_a_question_that_makes_no_sense_is_refused(world: World, wish: RequestArchive, sentence: str) -> None:
    size = (await world.record.ledger.head(world.caller.org_id)).size

    with pytest.raises(InvalidInput) as refused:
        await service.request(world.record, world.caller, wish)

    assert sentence in refused.value.message
    assert (await world.record.ledger.head(world.caller.org_id)).size == size


@pytest.mark.parametrize(
    "wish",
    [
        RequestArchive(ArchiveKind.FLOW, flow="nothing"),
        RequestArchive(ArchiveKind.TRAIL, flow="delivery", trail="nothing"),
        RequestArchive(ArchiveKind.TRAIL, flow="delivery", trail="build-1", size=LedgerSize(5)),
        RequestArchive(ArchiveKind.ARTIFACT, fingerprint="0" * 64),
    ],
)
async def test_what_nobody_recorded_until_then_cannot_be_archived(world: World, wish: RequestArchive) -> None:
    with pytest.raises(NotFound, match="entries of the ledger"):
        await service.request(world.record, world.caller, wish)


async def test_who_may_not_archive_may_not_ask(world: World) -> None:
    reader = replace(world.caller, grants=(Grant(Role.WRITER),))

    with pytest.raises(NotAllowed, match="admin or auditor"):
        await service.request(world.record, reader, TRAIL)


async def test_an_auditor_of_some_flows_asks_about_those_alone(world: World) -> None:
    auditor = replace(world.caller, grants=(Grant(Role.AUDITOR, flows=frozenset({"delivery"})),))

    await service.request(world.record, auditor, TRAIL)
    await service.request(world.record, auditor, RequestArchive(ArchiveKind.FLOW, flow="delivery"))

    for wish in (RequestArchive(ArchiveKind.ORGANIZATION), RequestArchive(ArchiveKind.ARTIFACT, fingerprint="0" * 64)):
        with pytest.raises(NotAllowed):
            await service.request(world.record, auditor, wish)


async def test_a_request_is_an_entry_pinned_to_the_ledger_as_it_is(world: World) -> None:
    head = await world.record.ledger.head(world.caller.org_id)

    receipt = await service.request(world.record, world.caller, TRAIL)

    assert receipt.kind == "archive.requested"
    assert receipt.body["question"] == {"kind": "trail", "flow": "delivery", "trail": "build-1"}
    assert receipt.body["size"] == head.size
    archive = await world.archive(ArchiveId(UUID(receipt.body["archive_id"])))
    assert (archive.size, archive.instant, archive.requested_by) == (head.size, head.at, "ci")


async def test_the_same_request_again_is_the_same_archive(world: World) -> None:
    once = Idempotency("archive-1", "0" * 64)

    first = await service.request(world.record, world.caller, TRAIL, idempotency=once)
    second = await service.request(world.record, world.caller, TRAIL, idempotency=once)

    assert second.body == first.body
    assert len(await jobs.claim(world.record, kinds=[jobs.ARCHIVE], count_max=5)) == 1


async def test_progress_tells_what_a_worker_is_doing(world: World) -> None:
    archive_id = await world.request(TRAIL)

    async def progress() -> queries.Progress | None:
        async with world.record.database.connection(world.caller.org_id) as connection:
            return await queries.progress(connection, world.caller.org_id, archive_id)

    assert await progress() == queries.Progress("queued", 0, 0, "waiting for a worker", 0, None)
    [lease] = await jobs.claim(world.record, kinds=[jobs.ARCHIVE], count_max=1)
    await jobs.renew(world.record, lease, Headway(7, 9, "copying").standing())
    assert await progress() == queries.Progress("running", 7, 9, "copying", 1, None)
    await service.give_up(world.record, lease, "The vault burned down.")
    assert await progress() == queries.Progress("failed", 7, 9, "failed", 1, "The vault burned down.")


async def test_an_archive_that_is_not_ready_says_what_to_do(world: World) -> None:
    archive_id = await world.request(TRAIL)

    with pytest.raises(NotFound, match=r"not ready: waiting for a worker\. Watch its progress"):
        await service.finished(world.record, world.caller, archive_id)


async def test_an_archive_that_could_not_be_made_says_why(world: World) -> None:
    archive_id = await world.request(TRAIL)
    [lease] = await jobs.claim(world.record, kinds=[jobs.ARCHIVE], count_max=1)

    await service.give_up(world.record, lease, "The vault burned down.")

    with pytest.raises(NotFound, match="could not be made: The vault burned down"):
        await service.finished(world.record, world.caller, archive_id)


async def test_an_archive_of_another_flow_does_not_exist_for_a_narrowed_auditor(world: World) -> None:
    auditor = replace(world.caller, grants=(Grant(Role.AUDITOR, flows=frozenset({"other"})),))
    archive_id = await world.request(TRAIL)

    for wanted in (archive_id, ArchiveId(uuid7())):
        with pytest.raises(NotFound, match="There is no such archive"):
            await service.finished(world.record, auditor, wanted)


async def test_an_archive_ends_once(world: World) -> None:
    archive_id = await world.request(TRAIL)
    [lease] = await jobs.claim(world.record, kinds=[jobs.ARCHIVE], count_max=1)
    await service.give_up(world.record, lease, "first")
    size = (await world.record.ledger.head(world.caller.org_id)).size

    await service.give_up(world.record, lease, "second")
    await service.make(world.record, lease, Headway())

    outcome = (await world.archive(archive_id)).outcome
    assert isinstance(outcome, Failed)
    assert outcome.reason == "first"
    assert (await world.record.ledger.head(world.caller.org_id)).size == size


async def test_an_archive_whose_job_was_lost_is_queued_again(world: World, database: TestDatabase) -> None:
    archive_id = await world.request(TRAIL)
    async with behind_its_back(database) as superuser:
        await superuser.execute("DELETE FROM ops.jobs")

    assert await service.queue_forgotten(world.record, world.caller.org_id) == 1
    assert await service.queue_forgotten(world.record, world.caller.org_id) == 0

    [lease] = await jobs.claim(world.record, kinds=[jobs.ARCHIVE], count_max=5)
    assert lease.subject == archive_id


async def test_downloads_are_entries_and_resuming_one_is_not_another(world: World) -> None:
    archive, outcome = await world.make(TRAIL)

    async def note(*, is_resumed: bool) -> int:
        await service.note_download(world.record, world.caller, archive, outcome, is_resumed=is_resumed)
        moment = Moment.latest(world.caller.org_id, world.record.clock.now())
        async with world.record.database.connection(world.caller.org_id) as connection:
            return len((await queries.downloads(connection, moment, [archive.archive_id]))[0])

    assert [await note(is_resumed=resumed) for resumed in (True, True, False, True)] == [1, 1, 2, 2]


async def test_archives_are_listed_the_last_requested_first(world: World) -> None:
    ids = [await world.request(TRAIL), await world.request(RequestArchive(ArchiveKind.ORGANIZATION))]
    moment = Moment.latest(world.caller.org_id, world.record.clock.now())

    async with world.record.database.connection(world.caller.org_id) as connection:
        everything = await queries.page(connection, moment, limit=10)
        of_delivery = await queries.page(connection, moment, limit=10, flows=frozenset({"delivery"}))
        second = await queries.page(connection, moment, limit=1, older_than=everything[0].entry_index)

    assert [archive.archive_id for archive in everything] == ids[::-1]
    assert [archive.archive_id for archive in of_delivery] == [ids[0]]
    assert [archive.archive_id for archive in second] == [ids[0]]
