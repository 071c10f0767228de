"""Jobs under leases: one holder at a time, whoever falls silent loses, and every way out leaves the row in order."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

import asyncpg
import pytest

from record.access import service as access
from record.ids import OrgId, uuid7
from record.jobs import service as jobs
from record.jobs.queries import Lease
from record.jobs.service import Headway, LeaseLost
from record.record import Record, open_record
from record.settings import Settings
from tests.servers import TestDatabase
from workers import work
from workers.work import Hopeless, Kind, Work

PATIENCE_SECONDS = 20


@dataclass
class Hands:
    """A kind of job whose attempts do what a test says."""

    attempt: Callable[[Lease, Headway], Awaitable[None]]
    attempts_max: int = 3
    begun: list[int] = field(default_factory=list)
    given_up: list[str] = field(default_factory=list)

    def kinds(self) -> dict[str, Kind]:
        return {"test": Kind("test", do=self._do, give_up=self._give_up, attempts_max=self.attempts_max)}

    async def _do(self, _record: Record, lease: Lease, headway: Headway) -> None:
        self.begun.append(lease.token)
        await self.attempt(lease, headway)

    async def _give_up(self, _record: Record, _lease: Lease, reason: str) -> None:
        self.given_up.append(reason)


@dataclass
class Table:
    """The row of one job, as PostgreSQL has it."""

    url: str
    org_id: OrgId
    subject: UUID

    async def row(self) -> asyncpg.Record:
        return await self._fetch(
            "SELECT *, due_at - updated_at AS pause FROM ops.jobs WHERE subject = $1", self.subject
        )

    async def expire(self) -> None:
        await self._fetch("UPDATE ops.jobs SET lease_until = now() - interval '1 s' WHERE subject = $1", self.subject)

    async def make_due(self) -> None:
        await self._fetch("UPDATE ops.jobs SET due_at = now() WHERE subject = $1", self.subject)

    async def until(self, state: str) -> asyncpg.Record:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while (row := await self.row())["state"] != state:
                await asyncio.sleep(0.02)
        return row

    async def _fetch(self, statement: str, *arguments: object) -> asyncpg.Record:
        connection = await asyncpg.connect(self.url)
        try:
            return await connection.fetchrow(statement, *arguments)
        finally:
            await connection.close()


@pytest.fixture
async def short(settings: Settings) -> AsyncIterator[Record]:
    """A record whose leases last a second."""
    record = open_record(settings.model_copy(update={"job_lease_seconds": 1.0, "jobs_max": 2}))
    yield record
    await record.close()


@pytest.fixture
async def job(short: Record, database: TestDatabase) -> Table:
    """A job that waits."""
    operator, _ = await access.create_organization(short, "acme", admin="ada")
    table = Table(database.superuser_url, operator.org_id, uuid7())
    await jobs.ensure(short, operator.org_id, "test", [table.subject])
    return table


async def at_once(_lease: Lease, _headway: Headway) -> None:
    """Done."""


async def for_ever(_lease: Lease, _headway: Headway) -> None:
    await asyncio.Event().wait()


async def fails(_lease: Lease, _headway: Headway) -> None:
    raise OSError("no space left")


async def test_a_job_that_is_done_is_not_begun_again(short: Record, job: Table) -> None:
    hands = Hands(at_once)
    worker = Work(short, hands.kinds())

    assert await worker.look() == 1
    await job.until("done")

    assert await worker.look() == 0
    assert len(hands.begun) == 1


async def test_of_two_workers_one_gets_the_job(short: Record, job: Table) -> None:
    hands = Hands(for_ever)
    workers = [Work(short, hands.kinds()) for _ in range(2)]

    begun = await asyncio.gather(*(worker.look() for worker in workers))

    assert sorted(begun) == [0, 1]
    for worker in workers:
        await worker.drain(grace_seconds=0)


async def test_queueing_a_job_twice_is_queueing_it_once(short: Record, job: Table) -> None:
    assert await jobs.ensure(short, job.org_id, "test", [job.subject]) == []


async def test_a_lease_is_kept_for_as_long_as_the_work_takes(short: Record, job: Table) -> None:
    enough = asyncio.Event()

    async def outlasts_its_lease(_lease: Lease, _headway: Headway) -> None:
        await enough.wait()

    worker = Work(short, Hands(outlasts_its_lease).kinds())
    await worker.look()
    first = (await job.row())["lease_until"]
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (await job.row())["lease_until"] < first + timedelta(seconds=1.5):
            await asyncio.sleep(0.05)

    assert await Work(short, Hands(at_once).kinds()).look() == 0
    enough.set()
    assert (await job.until("done"))["attempts"] == 1


async def test_progress_is_written_down_while_the_work_goes_on(short: Record, job: Table) -> None:
    async def tells(_lease: Lease, headway: Headway) -> None:
        headway.done, headway.total, headway.text = 3, 10, "copying"
        await asyncio.Event().wait()

    worker = Work(short, Hands(tells).kinds())
    await worker.look()

    async with asyncio.timeout(PATIENCE_SECONDS):
        while (row := await job.row())["progress_done"] != 3:
            await asyncio.sleep(0.02)
    assert (row["progress_total"], row["progress_text"]) == (10, "copying")
    await worker.drain(grace_seconds=0)


async def test_who_falls_silent_loses_the_job_and_stops(short: Record, job: Table) -> None:
    stopped = asyncio.Event()

    async def notices(_lease: Lease, _headway: Headway) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    silent, other = Work(short, Hands(notices).kinds()), Hands(at_once)
    await silent.look()
    await job.expire()

    assert await Work(short, other.kinds()).look() == 1

    async with asyncio.timeout(PATIENCE_SECONDS):
        await stopped.wait()
    row = await job.until("done")
    assert (row["attempts"], other.begun) == (2, [2])


async def test_an_old_token_writes_nothing(short: Record, job: Table) -> None:
    [old] = await jobs.claim(short, kinds=["test"], count_max=1)
    await job.expire()
    [new] = await jobs.claim(short, kinds=["test"], count_max=1)

    for late in (
        jobs.renew(short, old, Headway().standing()),
        jobs.require_held(short, old),
        jobs.finish(short, old),
        jobs.put_back(short, old),
    ):
        with pytest.raises(LeaseLost):
            await late
    await jobs.require_held(short, new)
    assert (await job.row())["lease_token"] == new.token == old.token + 1


async def test_an_attempt_that_fails_is_repeated_after_a_pause(short: Record, job: Table) -> None:
    worker = Work(short, Hands(fails).kinds())
    await worker.look()

    first = await job.until("queued")
    await job.make_due()
    await worker.look()
    second = await job.until("queued")

    assert first["failure"] == "The worker failed with OSError. See its log."
    assert first["pause"].total_seconds() == pytest.approx(work.PAUSE_SECONDS)
    assert second["pause"].total_seconds() == pytest.approx(2 * work.PAUSE_SECONDS)
    assert await worker.look() == 0


async def test_after_the_last_attempt_it_is_given_up(short: Record, job: Table) -> None:
    hands = Hands(fails, attempts_max=1)

    await Work(short, hands.kinds()).look()

    assert (await job.until("failed"))["failure"] == "The worker failed with OSError. See its log."
    assert hands.given_up == ["The worker failed with OSError. See its log."]


async def test_what_cannot_succeed_is_not_tried_again(short: Record, job: Table) -> None:
    async def hopeless(_lease: Lease, _headway: Headway) -> None:
        raise Hopeless("The evidence is gone.")

    hands = Hands(hopeless)

    await Work(short, hands.kinds()).look()

    await job.until("failed")
    assert hands.given_up == ["The evidence is gone."]


async def test_work_that_kills_its_workers_is_given_up_too(short: Record, job: Table) -> None:
    for _ in range(3):
        assert await jobs.claim(short, kinds=["test"], count_max=1)
        await job.expire()
    hands = Hands(at_once, attempts_max=3)

    await Work(short, hands.kinds()).look()

    await job.until("failed")
    assert hands.begun == []
    assert hands.given_up == ["Every worker that tried has died. See their logs."]


async def test_a_worker_that_is_told_to_stop_gives_its_job_back_at_once(short: Record, job: Table) -> None:
    worker = Work(short, Hands(for_ever).kinds())
    await worker.look()

    await worker.drain(grace_seconds=0)

    row = await job.row()
    assert (row["state"], row["attempts"]) == ("queued", 0)
    assert await worker.look() == 0
    assert await Work(short, Hands(at_once).kinds()).look() == 1


async def test_a_worker_that_is_told_to_stop_lets_its_job_end(short: Record, job: Table) -> None:
    enough = asyncio.Event()

    async def waits(_lease: Lease, _headway: Headway) -> None:
        await enough.wait()

    worker = Work(short, Hands(waits).kinds())
    await worker.look()
    asyncio.get_running_loop().call_later(0.05, enough.set)

    await worker.drain(grace_seconds=PATIENCE_SECONDS)

    assert (await job.row())["state"] == "done"


async def test_a_worker_does_no_more_at_once_than_it_was_set_to(short: Record, job: Table) -> None:
    await jobs.ensure(short, job.org_id, "test", [uuid7() for _ in range(4)])
    worker = Work(short, Hands(for_ever).kinds())

    assert await worker.look() == 2
    assert (worker.room, await worker.look()) == (0, 0)
    await worker.drain(grace_seconds=0)
