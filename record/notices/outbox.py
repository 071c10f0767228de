"""The statements behind deliveries: what is in `ops` moves on by these alone.

Turning entries into deliveries is one transaction with the cursor: either the cursor has passed an entry and its deliveries and
their jobs are there, or neither. Whoever holds the cursor's row does it; others pass over it. Instants are PostgreSQL's, because
workers on several machines share no other clock.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from record.database import Connection
from record.ids import DeliveryId, NoticeId, OrgId, uuid7
from record.jobs import queries as jobs
from record.jobs.queries import JobId
from record.notices.queries import event_text
from record.notices.rules import JOB, Outcome, Telling


@dataclass(frozen=True, slots=True)
class Behind:
    """An organization that has notices, and how far its ledger is turned into deliveries."""

    org_id: OrgId
    organization: str
    next_index: int
    size: int


_BEGIN: Final = """
INSERT INTO ops.notice_cursors (org_id, next_index, told_at) SELECT org_id, size, now() FROM ops.ledgers WHERE org_id = $1
ON CONFLICT (org_id) DO NOTHING"""

_ALL: Final = """
SELECT c.org_id, l.name, c.next_index, l.size FROM ops.notice_cursors c JOIN ops.ledgers l USING (org_id)"""

_HOLD: Final = """
SELECT c.next_index, l.size FROM ops.notice_cursors c JOIN ops.ledgers l USING (org_id)
WHERE c.org_id = $1 FOR UPDATE OF c SKIP LOCKED"""

_MOVE: Final = "UPDATE ops.notice_cursors SET next_index = $2, told_at = now() WHERE org_id = $1"


async def begin(connection: Connection, org_id: OrgId) -> None:
    """From now on entries of this organization are looked at. Before the first notice is recorded."""
    await connection.execute(_BEGIN, org_id)


async def with_notices(connection: Connection) -> list[Behind]:
    """Every organization that has notices. Reads `ops` only."""
    return [Behind(*row.values()) for row in await connection.fetch(_ALL)]


async def hold(connection: Connection, org_id: OrgId) -> tuple[int, int] | None:
    """The cursor, held until the transaction ends, and the ledger's size; None when another worker holds it."""
    row = await connection.fetchrow(_HOLD, org_id)
    return None if row is None else (row["next_index"], row["size"])


async def move(connection: Connection, org_id: OrgId, next_index: int) -> None:
    """Everything before this index is turned into deliveries."""
    await connection.execute(_MOVE, org_id, next_index)


_INSERT: Final = """
INSERT INTO ops.deliveries (org_id, delivery_id, notice_id, recipient, type, event, entry_index, created_at)
SELECT $1, d.delivery_id, d.notice_id, d.recipient, d.type, d.event, d.entry_index, now()
FROM unnest($2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::bigint[])
     AS d (delivery_id, notice_id, recipient, type, event, entry_index)
ON CONFLICT (org_id, delivery_id) DO NOTHING RETURNING delivery_id"""


async def put(connection: Connection, org_id: OrgId, tellings: Sequence[Telling]) -> int:
    """Makes these deliveries and their jobs, but for those that were made before. How many. Inside of a transaction."""
    if not tellings:
        return 0
    rows = await connection.fetch(
        _INSERT,
        org_id,
        [each.delivery_id for each in tellings],
        [each.notice_id for each in tellings],
        [each.recipient for each in tellings],
        [each.event.type for each in tellings],
        [event_text(each.event.to_json()) for each in tellings],
        [each.event.entry_index for each in tellings],
    )
    if rows:
        await jobs.ensure(connection, org_id, JOB, [(JobId(uuid7()), row["delivery_id"]) for row in rows])
    return len(rows)


_REOPEN: Final = """
UPDATE ops.deliveries SET outcome = NULL, ended_at = NULL, failure = NULL
WHERE org_id = $1 AND delivery_id = ANY($2::uuid[]) RETURNING delivery_id"""


async def send_again(connection: Connection, org_id: OrgId, ids: Sequence[DeliveryId]) -> None:
    """Lets these deliveries be attempted at once, whether they have ended or wait. Inside of a transaction."""
    if not ids:
        return
    rows = await connection.fetch(_REOPEN, org_id, ids)
    there = [row["delivery_id"] for row in rows]
    await jobs.ensure(connection, org_id, JOB, [(JobId(uuid7()), delivery_id) for delivery_id in there])
    await jobs.hasten(connection, org_id, JOB, there)


_BEGIN_ATTEMPT: Final = """
INSERT INTO ops.delivery_attempts (org_id, delivery_id, number, began_at) VALUES ($1, $2, $3, now())
ON CONFLICT (org_id, delivery_id, number) DO NOTHING"""

_END_ATTEMPT: Final = """
UPDATE ops.delivery_attempts
SET ended_at = now(), delivered = $4, response_status = $5, response = $6, failure = $7
WHERE org_id = $1 AND delivery_id = $2 AND number = $3"""

_END: Final = """
UPDATE ops.deliveries SET outcome = $3, ended_at = now(), failure = $4
WHERE org_id = $1 AND delivery_id = $2 AND outcome IS NULL"""


async def begin_attempt(connection: Connection, org_id: OrgId, delivery_id: DeliveryId, number: int) -> None:
    """Before anything is sent: a worker that dies leaves this."""
    await connection.execute(_BEGIN_ATTEMPT, org_id, delivery_id, number)


async def end_attempt(
    connection: Connection,
    org_id: OrgId,
    delivery_id: DeliveryId,
    number: int,
    *,
    delivered: bool,
    status: int | None,
    response: str | None,
    failure: str | None,
) -> None:
    """How the attempt went. When it was taken, the delivery has ended by the same transaction."""
    async with connection.transaction():
        await connection.execute(_END_ATTEMPT, org_id, delivery_id, number, delivered, status, response, failure)
        if delivered:
            await connection.execute(_END, org_id, delivery_id, Outcome.DELIVERED.value, None)


async def end(
    connection: Connection, org_id: OrgId, delivery_id: DeliveryId, outcome: Outcome, *, failure: str | None
) -> None:
    """Ends a delivery, unless it has ended."""
    await connection.execute(_END, org_id, delivery_id, outcome.value, failure)


_KEEP: Final = """
INSERT INTO ops.notice_secrets (org_id, notice_id, secret_id, sealed, created_at) VALUES ($1, $2, $3, $4, now())"""


async def keep_secret(
    connection: Connection, org_id: OrgId, notice_id: NoticeId, secret_id: UUID, sealed: bytes
) -> None:
    """Keeps a sealed secret, before the entry that names it."""
    await connection.execute(_KEEP, org_id, notice_id, secret_id, sealed)


_PRUNE: Final = """
WITH old AS (
    DELETE FROM ops.deliveries WHERE org_id = $1 AND outcome IS NOT NULL AND ended_at < now() - make_interval(days => $2)
    RETURNING delivery_id
), attempts AS (
    DELETE FROM ops.delivery_attempts a USING old WHERE a.org_id = $1 AND a.delivery_id = old.delivery_id
), jobs AS (
    DELETE FROM ops.jobs j USING old WHERE j.org_id = $1 AND j.kind = $3 AND j.subject = old.delivery_id
)
SELECT count(*) FROM old"""


async def prune(connection: Connection, org_id: OrgId, *, days: int) -> int:
    """Forgets deliveries that ended so long ago, with their attempts and jobs. How many."""
    count: int = await connection.fetchval(_PRUNE, org_id, days, JOB)
    return count
