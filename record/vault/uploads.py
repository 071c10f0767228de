"""How evidence comes in: measured while it flows, visible only once it is what it was said to be, stored once.

Three ways, by what is known and how much arrives:
 * up to a part: buffered, measured, then written under its digest in one request;
 * larger, digest named by the caller: in parts straight to the key of that digest, completed only if it agrees;
 * larger, digest unknown until the end: in parts to `staging/`, without lock, then copied inside the store to the key of
   the digest that it turned out to have. A crash in between leaves a staged object for the sweep.
Bytes that are there already are read to their end all the same: whoever names a digest has to hold the bytes.

One key is written by one task of this process at a time, so twins become one object. Two processes may both write the
same new bytes; that gives two versions with equal bytes, each locked, and each recorded by the id it got.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from weakref import WeakValueDictionary

from minio.datatypes import Part

from record.ids import Digest, uuid7
from record.refusals import Refusal, TooLarge, Unavailable, WrongDigest
from record.vault.facts import STAGING_PREFIX, ObjectFacts, Stored, content_key, whole_second
from record.vault.parts import PART_BYTES, PARTS_IN_FLIGHT, PartWriter, Tally, see_through
from record.vault.transport import Body, Transport

HASH_BYTES: Final = 1 << 20
COPY_BYTES: Final = 64 << 20

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Expectation:
    """What the caller says about the bytes, and what they may not exceed."""

    digest: Digest | None
    size: int | None
    size_max: int

    def check_room(self, size: int) -> None:
        """Called with the size so far, so that a stream without end is refused early."""
        if size > self.size_max:
            raise TooLarge(f"The upload is larger than {self.size_max} bytes. Split it, or have the limit raised.")
        if self.size is not None and size > self.size:
            raise WrongDigest(
                f"{self.size} bytes were announced and more arrived; nothing was stored. Send the bytes that were named."
            )

    def check_whole(self, tally: Tally) -> None:
        if self.size is not None and tally.size != self.size:
            raise WrongDigest(
                f"{self.size} bytes were announced and {tally.size} arrived; nothing was stored. Send all of them again."
            )
        if self.digest is not None and tally.digest != self.digest:
            raise WrongDigest(
                f"The bytes have the digest {tally.digest}, not {self.digest}; nothing was stored. "
                "Send the bytes that were named, or name these."
            )


class Incoming:
    """A caller's stream, of which the first part is held back until it is known whether there is more."""

    def __init__(self, chunks: AsyncIterator[bytes], expectation: Expectation) -> None:
        self.expectation = expectation
        self._rest = aiter(chunks)
        self._held = bytearray()
        self._size = 0

    async def fits_into_one_part(self) -> bool:
        """Reads on until that is known."""
        async for chunk in self._rest:
            self._count(chunk)
            self._held += chunk
            if len(self._held) > PART_BYTES:
                return False
        return True

    def take_held(self) -> bytearray:
        """What was held back, for the taker alone: nothing here keeps it in memory."""
        held, self._held = self._held, bytearray()
        return held

    async def pieces(self) -> AsyncIterator[Body]:
        yield self.take_held()
        async for chunk in self._rest:
            self._count(chunk)
            yield chunk

    def _count(self, chunk: bytes) -> None:
        self._size += len(chunk)
        self.expectation.check_room(self._size)


@dataclass(slots=True)
class Uploads:
    """The way in. One for a vault, because it keeps tasks of one process from writing the same key twice."""

    transport: Transport
    budget: asyncio.Semaphore
    _doors: WeakValueDictionary[str, asyncio.Lock] = field(default_factory=WeakValueDictionary)

    async def put(self, chunks: AsyncIterator[bytes], expectation: Expectation, *, retain_until: datetime) -> Stored:
        if expectation.size is not None and expectation.size > expectation.size_max:
            expectation.check_room(expectation.size)
        incoming = Incoming(chunks, expectation)
        if await incoming.fits_into_one_part():
            return await self._put_small(incoming, retain_until=retain_until)
        if expectation.digest is None:
            return await self._put_unknown(incoming, retain_until=retain_until)
        there = await self.transport.stat(content_key(expectation.digest), None)
        if there is not None and expectation.size in (None, there.size):
            return await self._verify_only(there, incoming, retain_until=retain_until)
        return await self._put_known(expectation.digest, incoming, retain_until=retain_until)

    async def _put_small(self, incoming: Incoming, *, retain_until: datetime) -> Stored:
        tally = Tally()
        data = incoming.take_held()
        await self._measure(tally, data)
        incoming.expectation.check_whole(tally)
        key = content_key(tally.digest)
        async with self._door(key):
            there = await self._same_object(key, tally)
            if there is not None:
                return await self._again(there, tally, retain_until=retain_until)
            version_id = await self.transport.put(key, data, retain_until=retain_until)
        return _stored(tally, key, version_id)

    async def _put_known(self, digest: Digest, incoming: Incoming, *, retain_until: datetime) -> Stored:
        key = content_key(digest)
        async with PartWriter(self.transport, key, retain_until=retain_until, budget=self.budget) as writer:
            tally = await _pour(writer, incoming)
            async with self._door(key):
                there = await self._same_object(key, tally)
                if there is not None:  # a twin was faster: leaving without `finish` drops our parts
                    return await self._again(there, tally, retain_until=retain_until)
                version_id = await writer.finish()
        return _stored(tally, key, version_id)

    async def _put_unknown(self, incoming: Incoming, *, retain_until: datetime) -> Stored:
        staged = f"{STAGING_PREFIX}{uuid7()}"
        async with PartWriter(self.transport, staged, retain_until=None, budget=self.budget) as writer:
            tally = await _pour(writer, incoming)
            key = content_key(tally.digest)
            async with self._door(key):
                there = await self._same_object(key, tally)
                if there is not None:
                    return await self._again(there, tally, retain_until=retain_until)
                staged_version = await writer.finish()
                # From here on a staged object exists. If we die before it is removed, the sweep removes it.
                try:
                    version_id = await self._copy(
                        staged, staged_version, key, size=tally.size, retain_until=retain_until
                    )
                finally:
                    await see_through(self._unstage(staged, staged_version))
        return _stored(tally, key, version_id)

    async def _verify_only(self, there: ObjectFacts, incoming: Incoming, *, retain_until: datetime) -> Stored:
        tally = Tally()
        held = bytearray()
        async for piece in incoming.pieces():
            held += piece
            if len(held) >= HASH_BYTES:
                await self._measure(tally, held)
                held = bytearray()
        await self._measure(tally, held)
        incoming.expectation.check_whole(tally)
        if tally.size != there.size:
            raise _altered(there)
        return await self._again(there, tally, retain_until=retain_until)

    async def _copy(self, source: str, source_version: str, key: str, *, size: int, retain_until: datetime) -> str:
        """A locked copy inside the store, in ranges: a single copy of gigabytes would outlast any time limit."""
        upload_id = await self.transport.begin_parts(key, retain_until=retain_until)
        slots = asyncio.Semaphore(PARTS_IN_FLIGHT)

        async def copy_range(number: int, start: int) -> Part:
            async with slots:
                return await self.transport.copy_part(
                    key, upload_id, number,
                    source=source, version_id=source_version, start=start, length=min(COPY_BYTES, size - start),
                )  # fmt: skip

        ranges = [
            asyncio.create_task(copy_range(number, start))
            for number, start in enumerate(range(0, size, COPY_BYTES), start=1)
        ]
        try:
            return await self.transport.complete_parts(key, upload_id, await asyncio.gather(*ranges))
        except BaseException:
            await see_through(self._drop(key, upload_id, ranges))
            raise

    async def _drop(self, key: str, upload_id: str, ranges: list[asyncio.Task[Part]]) -> None:
        await asyncio.gather(*ranges, return_exceptions=True)
        try:
            await self.transport.abort_parts(key, upload_id)
        except Refusal as refusal:
            log.warning("an unfinished copy to %s is left to the sweep: %s", key, refusal.message)

    async def _unstage(self, staged: str, version_id: str) -> None:
        try:
            await self.transport.remove_version(staged, version_id)
        except Refusal as refusal:
            log.warning("%s is left to the sweep: %s", staged, refusal.message)

    async def _same_object(self, key: str, tally: Tally) -> ObjectFacts | None:
        there = await self.transport.stat(key, None)
        if there is not None and there.size != tally.size:
            raise _altered(there)
        return there

    async def _again(self, there: ObjectFacts, tally: Tally, *, retain_until: datetime) -> Stored:
        """The bytes are there: keep them at least as long as this caller needs them."""
        if not there.is_kept_until(whole_second(retain_until)):
            await self.transport.extend_retention(there.key, there.version_id, retain_until=retain_until)
        return _stored(tally, there.key, there.version_id, already_there=True)

    async def _measure(self, tally: Tally, data: bytearray) -> None:
        if len(data) < HASH_BYTES // 8:
            tally.update(data)  # a hand-over costs more than this
        else:
            await self.transport.in_thread(tally.update, data)

    @asynccontextmanager
    async def _door(self, key: str) -> AsyncIterator[None]:
        door = self._doors.setdefault(key, asyncio.Lock())
        async with door:
            yield


async def _pour(writer: PartWriter, incoming: Incoming) -> Tally:
    """All bytes into the writer; returns when they are in the store, invisible, and are what was expected."""
    async for piece in incoming.pieces():
        await writer.write(piece)
    tally = await writer.flush()
    incoming.expectation.check_whole(tally)
    return tally


def _stored(tally: Tally, key: str, version_id: str, *, already_there: bool = False) -> Stored:
    return Stored(
        digest=tally.digest,
        size=tally.size,
        crc32=tally.crc32,
        key=key,
        version_id=version_id,
        already_there=already_there,
    )


def _altered(there: ObjectFacts) -> Unavailable:
    return Unavailable(
        f"The vault holds {there.size} bytes under {there.key}, which are not those of that digest. "
        "Nothing was stored; run the scrubbing job: somebody has written to the bucket past the record."
    )
