"""Evidence over HTTP: what goes in comes out, byte for byte or in ranges, and what is wrong leaves nothing behind."""

import asyncio
import hashlib
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

import api.evidence
from api.evidence import ROUTES
from embedded import processes
from embedded.directory import free_port
from embedded.processes import Api
from embedded.servers import Stack
from record.access import service as access
from record.access.rules import Grant, Role
from record.evidence import queries
from record.evidence.queries import Evidence
from record.ids import Digest
from record.moment import Moment
from record.settings import Settings
from record.vault import content_key
from tests.api.serving import Organization, Served, make_settings, serving
from tests.pausing import paused

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
    served: Served, acme: Organization, data: bytes = DATA, *, url: str = URL, **headers: str
) -> httpx.Response:
    return await served.client.put(url, content=data, headers={**acme.headers, **headers})


async def get(served: Served, acme: Organization, url: str = URL, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await served.client.get(url, headers={**acme.headers, **named})


async def recorded(served: Served, acme: Organization, digest: str = DIGEST) -> Evidence | None:
    moment = Moment.latest(acme.operator.org_id, served.record.clock.now())
    async with served.record.database.connection(acme.operator.org_id) as connection:
        return (await queries.by_digests(connection, moment, [Digest(digest)]))[0]


async def in_vault(served: Served, digest: str = DIGEST) -> bool:
    return await served.record.vault.stat(content_key(Digest(digest)), None) is not None


# --- going in


async def test_what_is_put_comes_out(served: Served, acme: Organization) -> None:
    stored = await put(served, acme, **{"content-type": "text/plain; charset=utf-8"})
    found = await get(served, acme)

    assert stored.status_code == 201
    evidence = await recorded(served, acme)
    assert evidence is not None
    assert stored.json() == {
        "digest": DIGEST,
        "size": len(DATA),
        "mediaType": "text/plain",
        "entry": evidence.entry_index,
    }
    assert (found.status_code, found.content) == (200, DATA)


async def test_the_same_bytes_again_are_known_already(served: Served, acme: Organization) -> None:
    first, second = await put(served, acme), await put(served, acme)

    assert (first.status_code, second.status_code) == (201, 200)
    assert second.json() == first.json()


async def test_who_does_not_know_the_digest_is_told(served: Served, acme: Organization) -> None:
    first = await served.client.post("/evidence", content=DATA, headers=acme.headers)
    second = await served.client.post("/evidence", content=DATA, headers=acme.headers)

    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json()["digest"] == DIGEST


async def test_a_stream_of_unknown_length_is_taken(served: Served, acme: Organization) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(DATA), 1000):
            yield DATA[start : start + 1000]

    stored = await served.client.put(URL, content=chunks(), headers=acme.headers)

    assert stored.status_code == 201


async def test_other_bytes_than_were_named_leave_nothing(served: Served, acme: Organization) -> None:
    refused = await put(served, acme, DATA + b"!")

    assert refused.status_code == 422
    assert refused.json()["error"]["code"] == "WRONG_DIGEST"
    assert f"not {DIGEST}; nothing was stored" in refused.json()["error"]["message"]
    assert await recorded(served, acme) is None
    assert not await in_vault(served)


@pytest.mark.parametrize(
    "url", ["/evidence/sha256:abc", f"/evidence/sha256:{DIGEST.upper()}", "/evidence/sha256:" + "g" * 64]
)
async def test_a_digest_that_is_none_is_refused(served: Served, acme: Organization, url: str) -> None:
    refused = await put(served, acme, url=url)

    assert refused.status_code == 400
    assert "is not a SHA-256 fingerprint" in refused.json()["error"]["message"]


async def test_a_media_type_that_is_none_is_refused(served: Served, acme: Organization) -> None:
    refused = await put(served, acme, **{"content-type": "<script>"})

    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "INVALID_INPUT")


async def test_encoded_content_is_refused_because_its_digest_would_be_another(
    served: Served, acme: Organization
) -> None:
    refused = await put(served, acme, **{"content-encoding": "gzip"})

    assert refused.status_code == 400
    assert "Send it without Content-Encoding" in refused.json()["error"]["message"]


async def test_without_a_key_nothing_goes_in_or_out(served: Served, acme: Organization) -> None:
    assert (await served.client.put(URL, content=DATA)).status_code == 401
    assert (await served.client.get(URL)).status_code == 401
    assert not await in_vault(served)


async def test_who_may_not_record_may_not_upload(served: Served, acme: Organization) -> None:
    reader = await key_for(served, acme, Role.READER)

    refused = await put(served, replace(acme, token=reader))

    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "NOT_ALLOWED")


async def key_for(served: Served, acme: Organization, role: Role) -> str:
    name = f"holder-of-{role.value}"
    added = await access.add_principal(
        served.record, acme.operator, name=name, kind="service_account", grants=[Grant(role)]
    )
    issued = await access.issue_key(
        served.record, acme.operator, principal_id=added.body["principal_id"], description=name
    )
    assert issued.token is not None
    return issued.token


async def test_evidence_of_another_organization_does_not_exist(served: Served, acme: Organization) -> None:
    globex = await served.organization("globex")
    await put(served, acme)

    found = await get(served, globex)
    nothing = await get(served, globex, f"/evidence/sha256:{'0' * 64}")

    assert (found.status_code, nothing.status_code) == (404, 404)
    assert found.json()["error"]["message"].replace(DIGEST, "0" * 64) == nothing.json()["error"]["message"]


async def test_an_upload_that_is_too_large_is_refused_before_it_is_sent(make_settings: Callable[..., Settings]) -> None:
    async with serving(make_settings(evidence_bytes_max=1000), routes=ROUTES) as served:
        acme = await served.organization()

        answer = await first_answer(served, acme, b"", length=1001)

    assert answer.startswith(b"HTTP/1.1 413 ")


async def test_whoever_expects_a_100_is_refused_without_sending_or_told_to_go_on(
    served: Served, acme: Organization
) -> None:
    refused = await first_answer(served, replace(acme, token="mun_nothing"), b"", expect=True)
    invited = await first_answer(served, acme, b"", expect=True)

    assert refused.startswith(b"HTTP/1.1 401 ")
    assert invited.startswith(b"HTTP/1.1 100 ")


async def first_answer(
    served: Served, acme: Organization, body: bytes, *, length: int = len(DATA), expect: bool = False
) -> bytes:
    """What the server says to an upload of which only `body` is ever sent."""
    reader, writer = await raw_upload(served.url, acme.token, length=length, expect=expect)
    writer.write(body)
    async with asyncio.timeout(10):
        answer = await reader.read(4096)
    writer.close()
    return answer


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


@pytest.mark.parametrize("size", [len(DATA), 9 * MIB])
async def test_an_upload_that_breaks_off_leaves_nothing(served: Served, acme: Organization, size: int) -> None:
    reader, writer = await raw_upload(served.url, acme.token, length=size + 1, expect=True)
    assert (await reader.readline()).startswith(b"HTTP/1.1 100 ")
    writer.write(DATA * (size // len(DATA)))
    await writer.drain()
    writer.close()

    async with asyncio.timeout(20):
        while 'status="499"' not in (await served.client.get("/metrics")).text:
            await asyncio.sleep(0.05)
    assert await unfinished(served) == 0
    assert await recorded(served, acme) is None
    assert not await in_vault(served)
    assert (await served.client.get("/healthz")).status_code == 200


async def unfinished(served: Served) -> int:
    """How many uploads of this evidence are neither complete nor aborted. (The vault's self-test makes others.)"""
    found = await served.record.vault._transport.unfinished_uploads()
    return sum(key == content_key(Digest(DIGEST)) for key, _, _ in found)


async def test_an_upload_that_falls_silent_is_refused(
    served: Served, acme: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api.evidence, "IDLE_SECONDS_MAX", 0.2)

    answer = await first_answer(served, acme, DATA[:10])

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"No byte arrived for 0.2 seconds" in answer


async def test_curl_uploads_a_file(served: Served, acme: Organization, tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed here")
    file = tmp_path / "evidence.bin"
    file.write_bytes(os.urandom(3 * MIB))
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    command = [
        "curl", "-sS", "-T", str(file), "-H", f"Authorization: Bearer {acme.token}", "-H", "Expect: 100-continue",
        "-w", "%{http_code}", "-o", "/dev/null", f"{served.url.rstrip('/')}/evidence/sha256:{digest}",
    ]  # fmt: skip

    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (0, "201"), done.stderr


async def test_whose_rights_changed_during_the_upload_is_recognised_anew(served: Served, acme: Organization) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield DATA[:100]
        await key_for(served, acme, Role.READER)
        yield DATA[100:]

    stored = await served.client.put(URL, content=chunks(), headers=acme.headers)

    assert stored.status_code == 201
    assert await recorded(served, acme) is not None


async def test_whose_key_was_revoked_during_the_upload_records_nothing(served: Served, acme: Organization) -> None:
    token = await key_for(served, acme, Role.WRITER)
    recognised = await served.app.state.identity.recognise(f"Bearer {token}")

    async def chunks() -> AsyncIterator[bytes]:
        yield DATA[:100]
        await access.revoke_key(served.record, acme.operator, key_id=recognised.caller.key_id, reason="leaked")
        yield DATA[100:]

    refused = await served.client.put(URL, content=chunks(), headers={"authorization": f"Bearer {token}"})

    assert refused.status_code == 401
    assert await recorded(served, acme) is None


# --- coming out


async def test_evidence_comes_as_an_attachment_that_no_browser_runs(served: Served, acme: Organization) -> None:
    await put(served, acme, **{"content-type": "text/html"})

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


# --- faults


async def test_without_the_object_store_an_upload_fails_clearly_and_the_api_stays_up(
    served: Served, acme: Organization, stack: Stack
) -> None:
    await asyncio.to_thread(stack.stop_seaweedfs)
    try:
        refused = await put(served, acme)
        alive = await served.client.get("/healthz")
        ready = await served.client.get("/readyz")
    finally:
        await asyncio.to_thread(stack.start_seaweedfs)

    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "UNAVAILABLE")
    assert "see whether the object store runs" in refused.json()["error"]["message"]
    assert (alive.status_code, ready.status_code) == (200, 503)
    assert await recorded(served, acme) is None
    assert (await put(served, acme)).status_code == 201


async def test_an_api_that_is_killed_between_vault_and_entry_has_recorded_nothing(
    served: Served, acme: Organization, stack: Stack
) -> None:
    settings = served.record.settings
    port = free_port()
    chosen = processes.settings(
        database_url=str(settings.database_url),
        redis_url=str(settings.redis_url),
        s3=replace(stack.s3, bucket=settings.s3_bucket),
        signing_key_file=settings.signing_key_file,
        http_port=port,
        log_origin=settings.log_origin,
    )
    doomed = await asyncio.to_thread(Api(stack.directory, chosen, name="doomed-api").__enter__)
    reader, writer = await raw_upload(doomed.url, acme.token, expect=True)
    # From the 100 on the API has asked PostgreSQL all that it asks before the bytes are in the vault.
    assert (await reader.readline()).startswith(b"HTTP/1.1 100 ")

    with paused(stack.postgres.pid):
        writer.write(DATA)
        async with asyncio.timeout(20):
            while not await in_vault(served):
                await asyncio.sleep(0.05)
        doomed.kill()
    writer.close()

    assert await recorded(served, acme) is None, "an entry was recorded although nobody was told"
    assert await in_vault(served), "the vault keeps what no entry names; scrubbing says so"
    assert (await put(served, acme)).status_code == 201
    assert (await get(served, acme)).content == DATA
