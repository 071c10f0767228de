"""The byte routes that the API serves beside the graph: one list, each noun adds its own."""

from typing import Final

from starlette.routing import BaseRoute

from api import archives, evidence, log, schemas
from api.console.routes import ROUTES as CONSOLE

ROUTES: Final[tuple[BaseRoute, ...]] = (*log.ROUTES, *evidence.ROUTES, *archives.ROUTES, *schemas.ROUTES, *CONSOLE)
"""What is served beside the graph, health and numbers."""
