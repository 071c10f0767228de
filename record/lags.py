"""How far what happens without anyone asking is behind, over all organizations: what health and metrics ask.

Reads `ops`, and of each kind of work one entry of each of the few ledgers that wait longest. Nothing here names an organization.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from record.database import Connection, Database
from record.ids import OrgId
from record.jobs import queries as jobs
from record.jobs import service
from record.jobs.queries import Overdue
from record.judgements import progress
from record.ledger.lag import LAGGING_LEDGERS_MAX, Lag, longest_wait, signing_lag
from record.notices.rules import JOB as DELIVERY

KINDS: Final = (service.ARCHIVE, DELIVERY)
"""Of jobs. One of which nothing waits is told as well: an alert on a number that is not there stays silent."""

_JUDGING: Final = """
ops.ledgers l LEFT JOIN (SELECT org_id, size AS reached, instant AS at FROM ops.judging) c USING (org_id)"""

_TELLING: Final = """
ops.ledgers l JOIN (SELECT org_id, next_index AS reached, told_at AS at FROM ops.notice_cursors) c USING (org_id)"""

_ENTRIES: Final = "SELECT coalesce(sum(greatest(l.size - coalesce(c.reached, 0), 0)), 0)::bigint FROM {of}"

_BEHIND: Final = """
SELECT l.org_id, coalesce(c.reached, 0)::bigint AS reached FROM {of}
WHERE l.size > coalesce(c.reached, 0) ORDER BY c.at NULLS FIRST LIMIT $1"""


@dataclass(frozen=True, slots=True)
class Behind:
    """How many entries nobody has looked at yet, and for how long the oldest of them has waited."""

    entries: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Lags:
    """Of signing; of judging, where a verdict whose time has come waits too; of making deliveries; of jobs by their kinds.

    Only organizations that have notices wait for deliveries.
    """

    signing: Lag
    judging: Behind
    telling: Behind
    jobs: Mapping[str, Overdue]


async def lags(database: Database, *, now: datetime) -> Lags:
    """All of them at `now`, in a number of statements that does not depend on how many organizations there are."""
    async with database.operations() as connection:
        judging, behind_in_judging = await _behind(connection, _JUDGING)
        telling, behind_in_telling = await _behind(connection, _TELLING)
        due_at = await progress.oldest_due(connection, now)
        overdue = {each.kind: each for each in await jobs.overdue(connection)}
    seconds = await longest_wait(database, behind_in_judging, now)
    if due_at is not None:
        seconds = max(seconds, (now - due_at).total_seconds())
    return Lags(
        await signing_lag(database, now=now),
        Behind(judging, seconds),
        Behind(telling, await longest_wait(database, behind_in_telling, now)),
        {kind: overdue.get(kind, Overdue(kind, 0, 0.0)) for kind in KINDS},
    )


async def _behind(connection: Connection, of: str) -> tuple[int, list[tuple[OrgId, int]]]:
    """How many entries wait, and the ledgers that wait longest, each with the first entry that does."""
    entries: int = await connection.fetchval(_ENTRIES.format(of=of))
    rows = await connection.fetch(_BEHIND.format(of=of), LAGGING_LEDGERS_MAX) if entries else []
    return entries, [(row["org_id"], row["reached"]) for row in rows]
