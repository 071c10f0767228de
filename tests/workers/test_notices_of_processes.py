"""Real worker processes with notices: killed in the middle of a delivery, two of them at once, told to stop."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from embedded import processes
from embedded.processes import Worker
from embedded.servers import Stack
from record.notices.rules import Outcome
from record.settings import Settings
from tests.workers.desk import Desk, desk, on_loopback
from tests.workers.receivers import hangs, receiving

Begin = Callable[[], Worker]


@pytest.fixture
def chosen(settings: Settings, tmp_path: Path) -> Settings:
    return on_loopback(settings, tmp_path, notice_timeout_seconds=20.0)


@pytest.fixture
async def office(chosen: Settings) -> AsyncIterator[Desk]:
    async with desk(chosen) as made:
        yield made


@pytest.fixture
def begin(stack: Stack, chosen: Settings, request: pytest.FixtureRequest) -> Iterator[Begin]:
    """Starts worker processes on this test's servers; ends them after it."""
    begun: list[Worker] = []

    def start() -> Worker:
        settings = processes.settings(
            database_url=str(chosen.database_url),
            redis_url=str(chosen.redis_url),
            s3=stack.s3,
            signing_key_file=chosen.signing_key_file or Path(),
            s3_bucket=chosen.s3_bucket,
            log_origin=chosen.log_origin,
            job_lease_seconds="1",
            shutdown_grace_seconds="0",
            notices_key_file=str(chosen.notices_key_file),
            notice_http_allowed="true",
            notice_networks_allowed="127.0.0.0/8, fd00::/8",
            notice_interval_seconds="0.1",
            notice_retry_seconds="0.1",
        )
        worker = Worker(stack.directory, settings, name=f"worker-{request.node.name[:40]}-{len(begun)}")
        begun.append(worker)
        return worker.start()

    yield start
    for worker in begun:
        worker.kill()


async def test_a_worker_that_is_killed_in_the_middle_leaves_the_delivery_to_another_and_its_id_stays(
    office: Desk, begin: Begin
) -> None:
    async with receiving(hangs) as receiver:
        await office.notice(receiver.url)
        await office.trail("t1")
        first = begin()
        await receiver.until(1)
        first.kill()
        (midway,) = await office.deliveries()

        begin()
        (delivery,) = await office.ended(1)

    assert (midway.outcome, midway.attempts) == (None, 1)
    assert (delivery.outcome, delivery.attempts) == (Outcome.DELIVERED, 2)
    assert len({request.headers["webhook-id"] for request in receiver.received}) == 1
    last, lost = await office.attempts(delivery.delivery_id)
    assert (last.delivered, lost.delivered, lost.ended_at) == (True, None, None)


async def test_two_worker_processes_send_each_message_once(office: Desk, begin: Begin) -> None:
    begin(), begin()
    async with receiving() as receiver:
        await office.notice(receiver.url)
        for number in range(40):
            await office.trail(f"t{number}")
        found = await office.ended(40)

    ids = [request.headers["webhook-id"] for request in receiver.received]
    assert len(found) == len(ids) == len(set(ids)) == 40


async def test_a_worker_that_is_told_to_stop_in_the_middle_ends_well_and_gives_the_delivery_back(
    office: Desk, begin: Begin
) -> None:
    async with receiving(hangs) as receiver:
        await office.notice(receiver.url)
        await office.trail("t1")
        worker = begin()
        await receiver.until(1)
        status = await asyncio.to_thread(worker.stop)
        begin()
        (delivery,) = await office.ended(1)

    assert status == 0
    assert delivery.outcome is Outcome.DELIVERED
