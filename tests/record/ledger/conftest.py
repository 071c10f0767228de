"""A ledger of its own for each test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from embedded.seaweedfs import S3
from record.record import Record, open_record
from record.settings import Settings
from tests.record.ledger.harness import LedgerUnderTest
from tests.servers import TestDatabase


@pytest.fixture
def settings(database: TestDatabase, vault_address: S3, redis_url: str, signing_key_file: Path) -> Settings:
    return Settings.model_validate(
        {
            "database_url": database.url,
            "redis_url": redis_url,
            "s3_endpoint": vault_address.endpoint,
            "s3_secure": False,
            "s3_bucket": vault_address.bucket,
            "s3_access_key_file": vault_address.access_key_file,
            "s3_secret_key_file": vault_address.secret_key_file,
            "signing_key_file": signing_key_file,
            "log_origin": "log.invalid",
            "checkpoint_interval_seconds": 0.05,
            "retention_days": 1,
        }
    )


@pytest.fixture
async def record(settings: Settings) -> AsyncIterator[Record]:
    opened = open_record(settings)
    yield opened
    await opened.close()


@pytest.fixture
async def ledger(record: Record, database: TestDatabase) -> LedgerUnderTest:
    """An organization's ledger with the three entries it begins with."""
    return await LedgerUnderTest.begin(record, database.superuser_url)
