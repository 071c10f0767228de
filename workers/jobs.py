"""The whole list of what a queue may tell this worker. A name here is on the wire: rename the function freely, never the job.

A message is a hint to look. It carries ids only, may arrive twice or never, and does nothing that a sweep would not do later: so a
lost or flushed Redis loses nothing, and nothing that takes long runs inside of the queue's own time limits.
"""

from typing import Any, Final, cast
from uuid import UUID

from arq import Retry, func
from arq.typing import WorkerCoroutine
from arq.worker import Function

from record.ids import OrgId
from workers import checkpoints, scrubbing
from workers.work import Work

BUSY_SECONDS: Final = 1.0
"""How long a message waits for a worker with room before it is offered again, here or to another worker."""


async def assemble_archive(context: dict[str, Any], organization_id: str, archive_id: str) -> bool:
    """Begins this archive if it waits for somebody. Whether it was begun here."""
    work: Work = context["work"]
    if work.room <= 0:
        raise Retry(defer=BUSY_SECONDS)
    return await work.look((OrgId(UUID(organization_id)), UUID(archive_id))) > 0


def _job(coroutine: object, name: str, *, max_tries: int, timeout: int) -> Function:
    """A message of this name. Nothing is kept about it: a kept result would keep the same wish from being sent again."""
    return func(cast("WorkerCoroutine", coroutine), name=name, keep_result=0, max_tries=max_tries, timeout=timeout)


JOBS: Final[tuple[Function, ...]] = (
    _job(assemble_archive, "assemble_archive", max_tries=60, timeout=15),
    _job(checkpoints.integrate_now, "integrate_ledger", max_tries=1, timeout=60),
    _job(scrubbing.scrub_now, "scrub_organization", max_tries=1, timeout=6 * 3600),
)
