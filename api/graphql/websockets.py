"""GraphQL over a WebSocket: Strawberry's graphql-transport-ws, with our recognition, limits and masking.

Browsers cannot set headers on a WebSocket, so the key may come in the first message instead: `connection_init` with the payload
`{"authorization": "Bearer mun_..."}`. Each operation is recognised anew and has a context of its own, pinned when it begins.
"""

from contextlib import aclosing
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from graphql import GraphQLError
from starlette.websockets import WebSocket
from strawberry.exceptions import ConnectionRejectionError
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import BaseGraphQLTransportWSHandler, Operation

from api.graphql import errors
from api.graphql.asking import Asking, as_error
from api.graphql.questions import InvalidDocument
from api.identity import Identity
from record.refusals import Refusal

INIT_WITHIN: Final = timedelta(seconds=10)


def allowed_origins(public_url: str | None) -> tuple[str, ...]:
    """Which pages on other hosts may connect: those of the public URL."""
    if public_url is None:
        return ()
    parts = urlsplit(public_url)
    return (f"{parts.scheme}://{parts.netloc}",)


class Socket:
    """What is known of one connection. Strawberry puts the payload of `connection_init` into `connection_params`."""

    def __init__(self, socket: WebSocket, request_id: str, address: str) -> None:
        self.connection_params: dict[str, object] | None = None
        self.address = address
        self.request_id = request_id
        self.authorization = socket.headers.get("authorization", "")

    async def authenticate(self, identity: Identity) -> dict[str, object] | None:
        """Refuses the connection unless a key came with it."""
        said = (self.connection_params or {}).get("authorization")
        if isinstance(said, str):
            self.authorization = said
        try:
            await identity.recognise(self.authorization)
        except Refusal as refusal:
            raise ConnectionRejectionError from refusal
        return None


class TransportHandler(BaseGraphQLTransportWSHandler[Any, None]):
    """Runs the operations of one connection."""

    async def run_operation(self, operation: Operation[Any, None]) -> None:
        """Answers one operation until it is complete, or says why not; the connection lives on."""
        try:
            await self._run(operation)
        except InvalidDocument as invalid:
            await operation.send_initial_errors(invalid.errors)
        except Refusal as refusal:
            await operation.send_initial_errors([as_error(refusal)])
        except Exception as error:  # noqa: BLE001 (whatever it is, the client is told)
            unexpected = GraphQLError("unexpected", original_error=error)
            await operation.send_initial_errors(errors.shown([unexpected], request_id=self.context.request_id))

    async def _run(self, operation: Operation[Any, None]) -> None:
        asking: Asking = self.view.asking  # type: ignore[attr-defined]  # ours is the only view that hands itself to us
        socket: Socket = self.context
        question, chosen = asking.read(
            {"query": operation.query, "variables": operation.variables, "operationName": operation.operation_name}
        )
        recognised = await asking.identity.recognise(socket.authorization)
        context = asking.context(
            chosen, recognised, lambda: asking.identity.recognise(socket.authorization), socket.request_id
        )
        async with aclosing(asking.results(question, chosen, context, address=socket.address)) as coming:
            async for result in coming:
                if result is not None:
                    await operation.send_next(result)
        await operation.send_operation_message({"id": operation.id, "type": "complete"})
