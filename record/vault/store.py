"""The evidence vault: bytes named by their digest, in a bucket that refuses to lose them.

Order of writes, everywhere: bytes into the vault, then the entry that names them. What is here without an entry is
harmless and reported by a sweep; an entry without its bytes is never allowed to come about.

Reads by the record pin a version id, because a lock keeps versions, not names: anyone with the bucket's keys can
put a newer version or a delete marker on top.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from datetime import datetime, timedelta
from typing import Final, Self

from minio import Minio

from record.clock import Clock, SystemClock
from record.ids import Digest
from record.refusals import Refusal, Unavailable
from record.vault import reading, worm
from record.vault.facts import STAGING_PREFIX, ObjectFacts, ObjectReference, Stored, VaultAddress, WormReport
from record.vault.parts import PartWriter
from record.vault.transport import Transport
from record.vault.uploads import Expectation, Uploads

THREADS: Final = 16
PARTS_IN_FLIGHT_MAX: Final = 12
"""Over all uploads of a process: 12 parts of 8 MiB bound the memory whatever the number of uploads."""
LIST_COUNT_MAX: Final = 1000


class Vault:
    """Opens no connection until it is asked something; `close` lets go of threads and connections."""

    def __init__(self, address: VaultAddress, *, clock: Clock | None = None, threads: int = THREADS) -> None:
        self.address = address
        self._clock = clock or SystemClock()
        self._transport = Transport(address, threads=threads)
        self._budget = asyncio.Semaphore(PARTS_IN_FLIGHT_MAX)
        self._uploads = Uploads(self._transport, self._budget)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._transport.close()

    async def prepare(self) -> WormReport:
        """See that the bucket is there (made with object lock if not) and try to lose a locked version of an object."""
        await worm.ensure_bucket(self._transport)
        return await worm.self_test(self._transport, self._clock)

    async def ping(self) -> None:
        """Refuses unless the store answers and has our bucket."""
        if not await self._transport.brisk(Minio.bucket_exists, self.address.bucket):
            raise Unavailable(
                f"The vault has no bucket {self.address.bucket!r}. Start the server again: it makes the bucket."
            )

    async def put(
        self,
        chunks: AsyncIterator[bytes],
        *,
        expected: Digest | None,
        expected_size: int | None,
        retain_until: datetime,
        size_max: int,
    ) -> Stored:
        """Store evidence under its digest. Anything that is not as expected stores nothing, and so does a broken stream."""
        expectation = Expectation(digest=expected, size=expected_size, size_max=size_max)
        return await self._uploads.put(chunks, expectation, retain_until=retain_until)

    async def put_object(self, key: str, data: bytes, *, retain_until: datetime) -> str:
        """Store a small object (a tile, a checkpoint) under a key of ours; its version id."""
        return await self._transport.put(key, data, retain_until=retain_until)

    async def put_stream_at(self, key: str, chunks: AsyncIterator[bytes], *, retain_until: datetime) -> Stored:
        """Store a stream of any length under a key of ours, with its digest, CRC-32 and size as they turned out."""
        async with self.writer(key, retain_until=retain_until) as writer:
            async for chunk in chunks:
                await writer.write(chunk)
            tally = await writer.flush()
            version_id = await writer.finish()
        return Stored(
            digest=tally.digest,
            size=tally.size,
            crc32=tally.crc32,
            key=key,
            version_id=version_id,
            already_there=False,
        )

    def writer(self, key: str, *, retain_until: datetime) -> PartWriter:
        """For a producer that pushes: `async with vault.writer(…) as w: await w.write(…); await w.finish()`."""
        return PartWriter(self._transport, key, retain_until=retain_until, budget=self._budget)

    def read(
        self, key: str, *, version_id: str | None, start: int = 0, length: int | None = None
    ) -> AsyncGenerator[bytes, None]:
        """The bytes, or a range of them, in chunks of up to a MiB. Refuses at the first chunk if there is no such object.

        Whoever may leave before the end holds it in `contextlib.aclosing`, which gives the connection back at once.
        """
        return reading.read(self._transport, key, version_id=version_id, start=start, length=length)

    def read_many(
        self, objects: Iterable[ObjectReference]
    ) -> AsyncGenerator[tuple[ObjectReference, AsyncIterator[bytes]], None]:
        """Many objects one after another, the next ones being fetched meanwhile. Read each stream before the next."""
        return reading.read_many(self._transport, objects)

    async def stat(self, key: str, version_id: str | None) -> ObjectFacts | None:
        """What the store says about a version (the newest, without an id), or None if there is no such thing."""
        return await self._transport.stat(key, version_id)

    async def list(self, prefix: str, start_after: str | None = None) -> list[str]:
        """Up to a thousand keys in order; go on by giving the last of them as `start_after`."""
        return await self._transport.list_keys(prefix, start_after=start_after, count_max=LIST_COUNT_MAX)

    async def sweep(self, *, older_than: timedelta) -> tuple[str, ...]:
        """Remove what died half-way: uploads never completed, and staged objects. One sentence for each.

        `older_than` must be longer than any upload may take: a live one looks the same.
        """
        before = self._clock.now() - older_than
        done: list[str] = []
        for key, upload_id, started_at in await self._transport.unfinished_uploads():
            if started_at is not None and started_at < before:
                await self._transport.abort_parts(key, upload_id)
                done.append(f"Aborted an upload of {key} that began at {started_at.isoformat()} and never ended.")
        for staged in await self._transport.list_versions(STAGING_PREFIX):
            if staged.last_modified is None or staged.last_modified >= before:
                continue
            assert staged.object_name, "a listed object has a key"
            try:
                await self._transport.remove_version(staged.object_name, str(staged.version_id))
                done.append(f"Removed {staged.object_name}, which was staged and never stored.")
            except Refusal as refusal:
                done.append(f"Could not remove {staged.object_name}: {refusal.message}")
        return tuple(done)
