"""What subscriptions watch: the ledger's growth. One coalesced question about heads serves every watcher of a process."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from api.graphql.context import Context, Info
from api.graphql.ledger import Entry
from record.access.rules import Action
from record.ids import LedgerSize
from record.ledger import queries
from record.ledger.heads import Head
from record.moment import Moment

LOOK_EVERY_SECONDS: Final = 0.25
BATCH: Final = 100


async def head_now(context: Context) -> Head:
    """Where the ledger stands, for a caller who may still look: when access has changed since, it is recognised anew first."""
    head = await context.record.ledger.head(context.caller.org_id)
    if head.access_index == context.caller.access_index:
        return head
    recognised = await context.recognise_again()
    context.caller = recognised.caller
    return recognised.head


async def entries_after(info: Info, after: LedgerSize | None) -> AsyncIterator[Entry]:
    """Every entry from index `after` on, in order and none left out, for as long as somebody listens."""
    context = info.context
    record, org_id = context.record, context.caller.org_id
    next_index = context.head.size if after is None else after
    while True:
        head = await head_now(context)
        context.caller.require(Action.READ)  # again and again: roles may go while somebody watches
        while next_index < head.size:
            async with record.database.connection(org_id) as connection:
                found = await queries.entries_after(
                    connection, Moment(org_id, head.size, head.at), next_index - 1, count_max=BATCH
                )
            for entry in found:
                yield Entry.of(entry)
                next_index = LedgerSize(entry.index + 1)
        await asyncio.sleep(LOOK_EVERY_SECONDS)
