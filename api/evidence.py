"""Evidence over HTTP: bytes in, named by their digest; bytes out, as they came in.

    PUT  /evidence/sha256:<hex>   store these bytes; refused, and nothing stored, if they have another digest
    POST /evidence                store bytes whose digest the caller does not know
    GET  /evidence/sha256:<hex>   the bytes, or a range of them; `?name=` says what to call the file

Uploads stream into the vault as they arrive and never lie in memory whole. Whatever can be refused without the bytes is refused
before they are read, so that `Expect: 100-continue` saves sending them. An upload that breaks off has stored and recorded nothing.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

import orjson
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from api import downloads
from api.downloads import Item
from api.identity import identify
from api.recognising import decided_again
from api.requests import JSON, ClientGone
from record.access.rules import Action
from record.evidence import service
from record.evidence.queries import Evidence
from record.ids import Digest, checked_digest
from record.ledger.append import AccessChanged
from record.record import Record
from record.refusals import InvalidInput, Unavailable
from record.vault import content_key

IDLE_SECONDS_MAX: Final = 60.0
"""How long an upload may stand still."""


async def put(request: Request) -> Response:
    """Stores evidence under the digest that the caller names."""
    digest = checked_digest(request.path_params["digest"])
    return await _store(request, digest)


async def post(request: Request) -> Response:
    """Stores evidence; the answer says which digest it has."""
    return await _store(request, None)


async def get(request: Request) -> Response:
    """The bytes of this digest, if the caller may read them."""
    digest = checked_digest(request.path_params["digest"])
    record: Record = request.app.state.record
    caller = await identify(request)
    evidence = await service.readable(record, caller, digest)
    item = Item(
        key=evidence.key,
        version_id=evidence.version_id,
        size=evidence.size,
        digest=evidence.digest,
        name=request.query_params.get("name") or f"sha256-{digest}",
        media_type=evidence.media_type,
    )
    return await downloads.answer(request, record.vault, item)


ROUTES: Final = [
    Route("/evidence", post, methods=["POST"]),
    Route("/evidence/sha256:{digest}", put, methods=["PUT"]),
    Route("/evidence/sha256:{digest}", get, methods=["GET"]),
]


async def _store(request: Request, digest: Digest | None) -> Response:
    record: Record = request.app.state.record
    caller = await identify(request)
    caller.require_somewhere(Action.WRITE)
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise InvalidInput(
            "Evidence is stored as it arrives, so its digest must be that of what is sent. Send it without Content-Encoding."
        )
    length = request.headers.get("content-length", "")
    size = int(length) if length.isdigit() else None
    media_type = request.headers.get("content-type")
    try:
        evidence, is_new = await service.store(
            record, caller, _arriving(request), expected=digest, expected_size=size, media_type=media_type
        )
    except AccessChanged:
        if digest is None:
            raise Unavailable(
                "Who may do what in this organization changed while this was uploaded. Send it again; with PUT and its digest it "
                "would not have to be."
            ) from None
        evidence, is_new = await _record_again(request, record, digest, media_type)
    return Response(_answer(evidence), 201 if is_new else 200, media_type=JSON)


async def _record_again(
    request: Request, record: Record, digest: Digest, media_type: str | None
) -> tuple[Evidence, bool]:
    """The bytes are in the vault, but who may do what changed before the entry: recognise the caller anew and go on from there."""

    async def attempt(_: bool) -> tuple[Evidence, bool]:
        caller = await identify(request)
        stored = record.vault.read(content_key(digest), version_id=None)
        return await service.store(record, caller, stored, expected=digest, expected_size=None, media_type=media_type)

    return await decided_again(attempt)


async def _arriving(request: Request) -> AsyncIterator[bytes]:
    """The body as it comes in. Ends with an exception when the client goes away or falls silent: then nothing is stored."""
    chunks = request.stream()
    try:
        while True:
            async with asyncio.timeout(IDLE_SECONDS_MAX):
                chunk = await anext(chunks, None)
            if chunk is None:
                return
            if chunk:
                yield chunk
    except ClientDisconnect as gone:
        raise ClientGone from gone
    except TimeoutError:
        raise InvalidInput(
            f"No byte arrived for {IDLE_SECONDS_MAX:g} seconds; nothing was stored. Send it again."
        ) from None


def _answer(evidence: Evidence) -> bytes:
    return orjson.dumps(
        {
            "digest": evidence.digest,
            "size": evidence.size,
            "mediaType": evidence.media_type,
            "entry": evidence.entry_index,
        }
    )
