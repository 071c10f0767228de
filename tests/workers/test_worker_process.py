"""Real worker processes and what befalls them: killed in the middle, two of them, no Redis, told to stop."""

import asyncio
import os
import signal
import socket
import urllib.request
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest

from api.wakes import Wakes
from embedded.servers import Stack
from muniment.proof.archive import verify_archive
from record.archives import queries
from record.archives.queries import Finished, Progress
from record.archives.rules import ArchiveKind, RequestArchive
from record.attestations.service import attest
from record.ids import ArchiveId
from record.record import Record, open_record
from record.refusals import Refusal
from record.settings import Settings
from tests.record.archives.harness import World
from tests.record.archives.superuser import behind_its_back
from tests.servers import TestDatabase
from tests.workers.conftest import Begin

PATIENCE_SECONDS = 60
TRAIL = RequestArchive(ArchiveKind.TRAIL, flow="delivery", trail="build-1")
BIG_BYTES = 8 << 20
BIG_COUNT = 24
"""A fifth of a gigabyte of evidence out of one object: long enough to be in the middle of it for a second or two."""


@pytest.fixture
def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


@pytest.fixture
async def world(settings: Settings) -> AsyncIterator[World]:
    """An organization with a trail, recorded over a connection of its own."""
    record = open_record(settings)
    world = await World.begin(record)
    await world.flow()
    await world.delivery()
    yield world
    await record.close()


async def load(world: World) -> None:
    """Many large files of evidence in the trail, all with the same bytes."""
    digest = await world.store(os.urandom(BIG_BYTES))
    files = tuple(attest.File(digest=digest, name=f"core-{number}.bin") for number in range(BIG_COUNT))
    about = attest.About(flow="delivery", trail="build-1", name="dumps", evidence=files)
    await attest.generic(world.record, world.caller, about, compliant=True)


async def progress(world: World, archive_id: ArchiveId) -> Progress:
    async with world.record.database.connection(world.caller.org_id) as connection:
        found = await queries.progress(connection, world.caller.org_id, archive_id)
    assert found is not None
    return found


async def until(world: World, archive_id: ArchiveId, reached: Callable[[Progress], bool]) -> Progress:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not reached(now := await progress(world, archive_id)):
            await asyncio.sleep(0.05)
    return now


async def ready(world: World, archive_id: ArchiveId) -> Finished:
    now = await until(world, archive_id, lambda progress: progress.state in ("done", "failed"))
    assert now.failure is None
    outcome = (await world.archive(archive_id)).outcome
    assert isinstance(outcome, Finished)
    return outcome


async def outcomes(world: World, database: TestDatabase) -> list[UUID]:
    """The archives that entries say have ended, with repetitions if there were any."""
    async with behind_its_back(database) as superuser:
        rows = await superuser.fetch(
            "SELECT convert_from(content, 'UTF8')::json #>> '{body,archive_id}' AS id FROM record.entries "
            "WHERE org_id = $1 AND kind IN ('archive.completed', 'archive.failed') ORDER BY entry_index",
            world.caller.org_id,
        )
    return [UUID(row["id"]) for row in rows]


async def test_an_archive_whose_worker_was_killed_in_the_middle_is_finished_by_another_and_once(
    world: World, begin: Begin, database: TestDatabase, tmp_path: Path
) -> None:
    await load(world)
    archive_id = await world.request(TRAIL)
    first = begin()
    midway = await until(world, archive_id, lambda progress: progress.done > 0)
    first.kill()
    assert midway.state == "running"
    assert midway.done < BIG_BYTES * BIG_COUNT, "it was not killed in the middle"
    assert await outcomes(world, database) == []

    begin()
    outcome = await ready(world, archive_id)

    assert await outcomes(world, database) == [archive_id]
    assert (await progress(world, archive_id)).attempts == 2
    path = tmp_path / "a.zip"
    path.write_bytes(await world.bytes_of(outcome))
    assert verify_archive(str(path)).ok
    made = await world.record.vault.list(f"archives/{world.caller.org_id}/{archive_id}/")
    assert made == [outcome.key], "the dead worker left a half archive"


async def test_two_workers_make_each_archive_once(world: World, begin: Begin, database: TestDatabase) -> None:
    begin()
    begin()

    wanted = [await world.request(TRAIL) for _ in range(6)]
    for archive_id in wanted:
        await ready(world, archive_id)

    assert sorted(await outcomes(world, database)) == sorted(wanted)


async def test_a_wake_from_the_api_begins_the_work_at_once(world: World, begin: Begin, redis_url: str) -> None:
    begin(sweep_interval_seconds="3600")
    await until_signed(world)
    archive_id = await world.request(TRAIL)
    wakes = Wakes(redis_url)

    await wakes.wake(
        "assemble_archive", str(world.caller.org_id), str(archive_id), job_id=f"assemble_archive:{archive_id}"
    )

    await ready(world, archive_id)
    await wakes.close()


async def until_signed(world: World) -> None:
    """A checkpoint covers the ledger as it is: the worker is at work."""
    size = (await world.record.ledger.head(world.caller.org_id)).size
    async with asyncio.timeout(PATIENCE_SECONDS):
        while await signed_size(world.record, world) < size:
            await asyncio.sleep(0.05)


async def signed_size(record: Record, world: World) -> int:
    async with record.database.operations() as connection:
        found: int | None = await connection.fetchval(
            "SELECT signed_size FROM ops.publications WHERE org_id = $1", world.caller.org_id
        )
    return found or 0


async def test_a_flushed_redis_loses_no_job(world: World, begin: Begin, stack: Stack, redis_url: str) -> None:
    archive_id = await world.request(TRAIL)
    wakes = Wakes(redis_url)
    await wakes.wake("assemble_archive", str(world.caller.org_id), str(archive_id), job_id="x")
    await wakes.close()
    stack.flush_redis()

    begin()

    await ready(world, archive_id)


async def test_without_redis_work_goes_on_and_when_it_is_back_it_is_listened_to(
    world: World, begin: Begin, stack: Stack, redis_url: str
) -> None:
    stack.stop_redis()
    try:
        worker = begin()
        await ready(world, await world.request(TRAIL))
        assert worker.running
    finally:
        stack.start_redis()

    wakes = Wakes(redis_url)
    archive_id = await world.request(TRAIL)
    await wakes.wake("assemble_archive", str(world.caller.org_id), str(archive_id), job_id=f"again:{archive_id}")
    await ready(world, archive_id)
    await wakes.close()
    assert worker.running


async def test_a_request_whose_job_was_never_written_down_is_found(
    world: World, begin: Begin, database: TestDatabase
) -> None:
    archive_id = await world.request(TRAIL)
    async with behind_its_back(database) as superuser:
        await superuser.execute("TRUNCATE ops.jobs")

    begin()

    await ready(world, archive_id)


async def test_a_restarted_postgresql_does_not_end_the_worker(world: World, begin: Begin, stack: Stack) -> None:
    worker = begin()
    await ready(world, await world.request(TRAIL))

    await asyncio.to_thread(stack.restart_postgres, kill=True)

    await ready(world, await again(world))
    assert worker.running


async def again(world: World) -> ArchiveId:
    """Requests an archive as soon as PostgreSQL answers."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            try:
                return await world.request(TRAIL)
            except (Refusal, asyncpg.PostgresError):
                await asyncio.sleep(0.1)


async def test_sigterm_gives_a_running_job_back_and_ends_well(world: World, begin: Begin) -> None:
    await load(world)
    archive_id = await world.request(TRAIL)
    worker = begin(shutdown_grace_seconds="0")
    await until(world, archive_id, lambda progress: progress.done > 0)

    status = await asyncio.to_thread(worker.stop)

    assert status == 0
    now = await progress(world, archive_id)
    assert (now.state, now.attempts) == ("queued", 0)


async def test_a_worker_says_that_it_is_alive_and_what_it_does(world: World, begin: Begin, free_port: int) -> None:
    worker = begin(worker_metrics_port=str(free_port))
    await ready(world, await world.request(TRAIL))

    def page(path: str) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{free_port}{path}", timeout=5) as response:
            return str(response.read().decode())

    assert await asyncio.to_thread(page, "/healthz") == "ok\n"
    assert "muniment_jobs_ended_total 1.0" in await asyncio.to_thread(page, "/metrics")
    assert worker.pid is not None
    os.kill(worker.pid, signal.SIGTERM)


async def test_settings_that_are_wrong_end_it_with_a_sentence(begin: Begin) -> None:
    worker = begin(jobs_max="none")

    async with asyncio.timeout(PATIENCE_SECONDS):
        while worker.running:
            await asyncio.sleep(0.05)

    assert worker.returncode == 2
    assert "These settings are missing or wrong" in worker.log.read_text()


async def test_large_archives_are_made_one_at_a_time_and_small_ones_beside_them(
    world: World, begin: Begin, database: TestDatabase
) -> None:
    await world.flow("release")
    await world.delivery("v1", "release")
    await load(world)
    large = [await world.request(TRAIL) for _ in range(2)]
    begin()
    await until(world, large[0], lambda progress: progress.done > 0 or progress.state == "done")
    small = await world.request(RequestArchive(ArchiveKind.TRAIL, flow="release", trail="v1"))

    for archive_id in (*large, small):
        await ready(world, archive_id)

    assert sorted(await outcomes(world, database)) == sorted([*large, small])
    assert {(await progress(world, archive_id)).attempts for archive_id in large} == {1}
