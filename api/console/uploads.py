"""Forms that carry a file: `multipart/form-data` in; its fields and the file out, and the file's bytes into the vault as evidence.

Browsers send a file in no other way without scripts. The whole form lies in memory, bounded; what is larger goes through the API,
which streams. A file is stored before its mutation runs, because mutations name digests: if that is refused, the bytes stay.
"""

import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final

from python_multipart import multipart
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header
from starlette.requests import Request

from api.console.forms import FIELDS_MAX, Form
from api.console.visitors import Visitor
from api.recognising import decided_again
from api.requests import headers_of, read_body
from record.access.rules import Action
from record.evidence import service
from record.ids import Digest
from record.record import Record
from record.refusals import InvalidInput, TooLarge

BYTES_MAX: Final = 16 * 2**20
"""The largest form with a file. NIST SP 800-53 as an OSCAL catalogue has 10 MB."""
_UNREADABLE: Final = "This form cannot be read: its parts are not what a browser sends. Send it again."


@dataclass(frozen=True, slots=True)
class File:
    """A file as a form brought it. `data` is empty when none was chosen."""

    name: str
    data: bytes


async def form_with_file(request: Request) -> tuple[Form, dict[str, File]]:
    """The form's fields, each with all its values, and its files by field."""
    boundary = _boundary(request.headers.get("content-type", ""))
    length = headers_of(request.scope).get(b"content-length")
    try:
        body = await read_body(request.receive, bytes_max=BYTES_MAX, content_length=length, seconds_max=120.0)
    except TooLarge:
        raise TooLarge(
            f"This form is larger than {BYTES_MAX // 2**20} MiB. Upload the file with PUT /evidence/sha256:<digest> and name its "
            "digest in the mutation, which has no such bound."
        ) from None
    return _parts(body, boundary)


def _boundary(content_type: str) -> bytes:
    kind, options = parse_options_header(content_type)
    if kind != b"multipart/form-data" or not options.get(b"boundary"):
        raise InvalidInput("A form with a file is sent as multipart/form-data. Use the forms of the console.")
    return options[b"boundary"]


def _parts(body: bytes, boundary: bytes) -> tuple[Form, dict[str, File]]:
    fields: dict[str, list[str]] = {}
    files: dict[str, File] = {}
    ended = []

    def field(found: multipart.Field) -> None:
        if sum(map(len, fields.values())) == FIELDS_MAX:
            raise InvalidInput(_UNREADABLE)
        fields.setdefault(_text(found.field_name), []).append(_text(found.value).replace("\r\n", "\n"))

    def file(found: multipart.File) -> None:
        name = _text(found.file_name).rpartition("/")[2].rpartition("\\")[2]
        found.file_object.seek(0)
        files[_text(found.field_name)] = File(name, found.file_object.read())

    limits = {"MAX_MEMORY_FILE_SIZE": BYTES_MAX}
    try:
        parser = multipart.FormParser(
            "multipart/form-data", field, file, lambda: ended.append(True), boundary=boundary, config=limits
        )
        parser.write(body)
    except FormParserError:
        raise InvalidInput(_UNREADABLE) from None
    if not ended:
        raise InvalidInput(_UNREADABLE)
    return fields, files


def _text(data: bytes | None) -> str:
    try:
        return (data or b"").decode()
    except UnicodeDecodeError:
        raise InvalidInput("What was written in this form is not UTF-8. Write it again.") from None


async def stored(request: Request, visitor: Visitor, data: bytes, media_type: str) -> Digest:
    """Puts the bytes into the vault with the visitor's rights, as an upload through the API would."""
    record: Record = request.app.state.record
    digest = Digest(hashlib.sha256(data).hexdigest())

    async def attempt(again: bool) -> Digest:
        caller = (await visitor.again()).caller if again else visitor.caller
        caller.require(Action.WRITE)
        await service.store(
            record, caller, _whole(data), expected=digest, expected_size=len(data), media_type=media_type
        )
        return digest

    return await decided_again(attempt)


async def _whole(data: bytes) -> AsyncIterator[bytes]:
    yield data


async def catalogue(request: Request, visitor: Visitor, form: Form, files: dict[str, File]) -> dict[str, Any]:
    """A catalogue that was chosen as a file or pasted as a text: its digest and name, as `importControls` takes them."""
    file = files.get("catalogue", File("", b""))
    pasted = form.get("text", [""])[0].strip().encode()
    if bool(file.data) == bool(pasted):
        raise InvalidInput(
            "Choose a file or paste its text, and not both; nothing was recorded."
            if pasted
            else "There is no catalogue in this form; nothing was recorded. Choose a file, or paste its text.",
            field="catalogue",
        )
    digest = await stored(request, visitor, file.data or pasted, "application/json")
    return {"digest": digest, "fileName": file.name[:255] if file.data and file.name else "catalog.json"}
