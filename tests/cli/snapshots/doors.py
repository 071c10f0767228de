"""The deployment door of an app of Azure, over TLS: gives the app's files to whoever has the token."""

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.cli.registries import Certificate


@contextmanager
def deployment_door(certificate: Certificate, package: bytes, token: str) -> Iterator[str]:
    """Serves the package; gives the door's host and port."""

    class Door(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = self.headers.get("Authorization") == f"Bearer {token}" and self.path == "/api/zip/site/wwwroot/"
            self.send_response(200 if known else 403)
            self.send_header("Content-Type", "application/zip")
            self.end_headers()
            self.wfile.write(package if known else b"")

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.certificate_file, certificate.key_file)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
