"""Evidence over HTTP while the object store is away, or the API dies in between."""

import asyncio
from dataclasses import replace

from embedded import processes
from embedded.directory import free_port
from embedded.processes import Api
from embedded.servers import Stack
from tests.api.evidence import (
    DATA,
    acme,
    get,
    in_vault,
    put,
    raw_upload,
    recorded,
    served,
)
from tests.api.serving import Organization, Served, make_settings
from tests.pausing import paused

__all__ = ["acme", "make_settings", "served"]


async def test_without_the_object_store_an_upload_fails_clearly_and_the_api_stays_up(
    served: Served, acme: Organization, stack: Stack
) -> None:
    await asyncio.to_thread(stack.stop_seaweedfs)
    try:
        refused = await put(served, acme)
        alive = await served.client.get("/healthz")
        ready = await served.client.get("/readyz")
    finally:
        await asyncio.to_thread(stack.start_seaweedfs)

    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "UNAVAILABLE")
    assert "see whether the object store runs" in refused.json()["error"]["message"]
    assert (alive.status_code, ready.status_code) == (200, 503)
    assert await recorded(served, acme) is None
    assert (await put(served, acme)).status_code == 201


async def test_an_api_that_is_killed_between_vault_and_entry_has_recorded_nothing(
    served: Served, acme: Organization, stack: Stack
) -> None:
    settings = served.record.settings
    assert settings.signing_key_file is not None
    port = free_port()
    chosen = processes.settings(
        database_url=str(settings.database_url),
        redis_url=str(settings.redis_url),
        s3=replace(stack.s3, bucket=settings.s3_bucket),
        signing_key_file=settings.signing_key_file,
        http_port=port,
        log_origin=settings.log_origin,
    )
    doomed = await asyncio.to_thread(Api(stack.directory, chosen, name="doomed-api").__enter__)
    reader, writer = await raw_upload(doomed.url, acme.token, expect=True)
    # From the 100 on the API has asked PostgreSQL all that it asks before the bytes are in the vault.
    assert (await reader.readline()).startswith(b"HTTP/1.1 100 ")

    with paused(stack.postgres.pid):
        writer.write(DATA)
        async with asyncio.timeout(20):
            while not await in_vault(served):
                await asyncio.sleep(0.05)
        doomed.kill()
    writer.close()

    assert await recorded(served, acme) is None, "an entry was recorded although nobody was told"
    assert await in_vault(served), "the vault keeps what no entry names; scrubbing says so"
    assert (await put(served, acme)).status_code == 201
    assert (await get(served, acme)).content == DATA
