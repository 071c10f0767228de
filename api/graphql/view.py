"""The endpoint: bytes in, bytes out, and as little in between as the question allows.

A question that was answered before at the same size is answered from memory: read the body, recognise the caller and the head (one
round trip that all waiting requests share), look up, send. That path makes no request object and runs no GraphQL. Everything
else is read strictly, measured, executed against the pinned moment, and perhaps kept.

Over HTTP only POST of `application/json` is served, so no browser can be made to ask across sites by a link or a form, and
nothing is written by GET. One operation for each request: no batches, no multipart uploads (evidence has its own route).
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import strawberry
from graphql import GraphQLError, OperationType
from starlette.types import Receive, Scope, Send
from strawberry.asgi import GraphQL
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL

from api.graphql import ide, json, websockets
from api.graphql.answers import Answer, Answers, answer_of
from api.graphql.asking import Again, Asking, as_error
from api.graphql.documents import Operation
from api.graphql.questions import InvalidDocument, Question
from api.graphql.streams import event_stream
from api.identity import Identity, Recognised
from api.requests import ClientGone, address_of, headers_of, negotiated, read_body, refusal_headers, request_id_of
from api.wakes import Wakes
from record.access.rules import Action
from record.record import Record
from record.refusals import InvalidInput, Refusal, TooLarge, Unauthenticated

JSON: Final = "application/json"
GRAPHQL_JSON: Final = "application/graphql-response+json"
EVENTS: Final = "text/event-stream"
LARGE_FIELD: Final = "reportSnapshot"
"""Whoever reports ten thousand members sends megabytes; nobody else has reason to."""
OFFERS: Final = (JSON, GRAPHQL_JSON, EVENTS)


class _NotServed(Exception):  # noqa: N818 (an answer, not a fault)
    """HTTP itself forbids it: the method, the content type, or what is accepted."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


@dataclass(frozen=True, slots=True)
class Passing:
    """An answer that is not kept: it has errors, it was a write, or it shows more than the record. `size`: the ledger's then."""

    body: dict[str, Any]
    size: int


class View(GraphQL[Any, None]):
    """GraphQL over HTTP, server-sent events and graphql-transport-ws, for one record and one schema."""

    graphql_transport_ws_handler_class = websockets.TransportHandler

    def __init__(
        self, schema: strawberry.Schema, *, record: Record, identity: Identity, wakes: Wakes, stopping: asyncio.Event
    ) -> None:
        settings = record.settings
        super().__init__(
            schema,
            graphql_ide=None,
            allow_queries_via_get=False,
            subscription_protocols=(GRAPHQL_TRANSPORT_WS_PROTOCOL,),
            connection_init_wait_timeout=websockets.INIT_WITHIN,
            max_subscriptions_per_connection=settings.subscriptions_per_key_max,
            allowed_origins=websockets.allowed_origins(settings.public_url),
        )
        self.asking = Asking(schema, record=record, identity=identity, wakes=wakes, stopping=stopping)
        self.answers = Answers(settings.answer_cache_bytes)
        self._settings = settings
        self._identity = identity
        self._clock = record.clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await super().__call__(scope, receive, send)
            return
        headers = headers_of(scope)
        media = JSON
        try:
            if scope["method"] != "POST":
                await self._not_post(scope, headers, send)
                return
            media = _media(headers)
            _check_content_type(headers)
            await self._post(scope, receive, send, headers, media)
        except _NotServed as no:
            more = {"allow": "POST"} if no.status == 405 else {}
            await self._say_no(send, media, no.status, [GraphQLError(no.message)], more)
        except InvalidDocument as invalid:
            await self._say_no(send, media, 400 if media == GRAPHQL_JSON else 200, invalid.errors, {})
        except Refusal as refusal:
            await self._say_no(send, media, refusal.http_status, [as_error(refusal)], refusal_headers(refusal))
        except ClientGone:
            return

    async def _post(
        self, scope: Scope, receive: Receive, send: Send, headers: Mapping[bytes, bytes], media: str
    ) -> None:
        if b"authorization" not in headers:
            raise Unauthenticated("This needs an API key. Send it as `Authorization: Bearer mun_...`.")
        authorization, length = headers[b"authorization"].decode("latin-1"), headers.get(b"content-length")
        body = await read_body(
            receive,
            bytes_max=await self._bytes_max(authorization, length),
            content_length=length,
            seconds_max=self._settings.graphql_timeout_seconds,
        )
        recognised = await self._identity.recognise(authorization)

        def again() -> Awaitable[Recognised]:
            return self._identity.recognise(authorization)

        if media == EVENTS:
            question, operation = self._read(json.decode(body), len(body))
            context = self.asking.context(operation, recognised, again, request_id_of(scope))
            results = self.asking.results(question, operation, context, address=address_of(scope))
            await event_stream(results)(scope, receive, send)
            return
        asked = hashlib.sha256(media.encode() + body).digest()
        answer: Answer | Passing | None = self.answers.find(
            recognised.sight, recognised.head.size, asked, now=self._clock.now()
        )
        if answer is None:
            request_id = request_id_of(scope)
            read = self._read(json.decode(body), len(body))
            answer = await self.outcome(read, asked, recognised, again, request_id, media=media)
        if isinstance(answer, Answer):
            await _send_answer(send, answer, headers.get(b"if-none-match"))
            return
        seen_at = (b"muniment-ledger-size", str(answer.size).encode())
        await _send(send, 200, media, json.encode(answer.body), [(b"cache-control", b"no-store"), seen_at])

    async def _bytes_max(self, authorization: str, length: bytes | None) -> int:
        """How long this body may be. One that is announced as longer than most is read only from whoever may report snapshots."""
        most = self._settings.graphql_body_bytes_max
        if length is None or not length.isdigit() or int(length) <= most:
            return most
        recognised = await self._identity.recognise(authorization)
        if not recognised.caller.may_somewhere(Action.SNAPSHOT):
            return most
        return max(most, self._settings.snapshot_body_bytes_max)

    def _read(self, payload: object, bytes_count: int) -> tuple[Question, Operation]:
        """What is asked, unless it was sent at a length that only reports of snapshots may have."""
        question, operation = self.asking.read(payload)
        most = self._settings.graphql_body_bytes_max
        if bytes_count > most and operation.only_field != LARGE_FIELD:
            raise TooLarge(
                f"This request is longer than {most} bytes, and only one that asks for {LARGE_FIELD} alone may be. "
                "Ask for less at a time."
            )
        return question, operation

    async def outcome(
        self,
        read: tuple[Question, Operation],
        asked: bytes,
        recognised: Recognised,
        again: Again,
        request_id: str,
        *,
        media: str = JSON,
    ) -> "Answer | Passing":
        """Asks the schema. A whole answer to a question is kept under `asked`; anything else is only given back."""
        question, operation = read
        if operation.kind is OperationType.SUBSCRIPTION:
            raise InvalidInput(
                f"A subscription is not answered once. Accept {EVENTS}, or use a WebSocket with graphql-transport-ws."
            )
        context = self.asking.context(operation, recognised, again, request_id)
        result = await self.asking.execute(question, operation, context)
        if result.errors and result.data is None and all(error.path is None for error in result.errors):
            raise InvalidDocument(result.errors)
        if result.errors or operation.kind is not OperationType.QUERY or context.volatile:
            said: dict[str, Any] = {"data": result.data}
            if result.errors:
                said["errors"] = self._formatted(result.errors)
            return Passing(said, context.head.size)
        size = context.pinned_size if context.is_pinned else recognised.head.size
        body = json.encode({"data": result.data})
        answer = answer_of(body, media_type=media, size=size, holds_until=context.holds_until)
        self.answers.keep(recognised.sight, None if context.is_pinned else recognised.head.size, asked, answer)
        return answer

    async def _not_post(self, scope: Scope, headers: Mapping[bytes, bytes], send: Send) -> None:
        looked_at = scope["method"] in ("GET", "HEAD") and b"text/html" in headers.get(b"accept", b"")
        if not (self._settings.graphql_ide and looked_at):
            raise _NotServed(405, f"Questions are asked by POST, with {JSON}. Nothing else is served here.")
        await ide.send_page(send)

    async def _say_no(
        self, send: Send, media: str, status: int, said: Iterable[GraphQLError], headers: Mapping[str, str]
    ) -> None:
        written = [(b"cache-control", b"no-store")]
        written += [(name.encode(), value.encode()) for name, value in headers.items()]
        body = json.encode({"errors": self._formatted(said)})
        await _send(send, status, JSON if media == EVENTS else media, body, written)

    def _formatted(self, said: Iterable[GraphQLError]) -> list[dict[str, Any]]:
        formatted = [dict(error.formatted) for error in said]
        if not self._settings.graphql_introspection:
            for error in formatted:
                error["message"] = str(error["message"]).partition(" Did you mean ")[0]
        return formatted

    # --- what Strawberry's WebSocket code asks of its view

    def decode_json(self, data: str | bytes) -> object:
        return json.decode_message(data)

    def encode_json(self, data: object) -> str:
        return json.encode(data).decode()

    async def get_context(self, request: Any, response: Any) -> websockets.Socket:
        return websockets.Socket(request, request_id_of(request.scope), address_of(request.scope))

    async def on_ws_connect(self, context: websockets.Socket) -> dict[str, object] | None:
        return await context.authenticate(self._identity)


def _media(headers: Mapping[bytes, bytes]) -> str:
    media = negotiated(headers.get(b"accept", b"").decode("latin-1"), OFFERS)
    if media is None:
        raise _NotServed(406, f"Nothing that you accept can be sent. Accept {JSON} or {EVENTS}.")
    return media


def _check_content_type(headers: Mapping[bytes, bytes]) -> None:
    said = headers.get(b"content-type", b"")
    if said == b"application/json":
        return
    kind, _, parameters = said.decode("latin-1").lower().partition(";")
    charset = parameters.replace('"', "").replace(" ", "").partition("charset=")[2].partition(";")[0]
    if kind.strip() != JSON or charset not in ("", "utf-8", "utf8"):
        raise _NotServed(415, f"Send the request as {JSON} in UTF-8, and say so in Content-Type.")


async def _send(send: Send, status: int, media: str, body: bytes, headers: Iterable[tuple[bytes, bytes]]) -> None:
    head = [
        (b"content-type", f"{media}; charset=utf-8".encode()),
        (b"content-length", str(len(body)).encode()),
        *headers,
    ]
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body", "body": body})


async def _send_answer(send: Send, answer: Answer, if_none_match: bytes | None) -> None:
    if if_none_match is not None and (answer.etag in if_none_match or if_none_match.strip() == b"*"):
        headers = [pair for pair in answer.headers if not pair[0].startswith(b"content-")]
        await send({"type": "http.response.start", "status": 304, "headers": headers})
        await send({"type": "http.response.body", "body": b""})
        return
    await send({"type": "http.response.start", "status": 200, "headers": list(answer.headers)})
    await send({"type": "http.response.body", "body": answer.body})
