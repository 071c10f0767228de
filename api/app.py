"""One application out of settings: the graph, the byte routes, health and numbers, behind one edge.

The record is opened here unless it is handed in; nothing is connected before it is first used, so the API starts, and stays
up, while the database, the vault or Redis are away. The vault's self-test runs in the background until it could be done.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Final

import strawberry
import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute

from api.edge import Edge
from api.graphql.view import View
from api.health import Health, healthz, readyz
from api.identity import Identity
from api.metrics import Metrics, metrics
from api.requests import ClientGone, error_response, refusal_response
from api.wakes import Wakes
from record.record import Record, open_record
from record.refusals import Refusal
from record.settings import Settings

log = structlog.get_logger(__name__)

VAULT_RETRY_SECONDS: Final = 5.0


def create_app(
    settings: Settings,
    record: Record | None = None,
    *,
    schema: strawberry.Schema,
    routes: Sequence[BaseRoute] = (),
) -> Starlette:
    """The API. `schema` and `routes` are what it serves beside health and numbers."""
    owned = record is None
    record = record or open_record(settings)
    wakes = Wakes(str(settings.redis_url))
    identity = Identity(record)
    stopping = asyncio.Event()
    view = View(schema, record=record, identity=identity, wakes=wakes, stopping=stopping)
    health = Health(record, wakes)
    numbers = Metrics()

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        identity.start()
        preparing = asyncio.create_task(_prepare_vault(record, health))
        try:
            yield
        finally:
            stopping.set()
            preparing.cancel()
            with suppress(asyncio.CancelledError):
                await preparing
            await identity.close()
            await wakes.close()
            if owned:
                await record.close()

    app = Starlette(
        routes=[
            Route("/graphql", view, methods=None),
            WebSocketRoute("/graphql", view),
            Route("/healthz", healthz),
            Route("/readyz", readyz),
            Route("/metrics", metrics),
            *routes,
        ],
        middleware=[Middleware(Edge, metrics=numbers, direct={"/graphql": view})],
        exception_handlers={Refusal: _refused, HTTPException: _not_served, ClientGone: _nobody_left},
        lifespan=lifespan,
    )
    app.state.settings = settings
    app.state.record = record
    app.state.identity = identity
    app.state.wakes = wakes
    app.state.view = view
    app.state.health = health
    app.state.metrics = numbers
    app.state.stopping = stopping
    return app


async def _prepare_vault(record: Record, health: Health) -> None:
    """Proves that the vault keeps what is locked; tries again while it is away."""
    while True:
        try:
            report = await record.vault.prepare()
        except Refusal as refusal:
            health.vault_untested(refusal.message)
            log.warning("the vault could not be tested yet", why=refusal.message)
        except Exception as error:
            health.vault_untested(f"The vault's self-test failed with {type(error).__name__}.")
            log.error("the vault's self-test failed", exc_info=error)
        else:
            health.vault_tested(report)
            if report.proven:
                log.info("the vault keeps what is locked", findings=report.findings)
            else:
                log.error("the vault may lose evidence", problems=report.problems)
            return
        await asyncio.sleep(VAULT_RETRY_SECONDS)


async def _refused(_request: Request, refusal: Exception) -> Response:
    assert isinstance(refusal, Refusal)
    return refusal_response(refusal)


async def _not_served(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        message = "There is nothing at this address. The graph is at /graphql."
    elif error.status_code == 405:
        message = f"{request.method} is not served at this address."
    else:
        message = str(error.detail)
    code = {404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED"}.get(error.status_code, "REFUSED")
    return error_response(code, message, error.status_code, error.headers)


async def _nobody_left(_request: Request, _error: Exception) -> Response:
    return Response(status_code=499)
