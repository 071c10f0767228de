"""A store that is gone, frozen or wrongly addressed is said to be so within seconds, and keeps no half upload."""

import asyncio
import io
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from embedded.seaweedfs import SeaweedFS
from record.refusals import Unavailable
from record.vault import ObjectReference, Vault, VaultAddress
from tests.pausing import paused
from tests.record.vault.harness import (
    LARGE,
    LIMIT,
    BucketView,
    digest_of,
    in_seconds,
    joined,
    read_back,
    some_bytes,
    store,
    stream_of,
)

FEW_SECONDS = 8

REQUESTS: dict[str, Callable[[Vault], Awaitable[object]]] = {
    "ping": lambda vault: vault.ping(),
    "prepare": lambda vault: vault.prepare(),
    "put small": lambda vault: store(vault, b"small"),
    "put large": lambda vault: store(vault, some_bytes(LARGE)),
    "put object": lambda vault: vault.put_object("key", b"", retain_until=in_seconds(5)),
    "put stream": lambda vault: vault.put_stream_at("key", stream_of(some_bytes(LARGE)), retain_until=in_seconds(5)),
    "read": lambda vault: joined(vault.read("key", version_id=None)),
    "read many": lambda vault: _read_all(vault),
    "stat": lambda vault: vault.stat("key", None),
    "list": lambda vault: vault.list(""),
    "sweep": lambda vault: vault.sweep(older_than=timedelta(0)),
}


async def _read_all(vault: Vault) -> None:
    async for _, chunks in vault.read_many([ObjectReference("key", None, 3)] * 30):
        await joined(chunks)


async def _refused_within_a_few_seconds(request: Awaitable[object], *, match: str) -> None:
    began = time.monotonic()
    with pytest.raises(Unavailable, match=match):
        await request
    assert time.monotonic() - began < FEW_SECONDS


@pytest.mark.parametrize("name", REQUESTS)
async def test_nothing_hangs_when_nobody_listens(address: VaultAddress, name: str) -> None:
    async with Vault(replace(address, endpoint="127.0.0.1:9")) as vault:
        await _refused_within_a_few_seconds(REQUESTS[name](vault), match="does not answer")


async def test_wrong_keys_are_said_to_be_wrong(address: VaultAddress) -> None:
    async with Vault(replace(address, secret_key="not the secret")) as vault:
        await _refused_within_a_few_seconds(store(vault, b"evidence"), match="refused us.*secret key")


async def test_a_missing_bucket_is_named(address: VaultAddress) -> None:
    async with Vault(replace(address, bucket="never-made")) as vault:
        await _refused_within_a_few_seconds(vault.ping(), match="no bucket 'never-made'")


async def test_a_frozen_store_is_unavailable_and_then_well_again(mortal_store: SeaweedFS, mortal_vault: Vault) -> None:
    await mortal_vault.ping()
    with paused(mortal_store.pid):
        await _refused_within_a_few_seconds(mortal_vault.ping(), match="does not answer")

    await mortal_vault.ping()


@pytest.mark.parametrize("digest_is_known", [True, False])
async def test_a_store_that_stops_in_the_middle_of_an_upload_has_stored_nothing(
    mortal_store: SeaweedFS, mortal_vault: Vault, digest_is_known: bool
) -> None:
    data = some_bytes(3 * LARGE)

    async def stopping_half_way() -> AsyncIterator[bytes]:
        sent = 0
        stopped = False
        async for chunk in stream_of(data):
            if sent > LARGE and not stopped:
                await asyncio.to_thread(mortal_store.kill)
                stopped = True
            sent += len(chunk)
            yield chunk

    with pytest.raises(Unavailable, match="does not answer"):
        await mortal_vault.put(
            stopping_half_way(),
            expected=None if not digest_is_known else digest_of(data),
            expected_size=None,
            retain_until=in_seconds(20),
            size_max=LIMIT,
        )

    mortal_store.start()
    mortal_store.wait_ready()
    view = BucketView.of(mortal_vault.address)
    assert view.versions() == []
    await mortal_vault.sweep(older_than=timedelta(0))
    view.assert_empty()
    view.client._http.clear()
    stored = await store(mortal_vault, data)
    assert await read_back(mortal_vault, stored) == data


async def test_the_sweep_leaves_what_is_young(vault: Vault, bucket: BucketView) -> None:
    async with vault.writer("archives/slow.zip", retain_until=in_seconds(20)) as writer:
        await writer.write(some_bytes(LARGE))

        assert await vault.sweep(older_than=timedelta(hours=1)) == ()
        assert bucket.unfinished() == ["archives/slow.zip"]


async def test_the_sweep_removes_what_was_staged_and_forgotten(vault: Vault, bucket: BucketView) -> None:
    bucket.client.put_object(bucket.bucket, "staging/forgotten", io.BytesIO(b"half"), 4)

    (sentence,) = await vault.sweep(older_than=timedelta(seconds=-5))

    assert "staging/forgotten" in sentence
    bucket.assert_empty()
