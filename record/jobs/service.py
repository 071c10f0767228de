"""Uses of jobs: queue, claim, keep, end. The row is the truth; whoever is not its holder any more is told so with `LeaseLost`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from record.ids import OrgId, uuid7
from record.jobs import queries
from record.jobs.queries import JobId, Lease, Standing
from record.record import Record

ARCHIVE: Final = "archive"
"""Assemble an archive; its subject is the archive's id."""

QUEUE: Final = "muniment"
"""Where whoever queues a job may tell a worker to look. The job does not depend on it."""


class LeaseLost(Exception):  # noqa: N818 (not an error: somebody else does the work now)
    """Another worker holds the job, or it has ended. Stop, and write nothing more about it."""


@dataclass(slots=True)
class Headway:
    """What work says about itself while it runs; its worker passes it on every now and then."""

    done: int = 0
    total: int = 0
    text: str = "beginning"

    def standing(self) -> Standing:
        """As of now."""
        return Standing(self.done, self.total, self.text)


async def ensure(record: Record, org_id: OrgId, kind: str, subjects: Sequence[UUID]) -> list[JobId]:
    """Queues a job for each subject that has none waiting or running. Repeating it changes nothing."""
    jobs = [(JobId(uuid7()), subject) for subject in subjects]
    async with record.database.operations() as connection:
        return await queries.ensure(connection, org_id, kind, jobs)


async def claim(
    record: Record, *, kinds: Sequence[str], count_max: int, only: tuple[OrgId, UUID] | None = None
) -> list[Lease]:
    """Takes up to so many jobs that are due, or the one that is named if it is."""
    async with record.database.operations() as connection:
        return await queries.claim(
            connection, kinds=kinds, count_max=count_max, lease_seconds=record.settings.job_lease_seconds, only=only
        )


async def renew(record: Record, lease: Lease, standing: Standing) -> None:
    """Keeps the lease and tells how far the work is."""
    async with record.database.operations() as connection:
        if not await queries.renew(connection, lease, standing, lease_seconds=record.settings.job_lease_seconds):
            raise LeaseLost


async def require_held(record: Record, lease: Lease) -> None:
    """Refuses to go on without the lease: asked just before something becomes visible."""
    async with record.database.operations() as connection:
        if not await queries.is_held(connection, lease):
            raise LeaseLost


async def finish(record: Record, lease: Lease, *, failure: str | None = None) -> None:
    """Ends the job, well or badly."""
    async with record.database.operations() as connection:
        if not await queries.finish(connection, lease, "done" if failure is None else "failed", failure):
            raise LeaseLost


async def put_back(
    record: Record, lease: Lease, *, after_seconds: float = 0, failure: str | None = None, uncount: bool = False
) -> None:
    """Gives the job up to whoever takes it next."""
    async with record.database.operations() as connection:
        if not await queries.put_back(connection, lease, after_seconds=after_seconds, failure=failure, uncount=uncount):
            raise LeaseLost
