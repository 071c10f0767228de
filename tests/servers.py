"""Real servers for tests: one stack for a test process, and in it a database, a bucket and a queue for each test.

What a test costs, measured with two cores: the stack 1.5 s once; the template, one run of the migrations, once; a
private clone of it about 30 ms; a bucket 3 ms, and 0.2 s more when the first object goes in. Under pytest-xdist each
worker has a stack of its own, so nothing is shared that could be fought over.
"""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

import pytest

from embedded.postgres import APPLICATION, OWNER, SUPERUSER
from embedded.seaweedfs import S3, make_bucket
from embedded.servers import Stack
from record import migrations

TEMPLATE = "muniment_template"
_numbers = count(1)


@dataclass(frozen=True, slots=True)
class TestDatabase:
    """A database of its own for one test, with the schema in it and nothing else."""

    __test__ = False

    name: str
    url: str  # as the application
    owner_url: str
    superuser_url: str


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """PostgreSQL, Valkey and SeaweedFS. A test that stops one starts it again before it ends."""
    directory = Path(tempfile.mkdtemp(prefix="muniment-tests-"))
    try:
        with Stack(directory, durable=False) as running:
            yield running
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def template(stack: Stack) -> str:
    """A database that the migrations have been run on and that nobody is connected to."""
    stack.postgres.run_sql(f"CREATE DATABASE {TEMPLATE} OWNER {OWNER};")
    migrations.upgrade(stack.postgres.url(OWNER, TEMPLATE))
    return TEMPLATE


@pytest.fixture
def database(stack: Stack, template: str) -> Iterator[TestDatabase]:
    """A clone of the template, dropped afterwards even while somebody is still connected."""
    name = f"test_{next(_numbers)}"
    stack.postgres.run_sql(f"CREATE DATABASE {name} TEMPLATE {template} OWNER {OWNER};")
    yield TestDatabase(
        name=name,
        url=stack.postgres.url(APPLICATION, name),
        owner_url=stack.postgres.url(OWNER, name),
        superuser_url=stack.postgres.url(SUPERUSER, name),
    )
    stack.postgres.run_sql(f"DROP DATABASE {name} WITH (FORCE);")


@pytest.fixture
def redis_url(stack: Stack) -> Iterator[str]:
    """The queue, empty before and after the test."""
    stack.flush_redis()
    yield stack.redis_url
    # A test about a lost Redis may have left none to flush.
    with suppress(ConnectionError):
        stack.flush_redis()


@pytest.fixture
def vault_address(stack: Stack) -> S3:
    """The object store with a bucket of this test's own, made with object lock."""
    s3 = replace(stack.s3, bucket=f"test-{next(_numbers)}")
    make_bucket(s3, s3.bucket)
    return s3


@pytest.fixture
def signing_key_file(stack: Stack) -> Path:
    """The log's signing key."""
    return stack.directory.secret_file("signing_key", bytes_count=32)
