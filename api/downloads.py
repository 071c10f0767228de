"""Bytes out of the vault as HTTP answers: ranges, conditions, names, and headers under which a browser runs nothing.

What is served was made by strangers, so it is always an attachment, and a sandbox if somebody shows it all the same. It never
changes, so its digest is its ETag, and a download that broke off goes on where it stopped.

Rules kept here (RFC 9110, sections 13 and 14; RFC 6266):
 * If-None-Match is looked at first, then If-Range, then Range;
 * one range is answered with 206, one that lies behind the end with 416; several, or one in other units, as if none were asked;
 * If-Range holds only for the very ETag: a date never matches.
"""

import re
import unicodedata
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from record.archives.paths import safe
from record.ids import Digest
from record.vault import Vault

NAME_MAX: Final = 150
SANDBOX: Final = "sandbox; default-src 'none'"
_RANGE: Final = re.compile(r"bytes=\s*(\d{0,19})-(\d{0,19})\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Item:
    """One object of the vault, and how it is called by whoever takes it."""

    key: str
    version_id: str
    size: int
    digest: Digest
    name: str
    media_type: str

    @property
    def etag(self) -> str:
        return f'"{self.digest}"'


@dataclass(frozen=True, slots=True)
class Portion:
    """The part of an object that is asked for. `is_part` tells a range from the whole."""

    start: int
    length: int
    is_part: bool


def portion(headers: Headers, item: Item) -> Portion | None:
    """What is asked for; None when the range lies behind the end."""
    whole = Portion(0, item.size, is_part=False)
    asked = _RANGE.fullmatch(headers.get("range", ""))
    if asked is None or headers.get("if-range", item.etag).strip() != item.etag:
        return whole
    first, last = asked.groups()
    if not first and not last:
        return whole
    if not first:
        length = min(int(last), item.size)
        return Portion(item.size - length, length, is_part=True) if length else None
    start = int(first)
    if last and int(last) < start:
        return whole
    if start >= item.size:
        return None
    end = min(int(last), item.size - 1) if last else item.size - 1
    return Portion(start, end - start + 1, is_part=True)


def is_known(headers: Headers, item: Item) -> bool:
    """Whether the client has it already."""
    listed = headers.get("if-none-match")
    if listed is None:
        return False
    return any(each.strip().removeprefix("W/") in (item.etag, "*") for each in listed.split(","))


async def answer(request: Request, vault: Vault, item: Item) -> Response:
    """The bytes, or what HTTP says instead of them. Refuses, and sends nothing, when the vault cannot give the first of them."""
    headers = {
        "etag": item.etag,
        "accept-ranges": "bytes",
        "cache-control": "private, no-cache",
        "content-security-policy": SANDBOX,
        "content-disposition": disposition(item.name),
    }
    if is_known(request.headers, item):
        return Response(status_code=304, headers=headers)
    asked = portion(request.headers, item)
    if asked is None:
        return Response(status_code=416, headers={**headers, "content-range": f"bytes */{item.size}"})
    headers["content-length"] = str(asked.length)
    if asked.is_part:
        headers["content-range"] = f"bytes {asked.start}-{asked.start + asked.length - 1}/{item.size}"
    status = 206 if asked.is_part else 200
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers, media_type=item.media_type)
    chunks = vault.read(item.key, version_id=item.version_id, start=asked.start, length=asked.length)
    first = await anext(chunks, b"")
    return StreamingResponse(_with(first, chunks), status, headers, media_type=item.media_type)


def disposition(name: str) -> str:
    """An attachment under this name, as old and as new clients read it (RFC 6266, RFC 8187)."""
    kept = safe(name, NAME_MAX)
    plain = unicodedata.normalize("NFKD", kept).encode("ascii", "ignore").decode()
    plain = re.sub(r"[^A-Za-z0-9 ._@()+-]", "_", plain).strip() or "download"
    told = f'attachment; filename="{plain}"'
    return told if plain == kept else f"{told}; filename*=UTF-8''{quote(kept, safe='')}"


async def _with(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for chunk in rest:
        yield chunk
