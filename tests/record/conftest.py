"""The record over real servers. What isolates these tests is what isolates organizations: each test begins its own.

One database and one bucket serve them all, because a clone for each would take longer than most of the tests. Tests that do
something to a whole database ask for a clone (`database`) instead.
"""

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from itertools import count

import pytest

from embedded.postgres import APPLICATION, OWNER
from embedded.seaweedfs import make_bucket
from embedded.servers import Stack
from record.ledger.append import Ledger
from record.readings import rows_of
from record.record import Record, open_record
from record.settings import Settings
from tests.record.clocks import MovableClock
from tests.record.house import BUCKET, DATABASE
from tests.record.organizations import Organization

_numbers = count(1)


@pytest.fixture(scope="session")
def house_settings(stack: Stack, template: str) -> Iterator[Settings]:
    """Settings over the database and the bucket that the tests of the record share."""
    stack.postgres.run_sql(f"CREATE DATABASE {DATABASE} TEMPLATE {template} OWNER {OWNER};")
    make_bucket(stack.s3, BUCKET)
    yield Settings.model_validate(
        {
            "database_url": stack.postgres.url(APPLICATION, DATABASE),
            "owner_database_url": stack.postgres.url(OWNER, DATABASE),
            "redis_url": stack.redis_url,
            "s3_endpoint": stack.s3.endpoint,
            "s3_secure": stack.s3.secure,
            "s3_bucket": BUCKET,
            "s3_access_key_file": stack.s3.access_key_file,
            "s3_secret_key_file": stack.s3.secret_key_file,
            "signing_key_file": stack.directory.secret_file("signing_key", bytes_count=32),
            "log_origin": "muniment.test",
            "retention_days": 1,
            "vault_threads": 4,
        }
    )
    stack.postgres.run_sql(f"DROP DATABASE {DATABASE} WITH (FORCE);")


@pytest.fixture(scope="session")
async def house(house_settings: Settings) -> AsyncIterator[Record]:
    opened = open_record(house_settings)
    yield opened
    await opened.close()


@pytest.fixture
def clock() -> MovableClock:
    """The record's clock: the machine's, moved by whatever a test says."""
    return MovableClock()


@pytest.fixture
def record(house: Record, clock: MovableClock) -> Record:
    """A record with a clock and a ledger of this test's own."""
    return replace(house, clock=clock, ledger=Ledger(house.database, clock, rows_of))


@pytest.fixture
async def acme(record: Record) -> Organization:
    """An organization with its first admin and nothing else."""
    return await Organization.begin(record, f"acme-{next(_numbers)}")


@pytest.fixture
async def globex(record: Record) -> Organization:
    """Another organization in the same database."""
    return await Organization.begin(record, f"globex-{next(_numbers)}")
