"""Large streams pass through in a few parts of memory, in both directions."""

import hashlib
import tracemalloc
from collections.abc import AsyncIterator

import pytest

from record.ids import Digest
from record.vault import Vault
from tests.record.vault.harness import LIMIT, MIB, in_seconds

STREAM_BYTES = 96 * MIB
MEMORY_BYTES_MAX = 48 * MIB
"""One part filling, three under way, and what the SDK and the chunks take."""


async def long_stream() -> AsyncIterator[bytes]:
    for number in range(STREAM_BYTES // 65_536):
        yield number.to_bytes(4, "big") * 16_384


@pytest.mark.parametrize("digest_is_known", [True, False])
async def test_memory_does_not_grow_with_the_stream(vault: Vault, digest_is_known: bool) -> None:
    sha256 = hashlib.sha256()
    async for chunk in long_stream():
        sha256.update(chunk)
    tracemalloc.start()
    try:
        stored = await vault.put(
            long_stream(),
            expected=Digest(sha256.hexdigest()) if digest_is_known else None,
            expected_size=STREAM_BYTES,
            retain_until=in_seconds(20),
            size_max=LIMIT,
        )
        size = 0
        async for chunk in vault.read(stored.key, version_id=stored.version_id):
            size += len(chunk)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert size == STREAM_BYTES
    assert peak < MEMORY_BYTES_MAX
