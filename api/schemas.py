"""Published JSON Schemas, for editors and for whoever writes templates: `/schemas/flow-template/v1`."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from record.flows.templates import SCHEMA_FILE

_FLOW_TEMPLATE: Final = SCHEMA_FILE.read_bytes()


async def flow_template(_request: Request) -> Response:
    """The JSON Schema of flow templates, version 1. Open to everyone: it says nothing about anyone."""
    return Response(
        _FLOW_TEMPLATE, media_type="application/schema+json", headers={"Cache-Control": "public, max-age=3600"}
    )


ROUTES: Final = (Route("/schemas/flow-template/v1", flow_template, methods=["GET"]),)
