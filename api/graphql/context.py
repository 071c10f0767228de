"""What resolvers are given: who asks, the moment that every read is pinned to, and a place to say how long the answer holds.

The moment is taken once, when the request is recognised: the size of the ledger and the instant. A resolver that reads at
another size says so with `pinned`; one whose answer changes by time alone says when with `expires`; one that shows
operational facts (last use of a key, progress of a job) says `look_outside`. From that, `api.graphql.answers` knows how long
the answer may be kept.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

import strawberry

from api.graphql.documents import Operation
from api.identity import Recognised
from api.wakes import Wakes
from record.access.rules import Caller
from record.ids import LedgerSize
from record.ledger.entries import Receipt
from record.ledger.heads import Head
from record.moment import Moment
from record.record import Record


@dataclass(slots=True)
class Context:
    """One request's. `loaders` is the nouns': made when first needed, dropped when the moment moves."""

    record: Record
    wakes: Wakes
    caller: Caller
    head: Head
    instant: datetime
    request_id: str
    operation: Operation
    recognise_again: Callable[[], Awaitable[Recognised]]
    loaders: Any = None
    holds_until: datetime | None = None
    volatile: bool = False
    pins: int = 0
    pinned_size: int = 0
    reads_now: bool = False

    @property
    def moment(self) -> Moment:
        """The record as it stands: what this request sees of it. An answer that used it ends with the next entry."""
        self.reads_now = True
        return Moment(self.caller.org_id, self.head.size, self.instant)

    def pinned(self, size: LedgerSize) -> None:
        """A root field is answered from the record as it stood at `size` and from nothing newer. Say it once per root field.

        Only sizes that the ledger has reached; and an instant stands for a size only if it lies before the newest entry's.
        """
        if size <= self.head.size:
            self.pins += 1
            self.pinned_size = max(self.pinned_size, size)

    def expires(self, at: datetime | None) -> None:
        """The answer may change at this instant though nothing is appended. None: it does not."""
        if at is not None and (self.holds_until is None or at < self.holds_until):
            self.holds_until = at

    def look_outside(self) -> None:
        """The answer includes facts that are not the record's, so it is not kept."""
        self.volatile = True

    @property
    def is_pinned(self) -> bool:
        """Whether every root field was answered at a size that the question named: then the answer outlives new entries."""
        return not self.reads_now and 0 < self.operation.root_fields == self.pins

    def renew(self, recognised: Recognised) -> None:
        """Goes on as the caller who was recognised just now: at the head that was seen then."""
        self.caller = recognised.caller
        self.move_to(recognised.head)

    def advance(self, receipt: Receipt) -> None:
        """After a write: what follows sees it."""
        if receipt.index >= self.head.size:
            head = self.head
            self.move_to(
                Head(head.org_id, head.name, head.origin, LedgerSize(receipt.index + 1), receipt.at, head.access_index)
            )

    def move_to(self, head: Head) -> None:
        """Reads from here on see this head, as of now: what was loaded before is forgotten."""
        self.head = head
        self.instant = max(self.instant, self.record.clock.now(), head.at)
        self.loaders = None


Info: TypeAlias = strawberry.Info[Context, None]
