"""Does jobs, a few at a time, each under a lease: claim, keep, do, end.

Rules kept here:
 * a job is done by whoever holds its lease; while it is done the lease is renewed, with the progress;
 * a worker that cannot renew in time stops the work by itself, because another may have begun it;
 * every way out leaves the row in order: ended, or queued again with a pause that grows, or (told to stop) queued at once;
 * a worker that dies says nothing: its lease runs out, and that counts as an attempt, so that work that kills its worker ends too.

What the work is, and what its end means, is not known here.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import asyncpg
import structlog

from record.ids import OrgId
from record.jobs import service as jobs
from record.jobs.queries import Lease
from record.jobs.service import Headway, LeaseLost
from record.record import Record
from record.refusals import Refusal

PROGRESS_SECONDS: Final = 0.5
BUSY_SECONDS: Final = 1.0
PAUSE_SECONDS: Final = 2.0
PAUSE_SECONDS_MAX: Final = 300.0
AWAY: Final = (Refusal, asyncpg.PostgresError)
"""What is raised while a server is away."""

log = structlog.get_logger(__name__)


class Hopeless(Exception):  # noqa: N818 (an outcome of the work, not a fault of the worker)
    """This work cannot succeed, however often it is tried. The text says why, and what a person can do."""


class Busy(Exception):  # noqa: N818
    """This worker has no room for this work just now. Another may have."""


class Again(Exception):  # noqa: N818
    """This attempt failed as such attempts do. The text says why; `after_seconds` is when the next one is due."""

    def __init__(self, why: str, *, after_seconds: float) -> None:
        super().__init__(why)
        self.after_seconds = after_seconds


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of job: how one attempt is made, and what is recorded when the last one has failed."""

    name: str
    do: Callable[[Record, Lease, Headway], Awaitable[None]]
    give_up: Callable[[Record, Lease, str], Awaitable[None]]
    attempts_max: int


class Work:
    """The jobs of some kinds that this process is doing, up to so many at a time (`jobs_max` of the settings)."""

    def __init__(self, record: Record, kinds: Mapping[str, Kind], *, jobs_max: int | None = None) -> None:
        self.ended = 0
        self.failed_attempts = 0
        self._record = record
        self._kinds = kinds
        self._jobs_max = record.settings.jobs_max if jobs_max is None else jobs_max
        self._roomier = asyncio.Event()
        self._running: dict[asyncio.Task[None], Lease] = {}
        self._claiming = asyncio.Lock()
        self._stopping = False

    @property
    def running(self) -> int:
        """How many jobs are being done."""
        return len(self._running)

    @property
    def room(self) -> int:
        """How many more may be begun."""
        return 0 if self._stopping else self._jobs_max - self.running

    async def until_roomier(self) -> None:
        """Until a job has ended since the last time."""
        await self._roomier.wait()
        self._roomier.clear()

    async def look(self, only: tuple[OrgId, UUID] | None = None) -> int:
        """Begins jobs that are due, as many as there is room for; or the one about the subject that is named. How many."""
        async with self._claiming:
            if self.room <= 0:
                return 0
            taken = await jobs.claim(self._record, kinds=list(self._kinds), count_max=self.room, only=only)
            for lease in taken:
                task = asyncio.create_task(self._under_lease(lease), name=f"{lease.kind} {lease.subject}")
                self._running[task] = lease
                task.add_done_callback(self._ended)
        return len(taken)

    async def drain(self, *, grace_seconds: float) -> None:
        """Begins nothing more; lets what runs end, and after the grace gives it back to whoever takes it next."""
        self._stopping = True
        async with self._claiming:
            running = list(self._running)
        if running:
            await asyncio.wait(running, timeout=grace_seconds)
        for task in list(self._running):
            task.cancel()
        if self._running:
            await asyncio.wait(list(self._running))

    def _ended(self, task: asyncio.Task[None]) -> None:
        lease = self._running.pop(task)
        self._roomier.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error(
                "a job's end could not be written down; its lease will run out", job=str(lease.job_id), why=str(error)
            )

    async def _under_lease(self, lease: Lease) -> None:
        kind = self._kinds[lease.kind]
        told = log.bind(kind=lease.kind, subject=str(lease.subject), attempt=lease.attempts)
        if lease.attempts > kind.attempts_max:
            await self._give_up(kind, lease, lease.failure or "Every worker that tried has died. See their logs.")
            return
        headway = Headway()
        told.info("a job begins")
        doing = asyncio.ensure_future(kind.do(self._record, lease, headway))
        keeping = asyncio.create_task(self._keep(lease, headway))
        try:
            await asyncio.wait({doing, keeping}, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            await _stopped(doing, keeping)
            told.info("a job is given back because this worker stops")
            await jobs.put_back(self._record, lease, uncount=True)
            return
        lost = keeping.done()
        await _stopped(keeping, *([doing] if lost else []))
        if lost:
            told.warning("a job is somebody else's now")
            return
        await self._end(kind, lease, doing.exception(), told)

    async def _end(
        self, kind: Kind, lease: Lease, error: BaseException | None, told: structlog.stdlib.BoundLogger
    ) -> None:
        try:
            if error is None:
                await jobs.finish(self._record, lease)
                self.ended += 1
                told.info("a job is done")
            elif isinstance(error, LeaseLost):
                raise error
            elif isinstance(error, Busy):
                await jobs.put_back(self._record, lease, after_seconds=BUSY_SECONDS, uncount=True)
            elif isinstance(error, Hopeless) or lease.attempts >= kind.attempts_max:
                told.error(
                    "a job has failed for good", exc_info=None if isinstance(error, (Hopeless, Again)) else error
                )
                await self._give_up(kind, lease, _reason(error))
            else:
                self.failed_attempts += 1
                pause = min(PAUSE_SECONDS * 2 ** (lease.attempts - 1), PAUSE_SECONDS_MAX)
                pause = error.after_seconds if isinstance(error, Again) else pause
                expected = isinstance(error, (*AWAY, Again))
                told.warning("an attempt failed", why=str(error), again_in=pause, exc_info=None if expected else error)
                await jobs.put_back(self._record, lease, after_seconds=pause, failure=_reason(error))
        except LeaseLost:
            told.warning("a job is somebody else's now")

    async def _give_up(self, kind: Kind, lease: Lease, reason: str) -> None:
        await kind.give_up(self._record, lease, reason)
        await jobs.finish(self._record, lease, failure=reason)
        self.ended += 1

    async def _keep(self, lease: Lease, headway: Headway) -> None:
        """Renews the lease and writes down the progress. Returns when the lease is lost, or must be taken for lost."""
        clock = asyncio.get_running_loop().time
        lease_seconds = self._record.settings.job_lease_seconds
        renewed_at = clock()
        written = None
        while True:
            await asyncio.sleep(min(PROGRESS_SECONDS, lease_seconds / 4))
            standing, began = headway.standing(), clock()
            if standing == written and began - renewed_at < lease_seconds / 3:
                continue
            try:
                await jobs.renew(self._record, lease, standing)
            except LeaseLost:
                return
            except AWAY as error:
                log.warning("a lease could not be renewed", job=str(lease.job_id), why=str(error))
                if clock() - renewed_at >= lease_seconds:
                    return
            else:
                renewed_at, written = began, standing


async def _stopped(*tasks: asyncio.Future[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _reason(error: BaseException) -> str:
    """For people. What went wrong inside is in the log, not here."""
    if isinstance(error, Refusal):
        return error.message
    if isinstance(error, (Hopeless, Again)):
        return str(error)
    return f"The worker failed with {type(error).__name__}. See its log."
