"""The statements behind leases: each is one step that either happens whole or finds that the lease is somebody else's by now.

All instants are PostgreSQL's, because workers on several machines share no other clock.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NewType
from uuid import UUID

from record.database import Connection
from record.ids import OrgId

JobId = NewType("JobId", UUID)


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to do a job, until it runs out unrenewed. `token` is what every write about the job must show."""

    org_id: OrgId
    job_id: JobId
    kind: str
    subject: UUID
    token: int
    attempts: int
    failure: str | None


@dataclass(frozen=True, slots=True)
class Standing:
    """How far somebody is with a job."""

    done: int
    total: int
    text: str


_ENSURE: Final = """
INSERT INTO ops.jobs (org_id, job_id, kind, subject, state, attempts, due_at, lease_token, progress_done, progress_total,
                      progress_text, created_at, updated_at)
SELECT $1, w.job_id, $2, w.subject, 'queued', 0, now(), 0, 0, 0, 'waiting for a worker', now(), now()
FROM unnest($3::uuid[], $4::uuid[]) AS w (job_id, subject)
ON CONFLICT (org_id, kind, subject) DO UPDATE
SET state = 'queued', attempts = 0, due_at = now(), lease_until = NULL, failure = NULL, progress_done = 0, progress_total = 0,
    progress_text = excluded.progress_text, updated_at = now()
WHERE jobs.state IN ('done', 'failed')
RETURNING job_id"""

# A job that runs was due when it was taken, so one bound on `due_at` serves both, and jobs that wait for later are not looked at.
_CLAIM: Final = """
WITH due AS (
    SELECT org_id, job_id FROM ops.jobs
    WHERE due_at <= now() AND (state = 'queued' OR state = 'running' AND lease_until < now())
      AND kind = ANY($3::text[]) AND ($4::uuid IS NULL OR org_id = $4 AND subject = $5)
    ORDER BY due_at LIMIT $1 FOR UPDATE SKIP LOCKED
)
UPDATE ops.jobs AS j
SET state = 'running', attempts = j.attempts + 1, lease_token = j.lease_token + 1,
    lease_until = now() + make_interval(secs => $2), updated_at = now()
FROM due WHERE j.org_id = due.org_id AND j.job_id = due.job_id
RETURNING j.org_id, j.job_id, j.kind, j.subject, j.lease_token, j.attempts, j.failure"""

_OWN: Final = "WHERE org_id = $1 AND job_id = $2 AND lease_token = $3 AND state = 'running'"

_RENEW: Final = f"""
UPDATE ops.jobs SET lease_until = now() + make_interval(secs => $4), progress_done = $5, progress_total = $6,
    progress_text = $7, updated_at = now()
{_OWN}"""

_HELD: Final = f"SELECT EXISTS (SELECT 1 FROM ops.jobs {_OWN} AND lease_until > now())"

_FINISH: Final = f"""
UPDATE ops.jobs SET state = $4, failure = $5, lease_until = NULL, progress_text = $4, updated_at = now()
{_OWN}"""

_PUT_BACK: Final = f"""
UPDATE ops.jobs SET state = 'queued', due_at = now() + make_interval(secs => $4), failure = coalesce($5, failure),
    attempts = attempts - $6, lease_until = NULL, progress_done = 0, progress_text = 'waiting for a worker', updated_at = now()
{_OWN}"""

_HASTEN: Final = """
UPDATE ops.jobs SET due_at = now(), updated_at = now()
WHERE org_id = $1 AND kind = $2 AND subject = ANY($3::uuid[]) AND state = 'queued'"""

_LEDGERS: Final = "SELECT org_id, name, size FROM ops.ledgers"


async def ensure(connection: Connection, org_id: OrgId, kind: str, jobs: Sequence[tuple[JobId, UUID]]) -> list[JobId]:
    """Queues these jobs (id, subject) unless they wait or run already; one that has ended is queued again."""
    ids, subjects = [job_id for job_id, _ in jobs], [subject for _, subject in jobs]
    rows = await connection.fetch(_ENSURE, org_id, kind, ids, subjects)
    return [row["job_id"] for row in rows]


async def hasten(connection: Connection, org_id: OrgId, kind: str, subjects: Sequence[UUID]) -> None:
    """Makes jobs that wait for another attempt due at once."""
    await connection.execute(_HASTEN, org_id, kind, subjects)


async def claim(
    connection: Connection,
    *,
    kinds: Sequence[str],
    count_max: int,
    lease_seconds: float,
    only: tuple[OrgId, UUID] | None = None,
) -> list[Lease]:
    """Takes jobs that are due, or whose holder has gone silent, passing over what others are taking. `only` names a subject."""
    org_id, subject = only or (None, None)
    rows = await connection.fetch(_CLAIM, count_max, lease_seconds, kinds, org_id, subject)
    return [Lease(*row.values()) for row in rows]


async def renew(connection: Connection, lease: Lease, standing: Standing, *, lease_seconds: float) -> bool:
    """Keeps the lease for longer and says how far the work is; False when it is lost."""
    done = await connection.execute(
        _RENEW, lease.org_id, lease.job_id, lease.token, lease_seconds, standing.done, standing.total, standing.text
    )
    return bool(done == "UPDATE 1")


async def is_held(connection: Connection, lease: Lease) -> bool:
    """Whether the lease is still its holder's at this instant."""
    held: bool = await connection.fetchval(_HELD, lease.org_id, lease.job_id, lease.token)
    return held


async def finish(connection: Connection, lease: Lease, state: str, failure: str | None) -> bool:
    """Ends the job as `done` or `failed`; False when the lease is lost."""
    return bool(
        await connection.execute(_FINISH, lease.org_id, lease.job_id, lease.token, state, failure) == "UPDATE 1"
    )


async def put_back(
    connection: Connection, lease: Lease, *, after_seconds: float, failure: str | None, uncount: bool
) -> bool:
    """Lets anyone take the job, after a while. `uncount`: this was no attempt, its worker was just told to stop."""
    done = await connection.execute(
        _PUT_BACK, lease.org_id, lease.job_id, lease.token, after_seconds, failure, int(uncount)
    )
    return bool(done == "UPDATE 1")


@dataclass(frozen=True, slots=True)
class LedgerSeen:
    """An organization and the size of its ledger, as the sweep sees it."""

    org_id: OrgId
    organization: str
    size: int


async def ledgers(connection: Connection) -> list[LedgerSeen]:
    """Every organization. Reads `ops` only."""
    return [LedgerSeen(*row.values()) for row in await connection.fetch(_LEDGERS)]


@dataclass(frozen=True, slots=True)
class Overdue:
    """How many jobs of a kind nobody does although they are due, and for how long the one that has waited longest."""

    kind: str
    count: int
    seconds: float


_OVERDUE: Final = """
SELECT kind, count(*), extract(epoch FROM now() - min(greatest(due_at, lease_until)))::float8
FROM ops.jobs WHERE due_at <= now() AND (state = 'queued' OR state = 'running' AND lease_until < now()) GROUP BY kind"""


async def overdue(connection: Connection) -> list[Overdue]:
    """What waits for a worker, for metrics: due, and not attempted now. A job that is tried again later is not due."""
    return [Overdue(*row.values()) for row in await connection.fetch(_OVERDUE)]
