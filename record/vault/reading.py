"""Bytes out of the vault: one object as a stream, or thousands of objects one after another without waiting for each.

A thread reads a whole MiB at a time and one MiB ahead, because a hand-over between threads costs more than the bytes
of a small chunk. Small objects are fetched whole, many at once and in the order in which they will be needed: an archive
of 20,000 small files is then bound by the store, not by 20,000 round trips.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator
from contextlib import suppress
from typing import Final

from urllib3.response import BaseHTTPResponse

from record.refusals import Unavailable
from record.vault.facts import ObjectReference
from record.vault.transport import Transport

CHUNK_BYTES: Final = 1 << 20
SMALL_BYTES_MAX: Final = 1 << 20
AHEAD_COUNT_MAX: Final = 16
AHEAD_BYTES_MAX: Final = 8 << 20


async def read(
    transport: Transport, key: str, *, version_id: str | None, start: int = 0, length: int | None = None
) -> AsyncGenerator[bytes, None]:
    """The object's bytes from `start`, in chunks of up to a MiB. Refuses at the first chunk when it is not there."""
    if length == 0:
        return
    response = await transport.open(key, version_id=version_id, start=start, length=length)
    ahead: asyncio.Task[bytes] | None = None
    try:
        ahead = asyncio.create_task(_chunk(transport, response))
        while chunk := await asyncio.shield(ahead):
            ahead = asyncio.create_task(_chunk(transport, response))
            yield chunk
    finally:
        if ahead is not None:
            await asyncio.wait({ahead})
            if not ahead.cancelled():
                ahead.exception()  # seen here, or nobody will
        response.close()
        response.release_conn()


async def _chunk(transport: Transport, response: BaseHTTPResponse) -> bytes:
    return await transport.moving(lambda _: response.read(CHUNK_BYTES))


async def read_many(
    transport: Transport, objects: Iterable[ObjectReference]
) -> AsyncGenerator[tuple[ObjectReference, AsyncIterator[bytes]], None]:
    """Each object with its bytes, in the order given; the next small ones are on their way meanwhile.

    Each stream is to be read before the next is asked for. An object whose size is not the one that was given is
    refused: an archive has already written that size when the bytes arrive.
    """
    coming = iter(objects)
    window: deque[tuple[ObjectReference, asyncio.Task[bytes] | None]] = deque()
    held = _fill(transport, coming, window, held=0)
    try:
        while window:
            reference, fetching = window.popleft()
            if fetching is None:
                yield reference, _whole(transport, reference)
            else:
                data = await fetching
                held -= reference.size
                yield reference, _piece(reference, data)
            held = _fill(transport, coming, window, held=held)
    finally:
        for _, fetching in window:
            if fetching is not None:
                fetching.cancel()
                with suppress(asyncio.CancelledError, Exception):
                    await fetching


def _fill(
    transport: Transport,
    coming: Iterator[ObjectReference],
    window: deque[tuple[ObjectReference, asyncio.Task[bytes] | None]],
    *,
    held: int,
) -> int:
    """Start fetching until enough is on its way; the number of bytes that are held or awaited."""
    while len(window) < AHEAD_COUNT_MAX and held < AHEAD_BYTES_MAX:
        reference = next(coming, None)
        if reference is None:
            return held
        if reference.size > SMALL_BYTES_MAX:
            window.append((reference, None))
        else:
            fetch = transport.fetch(reference.key, version_id=reference.version_id)
            window.append((reference, asyncio.create_task(fetch)))
            held += reference.size
    return held


async def _piece(reference: ObjectReference, data: bytes) -> AsyncIterator[bytes]:
    _check_size(reference, len(data))
    if data:
        yield data


async def _whole(transport: Transport, reference: ObjectReference) -> AsyncIterator[bytes]:
    size = 0
    async for chunk in read(transport, reference.key, version_id=reference.version_id):
        size += len(chunk)
        yield chunk
    _check_size(reference, size)


def _check_size(reference: ObjectReference, size: int) -> None:
    if size != reference.size:
        raise Unavailable(
            f"{reference.key} in the vault has {size} bytes, the record says {reference.size}. Run the scrubbing job."
        )
