"""Reads of notices from the record, and of what became of them from `ops`."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from record.clock import to_rfc3339
from record.database import Connection
from record.ids import DeliveryId, EntryIndex, NoticeId, OrgId
from record.moment import Moment
from record.notices.events import Trigger
from record.notices.expiries import Expiry
from record.notices.rules import JOB, Channel, Notice, Outcome

_NOTICE = """
SELECT n.notice_id, n.name, n.version, n.description, n.channel, n.targets, n.triggers, n.flows, n.environments, n.disabled,
       n.disabled_because, n.secret_id, n.previous_secret_id, n.previous_secret_until, n.recorded_by, n.entry_index,
       first.entry_index AS created_index, first.at AS created_at, n.at AS changed_at
FROM record.notices first
CROSS JOIN LATERAL (
    SELECT * FROM record.notices v
    WHERE v.org_id = $1 AND v.notice_id = first.notice_id AND v.entry_index < $2 ORDER BY v.entry_index DESC LIMIT 1
) n
WHERE first.org_id = $1 AND first.version = 1 AND first.entry_index < $2"""


def _notice(row: Any) -> Notice:
    values = dict(row)
    values["channel"] = Channel(values["channel"])
    values["targets"] = tuple(json.loads(values["targets"]))
    values["triggers"] = tuple(Trigger(each) for each in json.loads(values["triggers"]))
    for name in ("flows", "environments"):
        values[name] = None if values[name] is None else tuple(json.loads(values[name]))
    return Notice(**values)


async def by_name(connection: Connection, moment: Moment, name: str) -> Notice | None:
    """The notice of this name."""
    row = await connection.fetchrow(f"{_NOTICE} AND first.name = $3", moment.org_id, moment.size, name)
    return None if row is None else _notice(row)


async def by_ids(connection: Connection, moment: Moment, ids: Sequence[NoticeId]) -> list[Notice | None]:
    """Notices in the order asked; None for what is not there."""
    rows = await connection.fetch(f"{_NOTICE} AND first.notice_id = ANY($3::uuid[])", moment.org_id, moment.size, ids)
    found = {row["notice_id"]: _notice(row) for row in rows}
    return [found.get(notice_id) for notice_id in ids]


async def page(
    connection: Connection, moment: Moment, *, limit: int, after: str = "", before: str | None = None
) -> list[Notice]:
    """Notices by name, the disabled ones as well; with `before`, the last ones before it, still in ascending order."""
    side, order = (">", "ASC") if before is None else ("<", "DESC")
    rows = await connection.fetch(
        f"{_NOTICE} AND first.name {side} $3 ORDER BY first.name {order} LIMIT $4",
        moment.org_id,
        moment.size,
        after if before is None else before,
        limit,
    )
    found = [_notice(row) for row in rows]
    return found if before is None else found[::-1]


async def all_of(connection: Connection, moment: Moment) -> list[Notice]:
    """Every notice: there are few (`service.NOTICES_MAX`)."""
    return [_notice(row) for row in await connection.fetch(_NOTICE, moment.org_id, moment.size)]


_EXPIRING_KEYS = """
SELECT k.key_id, k.description, k.expires_at, p.name AS principal
FROM record.api_keys k
CROSS JOIN LATERAL (
    SELECT name, disabled FROM record.principals p
    WHERE p.org_id = $1 AND p.principal_id = k.principal_id AND p.entry_index < $2 ORDER BY p.entry_index DESC LIMIT 1
) p
WHERE k.org_id = $1 AND k.entry_index < $2 AND k.expires_at > $3 AND k.expires_at <= $4 AND NOT p.disabled
  AND NOT EXISTS (SELECT 1 FROM record.key_revocations r WHERE r.org_id = $1 AND r.key_id = k.key_id AND r.entry_index < $2)
ORDER BY k.expires_at"""


async def expiring_keys(connection: Connection, moment: Moment, until: datetime) -> list[Expiry]:
    """Keys that stop opening by `until`, unless they were revoked or replaced already."""
    rows = await connection.fetch(_EXPIRING_KEYS, moment.org_id, moment.size, moment.instant, until)
    return [
        Expiry(
            Trigger.KEY_EXPIRING,
            row["key_id"],
            f"{row['description']!r} of {row['principal']}",
            row["expires_at"],
            {"description": row["description"], "principal": row["principal"]},
        )
        for row in rows
    ]


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event for one receiver, and how far it is. `next_attempt_at` None: it has ended, or is being tried now."""

    delivery_id: DeliveryId
    number: int
    notice_id: NoticeId
    recipient: str
    type: str
    event: dict[str, Any]
    entry_index: EntryIndex | None
    created_at: datetime
    outcome: Outcome | None
    ended_at: datetime | None
    failure: str | None
    attempts: int
    next_attempt_at: datetime | None
    last_status: int | None


_DELIVERY = f"""
SELECT d.delivery_id, d.number, d.notice_id, d.recipient, d.type, d.event, d.entry_index, d.created_at, d.outcome, d.ended_at,
       coalesce(d.failure, a.failure) AS failure, coalesce(a.attempts, 0) AS attempts,
       CASE WHEN d.outcome IS NULL AND j.state = 'queued' THEN j.due_at END AS next_attempt_at,
       a.response_status AS last_status
FROM {{deliveries}} d
LEFT JOIN ops.jobs j ON j.org_id = $1 AND j.kind = '{JOB}' AND j.subject = d.delivery_id
LEFT JOIN LATERAL (
    SELECT a.failure, a.response_status, count(*) OVER () AS attempts FROM ops.delivery_attempts a
    WHERE a.org_id = $1 AND a.delivery_id = d.delivery_id ORDER BY a.number DESC LIMIT 1
) a ON true"""

_BY_IDS = _DELIVERY.format(
    deliveries="(SELECT * FROM ops.deliveries WHERE org_id = $1 AND delivery_id = ANY($2::uuid[]))"
)
_OF_NOTICE = """(
    SELECT * FROM ops.deliveries WHERE org_id = $1 AND notice_id = $2 AND number > $3 AND number < $4 {narrowed}
    ORDER BY number {order} LIMIT $5)"""
_ENDED = "AND outcome = $6"
_WAITING = "AND outcome IS NULL"


def _delivery(row: Any) -> Delivery:
    values = dict(row)
    values["event"] = json.loads(values["event"])
    values["outcome"] = None if values["outcome"] is None else Outcome(values["outcome"])
    return Delivery(**values)


async def deliveries_by_ids(connection: Connection, org_id: OrgId, ids: Sequence[DeliveryId]) -> list[Delivery | None]:
    """Deliveries in the order asked; None for what is not there, or no longer."""
    rows = await connection.fetch(_BY_IDS, org_id, ids)
    found = {row["delivery_id"]: _delivery(row) for row in rows}
    return [found.get(delivery_id) for delivery_id in ids]


async def deliveries_page(
    connection: Connection,
    org_id: OrgId,
    notice_id: NoticeId,
    *,
    limit: int,
    older_than: int | None = None,
    newer_than: int | None = None,
    outcome: Outcome | None = None,
    waiting: bool = False,
) -> list[Delivery]:
    """Deliveries of a notice, the newest first: all, those that ended so, or those that wait.

    With `newer_than` alone: those just above it, in the same order.
    """
    order = "ASC" if newer_than is not None and older_than is None else "DESC"
    chosen = _WAITING if waiting else "" if outcome is None else _ENDED
    rows = await connection.fetch(
        _DELIVERY.format(deliveries=_OF_NOTICE.format(narrowed=chosen, order=order)) + " ORDER BY d.number DESC",
        org_id,
        notice_id,
        -1 if newer_than is None else newer_than,
        2**62 if older_than is None else older_than,
        limit,
        *([outcome.value] if chosen == _ENDED and outcome is not None else []),
    )
    return [_delivery(row) for row in rows]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt. `ended_at` None: its worker is at it, or died, and it may have been received."""

    number: int
    began_at: datetime
    ended_at: datetime | None
    delivered: bool | None
    response_status: int | None
    response: str | None
    failure: str | None


_ATTEMPTS = """
SELECT number, began_at, ended_at, delivered, response_status, response, failure FROM ops.delivery_attempts
WHERE org_id = $1 AND delivery_id = $2 ORDER BY number DESC LIMIT $3"""


async def attempts(connection: Connection, org_id: OrgId, delivery_id: DeliveryId, *, limit: int) -> list[Attempt]:
    """The attempts at a delivery, the last first. Their numbers grow and may leave some out."""
    rows = await connection.fetch(_ATTEMPTS, org_id, delivery_id, limit)
    return [Attempt(**row) for row in rows]


@dataclass(frozen=True, slots=True)
class Health:
    """When a notice last reached its receiver, and since when attempts have failed (None: the last one did not)."""

    delivered_at: datetime | None
    failing_since: datetime | None
    waiting: int


_HEALTH = """
WITH good AS (
    SELECT max(ended_at) AS at FROM ops.deliveries WHERE org_id = $1 AND notice_id = $2 AND outcome = 'delivered'
)
SELECT good.at AS delivered_at,
       (SELECT min(a.began_at) FROM ops.deliveries d JOIN ops.delivery_attempts a USING (org_id, delivery_id)
        WHERE d.org_id = $1 AND d.notice_id = $2 AND a.delivered = false AND a.began_at > greatest(good.at, $3)) AS failing_since,
       (SELECT count(*) FROM ops.deliveries WHERE org_id = $1 AND notice_id = $2 AND outcome IS NULL) AS waiting
FROM good"""


async def health(connection: Connection, org_id: OrgId, notice: Notice) -> Health:
    """How a notice fares since it was last changed: a new address begins with a clean slate."""
    row = await connection.fetchrow(_HEALTH, org_id, notice.notice_id, notice.changed_at)
    return Health(**row)


_SECRETS = (
    "SELECT secret_id, sealed FROM ops.notice_secrets WHERE org_id = $1 AND notice_id = $2 AND secret_id = ANY($3)"
)


async def sealed_secrets(
    connection: Connection, org_id: OrgId, notice_id: NoticeId, ids: Sequence[UUID]
) -> list[bytes | None]:
    """What is kept of these secrets, in the order asked; None for one that is lost."""
    rows = await connection.fetch(_SECRETS, org_id, notice_id, ids)
    found = {row["secret_id"]: row["sealed"] for row in rows}
    return [found.get(secret_id) for secret_id in ids]


def event_text(event: dict[str, Any]) -> str:
    """How an event is kept."""
    return json.dumps(event, ensure_ascii=False, separators=(",", ":"), default=to_rfc3339)
