"""The same ledger as in the ledger's own tests, an organization with notices, and worker processes."""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from embedded import processes
from embedded.processes import Worker
from embedded.servers import Stack
from record.settings import Settings
from tests.record.ledger.conftest import ledger, record, settings
from tests.workers.desk import Desk, desk, on_loopback

__all__ = ["ledger", "record", "settings"]

Begin = Callable[..., Worker]


@pytest.fixture
def chosen(settings: Settings, tmp_path: Path) -> Settings:
    return on_loopback(settings, tmp_path)


@pytest.fixture
async def office(chosen: Settings) -> AsyncIterator[Desk]:
    async with desk(chosen) as made:
        yield made


@pytest.fixture
def begin(stack: Stack, settings: Settings, request: pytest.FixtureRequest) -> Iterator[Begin]:
    """Starts worker processes on this test's servers; ends them after it."""
    begun: list[Worker] = []

    def start(**others: Any) -> Worker:
        assert settings.signing_key_file is not None
        chosen = processes.settings(
            database_url=str(settings.database_url),
            redis_url=str(settings.redis_url),
            s3=stack.s3,
            signing_key_file=settings.signing_key_file,
            log_origin=settings.log_origin,
            **{
                "s3_bucket": settings.s3_bucket,
                "checkpoint_interval_seconds": "0.1",
                "job_lease_seconds": "2",
                "sweep_interval_seconds": "0.2",
                "shutdown_grace_seconds": "5",
                **others,
            },
        )
        worker = Worker(stack.directory, chosen, name=f"worker-{request.node.name[:40]}-{len(begun)}")
        begun.append(worker)
        return worker.start()

    yield start
    for worker in begun:
        worker.kill()
