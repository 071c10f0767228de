"""At start-up the vault finds out whether its bucket keeps what it locks, and says so in sentences."""

import asyncio
from dataclasses import replace

import pytest
from minio.error import S3Error

from record.clock import SystemClock
from record.refusals import Unavailable
from record.vault import Vault, VaultAddress, worm
from record.vault.transport import Transport
from tests.record.vault.harness import LARGE, BucketView, some_bytes, store


async def test_a_bucket_with_object_lock_is_proven(vault: Vault) -> None:
    report = await vault.prepare()

    assert report.problems == ()
    assert report.proven
    assert "A locked version, written in parts, could not be deleted." in report.findings


async def test_a_missing_bucket_is_made_and_proven(address: VaultAddress) -> None:
    async with Vault(replace(address, bucket=f"{address.bucket}-new")) as vault:
        report = await vault.prepare()

        assert report.proven
        await vault.ping()


async def test_a_bucket_without_object_lock_is_not_proven(address: VaultAddress, bucket: BucketView) -> None:
    without_lock = f"{address.bucket}-plain"
    bucket.client.make_bucket(without_lock)

    async with Vault(replace(address, bucket=without_lock)) as vault:
        report = await vault.prepare()

    assert not report.proven
    assert any("does not keep versions" in problem for problem in report.problems)
    assert any("cannot be written under lock" in problem for problem in report.problems)


async def test_a_bucket_without_object_lock_takes_no_evidence(address: VaultAddress, bucket: BucketView) -> None:
    without_lock = f"{address.bucket}-plain"
    bucket.client.make_bucket(without_lock)

    async with Vault(replace(address, bucket=without_lock)) as vault:
        with pytest.raises(Unavailable):
            await store(vault, b"evidence")


async def test_what_a_self_test_left_is_gone_after_a_later_one(address: VaultAddress, bucket: BucketView) -> None:
    transport = Transport(address, threads=2)
    await worm.self_test(transport, SystemClock(), lock_seconds=4)
    first = set(bucket.versions())
    await asyncio.sleep(5)

    await worm.self_test(transport, SystemClock(), lock_seconds=4)

    assert first
    assert not first & set(bucket.versions())
    transport.close()


@pytest.mark.parametrize("size", [10, LARGE])
async def test_stored_evidence_cannot_be_deleted(vault: Vault, bucket: BucketView, size: int) -> None:
    stored = await store(vault, some_bytes(size))

    with pytest.raises(S3Error, match="AccessDenied"):
        bucket.client.remove_object(bucket.bucket, stored.key, version_id=stored.version_id)
