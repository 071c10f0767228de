"""Lists page by page, in pages as long as the server lets them be.

How many nodes a server gives at a time is its operator's choice, and how many a question may ask for depends on what is selected of
each. So the client asks for what it wants, asks for half as many when that is refused as too many, and goes on where a page ended.
"""

from __future__ import annotations

from muniment.commands import shared
from muniment.exits import Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from muniment.context import Context
    from muniment.documents import Query

    Connection = Callable[[dict[str, Any]], "dict[str, Any] | None"]
    """Where in the record the list is; None when what has it is not there."""

PAGE = 100
"""Most nodes that are asked for at a time."""


def of(*path: str) -> Connection:
    """The list at the end of this path of fields, where each field but the last may be null."""

    def found(record: dict[str, Any]) -> dict[str, Any] | None:
        there: dict[str, Any] | None = record
        for name in path:
            if there is None:
                return None
            there = there[name]
        return there

    return found


def limited(
    context: Context, question: Query, connection: Connection, *, missing: str = "", **asked: Any
) -> dict[str, Any]:
    """As many nodes as `--limit` says from `--after` on, as one page (`nodes`, `pageInfo`).

    Where what has the list is not there, the command is refused with the sentence `missing`.
    """
    most, size = context.number(shared.LIMIT), PAGE
    asked["after"] = context.text(shared.AFTER)
    nodes: list[Any] = []
    while True:
        record, size = _asked(context, question, asked, min(size, most - len(nodes)))
        page = connection(record)
        if page is None:
            raise Refused(missing, "NOT_FOUND")
        nodes += page["nodes"]
        if not page["pageInfo"]["hasNextPage"] or len(nodes) >= most:
            return {"nodes": nodes, "pageInfo": page["pageInfo"]}
        asked["after"] = page["pageInfo"]["endCursor"]


def whole(
    context: Context,
    question: Query,
    connection: Connection,
    *,
    more: Query,
    pinned: Callable[[dict[str, Any]], dict[str, Any]],
    **asked: Any,
) -> dict[str, Any]:
    """The record with all nodes of that list in it.

    `more` asks for the pages after the first, with what `pinned` makes of the first answer: so that all are of one moment.
    """
    first, size = _asked(context, question, asked, PAGE)
    found = page = connection(first)
    while found is not None and page is not None and page["pageInfo"]["hasNextPage"]:
        asked = {**asked, **pinned(first), "after": page["pageInfo"]["endCursor"]}
        record, size = _asked(context, more, asked, size)
        page = connection(record)
        found["nodes"] += page["nodes"] if page else []
    return first


def _asked(context: Context, question: Query, asked: dict[str, Any], wanted: int) -> tuple[dict[str, Any], int]:
    """The record, with a page of up to `wanted` nodes in it or of as many as the server gives at a time; how many that are."""
    try:
        return context.ask(question, {**asked, "first": wanted})["record"], wanted
    except Refused as refusal:
        too_many = refusal.refusal == "TOO_LARGE" or (refusal.refusal, refusal.field) == ("INVALID_INPUT", "first")
        if wanted <= 1 or not too_many:
            raise
    return _asked(context, question, asked, wanted // 2)
