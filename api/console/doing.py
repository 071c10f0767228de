"""From a form to a recorded entry: check that the form is ours, run the mutation with the visitor's rights, lead on.

A form without the visitor's token records nothing. What is refused is answered with the page that the form stood on, so nothing
that was written is lost.
"""

from collections.abc import Callable
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from api.console import cookies, forms, headers, inside, rendering, uploads
from api.console.actions import ACTIONS, Action
from api.console.catalogue import PAGES
from api.console.serving import context_of, fault_page, html, shown, to_sign_in
from api.console.visitors import Visitor, visitor_of
from api.graphql.questions import InvalidDocument
from api.requests import request_id_of
from record.access import rules as rights
from record.refusals import Refusal, Unauthenticated

_PAGES: Final = {page.name: page for page in PAGES}
_STALE: Final = (
    "This form is from another session or another site; nothing was recorded. Open the page anew, and send it again."
)


async def do(request: Request, action: Action) -> Response:
    """Records what the form says, or shows why not."""
    page = _PAGES[action.page]
    try:
        visitor = await visitor_of(request, request.path_params["organization"])
    except Unauthenticated:
        return to_sign_in(request)
    files: dict[str, uploads.File] = {}
    try:
        if action.brings is None:
            form = await forms.form_of(request)
        else:
            visitor.caller.require(rights.Action.WRITE)  # before its bytes are taken in
            form, files = await uploads.form_with_file(request)
        if not cookies.is_ours(request, visitor.secret, forms.said(form, "token")):
            return fault_page(request, page, visitor, 403, _STALE)
    except Refusal as refusal:
        return fault_page(request, page, visitor, refusal.http_status, refusal.message)
    address = {name: value for name, value in request.path_params.items() if name != "organization"}
    try:
        given = action.input_of(form, address)
        if action.brings is not None:
            given |= await action.brings(request, visitor, form, files)
        answer = await _recorded(request, action, visitor, given)
    except Refusal as refusal:
        answer = {"code": refusal.code, "message": refusal.message, "field": getattr(refusal, "field", None)}
    if "message" in answer:
        field = answer.get("field") or answer["code"]
        refused = {"action": action.name, "message": answer["message"], "field": field}
        return await shown(request, page, visitor, refused=refused, form=form, status=422)
    return _led_on(request, action, visitor, answer, address)


async def _recorded(request: Request, action: Action, visitor: Visitor, given: dict[str, Any]) -> dict[str, Any]:
    state = request.app.state
    try:
        told = await inside.ask(
            state.view,
            state.record,
            visitor,
            action.document,
            {"input": given},
            request_id=request_id_of(request.scope),
        )
    except InvalidDocument as invalid:
        return {"code": "INVALID_INPUT", "message": invalid.errors[0].message}
    if told.data is None or told.data.get("answer") is None:
        return {"code": "REFUSED", "message": told.errors[0]["message"] if told.errors else "Nothing was recorded."}
    answer: dict[str, Any] = told.data["answer"]
    return answer


def _led_on(
    request: Request, action: Action, visitor: Visitor, answer: dict[str, Any], address: dict[str, str]
) -> Response:
    context = context_of(request, _PAGES[action.page], visitor)
    if action.shows is not None:
        return html(
            rendering.render(action.shows, context | {"issued": answer, "title": "Shown once", "heading": "Shown once"})
        )
    if action.leads_to is None:
        name, given = action.page, {key: address[key] for key in rendering.names_in(_PAGES[action.page].path)}
    else:
        name, given = action.leads_to(answer, address)
    context["links"].moment = {}
    where = context["links"].to(name, **given, recorded=answer["receipt"]["index"])
    anchor = f"#{action.anchor}" if action.anchor else ""
    return RedirectResponse(where + anchor, 303, headers=headers.PAGE)


def _endpoint(action: Action) -> Callable[[Request], Any]:
    async def endpoint(request: Request) -> Response:
        return await do(request, action)

    return endpoint


async def try_policy(request: Request) -> Response:
    """The page of a policy with what a draft of it would say. Records nothing; it is a form because drafts are long."""
    page = _PAGES["policy"]
    try:
        visitor = await visitor_of(request, request.path_params["organization"])
    except Unauthenticated:
        return to_sign_in(request)
    try:
        form = await forms.form_of(request)
    except Refusal as refusal:
        return fault_page(request, page, visitor, refusal.http_status, refusal.message)
    if not cookies.is_ours(request, visitor.secret, forms.said(form, "token")):
        return fault_page(request, page, visitor, 403, _STALE)
    return await shown(request, page, visitor, form=form)


ROUTES: Final = [
    *[Route("/o/{organization}" + each.path, _endpoint(each), methods=["POST"]) for each in ACTIONS],
    Route("/o/{organization}/policies/{policy}/try", try_policy, methods=["POST"]),
]
