"""What a form sends in, what a mutation takes out.

A form is read whole, bounded, and only as `application/x-www-form-urlencoded`; it must carry the visitor's token. Every form has a
number of its own (`once`), which becomes the idempotency key: pressing a button twice records once.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import zip_longest
from typing import Any, Final, TypeAlias
from urllib.parse import parse_qsl

from starlette.requests import Request

from api.console.page import instant_from
from api.requests import headers_of, read_body
from record.ids import uuid7
from record.refusals import InvalidInput

FORM_BYTES_MAX: Final = 400_000
FIELDS_MAX: Final = 500
_FORM: Final = "application/x-www-form-urlencoded"

Form: TypeAlias = Mapping[str, Sequence[str]]
Reader: TypeAlias = Callable[[Form], Any]
"""Reads what a mutation's input wants out of a form; None leaves it out."""


async def form_of(request: Request) -> Form:
    """The form's fields, each with all its values."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != _FORM:
        raise InvalidInput(f"A form is sent as {_FORM}. Use the forms of the console.")
    headers = headers_of(request.scope)
    body = await read_body(
        request.receive, bytes_max=FORM_BYTES_MAX, content_length=headers.get(b"content-length"), seconds_max=20.0
    )
    found: dict[str, list[str]] = {}
    try:
        for name, value in parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=FIELDS_MAX, errors="strict"):
            found.setdefault(name, []).append(value.replace("\r\n", "\n"))
    except ValueError:
        raise InvalidInput(
            "This form cannot be read: it has too many fields, or is not UTF-8. Send it again."
        ) from None
    return found


def once() -> str:
    """A number for a form."""
    return str(uuid7())


def said(form: Form, name: str) -> str:
    """What was written in a field; for showing it again."""
    return form.get(name, [""])[0]


def text(name: str) -> Reader:
    """A text that has to be there, without the blanks around it."""
    return lambda form: said(form, name).strip()


def document(name: str) -> Reader:
    """A text as it was written, but for line ends."""
    return lambda form: said(form, name)


def optional(name: str) -> Reader:
    """A text, left out when it is empty."""
    return lambda form: said(form, name).strip() or None


def instant(name: str) -> Reader:
    """An instant from a browser's field, left out when it is empty."""
    return lambda form: instant_from(said(form, name)) if said(form, name).strip() else None


def number(name: str) -> Reader:
    """A whole number, left out when the field is empty."""

    def read(form: Form) -> int | None:
        written = said(form, name).strip()
        if not written:
            return None
        if not (written.isascii() and written.isdecimal() and len(written) <= 9):
            raise InvalidInput(f"{written[:40]!r} is not a whole number. Write {name} in digits.", field=name)
        return int(written)

    return read


def flag(name: str) -> Reader:
    """A box that is ticked or not."""
    return lambda form: name in form and said(form, name) not in ("", "false")


def names(name: str) -> Reader:
    """Names with commas between them, left out when there are none."""
    return lambda form: [part.strip() for part in said(form, name).split(",") if part.strip()] or None


def some(name: str) -> Reader:
    """Names with commas between them; none is said by an empty list."""
    return lambda form: names(name)(form) or []


def requirements(form: Form) -> list[dict[str, Any]]:
    """What a control asks for: rows of attestations (name, type, flows), approvals, and policies that are ticked.

    Rows that are empty are left out, so all empty takes the mapping back.
    """
    found: list[dict[str, Any]] = []
    for name, kind, flows in attestation_rows(form):
        if name or kind or flows:
            asked = {"name": name, "type": kind, "flows": [each.strip() for each in flows.split(",") if each.strip()]}
            found.append({"attestation": {key: value for key, value in asked.items() if value}})
    least = number("least")(form)
    if least:
        found.append({"approval": {"least": least, "notAuthor": flag("notAuthor")(form)}})
    return found + [{"policy": each} for each in form.get("policy", ()) if each.strip()]


def controls(name: str) -> Reader:
    """Controls, one a line: the id, a blank, the title. `# ...` names the section of those below; a line that begins with a blank
    says what the control above it asks for. Empty lines are left out."""

    def read(form: Form) -> list[dict[str, str]]:
        found: list[dict[str, str]] = []
        section = ""
        for number, line in enumerate(said(form, name).split("\n"), start=1):
            written = line.strip()
            if written.startswith("#"):
                section = written.lstrip("#").strip()
            elif written and line[0].isspace():
                if not found:
                    raise InvalidInput(
                        f"Line {number} begins with a blank, so it says what the control above it asks for, and there is none. "
                        "Begin it with the id of a control.",
                        field=name,
                    )
                before = found[-1].get("statement", "")
                found[-1]["statement"] = f"{before}\n{written}".strip()
            elif written:
                found.append(_control(number, written, name) | ({"section": section} if section else {}))
        return found

    return read


def _control(number: int, written: str, field: str) -> dict[str, str]:
    identity, *title = written.split(maxsplit=1)
    if not title:
        raise InvalidInput(
            f"Line {number}, {identity[:40]!r}, is an id without a title. Write what the control is about behind it.",
            field=field,
        )
    return {"control": identity, "title": title[0]}


def attestation_rows(form: Form) -> list[tuple[str, str, str]]:
    """The rows of attestations as they were written: name, type, flows."""
    columns = [form.get(name, ()) for name in ("attestation", "type", "flows")]
    return [(name.strip(), kind.strip(), flows.strip()) for name, kind, flows in zip_longest(*columns, fillvalue="")]


def grants(form: Form) -> list[dict[str, Any]] | None:
    """Roles that are ticked, each narrowed to the flows and environments that are named beside them; None when none is ticked."""
    narrowed: dict[str, Any] = {}
    for name in ("flows", "environments"):
        found = names(name)(form)
        if found:
            narrowed[name] = found
    return [{"role": role, **narrowed} for role in form.get("role", ())] or None
