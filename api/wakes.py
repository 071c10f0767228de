"""Wakes workers. A wake-up is a hint: the work is a row in PostgreSQL already, and a sweep finds rows that nobody woke for.

So nothing here may fail a request: when Redis is away that is said in the log, and the sweep is what remains.
"""

from typing import Any

import orjson
import structlog
from arq.connections import ArqRedis
from redis.asyncio import ConnectionPool
from redis.exceptions import RedisError

from record.jobs.service import QUEUE

log = structlog.get_logger(__name__)


class Wakes:
    """Puts jobs into the queue. Connects when it is first used."""

    def __init__(self, redis_url: str, *, timeout_seconds: float = 2.0) -> None:
        pool = ConnectionPool.from_url(
            redis_url, socket_timeout=timeout_seconds, socket_connect_timeout=timeout_seconds, max_connections=8
        )
        self._redis = ArqRedis(
            connection_pool=pool, default_queue_name=QUEUE, job_serializer=orjson.dumps, job_deserializer=orjson.loads
        )

    async def wake(self, job: str, *args: Any, job_id: str) -> None:
        """Asks a worker to run `job` soon. `job_id` folds repeated wishes into one."""
        try:
            await self._redis.enqueue_job(job, *args, _job_id=job_id)
        except (TimeoutError, RedisError, OSError) as error:
            log.warning(
                "no worker could be woken, the sweep will find the work", job=job, job_id=job_id, why=str(error)
            )

    async def ping(self) -> None:
        """Raises when Redis does not answer."""
        await self._redis.ping()

    async def close(self) -> None:
        await self._redis.aclose(close_connection_pool=True)
