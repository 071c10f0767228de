"""Reads of requests: pages of those that stand somewhere, what was done to them, and where the undecided ones are.

Where a request stands is written nowhere: it follows from the acts that took effect, those recorded before its time was over, and
from the instant. A queue says it in SQL for each state, by acts and not by what they led to, so that PostgreSQL may begin with
whichever are fewer, requests or acts. Tests hold it against the rules at every moment.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, TypeVar
from uuid import UUID

from record.database import Connection
from record.ids import EntryIndex, OrgId
from record.moment import Moment

Done = TypeVar("Done")

UNDECIDED_MAX: Final = 10_000
"""Where more requests than this are undecided, a page of them is found soon."""


@dataclass(frozen=True, slots=True)
class Standing:
    """When a request stands in a state: one of the acts `after` took effect (none named: any or none), none of `unless` did.

    `expired` says whether its time is over; None where that changes nothing any more.
    """

    after: tuple[Enum, ...] = ()
    unless: tuple[Enum, ...] = ()
    expired: bool | None = None

    @property
    def is_undecided(self) -> bool:
        """Whether a request stands there until somebody does something: then it never stands there again."""
        return not self.after and self.expired is False


@dataclass(frozen=True, slots=True)
class Queue:
    """The table of requests, `r`, with the columns to read from it; the table of acts, with its own; the id that joins them."""

    requests: str
    columns: str
    acts: str
    act_columns: str
    key: str
    states: Mapping[Enum, Standing]

    @property
    def undecided(self) -> Enum:
        """The state in which requests begin."""
        return next(state for state, stands in self.states.items() if stands.is_undecided)


async def acts_of(
    connection: Connection, moment: Moment, queue: Queue, rows: Sequence[Any], done: Callable[[Any], Done]
) -> dict[UUID, list[Done]]:
    """What was done to the requests in these rows, in its order: one statement, or none for no rows."""
    acts: dict[UUID, list[Done]] = defaultdict(list)
    if rows:
        statement = (
            f"SELECT {queue.key}, {queue.act_columns} FROM {queue.acts} "
            f"WHERE org_id = $1 AND entry_index < $2 AND {queue.key} = ANY($3::uuid[]) ORDER BY {queue.key}, number"
        )
        ids = [row[queue.key] for row in rows]
        for key, *columns in await connection.fetch(statement, moment.org_id, moment.size, ids):
            acts[key].append(done(columns))
    return acts


_PAGE = """
SELECT {columns} FROM (
    SELECT r.entry_index FROM {requests} r
    WHERE r.org_id = $1 AND r.entry_index < $2 AND r.entry_index > $3 {standing}
    ORDER BY r.entry_index {order} LIMIT $4
) page JOIN {requests} r ON r.org_id = $1 AND r.entry_index = page.entry_index
ORDER BY r.entry_index {order}"""

_PAGE_OF_ENVIRONMENTS = """
SELECT {columns} FROM (
    SELECT each.entry_index FROM unnest({names}::text[]) AS asked (environment) CROSS JOIN LATERAL (
        SELECT r.entry_index FROM {requests} r
        WHERE r.org_id = $1 AND r.environment = asked.environment AND r.entry_index < $2 AND r.entry_index > $3 {standing}
        ORDER BY r.entry_index {order} LIMIT $4
    ) each ORDER BY each.entry_index {order} LIMIT $4
) page JOIN {requests} r ON r.org_id = $1 AND r.entry_index = page.entry_index
ORDER BY r.entry_index {order}"""

_PAGE_AMONG_NOTED = """
SELECT {columns} FROM (
    SELECT * FROM {requests} WHERE org_id = $1 AND entry_index >= {size} AND entry_index < $2
    UNION ALL
    SELECT * FROM {requests} WHERE org_id = $1 AND entry_index = ANY({noted}::bigint[]) AND entry_index < $2
) r WHERE r.entry_index > $3 AND ({names}::text[] IS NULL OR r.environment = ANY({names})) {standing}
ORDER BY r.entry_index {order} LIMIT $4"""

_TOOK_EFFECT = """EXISTS (
    SELECT FROM {acts} a
    WHERE a.org_id = $1 AND a.{key} = r.{key} AND a.entry_index < {size} AND a.act IN ({named})
      AND (r.expires_at IS NULL OR a.at < r.expires_at) {each})"""


async def page(
    connection: Connection,
    moment: Moment,
    queue: Queue,
    *,
    limit: int,
    environments: Collection[str] | None = None,
    state: Enum | None = None,
    older_than: EntryIndex | None = None,
    newer_than: EntryIndex | None = None,
) -> list[Any]:
    """Rows of requests for these environments (None: for any) in this state (None: in any), the last one first.

    One statement; for what nobody has decided two, because it begins with what was noted.
    With `newer_than` alone: those just above it, in the same order.
    """
    ascending = newer_than is not None and older_than is None
    upper = moment.size if older_than is None else min(older_than, moment.size)
    given = _Arguments([moment.org_id, upper, -1 if newer_than is None else newer_than, limit])
    stands = None if state is None else queue.states[state]
    noted = await _noted(connection, moment, queue) if stands is not None and stands.is_undecided else None
    statement = _PAGE if environments is None else _PAGE_OF_ENVIRONMENTS
    words = {"columns": queue.columns, "requests": queue.requests, "order": "ASC" if ascending else "DESC"}
    if noted is not None:
        statement = _PAGE_AMONG_NOTED
        words |= {"size": given.add(noted[0]), "noted": given.add(noted[1])}
    if noted is not None or environments is not None:
        words["names"] = given.add(None if environments is None else sorted(environments))
    words["standing"] = "" if stands is None else _standing(queue, stands, moment, given, few=noted is not None)
    rows: list[Any] = await connection.fetch(statement.format(**words), *given)
    return rows[::-1] if ascending else rows


class _Arguments(list[Any]):
    """A statement's arguments."""

    def add(self, value: Any) -> str:
        """Adds one. How the statement calls it."""
        self.append(value)
        return f"${len(self)}"


def _standing(queue: Queue, stands: Standing, moment: Moment, given: _Arguments, *, few: bool = False) -> str:
    """The conditions under which `r` stands there; with `few`, its acts are looked up for each request by itself."""
    size, each = given.add(moment.size), "OFFSET 0" if few else ""

    def took_effect(acts: tuple[Enum, ...]) -> str:
        named = ", ".join(f"'{act.value}'" for act in acts)
        return _TOOK_EFFECT.format(acts=queue.acts, key=queue.key, size=size, named=named, each=each)

    conditions = []
    if stands.after:
        conditions.append(took_effect(stands.after))
    if stands.unless:
        conditions.append(f"NOT {took_effect(stands.unless)}")
    if stands.expired is not None:
        now = given.add(moment.instant)
        lasts = f"(r.expires_at IS NULL OR r.expires_at > {now})"
        conditions.append(f"r.expires_at <= {now}" if stands.expired else lasts)
    return "".join(f"AND {condition} " for condition in conditions)


_NOTED = """
SELECT size, entry_indexes FROM ops.undecided_requests
WHERE org_id = $1 AND requests = $2 AND size <= $3 AND entry_indexes IS NOT NULL"""


async def _noted(connection: Connection, moment: Moment, queue: Queue) -> tuple[int, list[int]] | None:
    """A size, this one or one before it, and the entries of the requests that nobody had decided then; None: nothing is noted."""
    row: Any = await connection.fetchrow(_NOTED, moment.org_id, queue.requests, moment.size)
    return None if row is None else (row["size"], row["entry_indexes"])


_NOTE = """
INSERT INTO ops.undecided_requests (org_id, requests, size, entry_indexes)
VALUES ($1, $2, $3, $4) ON CONFLICT (org_id, requests) DO UPDATE SET size = excluded.size, entry_indexes = excluded.entry_indexes
WHERE undecided_requests.size < excluded.size"""


async def note(connection: Connection, moment: Moment, queue: Queue) -> None:
    """Notes which requests are undecided at this moment, for every later one. The instant must be the newest entry's.

    No later moment has an earlier instant, so what has expired by then stays so, too.
    """
    rows = await page(connection, moment, queue, limit=UNDECIDED_MAX + 1, state=queue.undecided)
    indexes = sorted(row["entry_index"] for row in rows) if len(rows) <= UNDECIDED_MAX else None
    await connection.execute(_NOTE, moment.org_id, queue.requests, moment.size, indexes)


_FORGET = "DELETE FROM ops.undecided_requests WHERE org_id = $1 AND requests = $2"


async def forget(connection: Connection, org_id: OrgId, queue: Queue) -> None:
    """Forgets what was noted: until it is noted again, a page looks at every request."""
    await connection.execute(_FORGET, org_id, queue.requests)


_TO_NOTE = """
SELECT l.org_id, q.requests FROM ops.ledgers l CROSS JOIN unnest($1::text[]) AS q (requests)
LEFT JOIN ops.undecided_requests u ON u.org_id = l.org_id AND u.requests = q.requests
WHERE l.size >= coalesce(u.size, 0) + $2"""


async def to_note(connection: Connection, requests: Sequence[str], *, grown_by: int) -> list[tuple[OrgId, str]]:
    """Organizations and tables of requests for which the ledger has grown by so many entries since. Reads `ops` only."""
    return [(row["org_id"], row["requests"]) for row in await connection.fetch(_TO_NOTE, requests, grown_by)]
