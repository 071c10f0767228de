"""Signing in by a personal key, and signing out.

    GET  /                  the first organization that one is signed in to, or the way in
    GET  /sign-in           a field for a key
    POST /sign-in           a session; a second organization joins the session that is there
    POST /sign-out          the session ends everywhere

The key travels once, in a form, and is kept nowhere. A wrong one is answered in the words of the API, and no quicker or slower for
being known, expired or revoked.
"""

from typing import Final
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from api.console import cookies, forms, headers, rendering
from api.console.serving import SIGN_IN, html
from api.console.visitors import seats_of
from record.record import Record
from record.refusals import InvalidInput, Refusal, Unauthenticated
from record.sessions import service

_STALE: Final = "This form is from another session, or from another site. Reload the page and send it again."


async def home(request: Request) -> Response:
    """Where a visitor without an address goes."""
    seats = await seats_of(request)
    where = f"/o/{quote(seats[0].organization, safe='')}/" if seats else SIGN_IN
    return RedirectResponse(where, 303, headers=headers.PAGE)


async def ask(request: Request) -> Response:
    """The form."""
    return await _form(request, None, 200)


async def sign_in(request: Request) -> Response:
    """Begins a session, or takes one more organization into it."""
    record: Record = request.app.state.record
    wanted = ""
    try:
        form = await forms.form_of(request)
        wanted = forms.said(form, "next")
        known = cookies.secret_in(request, "session") or cookies.secret_in(request, "form")
        if not cookies.is_ours(request, known, forms.said(form, "token")):
            return await _form(request, _STALE, 403, wanted=wanted)
        secret, caller = await service.begin(
            record, forms.said(form, "key").strip(), before=cookies.secret_in(request, "session")
        )
    except Refusal as refusal:
        return await _form(request, refusal.message, refusal.http_status, wanted=wanted)
    where = wanted if _is_of(wanted, caller.organization) else f"/o/{quote(caller.organization, safe='')}/"
    response = RedirectResponse(where, 303, headers=headers.PAGE)
    cookies.give(request, response, "session", secret, seconds=round(record.settings.session_hours * 3600))
    cookies.take(request, response, "form")
    return response


async def sign_out(request: Request) -> Response:
    """Ends the session in every organization."""
    secret = cookies.secret_in(request, "session")
    try:
        form = await forms.form_of(request)
    except InvalidInput as refusal:
        return await _form(request, refusal.message, refusal.http_status)
    if secret is not None and not cookies.is_ours(request, secret, forms.said(form, "token")):
        return await _form(request, _STALE, 403)
    if secret is not None:
        await service.end(request.app.state.record, secret)
    response = RedirectResponse(SIGN_IN, 303, headers=headers.PAGE)
    cookies.take(request, response, "session")
    return response


ROUTES: Final = [
    Route("/", home, methods=["GET"]),
    Route(SIGN_IN, ask, methods=["GET"]),
    Route(SIGN_IN, sign_in, methods=["POST"]),
    Route("/sign-out", sign_out, methods=["POST"]),
]


async def _form(request: Request, refused: str | None, status: int, *, wanted: str = "") -> Response:
    """The sign-in page, which leads on to `wanted`, or where its own address says.

    A visitor without any secret is given one, so that the form can prove where it came from.
    """
    secret = cookies.secret_in(request, "session") or cookies.secret_in(request, "form")
    fresh = cookies.new_secret() if secret is None else None
    try:
        seats = await seats_of(request)
    except Refusal as refusal:
        seats, refused, status = [], refusal.message, refusal.http_status
    context = {
        "title": "Sign in",
        "refused": refused,
        "seats": seats,
        "next": wanted or request.query_params.get("next", ""),
        "form_token": cookies.form_token(secret or fresh or ""),
    }
    response = html(rendering.render("sign_in.html", context), 403 if status == Unauthenticated.http_status else status)
    if fresh is not None:
        cookies.give(request, response, "form", fresh, seconds=None)
    return response


def _is_of(path: str, organization: str) -> bool:
    """Whether this is an address of ours, in the organization that was signed in to."""
    base = f"/o/{quote(organization, safe='')}"
    plain = path.isascii() and path.isprintable() and "\\" not in path and ".." not in path.partition("?")[0]
    return plain and (path == base or path.startswith((base + "/", base + "?")))
