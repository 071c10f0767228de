"""Whatever is not as it was said to be stores nothing: no version, no locked leftover, no unfinished upload."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from record.refusals import TooLarge, WrongDigest
from record.vault import Vault
from tests.record.vault.harness import (
    LARGE,
    LIMIT,
    MIB,
    BucketView,
    digest_of,
    in_seconds,
    read_back,
    some_bytes,
    store,
    stream_of,
)

SIZES = pytest.mark.parametrize("size", [100, LARGE])


class LineDropped(Exception):
    """The client went away."""


async def broken_stream(data: bytes) -> AsyncIterator[bytes]:
    async for chunk in stream_of(data):
        yield chunk
    raise LineDropped


async def endless_stream() -> AsyncIterator[bytes]:
    while True:
        yield bytes(MIB)


@SIZES
async def test_a_wrong_digest_stores_nothing(vault: Vault, bucket: BucketView, size: int) -> None:
    data = some_bytes(size)

    with pytest.raises(WrongDigest, match="nothing was stored"):
        await store(vault, data, expected=digest_of(b"other"))

    bucket.assert_empty()


@SIZES
async def test_a_truncated_upload_stores_nothing(vault: Vault, bucket: BucketView, size: int) -> None:
    data = some_bytes(size)

    with pytest.raises(WrongDigest, match=f"{size} bytes were announced and {size - 1} arrived"):
        await store(vault, data[:-1], size=size)

    bucket.assert_empty()


@SIZES
async def test_more_bytes_than_announced_store_nothing(vault: Vault, bucket: BucketView, size: int) -> None:
    data = some_bytes(size)

    with pytest.raises(WrongDigest, match="more arrived"):
        await store(vault, data, expected=digest_of(data[:-1]), size=size - 1)

    bucket.assert_empty()


@SIZES
@pytest.mark.parametrize("digest_is_known", [True, False])
async def test_a_broken_stream_stores_nothing(
    vault: Vault, bucket: BucketView, size: int, digest_is_known: bool
) -> None:
    data = some_bytes(size)

    with pytest.raises(LineDropped):
        await vault.put(
            broken_stream(data),
            expected=digest_of(data) if digest_is_known else None,
            expected_size=None,
            retain_until=in_seconds(20),
            size_max=LIMIT,
        )

    bucket.assert_empty()


async def test_an_upload_that_is_cancelled_stores_nothing(vault: Vault, bucket: BucketView) -> None:
    all_sent = asyncio.Event()

    async def stalling() -> AsyncIterator[bytes]:
        async for chunk in stream_of(some_bytes(LARGE)):
            yield chunk
        all_sent.set()
        await asyncio.Event().wait()

    upload = asyncio.create_task(
        vault.put(stalling(), expected=digest_of(b""), expected_size=None, retain_until=in_seconds(20), size_max=LIMIT)
    )
    await all_sent.wait()
    upload.cancel()
    with pytest.raises(asyncio.CancelledError):
        await upload

    bucket.assert_empty()


async def test_an_upload_announced_larger_than_the_limit_is_not_read(vault: Vault, bucket: BucketView) -> None:
    with pytest.raises(TooLarge):
        await vault.put(endless_stream(), expected=None, expected_size=101, retain_until=in_seconds(20), size_max=100)

    bucket.assert_empty()


@pytest.mark.parametrize("size_max", [100, 12 * MIB])
async def test_an_upload_without_end_is_refused_at_the_limit(vault: Vault, bucket: BucketView, size_max: int) -> None:
    with pytest.raises(TooLarge, match=f"larger than {size_max} bytes"):
        await vault.put(
            endless_stream(), expected=None, expected_size=None, retain_until=in_seconds(20), size_max=size_max
        )

    bucket.assert_empty()


@SIZES
async def test_naming_a_digest_that_is_there_does_not_excuse_from_sending_its_bytes(
    vault: Vault, bucket: BucketView, size: int
) -> None:
    data = some_bytes(size)
    stored = await store(vault, data)

    with pytest.raises(WrongDigest):
        await store(vault, data[:-1] + b"!", expected=stored.digest)

    assert bucket.versions() == [(stored.key, stored.version_id)]
    assert await read_back(vault, stored) == data


async def test_a_writer_that_is_left_without_finish_stores_nothing(vault: Vault, bucket: BucketView) -> None:
    async with vault.writer("archives/half.zip", retain_until=in_seconds(20)) as writer:
        await writer.write(some_bytes(LARGE))

    bucket.assert_empty()
