"""The API with the record's own schema, served once for all these tests; each test has an organization of its own.

Organizations know nothing of each other, so sharing the server costs the tests nothing and saves most of their time.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import pytest_asyncio

from embedded import processes
from embedded.postgres import APPLICATION, OWNER
from embedded.processes import Worker
from embedded.seaweedfs import make_bucket
from embedded.servers import Stack
from record.settings import Settings
from tests.api.graphql.house import House, serving_schema
from tests.api.serving import Served

_numbers = count(1)


@contextmanager
def settings_of(stack: Stack, template: str, name: str) -> Iterator[Settings]:
    """Settings over a database and a bucket of this name."""
    database, bucket = name.replace("-", "_"), name
    stack.postgres.run_sql(f"CREATE DATABASE {database} TEMPLATE {template} OWNER {OWNER};")
    make_bucket(stack.s3, bucket)
    chosen: dict[str, Any] = {
        "database_url": stack.postgres.url(APPLICATION, database),
        "redis_url": stack.redis_url,
        "s3_endpoint": stack.s3.endpoint,
        "s3_secure": stack.s3.secure,
        "s3_bucket": bucket,
        "s3_access_key_file": stack.s3.access_key_file,
        "s3_secret_key_file": stack.s3.secret_key_file,
        "signing_key_file": stack.directory.secret_file("signing_key", bytes_count=32),
        "notices_key_file": stack.directory.secret_file("notices_key", bytes_count=32),
        "log_origin": "muniment.test",
        "http_port": 0,
        "shutdown_grace_seconds": 5,
        "page_size_max": 50,
    }
    yield Settings(**chosen)
    stack.postgres.run_sql(f"DROP DATABASE {database} WITH (FORCE);")


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def real(stack: Stack, template: str) -> AsyncIterator[Served]:
    """The API without a worker: nothing is recorded but what tests record."""
    with settings_of(stack, template, "graphql-of-the-record") as settings:
        async with serving_schema(settings) as served:
            yield served


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def working(stack: Stack, template: str) -> AsyncIterator[Served]:
    """The API with a worker process beside it."""
    with settings_of(stack, template, "graphql-with-a-worker") as settings:
        assert settings.signing_key_file is not None
        chosen = processes.settings(
            database_url=str(settings.database_url),
            redis_url=str(settings.redis_url),
            s3=stack.s3,
            signing_key_file=settings.signing_key_file,
            s3_bucket=settings.s3_bucket,
            log_origin=settings.log_origin,
            checkpoint_interval_seconds="0.1",
            sweep_interval_seconds="0.5",
        )
        worker = Worker(stack.directory, chosen, name="worker-of-graphql").start()
        try:
            async with serving_schema(settings) as served:
                yield served
        finally:
            worker.kill()


@pytest_asyncio.fixture
async def house(real: Served) -> House:
    """An organization with its first admin."""
    return await House.begin(real, f"acme-{next(_numbers)}")


@pytest_asyncio.fixture
async def working_house(working: Served) -> House:
    """An organization whose jobs are done and whose ledger is signed."""
    return await House.begin(working, f"acme-{next(_numbers)}")
