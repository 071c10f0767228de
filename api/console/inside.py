"""Questions asked in this process: a document and variables in, the answer's data out, through the door that everybody uses.

The same reading, limits, moment, errors and kept answers as `/graphql` has; only the bytes need not travel.
"""

import hashlib
from dataclasses import dataclass
from typing import Any

import orjson

from api.console.page import Document
from api.console.visitors import Visitor
from api.graphql.answers import Answer
from api.graphql.view import View
from record.record import Record


@dataclass(frozen=True, slots=True)
class Told:
    """What came back: data and errors as `/graphql` would have sent them, and the size of the ledger then."""

    document: Document
    variables: dict[str, Any]
    data: dict[str, Any] | None
    errors: list[dict[str, Any]]
    size: int
    etag: str | None
    """Of an answer that is kept, for as long as it holds; None when it shows more than the record."""


async def ask(
    view: View, record: Record, visitor: Visitor, document: Document, variables: dict[str, Any], *, request_id: str
) -> Told:
    """Asks with the visitor's rights. Raises refusals and `InvalidDocument` as the endpoint would answer them."""
    payload = {"query": document.text, "variables": variables}
    asked = hashlib.sha256(b"console" + orjson.dumps(payload, option=orjson.OPT_SORT_KEYS)).digest()
    recognised = visitor.recognised
    found: Any = view.answers.find(recognised.sight, recognised.head.size, asked, now=record.clock.now())
    if found is None:
        found = await view.outcome(view.asking.read(payload), asked, recognised, visitor.again, request_id)
    if isinstance(found, Answer):
        data = orjson.loads(found.body)["data"]
        return Told(document, variables, data, [], recognised.head.size, found.etag.decode())
    return Told(document, variables, found.body["data"], found.body.get("errors", []), found.size, None)
