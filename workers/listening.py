"""Listens to the queue for as long as the worker lives, whatever becomes of Redis.

arq's own loop ends when Redis does not answer. It is begun again, after a pause that grows to a few seconds; until then the sweep
finds the work, only later.
"""

import asyncio
from contextlib import suppress
from typing import Any, Final

import orjson
import structlog
from arq.connections import RedisSettings
from arq.worker import Worker
from redis.exceptions import RedisError

from record.jobs.service import QUEUE
from workers.jobs import JOBS

PAUSE_SECONDS: Final = 0.5
PAUSE_SECONDS_MAX: Final = 5.0
POLL_SECONDS: Final = 0.1

log = structlog.get_logger(__name__)


async def keep_listening(redis_url: str, context: dict[str, Any], stop: asyncio.Event, *, messages_max: int) -> None:
    """Runs arq until `stop`. `context` is what the jobs are given."""
    pause = PAUSE_SECONDS
    clock = asyncio.get_running_loop().time
    while not stop.is_set():
        began = clock()
        try:
            await _listen(redis_url, context, stop, messages_max=messages_max)
        except (TimeoutError, RedisError, OSError) as error:
            if clock() - began > PAUSE_SECONDS_MAX:
                pause = PAUSE_SECONDS
            log.warning("the queue is away, work is found by looking for it", why=str(error), again_in=pause)
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), timeout=pause)
            pause = min(2 * pause, PAUSE_SECONDS_MAX)


async def _listen(redis_url: str, context: dict[str, Any], stop: asyncio.Event, *, messages_max: int) -> None:
    """One life of arq's worker: until `stop`, or until Redis fails it."""
    redis = RedisSettings.from_dsn(redis_url)
    redis.conn_retries = 0
    worker = Worker(
        functions=JOBS,
        queue_name=QUEUE,
        redis_settings=redis,
        ctx=dict(context),
        max_jobs=messages_max,
        poll_delay=POLL_SECONDS,
        keep_result=0,
        handle_signals=False,
        job_serializer=orjson.dumps,
        job_deserializer=orjson.loads,
    )
    running = asyncio.ensure_future(worker.async_run())
    stopping = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            running.result()
    finally:
        stopping.cancel()
        running.cancel()
        with suppress(asyncio.CancelledError, RedisError, OSError):
            await running
        with suppress(asyncio.CancelledError, RedisError, OSError):
            await worker.close()
