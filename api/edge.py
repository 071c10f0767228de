"""The outermost layer of the API: every request gets an id, every answer the headers that keep browsers out of trouble.

It also catches what nobody else did: such a fault is logged whole under the request's id, and the client gets the id.
"""

import re
import time
from collections.abc import Iterable, Mapping
from typing import Final

import orjson
import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.metrics import Metrics
from record.ids import uuid7
from record.logs import REQUEST_ID

log = structlog.get_logger(__name__)

_GIVEN_ID: Final = re.compile(rb"[A-Za-z0-9._-]{8,64}")
ALWAYS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
UNLESS_SAID: Final = (
    (
        b"content-security-policy",
        b"default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox",
    ),
    (b"cache-control", b"no-store"),
)


class Edge:
    """Wraps the whole application. Requests to the paths in `direct` take no detour through its routes and exception handlers."""

    def __init__(self, app: ASGIApp, metrics: Metrics, direct: Mapping[str, ASGIApp]) -> None:
        self._app = app
        self._metrics = metrics
        self._direct = direct

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(scope)
        scope.setdefault("state", {})["request_id"] = request_id
        REQUEST_ID.set(request_id)
        if scope["type"] == "websocket":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        status = 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = _completed(message.get("headers", ()), request_id)
            await send(message)

        try:
            await self._direct.get(scope["path"], self._app)(scope, receive, sending)
        except Exception as error:
            log.error("a request failed", path=scope["path"], method=scope["method"], exc_info=error)
            if status == 0:
                await _fail(sending, request_id)
            else:
                raise
        finally:
            self._metrics.note(scope["path"], scope["method"], status or 499, time.perf_counter() - began)


def _request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _GIVEN_ID.fullmatch(value):
            given: bytes = value
            return given.decode()
    return uuid7().hex


def _completed(headers: Iterable[tuple[bytes, bytes]], request_id: str) -> list[tuple[bytes, bytes]]:
    completed = list(headers)
    said = {name for name, _ in completed}
    completed += ALWAYS
    completed += [pair for pair in UNLESS_SAID if pair[0] not in said]
    completed.append((b"x-request-id", request_id.encode()))
    return completed


async def _fail(send: Send, request_id: str) -> None:
    body = orjson.dumps(
        {
            "error": {
                "code": "INTERNAL",
                "message": f"Something went wrong here, and it is not your fault. Report it with the number {request_id}.",
            }
        }
    )
    headers = [
        (b"content-type", b"application/json; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
    ]
    await send({"type": "http.response.start", "status": 500, "headers": headers})
    await send({"type": "http.response.body", "body": body})
