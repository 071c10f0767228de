"""Serves an application with uvicorn: says when it listens, drains when it is told to stop.

uvicorn waits for open connections, and a subscription never ends by itself; so the application is told first.
"""

import signal
import socket
import sys
from types import FrameType

import uvicorn
from starlette.applications import Starlette

from record import garbage
from record.settings import Settings


class Server(uvicorn.Server):
    """Says where it listens, and lets subscriptions end at once when it is told to stop."""

    def __init__(self, config: uvicorn.Config, app: Starlette) -> None:
        super().__init__(config)
        self._app = app

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listens; then what was built for good is taken out of the garbage collector's sight."""
        await super().startup(sockets)
        if self.started:
            garbage.settle()
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            shown = f"[{host}]" if ":" in host else host
            sys.stdout.write(f"muniment api listens on http://{shown}:{port}\n")
            sys.stdout.flush()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """SIGTERM and SIGINT: no new connections, subscriptions end, other requests may finish; a second Ctrl-C cuts off.

        uvicorn's own would raise the signal again in the end; a server that drained as it was told to has succeeded.
        """
        self._app.state.stopping.set()
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True


def configuration(app: Starlette, settings: Settings) -> uvicorn.Config:
    """How uvicorn serves this application."""
    return uvicorn.Config(
        app,
        host=settings.http_host,
        port=settings.http_port,
        loop="uvloop",
        http="httptools",
        ws="websockets-sansio",
        ws_max_size=settings.graphql_body_bytes_max,
        ws_ping_interval=20.0,
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=settings.http_proxies is not None,
        forwarded_allow_ips=settings.http_proxies or "",
        timeout_graceful_shutdown=max(1, round(settings.shutdown_grace_seconds)),
    )
