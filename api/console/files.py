"""Downloads and proofs for browsers: the API's byte routes, with the session in place of a key.

    /o/<organization>/evidence/sha256:<hex>     evidence, as an attachment
    /o/<organization>/archives/<id>.zip         an archive; each download is recorded
    /o/<organization>/log/...                   checkpoint, proofs and tiles, for the page that checks them

And what no page knows is answered with a page that says so.
"""

from collections.abc import Awaitable, Callable
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api import archives, evidence
from api import log as the_log
from api.console.serving import fault_page, to_sign_in
from api.console.visitors import visitor_of
from api.identity import RECOGNISE
from record.refusals import Refusal, Unauthenticated

Serve = Callable[[Request], Awaitable[Response]]
_NOWHERE: Final = "There is no page at this address. Check it, or use the search."


def _as_visitor(serve: Serve) -> Serve:
    async def served(request: Request) -> Response:
        try:
            visitor = await visitor_of(request, request.path_params["organization"])
        except Unauthenticated:
            return to_sign_in(request)
        request.scope.setdefault("state", {})[RECOGNISE] = visitor.again
        try:
            return await serve(request)
        except Refusal as refusal:
            return fault_page(request, None, visitor, refusal.http_status, refusal.message)

    return served


async def nowhere(request: Request) -> Response:
    """No page has this address."""
    try:
        visitor = await visitor_of(request, request.path_params["organization"])
    except Unauthenticated:
        return to_sign_in(request)
    return fault_page(request, None, visitor, 404, _NOWHERE)


_BASE: Final = "/o/{organization}"
ROUTES: Final = [
    Route(_BASE + "/evidence/sha256:{digest}", _as_visitor(evidence.get), methods=["GET"]),
    Route(_BASE + "/archives/{archive_id}.zip", _as_visitor(archives.get), methods=["GET"]),
    Route(_BASE + "/log/checkpoint", _as_visitor(the_log.checkpoint), methods=["GET"]),
    Route(_BASE + "/log/proof/{index}", _as_visitor(the_log.proof), methods=["GET"]),
    Route(_BASE + "/log/consistency", _as_visitor(the_log.consistency), methods=["GET"]),
]
NOWHERE: Final = [Route(_BASE, nowhere), Route(_BASE + "/{rest:path}", nowhere)]
