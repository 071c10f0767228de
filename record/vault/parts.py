"""Bytes of unknown length in, one locked object out, with a few parts in memory and never more.

`PartWriter` fills a buffer, hands it to a thread when it is a part long, and goes on filling the next: so the producer,
the hashing and several requests run at the same time. Nothing exists under the key before `finish`; whoever leaves
`async with` without it has stored nothing, and no unfinished upload stays behind while the store answers.

    async with PartWriter(transport, key, retain_until=until, budget=budget) as writer:
        async for chunk in chunks:
            await writer.write(chunk)
        version_id = await writer.finish()

What a wrong digest means is not known here: `flush` tells what has flowed before `finish` makes it visible.
"""

import asyncio
import hashlib
import logging
import zlib
from collections.abc import Coroutine
from datetime import datetime
from types import TracebackType
from typing import Any, Final, Self

from minio.datatypes import Part

from record.ids import Digest
from record.refusals import Refusal, TooLarge
from record.vault.transport import Body, Transport

PART_BYTES: Final = 8 << 20
PARTS_IN_FLIGHT: Final = 3
PART_COUNT_MAX: Final = 10_000
BIG_PARTS_AFTER: Final = 2_000
BIG_PART_BYTES: Final = 32 << 20
"""From part 2,001 on (16 GiB in), parts are four times as long: the protocol stops at 10,000 parts."""

log = logging.getLogger(__name__)


class Tally:
    """SHA-256, CRC-32 and count of bytes that have passed, in order."""

    __slots__ = ("_sha256", "crc32", "size")

    def __init__(self) -> None:
        self._sha256 = hashlib.sha256()
        self.crc32 = 0
        self.size = 0

    def update(self, data: Body) -> None:
        self._sha256.update(data)
        self.crc32 = zlib.crc32(data, self.crc32)
        self.size += len(data)

    @property
    def digest(self) -> Digest:
        return Digest(self._sha256.hexdigest())


async def see_through(work: Coroutine[Any, Any, None]) -> None:
    """Await `work` to its end even when the task that awaits it is cancelled meanwhile."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise


class PartWriter:
    """One object being written in parts. Not for concurrent use: one writer, one producer."""

    def __init__(
        self, transport: Transport, key: str, *, retain_until: datetime | None, budget: asyncio.Semaphore
    ) -> None:
        self.key = key
        self.tally = Tally()
        self._transport = transport
        self._retain_until = retain_until
        self._budget = budget
        self._own = asyncio.Semaphore(PARTS_IN_FLIGHT)
        self._filling = bytearray()
        self._beginning: asyncio.Task[str] | None = None
        self._hashing: asyncio.Task[None] | None = None
        self._sending: list[asyncio.Task[Part]] = []
        self._failure: BaseException | None = None
        self._flushed = False
        self._version_id: str | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._version_id is None:
            await see_through(self.abort())

    async def write(self, data: Body) -> None:
        """Take bytes; returns when there is room for more, which may be after a part has left."""
        assert not self._flushed, "nothing is written after flush"
        room = self._part_bytes() - len(self._filling)
        if len(data) < room:
            self._filling += data
            return
        rest = memoryview(data)
        while len(rest) >= room:
            self._filling += rest[:room]
            rest = rest[room:]
            await self._ship()
            room = self._part_bytes()
        self._filling += rest

    async def flush(self) -> Tally:
        """Send what is left and wait until the store has all parts; still nothing is visible under the key."""
        if not self._flushed:
            self._flushed = True
            if self._beginning is None:
                await self._transport.in_thread(self.tally.update, self._filling)
            elif self._filling:
                await self._ship()
            if self._hashing is not None:
                await asyncio.shield(self._hashing)
            if self._sending:
                await asyncio.shield(asyncio.gather(*self._sending))
        return self.tally

    async def finish(self) -> str:
        """Make the object visible and locked under its key; its version id.

        A crash before this leaves an unfinished upload that `Vault.sweep` aborts; after it, an object that no entry
        names yet, which scrubbing reports.
        """
        await self.flush()
        await see_through(self._make_visible())
        assert self._version_id is not None, "an object that is visible has a version"
        return self._version_id

    async def abort(self) -> None:
        """Store nothing. A part that arrives after the abort would stay for ever, so those under way are awaited first."""
        self._flushed = True
        self._filling = bytearray()
        under_way = [task for task in (self._beginning, self._hashing, *self._sending) if task is not None]
        await asyncio.gather(*under_way, return_exceptions=True)
        if self._beginning is None or self._beginning.exception() is not None:
            return
        try:
            await self._transport.abort_parts(self.key, self._beginning.result())
        except Refusal as refusal:
            log.warning("an unfinished upload of %s is left to the sweep: %s", self.key, refusal.message)

    async def _make_visible(self) -> None:
        if self._beginning is None:
            self._version_id = await self._transport.put(self.key, self._filling, retain_until=self._retain_until)
        else:
            parts = [task.result() for task in self._sending]
            self._version_id = await self._transport.complete_parts(self.key, self._beginning.result(), parts)

    def _part_bytes(self) -> int:
        return PART_BYTES if len(self._sending) < BIG_PARTS_AFTER else BIG_PART_BYTES

    async def _ship(self) -> None:
        """Hand the filled buffer to the hash and to the store at once; waits for room before, not for arrival after."""
        part, self._filling = self._filling, bytearray()
        if len(self._sending) == PART_COUNT_MAX:
            raise TooLarge("The object has more parts than a store accepts. Split it.")
        if self._beginning is None:
            self._beginning = asyncio.create_task(
                self._transport.begin_parts(self.key, retain_until=self._retain_until)
            )
        upload_id = await asyncio.shield(self._beginning)
        if self._hashing is not None:
            await asyncio.shield(self._hashing)
        await self._own.acquire()
        if self._failure is not None:
            raise self._failure
        self._hashing = asyncio.create_task(self._transport.in_thread(self.tally.update, part))
        self._sending.append(asyncio.create_task(self._send(upload_id, len(self._sending) + 1, part)))

    async def _send(self, upload_id: str, number: int, part: bytearray) -> Part:
        try:
            async with self._budget:
                return await self._transport.send_part(self.key, upload_id, number, part)
        except BaseException as error:
            self._failure = error
            raise
        finally:
            self._own.release()
