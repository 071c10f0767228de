"""How far signing is behind. Reads `ops`, and one entry of each ledger that waits longest."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from record.database import Connection, Database
from record.ids import OrgId

LAGGING_LEDGERS_MAX: Final = 5

_TOTALS: Final = """
SELECT coalesce(sum(l.size), 0)::bigint AS entries,
       coalesce(sum(greatest(l.size - coalesce(p.signed_size, 0), 0)), 0)::bigint AS unsigned
FROM ops.ledgers l LEFT JOIN ops.publications p USING (org_id)"""

_BEHIND: Final = """
SELECT l.org_id, coalesce(p.signed_size, 0) AS signed_size
FROM ops.ledgers l LEFT JOIN ops.publications p USING (org_id)
WHERE l.size > coalesce(p.signed_size, 0)
ORDER BY l.at LIMIT $1"""

_WAITING_SINCE: Final = "SELECT at FROM record.entries WHERE org_id = $1 AND entry_index = $2"


@dataclass(frozen=True, slots=True)
class Lag:
    """How far signing is behind: all ledgers together, and how long the oldest unsigned entry has waited."""

    entries: int
    unsigned: int
    seconds: float


async def signing_lag(database: Database, *, now: datetime) -> Lag:
    """The lag at `now`. Two statements, and one for each of at most five ledgers that are behind."""
    async with database.operations() as connection:
        row = await connection.fetchrow(_TOTALS)
        behind = await connection.fetch(_BEHIND, LAGGING_LEDGERS_MAX)
    seconds = await longest_wait(database, [(each["org_id"], each["signed_size"]) for each in behind], now)
    return Lag(row["entries"], row["unsigned"], seconds)


async def ping(connection: Connection) -> None:
    """Returns when the database answers."""
    await connection.execute("SELECT 1")


async def longest_wait(database: Database, behind: Sequence[tuple[OrgId, int]], now: datetime) -> float:
    """For how many seconds the oldest of these entries has waited, each given by its ledger and index: a statement for each."""
    longest = 0.0
    for org_id, index in behind:
        async with database.connection(org_id) as connection:
            since: datetime | None = await connection.fetchval(_WAITING_SINCE, org_id, index)
        if since is not None:
            longest = max(longest, (now - since).total_seconds())
    return longest
