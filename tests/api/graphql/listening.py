"""Listening to subscriptions, over a WebSocket and over server-sent events."""

import asyncio
import json
from collections.abc import AsyncGenerator
from typing import Any

import websockets
from websockets.asyncio.client import connect

from tests.api.graphql.house import Client

PATIENCE_SECONDS = 30
PROTOCOL = websockets.Subprotocol("graphql-transport-ws")
WAYS = ("websocket", "events")


async def listen(way: str, client: Client, query: str, **variables: Any) -> AsyncGenerator[dict[str, Any], None]:
    """Each result, as {"data": ..., "errors": ...}, until the server completes the subscription."""
    asked = {"query": query, "variables": variables}
    heard = _over_a_websocket(client, asked) if way == "websocket" else _over_events(client, asked)
    try:
        async for result in heard:
            yield result
    finally:
        await heard.aclose()


async def _over_a_websocket(client: Client, asked: dict[str, Any]) -> AsyncGenerator[dict[str, Any], None]:
    url = client.served.url.replace("http://", "ws://").rstrip("/") + "/graphql"
    async with connect(url, subprotocols=[PROTOCOL], max_queue=None) as connection:
        await connection.send(
            json.dumps({"type": "connection_init", "payload": {"authorization": client.authorization}})
        )
        await connection.send(json.dumps({"id": "1", "type": "subscribe", "payload": asked}))
        while True:
            message = json.loads(await asyncio.wait_for(connection.recv(), PATIENCE_SECONDS))
            if message["type"] == "next":
                yield message["payload"]
            elif message["type"] == "error":
                yield {"data": None, "errors": message["payload"]}
                return
            elif message["type"] == "complete":
                return


async def _over_events(client: Client, asked: dict[str, Any]) -> AsyncGenerator[dict[str, Any], None]:
    headers = {**client.headers, "accept": "text/event-stream"}
    async with client.served.client.stream("POST", "/graphql", json=asked, headers=headers) as response:
        assert response.status_code == 200, await response.aread()
        async for line in response.aiter_lines():
            if line.startswith("data:") and (said := line.removeprefix("data:").strip()):
                yield json.loads(said)
