"""The API with the record's own schema, served once for all these tests; each test has an organization of its own.

Organizations know nothing of each other, so sharing the server costs the tests nothing and saves most of their time.
"""

from collections.abc import AsyncIterator
from itertools import count

import pytest_asyncio

from embedded.postgres import APPLICATION, OWNER
from embedded.seaweedfs import make_bucket
from embedded.servers import Stack
from record.settings import Settings
from tests.api.graphql.house import House, serving_schema
from tests.api.serving import Served

_numbers = count(1)
DATABASE = "graphql_of_the_record"


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def real(stack: Stack, template: str) -> AsyncIterator[Served]:
    """The API with the record's own schema, on a database and a bucket of these tests."""
    stack.postgres.run_sql(f"CREATE DATABASE {DATABASE} TEMPLATE {template} OWNER {OWNER};")
    bucket = "graphql-of-the-record"
    make_bucket(stack.s3, bucket)
    settings = Settings(
        database_url=stack.postgres.url(APPLICATION, DATABASE),
        redis_url=stack.redis_url,
        s3_endpoint=stack.s3.endpoint,
        s3_secure=stack.s3.secure,
        s3_bucket=bucket,
        s3_access_key_file=stack.s3.access_key_file,
        s3_secret_key_file=stack.s3.secret_key_file,
        signing_key_file=stack.directory.secret_file("signing_key", bytes_count=32),
        log_origin="muniment.test",
        http_port=0,
        shutdown_grace_seconds=5,
        page_size_max=50,
    )
    async with serving_schema(settings) as served:
        yield served
    stack.postgres.run_sql(f"DROP DATABASE {DATABASE} WITH (FORCE);")


@pytest_asyncio.fixture
async def house(real: Served) -> House:
    """An organization with its first admin."""
    return await House.begin(real, f"acme-{next(_numbers)}")
