"""What all routes share: one shape for refusals, reading a bounded body, negotiating a media type.

{"error": {"code": "NOT_FOUND", "message": "There is no such archive. Check the id."}}
"""

import asyncio
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

import orjson
from starlette.responses import Response
from starlette.types import Message, Receive, Scope

from api.identity import CHALLENGE
from record.refusals import InvalidInput, Refusal, TooLarge, Unauthenticated

JSON: Final = "application/json; charset=utf-8"


class ClientGone(Exception):  # noqa: N818 (nobody is left to be told)
    """The client closed the connection before its request was whole."""


def error_response(code: str, message: str, status: int, headers: Mapping[str, str] | None = None) -> Response:
    """The one shape in which routes say no."""
    body = orjson.dumps({"error": {"code": code, "message": message}})
    return Response(body, status, headers, media_type=JSON)


def refusal_response(refusal: Refusal) -> Response:
    """A refusal over HTTP."""
    return error_response(refusal.code, refusal.message, refusal.http_status, refusal_headers(refusal))


def refusal_headers(refusal: Refusal) -> dict[str, str]:
    """What a refusal says in headers: how to authenticate, or when to come again."""
    if isinstance(refusal, Unauthenticated):
        return dict(CHALLENGE)
    return {"retry-after": "1"} if refusal.http_status == 503 else {}


def headers_of(scope: Scope) -> dict[bytes, bytes]:
    """Headers by lower-case name; of one that is given twice the last counts."""
    return dict(scope["headers"])


async def read_body(
    receive: Receive, *, bytes_max: int, content_length: bytes | None = None, seconds_max: float = 30.0
) -> bytes:
    """The whole body; refuses before it is all here when it is too long, and when it comes too slowly."""
    if content_length is not None and content_length.isdigit() and int(content_length) > bytes_max:
        raise _too_large(bytes_max)
    message = await receive()
    body = _part(message)
    if not message.get("more_body", False) and len(body) <= bytes_max:
        return body
    parts, size = [body], len(body)
    try:
        async with asyncio.timeout(seconds_max):
            while message.get("more_body", False):
                if size > bytes_max:
                    raise _too_large(bytes_max)
                message = await receive()
                parts.append(_part(message))
                size += len(parts[-1])
    except TimeoutError:
        raise InvalidInput(f"The request was not whole after {seconds_max:g} seconds. Send it again.") from None
    if size > bytes_max:
        raise _too_large(bytes_max)
    return b"".join(parts)


def _part(message: Message) -> bytes:
    if message["type"] == "http.disconnect":
        raise ClientGone
    body: bytes = message.get("body", b"")
    return body


def _too_large(bytes_max: int) -> TooLarge:
    return TooLarge(f"This request is longer than {bytes_max} bytes. Ask for less at a time.")


@lru_cache(maxsize=256)
def negotiated(accept: str, offers: Sequence[str]) -> str | None:
    """The offer that an `Accept` header likes best; the first for none at all; None when it accepts none of them."""
    if not accept.strip():
        return offers[0]
    best: tuple[float, int, float] | None = None
    chosen = None
    for place, part in enumerate(accept.split(",")):
        media, quality = _media_range(part)
        if quality <= 0:
            continue
        for number, offer in enumerate(offers):
            if media in (offer, "*/*", offer.split("/")[0] + "/*"):
                rank = (quality, -media.count("*"), -place - number / 100)
                if best is None or rank > best:
                    best, chosen = rank, offer
                break
    return chosen


def _media_range(part: str) -> tuple[str, float]:
    media, *parameters = (piece.strip().lower() for piece in part.split(";"))
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name == "q":
            try:
                return media, float(value)
            except ValueError:
                return media, 0.0
    return media, 1.0


def address_of(scope: Mapping[str, Any]) -> str:
    """Where a request comes from: the address of the connection, or what a proxy that may be believed says of it."""
    client = scope.get("client")
    return str(client[0]) if client else "unknown"


def request_id_of(scope: Mapping[str, Any]) -> str:
    """The number under which this request is found in the logs."""
    return str(scope.get("state", {}).get("request_id", "none"))
