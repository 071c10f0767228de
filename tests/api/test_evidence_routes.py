"""Evidence going in over HTTP: whole or not at all, by whom, and what is wrong leaves nothing behind."""

import asyncio
import hashlib
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest

import api.evidence
from api.evidence import ROUTES
from record.access import service as access
from record.access.rules import Grant, Role
from record.ids import Digest
from record.settings import Settings
from record.vault import content_key
from tests.api.evidence import (
    DATA,
    DIGEST,
    MIB,
    URL,
    acme,
    get,
    in_vault,
    put,
    raw_upload,
    recorded,
    served,
)
from tests.api.serving import Organization, Served, make_settings, serving

__all__ = ["acme", "make_settings", "served"]


async def test_what_is_put_comes_out(served: Served, acme: Organization) -> None:
    stored = await put(served, acme, headers={"content-type": "text/plain; charset=utf-8"})
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
    refused = await put(served, acme, headers={"content-type": "<script>"})

    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "INVALID_INPUT")


async def test_encoded_content_is_refused_because_its_digest_would_be_another(
    served: Served, acme: Organization
) -> None:
    refused = await put(served, acme, headers={"content-encoding": "gzip"})

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
