"""From a request to a page: recognise the visitor, ask the page's documents, render; or say in a page why not.

    /o/<organization>/...            the page
    /o/<organization>/...?answer=json   the answer it was made from, as `/graphql` would give it

A page that is looked at as it stood keeps `at` and `size` in all its links. A part that reloads itself says what it was made from
(`muniment-seen`); while that is still the answer, it gets 204 and nothing is rendered.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlencode

import orjson
import structlog
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from api.console import headers, inside, previews, rendering
from api.console.catalogue import PAGES
from api.console.inside import Told
from api.console.page import Document, Page, moment_in
from api.console.rendering import Links, Query
from api.console.visitors import Visitor, visitor_of
from api.graphql.questions import InvalidDocument
from api.graphql.view import View
from api.requests import request_id_of
from record.record import Record
from record.refusals import InvalidInput, NotAllowed, NotFound, Refusal, Unauthenticated, Unavailable

log = structlog.get_logger(__name__)

SIGN_IN: Final = "/sign-in"
TRIED: Final = frozenset({"document", "against"})
"""Fields of a form that a page asks with, when it is shown again."""
ADDED: Final[Mapping[str, Callable[[Request, Visitor, dict[str, Any]], Awaitable[dict[str, Any]]]]] = {
    "evidence": previews.previewed,
}
"""What some pages show beside their answers: bytes, which GraphQL does not carry."""
_FAULTS: Final[Mapping[int, str]] = {
    400: "This cannot be shown",
    403: "This is not open to you",
    404: "There is no such thing here",
    409: "This could mean several things",
    413: "This is too much at a time",
    500: "Something went wrong here",
    503: "A part of the server does not answer",
}
_STATUS: Final = {
    kind.code: kind.http_status for kind in (NotAllowed, NotFound, Unavailable, InvalidInput, Unauthenticated)
} | {"INTERNAL": 500, "AMBIGUOUS": 409, "TOO_LARGE": 413}


class Fault(Exception):  # noqa: N818 (an answer, not a fault of ours)
    """The page cannot be shown. `message` says why and what to do."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


async def serve(request: Request, page: Page) -> Response:
    """The page at this address."""
    organization = request.path_params["organization"]
    try:
        visitor = await visitor_of(request, organization)
    except Unauthenticated:
        return to_sign_in(request)
    except Refusal as refusal:
        return _broken(refusal.http_status, refusal.message)
    try:
        return await shown(request, page, visitor)
    except Exception as error:
        number = request_id_of(request.scope)
        log.error("a page failed", page=page.name, request_id=number, exc_info=error)
        return fault_page(request, page, visitor, 500, f"It is not your fault. Report it with the number {number}.")


async def shown(
    request: Request,
    page: Page,
    visitor: Visitor,
    *,
    refused: Mapping[str, Any] | None = None,
    form: Mapping[str, Sequence[str]] | None = None,
    status: int = 200,
) -> Response:
    """The page for this visitor; after a refusal with its sentence, and with what was written into the form."""
    try:
        told = await _asked(request, page, visitor, form or {})
        if request.query_params.get("answer") == "json":
            return _as_json(told)
        seen = _digest(told)
        if seen is not None and request.headers.get("muniment-seen") == seen:
            return Response(status_code=204, headers=headers.PAGE)
        context = context_of(request, page, visitor)
        context |= _answers(page, told)
        if page.name in ADDED:
            context |= await ADDED[page.name](request, visitor, context)
        context |= {"seen": seen, "refused": refused, "form": form or {}}
    except Fault as fault:
        return fault_page(request, page, visitor, fault.status, fault.message)
    except Refusal as refusal:
        return fault_page(request, page, visitor, refusal.http_status, refusal.message)
    return html(rendering.render(page.template, context), status)


async def _asked(request: Request, page: Page, visitor: Visitor, form: Mapping[str, Sequence[str]]) -> list[Told]:
    view: View = request.app.state.view
    record: Record = request.app.state.record
    address = {name: value for name, value in request.path_params.items() if name != "organization"}
    written = {name: values[0] for name, values in form.items() if name in TRIED}

    async def ask(document: Document, answered: Mapping[str, Any] | None) -> Told:
        variables = page.variables(document, address | written, request.query_params, visitor.caller, answered)
        return await inside.ask(view, record, visitor, document, variables, request_id=request_id_of(request.scope))

    try:
        if page.follows is None:
            return list(await asyncio.gather(*[ask(document, None) for document in page.documents]))
        first = await ask(page.documents[0], None)
        if first.data is None:
            return [first]
        return [first, await ask(page.documents[1], first.data)]
    except InvalidDocument as invalid:
        raise Fault(400, invalid.errors[0].message) from None


def _answers(page: Page, told: Sequence[Told]) -> dict[str, Any]:
    """What the template shows, or why it cannot."""
    for each in told[:1] if page.follows is not None else told:
        if each.data is None:
            raise _fault_of(each.errors)
    first = told[0].data or {}
    record = first.get("record")
    subject = _found(record, page.subject)
    if page.subject is not None and subject is None and _found(record, page.otherwise) is None:
        said = [error for each in told for error in each.errors]
        raise _fault_of(said) if said else Fault(404, _nothing(page))
    return {
        "record": record,
        "answer": first,
        "also": (told[1].data or {"record": {}}) if len(told) > 1 else {},
        "told": told,
        "partial": [error["message"] for each in told for error in each.errors],
        "subject": subject,
    }


def _found(record: Any, path: str | None) -> Any:
    for name in path.split(".") if path else ():
        record = None if record is None else record.get(name)
    return record if path else None


def _fault_of(errors: Sequence[Mapping[str, Any]]) -> Fault:
    if not errors:
        return Fault(500, "There was no answer. Reload the page.")
    return Fault(_STATUS.get(errors[0].get("extensions", {}).get("code", ""), 400), errors[0]["message"])


def _nothing(page: Page) -> str:
    what = (page.subject or "thing").rpartition(".")[2]
    return (
        f"There is no such {what} in this organization, or none that you may read, at this moment of the record. "
        "Check the address, look at the record as it stands now, or search for it."
    )


def context_of(request: Request, page: Page | None, visitor: Visitor) -> dict[str, Any]:
    """What every template is given, whatever it shows."""
    address = {name: value for name, value in request.path_params.items() if name != "organization"}
    moment = moment_in(request.query_params)
    links = Links(visitor.caller.organization, moment, request.url.path, dict(request.query_params))
    if page is not None and set(rendering.names_in(page.path)) <= set(address):
        links.path = links.address(page, address)  # a refused form is answered at its own address, for its page
    return {
        "page": page,
        "visitor": visitor,
        "organization": visitor.caller.organization,
        "address": address,
        "query": Query(request.query_params),
        "moment": moment,
        "title": "" if page is None else rendering.title_of(page, address),
        "heading": "" if page is None else rendering.heading_of(page, address),
        "links": links,
        "to": links.to,
        "place": links.entry,
        "entry": links.entry_link,
        "form_token": visitor.form_token,
        "told": [],
        "record": None,
        "partial": [],
        "refused": None,
        "form": {},
        "seen": None,
    }


def fault_page(request: Request, page: Page | None, visitor: Visitor, status: int, message: str) -> Response:
    """Why a page cannot be shown, in a page."""
    context = context_of(request, page, visitor)
    title = _FAULTS.get(status, _FAULTS[400])
    context |= {"message": message, "status": status, "title": title, "heading": title}
    return html(rendering.render("fault.html", context), status)


def _broken(status: int, message: str) -> Response:
    """As `fault_page`, when it is not even known who asks."""
    context = {"title": _FAULTS.get(status, _FAULTS[400]), "message": message, "status": status}
    return html(rendering.render("closed.html", context), status)


def to_sign_in(request: Request) -> Response:
    """Sign in first, and come back here."""
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    if request.headers.get("hx-request") == "true":
        return Response(status_code=204, headers={**headers.PAGE, "hx-refresh": "true"})
    return RedirectResponse(f"{SIGN_IN}?{urlencode({'next': wanted})}", 303, headers=headers.PAGE)


def html(page: str, status: int = 200) -> Response:
    """A page as browsers are sent it."""
    return Response(page, status, headers=headers.PAGE, media_type="text/html; charset=utf-8")


def _as_json(told: Sequence[Told]) -> Response:
    said: dict[str, Any] = {
        each.document.name: {"data": each.data, **({"errors": each.errors} if each.errors else {})} for each in told
    }
    return Response(orjson.dumps(said), headers=headers.PAGE, media_type="application/json; charset=utf-8")


def _digest(told: Sequence[Told]) -> str | None:
    """What the page is made of; None when it shows more than the record, and so may change at any time."""
    etags = [each.etag for each in told]
    if any(etag is None for etag in etags):
        return None
    return hashlib.sha256("".join(etag or "" for etag in etags).encode()).hexdigest()[:32]


def _endpoint(page: Page) -> Any:
    async def endpoint(request: Request) -> Response:
        return await serve(request, page)

    return endpoint


ROUTES: Final = [Route("/o/{organization}" + page.path, _endpoint(page), methods=["GET"]) for page in PAGES]
