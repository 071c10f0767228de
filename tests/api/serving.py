"""The API on a real socket, as tests meet it."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import strawberry
from starlette.applications import Starlette
from starlette.routing import BaseRoute

from api.app import create_app
from api.server import Server, configuration
from embedded.seaweedfs import S3
from record.access import service
from record.access.rules import Caller
from record.clock import Clock
from record.record import Record, open_record
from record.settings import Settings
from tests.api.small_schema import SCHEMA
from tests.servers import TestDatabase


@pytest.fixture
def make_settings(
    database: TestDatabase, redis_url: str, vault_address: S3, signing_key_file: Path
) -> Callable[..., Settings]:
    """Settings over this test's own database, bucket and queue; keyword arguments change some."""

    def make(**others: Any) -> Settings:
        return Settings(
            **{
                "database_url": database.url,
                "redis_url": redis_url,
                "s3_endpoint": vault_address.endpoint,
                "s3_secure": vault_address.secure,
                "s3_bucket": vault_address.bucket,
                "s3_access_key_file": vault_address.access_key_file,
                "s3_secret_key_file": vault_address.secret_key_file,
                "signing_key_file": signing_key_file,
                "log_origin": "muniment.test",
                "http_port": 0,
                "shutdown_grace_seconds": 5,
                **others,
            }
        )

    return make


@dataclass(frozen=True, slots=True)
class Organization:
    """An organization and its first admin key."""

    operator: Caller
    token: str

    @property
    def headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.token}"}


class MovableClock:
    """Tells the machine's time, moved by what a test says."""

    def __init__(self) -> None:
        self.moved = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.moved


class Served:
    """The API on a socket, and the application behind it."""

    def __init__(self, app: Starlette, record: Record, client: httpx.AsyncClient) -> None:
        self.app = app
        self.record = record
        self.client = client
        self.url = str(client.base_url)

    async def organization(self, name: str = "acme") -> Organization:
        """A new organization."""
        operator, issued = await service.create_organization(self.record, name, admin="ada")
        assert issued.token is not None
        return Organization(operator, issued.token)

    async def ask(self, organization: Organization | None, query: str, **more: Any) -> httpx.Response:
        """Asks a question with this organization's first key."""
        headers = {**(organization.headers if organization else {}), **more.pop("headers", {})}
        return await self.client.post("/graphql", json={"query": query, **more}, headers=headers)


@asynccontextmanager
async def serving(
    settings: Settings,
    schema: strawberry.Schema = SCHEMA,
    routes: Sequence[BaseRoute] = (),
    clock: Clock | None = None,
    record: Record | None = None,
) -> AsyncIterator[Served]:
    """Serves an application on a free port until the block ends, over this record or one of its own."""
    record = record or open_record(settings, clock=clock)
    app = create_app(settings, record, schema=schema, routes=routes)
    listener = socket.create_server(("127.0.0.1", 0))
    server = Server(configuration(app, settings), app)
    running = asyncio.create_task(server._serve([listener]))
    while not server.started:
        assert not running.done(), "the server ended before it listened"
        await asyncio.sleep(0.01)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    # Connections are let go before the server closes them: on a busy machine a request may cross that.
    async with httpx.AsyncClient(base_url=url, timeout=20, limits=httpx.Limits(keepalive_expiry=1)) as client:
        try:
            yield Served(app, record, client)
        finally:
            server.handle_exit(15, None)
            await running
            await record.close()
