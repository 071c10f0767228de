"""Evidence coming out over HTTP: byte for byte or in ranges, and as nothing that a browser runs."""

import hashlib
import os

import pytest

from tests.api.evidence import (
    DATA,
    DIGEST,
    MIB,
    URL,
    acme,
    get,
    put,
    served,
)
from tests.api.serving import Organization, Served, make_settings

__all__ = ["acme", "make_settings", "served"]


async def test_evidence_comes_as_an_attachment_that_no_browser_runs(served: Served, acme: Organization) -> None:
    await put(served, acme, headers={"content-type": "text/html"})

    found = await get(served, acme, f"{URL}?name=report.html")

    assert found.headers["content-disposition"] == 'attachment; filename="report.html"'
    assert found.headers["content-security-policy"] == "sandbox; default-src 'none'"
    assert found.headers.get_list("x-content-type-options") == ["nosniff"]
    assert found.headers["cache-control"] == "private, no-cache"
    assert found.headers["etag"] == f'"{DIGEST}"'


@pytest.mark.parametrize(
    ("name", "disposition"),
    [
        ("größe.txt", "attachment; filename=\"groe.txt\"; filename*=UTF-8''gr%C3%B6%C3%9Fe.txt"),
        (
            'a"; filename="b.exe',
            "attachment; filename=\"a__ filename__b.exe\"; filename*=UTF-8''a_%3B%20filename%3D_b.exe",
        ),
        ("../../x\r\nSet-Cookie: a", 'attachment; filename=".._.._x__Set-Cookie_ a"'),
    ],
)
async def test_a_name_that_is_asked_for_cannot_say_more_than_a_name(
    served: Served, acme: Organization, name: str, disposition: str
) -> None:
    await put(served, acme)

    found = await served.client.get(URL, params={"name": name}, headers=acme.headers)

    assert found.headers["content-disposition"] == disposition
    assert "set-cookie" not in found.headers


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [("bytes=0-99", 0, 100), ("bytes=100-", 100, len(DATA)), ("bytes=-5", len(DATA) - 5, len(DATA)),
     ("bytes=5-999999999", 5, len(DATA)), ("bytes=-999999999", 0, len(DATA)), ("BYTES=0-0", 0, 1)],
)  # fmt: skip
async def test_a_range_is_answered_with_that_part(
    served: Served, acme: Organization, asked: str, start: int, end: int
) -> None:
    await put(served, acme)

    found = await get(served, acme, range=asked)

    assert (found.status_code, found.content) == (206, DATA[start:end])
    assert found.headers["content-range"] == f"bytes {start}-{end - 1}/{len(DATA)}"


@pytest.mark.parametrize("asked", [f"bytes={len(DATA)}-", "bytes=-0", "bytes=999999-1000000"])
async def test_a_range_behind_the_end_is_416(served: Served, acme: Organization, asked: str) -> None:
    await put(served, acme)

    found = await get(served, acme, range=asked)

    assert (found.status_code, found.content) == (416, b"")
    assert found.headers["content-range"] == f"bytes */{len(DATA)}"


@pytest.mark.parametrize("asked", ["bytes=1-2,4-5", "lines=1-2", "bytes=x-", "bytes=9-1", "bytes=-", "bytes=1-2 3"])
async def test_a_range_that_is_none_is_as_if_it_were_not_there(served: Served, acme: Organization, asked: str) -> None:
    await put(served, acme)

    found = await get(served, acme, range=asked)

    assert (found.status_code, found.content) == (200, DATA)


async def test_a_range_holds_only_if_the_bytes_are_still_the_same(served: Served, acme: Organization) -> None:
    await put(served, acme)

    same = await get(served, acme, range="bytes=1-2", if_range=f'"{DIGEST}"')
    other = await get(served, acme, range="bytes=1-2", if_range='"something else"')
    date = await get(served, acme, range="bytes=1-2", if_range="Sun, 22 Nov 2026 00:00:00 GMT")

    assert [found.status_code for found in (same, other, date)] == [206, 200, 200]


async def test_who_has_it_already_gets_no_bytes(served: Served, acme: Organization) -> None:
    await put(served, acme)

    known = await get(served, acme, if_none_match=f'"other", W/"{DIGEST}"')
    unknown = await get(served, acme, if_none_match='"other"')

    assert (known.status_code, known.content, known.headers["etag"]) == (304, b"", f'"{DIGEST}"')
    assert unknown.status_code == 200


async def test_head_says_what_get_would(served: Served, acme: Organization) -> None:
    await put(served, acme)

    head = await served.client.head(URL, headers=acme.headers)

    assert (head.status_code, head.headers["content-length"], head.content) == (200, str(len(DATA)), b"")


async def test_empty_evidence_is_evidence(served: Served, acme: Organization) -> None:
    url = f"/evidence/sha256:{hashlib.sha256(b'').hexdigest()}"

    stored = await put(served, acme, b"", url=url)
    found = await get(served, acme, url)

    assert (stored.status_code, found.status_code, found.content) == (201, 200, b"")


async def test_large_evidence_streams_through(served: Served, acme: Organization) -> None:
    data = os.urandom(20 * MIB + 3)
    url = f"/evidence/sha256:{hashlib.sha256(data).hexdigest()}"

    stored = await put(served, acme, data, url=url)
    part = await get(served, acme, url, range=f"bytes={19 * MIB}-")

    assert (stored.status_code, part.content) == (201, data[19 * MIB :])
