"""Notes now and then which requests nobody has decided, so that the queue of reviewers does not look at all that ever were."""

from typing import Final

from record.approvals import queries as approvals
from record.ids import OrgId
from record.moment import Moment
from record.record import Record
from record.requests import queries
from record.requests.queries import Queue
from record.waivers import queries as waivers

QUEUES: Final = {queue.requests: queue for queue in (approvals.QUEUE, waivers.QUEUE)}
GROWN_BY: Final = 1_000
"""By how many entries a ledger has grown when it is worth noting again."""


async def note_undecided(record: Record, *, grown_by: int = GROWN_BY) -> int:
    """Notes them for every ledger that has grown by so many entries. How many queues it was done for."""
    async with record.database.operations() as connection:
        due = await queries.to_note(connection, list(QUEUES), grown_by=grown_by)
    for org_id, requests in due:
        await _note(record, org_id, QUEUES[requests])
    return len(due)


async def note_anew(record: Record, org_id: OrgId) -> None:
    """Notes them from the record alone, as if nothing had been noted: each note builds on the last, and `ops` can be edited."""
    for queue in QUEUES.values():
        async with record.database.connection(org_id) as connection:
            await queries.forget(connection, org_id, queue)
        await _note(record, org_id, queue)


async def _note(record: Record, org_id: OrgId, queue: Queue) -> None:
    head = await record.ledger.head(org_id)
    async with record.database.connection(org_id) as connection:
        await queries.note(connection, Moment(org_id, head.size, head.at), queue)
