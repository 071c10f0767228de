"""Results that keep coming: for as long as somebody listens, the key opens, and the server is not stopping.

Whatever carries them, every few seconds the caller is recognised again. A key that was revoked ends its subscriptions then, and one
whose roles changed goes on with the new ones.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, contextmanager, suppress
from typing import Any, Final

from starlette.responses import StreamingResponse
from strawberry.types import ExecutionResult

from api.graphql import json
from api.graphql.context import Context
from record.ids import KeyId
from record.refusals import TooLarge, Unavailable

RECOGNISE_EVERY_SECONDS: Final = 2.0
PING_EVERY_SECONDS: Final = 14.0
SSE_HEADERS: Final = {
    "cache-control": "no-cache, no-transform",
    "x-accel-buffering": "no",  # asks nginx not to hold events back
}


class Subscriptions:
    """Counts what is held open here in this process: by each key, and of readers without one by each address and by all."""

    def __init__(self, per_key_max: int, anonymous_max: int) -> None:
        self._per_key_max = per_key_max
        self._anonymous_max = anonymous_max
        self._open: Counter[KeyId | str] = Counter()

    def __len__(self) -> int:
        return self._open.total()

    @contextmanager
    def held(self, key_id: KeyId | None, address: str) -> Iterator[None]:
        """Refuses one too many; counts it while the block runs. Without a key, whoever asks from this address is one."""
        holder = address if key_id is None else key_id
        if self._open[holder] >= self._per_key_max:
            who = "This address" if key_id is None else "This key"
            raise TooLarge(f"{who} holds {self._per_key_max} subscriptions open already. Close one first.")
        if key_id is None and self._anonymous() >= self._anonymous_max:
            raise TooLarge(
                f"Readers without a key hold {self._anonymous_max} subscriptions open together, and that is the most. "
                "Use a key, or try again later."
            )
        self._open[holder] += 1
        try:
            yield
        finally:
            self._open[holder] -= 1
            if not self._open[holder]:
                del self._open[holder]

    def _anonymous(self) -> int:
        return sum(count for holder, count in self._open.items() if isinstance(holder, str))


async def while_open(
    source: AsyncGenerator[Any, None], context: Context, stopping: asyncio.Event
) -> AsyncGenerator[ExecutionResult | None, None]:
    """What `source` yields, with a None whenever the caller was recognised again. Refuses when it no longer is."""
    clock = asyncio.get_running_loop().time
    next_check = clock() + RECOGNISE_EVERY_SECONDS
    waiting: asyncio.Future[Any] | None = None
    stop = asyncio.ensure_future(stopping.wait())
    try:
        while True:
            waiting = waiting or asyncio.ensure_future(anext(source))
            patience = max(0.0, next_check - clock())
            await asyncio.wait({waiting, stop}, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
            if stop.done():
                raise Unavailable("The server is stopping. Subscribe again and go on after what you saw last.")
            if clock() >= next_check:
                context.caller = (await context.recognise_again()).caller
                next_check = clock() + RECOGNISE_EVERY_SECONDS
                yield None
            if waiting.done():
                finished, waiting = waiting, None
                try:
                    result = finished.result()
                except StopAsyncIteration:
                    return
                yield result
    finally:
        stop.cancel()
        if waiting is not None:
            waiting.cancel()
            with suppress(asyncio.CancelledError, StopAsyncIteration):
                await waiting
        await source.aclose()


def event_stream(results: AsyncGenerator[ExecutionResult | None, None]) -> StreamingResponse:
    """Results as server-sent events (graphql-sse, distinct connections)."""

    async def events() -> AsyncIterator[bytes]:
        clock = asyncio.get_running_loop().time
        last_sent = clock()
        async with aclosing(results) as coming:
            async for result in coming:
                if result is not None:
                    yield b"event: next\ndata: " + json.encode(payload_of(result)) + b"\n\n"
                elif clock() - last_sent >= PING_EVERY_SECONDS:
                    yield b": still here\n\n"
                else:
                    continue
                last_sent = clock()
        yield b"event: complete\ndata:\n\n"

    return StreamingResponse(events(), headers=SSE_HEADERS, media_type="text/event-stream")


def payload_of(result: ExecutionResult) -> dict[str, Any]:
    """A result as JSON says it."""
    payload: dict[str, Any] = {"data": result.data}
    if result.errors:
        payload["errors"] = [error.formatted for error in result.errors]
    return payload
