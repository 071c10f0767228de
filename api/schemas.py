"""Published JSON Schemas, for editors and for whoever writes templates and policies: `/schemas/flow-template/v1`."""

from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from record.flows import templates
from record.policies import documents


def _published(path: str, schema: Path) -> Route:
    """The route of a schema. Open to everyone: it says nothing about anyone."""
    content = schema.read_bytes()

    async def answer(_request: Request) -> Response:
        return Response(
            content, media_type="application/schema+json", headers={"Cache-Control": "public, max-age=3600"}
        )

    return Route(path, answer, methods=["GET"])


ROUTES: Final = (
    _published("/schemas/flow-template/v1", templates.SCHEMA_FILE),
    _published("/schemas/environment-policy/v1", documents.SCHEMA_FILE),
)
