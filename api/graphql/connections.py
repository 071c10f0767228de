"""Connections with keyset cursors: a page costs the same wherever it lies.

A cursor is the key of its node (a name, an entry index) and says of what list, so that one of another list is refused rather than
misread; opaque to clients. One node more than asked for is read, to know whether there is more.
"""

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import strawberry

from api.graphql.context import Info
from api.graphql.limits import PAGE_SIZE_DEFAULT
from record.ids import EntryIndex
from record.refusals import InvalidInput

Item = TypeVar("Item")
Row = TypeVar("Row")


@strawberry.type(description="Whether there is more, and where to go on.")
class PageInfo:
    has_next_page: bool = strawberry.field(description="Whether there are nodes after this page.")
    has_previous_page: bool = strawberry.field(description="Whether there are nodes before this page.")
    start_cursor: str | None = strawberry.field(description="Cursor of the first node here.")
    end_cursor: str | None = strawberry.field(description="Cursor of the last node here: give it as `after` to go on.")


@strawberry.type(description="A node and where it stands.")
class Edge(Generic[Item]):
    cursor: str = strawberry.field(description="Where this node stands: an opaque text for `after` and `before`.")
    node: Item = strawberry.field(description="What stands here.")


@strawberry.type(description="A page of nodes.")
class Connection(Generic[Item]):
    nodes: list[Item] = strawberry.field(description="The nodes of this page.")
    page_info: PageInfo = strawberry.field(description="Whether there is more.")
    cursors: strawberry.Private[Callable[[], list[str]]]

    @strawberry.field(description="The nodes of this page with their cursors.")
    def edges(self) -> list[Edge[Item]]:
        return [Edge(cursor=cursor, node=node) for cursor, node in zip(self.cursors(), self.nodes, strict=True)]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What part of the list `of` is wanted: `limit` nodes after one key or before another, counted from that side."""

    of: str
    limit: int
    after: str | None
    before: str | None
    backward: bool

    @property
    def fetch(self) -> int:
        """How many rows to read: one more than wanted."""
        return self.limit + 1

    @property
    def older_than(self) -> EntryIndex | None:
        """In a list by entry index, or by number, the newest first: what the page lies below. None: begin with the newest."""
        key = index_key(self.after)
        return None if key is None else EntryIndex(key)

    @property
    def newer_than(self) -> EntryIndex | None:
        """In such a list, what a page that is read backward lies above: from the end, above nothing."""
        if not self.backward:
            return None
        key = index_key(self.before)
        return EntryIndex(-1 if key is None else key)


def wanted(
    info: Info, of: str, *, first: int | None, after: str | None, last: int | None, before: str | None
) -> Wanted:
    """The part that these arguments ask for. Refuses what Relay leaves undefined: both directions in one question."""
    backward = last is not None or (before is not None and first is None)
    if (first is not None and last is not None) or (after is not None and before is not None):
        raise InvalidInput(
            "`first` and `after` go forward, `last` and `before` backward. Use one pair of them.", field="first"
        )
    if (backward and after is not None) or (not backward and before is not None):
        raise InvalidInput("`first` goes with `after`, `last` with `before`. Change one of them.", field="first")
    limit = last if backward else first
    if limit is None:
        limit = min(PAGE_SIZE_DEFAULT, info.context.record.settings.page_size_max)
    page_size(info, limit, field="last" if backward else "first")
    return Wanted(of, limit, _opened(of, after, field="after"), _opened(of, before, field="before"), backward)


def page_size(info: Info, asked: int, *, field: str = "first") -> int:
    """How many nodes are asked for, within what one page may hold."""
    most = info.context.record.settings.page_size_max
    if not 0 <= asked <= most:
        raise InvalidInput(
            f"A page of {asked} is out of range. Ask for 0 to {most} and follow the cursors.", field=field
        )
    return asked


def index_key(cursor: str | None) -> int | None:
    """The entry index in an opened cursor."""
    if cursor is None:
        return None
    if not cursor.isascii() or not cursor.isdecimal() or len(cursor) > 16:
        raise _foreign("after")
    return int(cursor)


def connect(
    rows: Sequence[Row],
    want: Wanted,
    *,
    key: Callable[[Row], object],
    node: Callable[[Row], Item],
    reached: object = None,
) -> Connection[Item]:
    """The connection over `rows`, which were read in the list's order with `want.fetch` as the limit.

    `reached` is the key up to which was read when that was neither enough nor all: there is more to read from there on, so the
    page may be shorter than asked for, and even empty, and is not the last.
    """
    more = len(rows) > want.limit
    unread = reached is not None and not more
    shown = rows
    if more:
        shown = rows[len(rows) - want.limit :] if want.backward else rows[: want.limit]
    start = _sealed(want.of, key(shown[0])) if shown else None
    end = _sealed(want.of, key(shown[-1])) if shown else None
    if unread:
        start, end = (_sealed(want.of, reached), end) if want.backward else (start, _sealed(want.of, reached))
    return Connection(
        nodes=[node(row) for row in shown],
        cursors=lambda: [_sealed(want.of, key(row)) for row in shown],
        page_info=PageInfo(
            has_next_page=want.before is not None if want.backward else more or unread,
            has_previous_page=more or unread if want.backward else want.after is not None,
            start_cursor=start,
            end_cursor=end,
        ),
    )


def _sealed(of: str, key: object) -> str:
    return base64.urlsafe_b64encode(f"{of}:{key}".encode()).decode().rstrip("=")


def _opened(of: str, cursor: str | None, *, field: str) -> str | None:
    if cursor is None:
        return None
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        kind, _, key = base64.b64decode(padded, altchars=b"-_", validate=True).decode().partition(":")
    except (UnicodeError, binascii.Error):
        raise _foreign(field) from None
    if kind != of or not key.isprintable():
        raise _foreign(field)
    return key


def _foreign(field: str) -> InvalidInput:
    return InvalidInput(
        "This cursor is not one that this server gave. Use a cursor from a page of the same list.", field=field
    )
