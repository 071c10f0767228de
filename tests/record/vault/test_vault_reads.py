"""Bytes come out as streams, whole or in ranges, of the very version that was recorded."""

from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from embedded.seaweedfs import SeaweedFS
from record.refusals import InvalidInput, NotFound, Unavailable
from record.vault import ObjectReference, Stored, Vault
from tests.record.vault.harness import (
    LARGE,
    MIB,
    BucketView,
    address_in,
    in_seconds,
    joined,
    read_back,
    reference_to,
    some_bytes,
    store,
)


async def read_all(vault: Vault, references: list[ObjectReference]) -> list[tuple[ObjectReference, bytes]]:
    return [(reference, await joined(chunks)) async for reference, chunks in vault.read_many(references)]


@pytest.fixture(scope="module")
async def long_evidence(object_store: SeaweedFS) -> AsyncIterator[tuple[Vault, Stored]]:
    async with Vault(address_in(object_store.s3, bucket=object_store.s3.bucket)) as vault:
        yield vault, await store(vault, some_bytes(LARGE))


@pytest.mark.parametrize(
    ("start", "length"), [(0, 1), (0, None), (5, 10), (3 * MIB - 1, 2 * MIB), (LARGE - 1, None), (LARGE - 4, 4), (7, 0)]
)
async def test_a_range_is_exactly_those_bytes(
    long_evidence: tuple[Vault, Stored], start: int, length: int | None
) -> None:
    vault, stored = long_evidence

    read = await joined(vault.read(stored.key, version_id=stored.version_id, start=start, length=length))

    data = some_bytes(LARGE)
    assert read == (data[start:] if length is None else data[start : start + length])


async def test_chunks_are_at_most_a_mebibyte(long_evidence: tuple[Vault, Stored]) -> None:
    vault, stored = long_evidence

    sizes = [len(chunk) async for chunk in vault.read(stored.key, version_id=stored.version_id)]

    assert max(sizes) == MIB


async def test_readers_that_leave_early_do_not_use_up_connections(long_evidence: tuple[Vault, Stored]) -> None:
    vault, stored = long_evidence

    for _ in range(40):
        async with aclosing(vault.read(stored.key, version_id=stored.version_id)) as reader:
            await anext(reader)

    assert len(await read_back(vault, stored)) == LARGE


async def test_a_range_behind_the_end_is_refused(vault: Vault) -> None:
    stored = await store(vault, b"short")

    with pytest.raises(InvalidInput, match="after the end"):
        await joined(vault.read(stored.key, version_id=stored.version_id, start=100, length=1))


async def test_what_is_not_there_is_not_found(vault: Vault) -> None:
    with pytest.raises(NotFound):
        await joined(vault.read("sha256/00/00/nothing", version_id=None))

    assert await vault.stat("sha256/00/00/nothing", None) is None


async def test_a_version_is_read_even_under_newer_versions_and_delete_markers(vault: Vault, bucket: BucketView) -> None:
    stored = await store(vault, b"the evidence")
    await vault.put_object(stored.key, b"something else", retain_until=in_seconds(10))
    bucket.client.remove_object(bucket.bucket, stored.key)

    assert await read_back(vault, stored) == b"the evidence"


async def test_many_objects_come_in_the_order_asked_for(vault: Vault) -> None:
    sizes = [10, 3 * MIB, 0, *range(1000, 1040), LARGE, MIB, MIB + 1, 5]
    contents = [some_bytes(size, seed=str(number)) for number, size in enumerate(sizes)]
    references = [reference_to(await store(vault, content)) for content in contents]

    assert await read_all(vault, references) == list(zip(references, contents, strict=True))


async def test_among_many_objects_a_missing_one_is_refused(vault: Vault) -> None:
    there = reference_to(await store(vault, b"here"))
    missing = ObjectReference("sha256/00/00/nothing", None, 4)

    with pytest.raises(NotFound):
        await read_all(vault, [there, missing, there])


@pytest.mark.parametrize("size", [4, 2 * MIB])
async def test_among_many_objects_one_of_another_size_than_recorded_is_refused(vault: Vault, size: int) -> None:
    stored = await store(vault, some_bytes(size))
    wrong = ObjectReference(stored.key, stored.version_id, size + 1)

    with pytest.raises(Unavailable, match=f"has {size} bytes, the record says {size + 1}"):
        await read_all(vault, [wrong])


async def test_keys_are_listed_in_order_from_where_one_left_off(vault: Vault) -> None:
    for number in range(5):
        await vault.put_object(f"log/tile/{number}", b"tile", retain_until=in_seconds(5))
    await vault.put_object("other", b"", retain_until=in_seconds(5))

    everything = await vault.list("log/")
    rest = await vault.list("log/", start_after="log/tile/2")

    assert everything == [f"log/tile/{number}" for number in range(5)]
    assert rest == ["log/tile/3", "log/tile/4"]
