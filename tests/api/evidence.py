"""Evidence as tests upload it and ask for it over HTTP."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Mapping

import httpx
import pytest_asyncio

from api.evidence import ROUTES
from record.evidence import queries
from record.evidence.queries import Evidence
from record.ids import Digest
from record.moment import Moment
from record.settings import Settings
from record.vault import content_key
from tests.api.serving import Organization, Served, make_settings, serving

__all__ = ["make_settings"]

DATA = bytes(range(256)) * 40
DIGEST = hashlib.sha256(DATA).hexdigest()
URL = f"/evidence/sha256:{DIGEST}"
MIB = 1 << 20


@pytest_asyncio.fixture
async def served(make_settings: Callable[..., Settings]) -> AsyncIterator[Served]:
    async with serving(make_settings(), routes=ROUTES) as running:
        yield running


@pytest_asyncio.fixture
async def acme(served: Served) -> Organization:
    return await served.organization()


async def put(
    served: Served, acme: Organization, data: bytes = DATA, *, url: str = URL, headers: Mapping[str, str] | None = None
) -> httpx.Response:
    return await served.client.put(url, content=data, headers={**acme.headers, **(headers or {})})


async def get(served: Served, acme: Organization, url: str = URL, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await served.client.get(url, headers={**acme.headers, **named})


async def recorded(served: Served, acme: Organization, digest: str = DIGEST) -> Evidence | None:
    moment = Moment.latest(acme.operator.org_id, served.record.clock.now())
    async with served.record.database.connection(acme.operator.org_id) as connection:
        return (await queries.by_digests(connection, moment, [Digest(digest)]))[0]


async def in_vault(served: Served, digest: str = DIGEST) -> bool:
    return await served.record.vault.stat(content_key(Digest(digest)), None) is not None


async def raw_upload(
    url: str, token: str, *, length: int = len(DATA), expect: bool = False
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, port = url.removeprefix("http://").rstrip("/").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    expecting = "Expect: 100-continue\r\n" if expect else ""
    writer.write(
        f"PUT {URL} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Length: {length}\r\n{expecting}\r\n".encode()
    )
    return reader, writer
