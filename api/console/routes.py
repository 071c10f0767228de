"""Every address of the console, in the order in which they are tried."""

from typing import Final

from starlette.routing import BaseRoute

from api.console import doing, files, serving, signing_in, static

ROUTES: Final[tuple[BaseRoute, ...]] = (
    *static.ROUTES,
    *signing_in.ROUTES,
    *files.ROUTES,
    *serving.ROUTES,
    *doing.ROUTES,
    *files.NOWHERE,
)
