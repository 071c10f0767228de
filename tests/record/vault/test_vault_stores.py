"""Evidence that is what it was said to be is stored once, under its digest, locked."""

import asyncio

import pytest

from record.vault import Vault, content_key
from tests.record.vault.harness import (
    LARGE,
    MIB,
    BucketView,
    assert_measured,
    digest_of,
    in_seconds,
    joined,
    read_back,
    some_bytes,
    store,
    stream_of,
)


@pytest.mark.parametrize("size", [0, 1, 100_000, 8 * MIB, 8 * MIB + 1, 16 * MIB, LARGE])
@pytest.mark.parametrize("digest_is_known", [True, False])
async def test_bytes_come_back_as_they_went_in(vault: Vault, size: int, digest_is_known: bool) -> None:
    data = some_bytes(size)

    stored = await store(vault, data, expected=digest_of(data) if digest_is_known else None, size=size)

    assert_measured(stored, data)
    assert stored.key == content_key(digest_of(data))
    assert not stored.already_there
    assert await read_back(vault, stored) == data


@pytest.mark.parametrize("size", [10, LARGE])
@pytest.mark.parametrize("digest_is_known", [True, False])
async def test_nothing_but_the_evidence_is_left_in_the_bucket(
    vault: Vault, bucket: BucketView, size: int, digest_is_known: bool
) -> None:
    data = some_bytes(size)

    stored = await store(vault, data, expected=digest_of(data) if digest_is_known else None)

    assert bucket.versions() == [(stored.key, stored.version_id)]
    assert bucket.unfinished() == []


@pytest.mark.parametrize("size", [10, LARGE])
@pytest.mark.parametrize("digest_is_known", [True, False])
async def test_evidence_is_locked_until_the_instant_that_was_asked_for(
    vault: Vault, size: int, digest_is_known: bool
) -> None:
    data = some_bytes(size)
    until = in_seconds(25)

    stored = await vault.put(
        stream_of(data),
        expected=digest_of(data) if digest_is_known else None,
        expected_size=None,
        retain_until=until,
        size_max=LARGE,
    )

    facts = await vault.stat(stored.key, stored.version_id)
    assert facts is not None
    assert facts.is_kept_until(until)


@pytest.mark.parametrize("size", [10, LARGE])
@pytest.mark.parametrize("digest_is_known", [True, False])
async def test_the_same_bytes_twice_are_one_object(
    vault: Vault, bucket: BucketView, size: int, digest_is_known: bool
) -> None:
    data = some_bytes(size)
    expected = digest_of(data) if digest_is_known else None
    first = await store(vault, data, expected=expected)

    second = await store(vault, data, expected=expected)

    assert second.already_there
    assert second.version_id == first.version_id
    assert_measured(second, data)
    assert bucket.versions() == [(first.key, first.version_id)]
    assert bucket.unfinished() == []


async def test_storing_again_for_longer_extends_the_lock(vault: Vault) -> None:
    first = await store(vault, b"evidence", kept_for_seconds=10)
    longer = in_seconds(40)

    await store(vault, b"evidence", kept_for_seconds=40)

    facts = await vault.stat(first.key, first.version_id)
    assert facts is not None
    assert facts.is_kept_until(longer)


async def test_storing_again_for_a_shorter_time_leaves_the_lock(vault: Vault) -> None:
    first = await store(vault, b"evidence", kept_for_seconds=40)
    before = await vault.stat(first.key, first.version_id)

    await store(vault, b"evidence", kept_for_seconds=10)

    assert await vault.stat(first.key, first.version_id) == before


@pytest.mark.parametrize(("size", "count"), [(5_000, 20), (LARGE, 3)])
async def test_twins_that_arrive_together_are_one_object(
    vault: Vault, bucket: BucketView, size: int, count: int
) -> None:
    data = some_bytes(size)
    expectations = [digest_of(data) if number % 2 else None for number in range(count)]

    all_stored = await asyncio.gather(*(store(vault, data, expected=expected) for expected in expectations))

    assert len({stored.version_id for stored in all_stored}) == 1
    assert [stored.already_there for stored in all_stored].count(False) == 1
    assert len(bucket.versions()) == 1
    assert bucket.unfinished() == []


async def test_a_small_object_under_a_key_of_ours_gets_a_version_each_time(vault: Vault) -> None:
    first = await vault.put_object("log/checkpoint", b"size 1", retain_until=in_seconds(20))
    second = await vault.put_object("log/checkpoint", b"size 2", retain_until=in_seconds(20))

    assert await joined(vault.read("log/checkpoint", version_id=first)) == b"size 1"
    assert await joined(vault.read("log/checkpoint", version_id=second)) == b"size 2"


@pytest.mark.parametrize("size", [0, 12, LARGE])
async def test_a_stream_under_a_key_of_ours_is_measured_and_locked(vault: Vault, size: int) -> None:
    data = some_bytes(size)
    until = in_seconds(20)

    stored = await vault.put_stream_at("archives/one.zip", stream_of(data, chunk=MIB), retain_until=until)

    assert_measured(stored, data)
    assert await read_back(vault, stored) == data
    facts = await vault.stat("archives/one.zip", stored.version_id)
    assert facts is not None
    assert facts.is_kept_until(until)


async def test_a_writer_takes_pieces_of_any_length(vault: Vault) -> None:
    pieces = [b"", b"x", some_bytes(9 * MIB), b"y" * 100, some_bytes(17 * MIB), b"end"]

    async with vault.writer("archives/two.zip", retain_until=in_seconds(20)) as writer:
        for piece in pieces:
            await writer.write(piece)
        version_id = await writer.finish()

    assert await joined(vault.read("archives/two.zip", version_id=version_id)) == b"".join(pieces)
    assert writer.tally.digest == digest_of(b"".join(pieces))
