"""Forms with a file as browsers send them, and as nobody should."""

import asyncio
from typing import Any

import pytest
from starlette.requests import Request

from api.console.uploads import BYTES_MAX, File, form_with_file
from record.refusals import InvalidInput, Refusal, TooLarge

BOUNDARY = "----WebKitFormBoundaryAbC123"
FIELD = b'Content-Disposition: form-data; name="framework"\r\n\r\nsoc2'
FILE = (
    b'Content-Disposition: form-data; name="catalogue"; filename="C:\\\\own\\\\\xc3\xa4.json"\r\nContent-Type: application/json'
    b'\r\n\r\n{"catalog":\r\n\r\n"--x"}\r\n'
)


def body_of(*parts: bytes, end: bytes = b"--\r\n") -> bytes:
    line = b"--" + BOUNDARY.encode()
    return b"".join(line + b"\r\n" + part + b"\r\n" for part in parts) + line + end


def read(body: bytes, content_type: str = f"multipart/form-data; boundary={BOUNDARY}") -> Any:
    sent = [{"type": "http.request", "body": body[:50], "more_body": True}, {"type": "http.request", "body": body[50:]}]

    async def receive() -> Any:
        return sent.pop(0)

    scope = {"type": "http", "method": "POST", "headers": [(b"content-type", content_type.encode())]}
    return asyncio.run(form_with_file(Request(scope, receive)))


def test_fields_and_files_come_out_as_they_went_in() -> None:
    fields, files = read(body_of(FIELD, FILE, FIELD.replace(b"soc2", b"two\r\nlines")))

    assert fields == {"framework": ["soc2", "two\nlines"]}
    assert files == {"catalogue": File("\u00e4.json", b'{"catalog":\r\n\r\n"--x"}\r\n')}


def test_a_file_that_was_not_chosen_is_empty() -> None:
    _, files = read(body_of(b'Content-Disposition: form-data; name="catalogue"; filename=""\r\n\r\n'))

    assert files["catalogue"] == File("", b"")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"nothing of the kind",
        body_of(FIELD, end=b"\r\n"),
        body_of(b"no header at all"),
        body_of(b"Content-Disposition: form-data\r\n\r\nnameless"),
        body_of(FIELD.replace(b"soc2", b"\xff")),
        body_of(*[FIELD] * 600),
        b"before" + body_of(FIELD),
    ],
    ids=["empty", "text", "unended", "headless", "nameless", "latin", "crowd", "preamble"],
)
def test_what_no_browser_sends_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidInput):
        read(body)


@pytest.mark.parametrize("content_type", ["text/plain", "multipart/form-data", "multipart/form-data; boundary=\u00e4"])
def test_what_is_no_form_with_a_file_is_refused(content_type: str) -> None:
    with pytest.raises(Refusal):
        read(body_of(FIELD), content_type)


def test_a_file_that_is_too_large_is_told_another_way() -> None:
    with pytest.raises(TooLarge, match="PUT /evidence"):
        read(body_of(FILE + b"x" * BYTES_MAX))
