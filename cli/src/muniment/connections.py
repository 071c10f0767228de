"""Connections to one server over HTTP/1.1, kept open and one for each thread; through a proxy where there is one."""

from __future__ import annotations

import http.client
import os
import socket
import ssl
import sys
import threading
import time

from muniment.exits import BadUsage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import IO

    from muniment.proxies import Proxy

LOOPBACK = ("localhost", "127.0.0.1", "::1")
PIECE_BYTES = 1 << 18
ANSWER_BYTES_MAX = 1 << 28
FAULTS = (OSError, http.client.HTTPException)
"""What it looks like when the network or the server fails."""
_NEVER = ("401", "403", "405", "407")
"""What a proxy says that will say it again."""
_OF_ANOTHER_NAME = (62, 64)
_EXPIRED = 10


class Answer:
    """What came back."""

    __slots__ = ("body", "headers", "method", "path", "reason", "seconds", "status")

    def __init__(self, method: str, path: str, came: http.client.HTTPResponse, body: bytes, seconds: float) -> None:
        self.method = method
        self.path = path
        self.status = came.status
        self.reason = came.reason
        self.headers = {name.lower(): value for name, value in came.getheaders()}
        self.body = body
        self.seconds = seconds


class Connections:
    """How to reach the server at `address`, such as https://muniment.example.com."""

    def __init__(
        self,
        address: str,
        *,
        timeout_seconds: float = 30.0,
        ca_file: str | None = None,
        proxy: str | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        scheme, separator, rest = address.partition("://")
        authority, _, path = rest.partition("/")
        if scheme not in ("http", "https") or not separator or not authority or "@" in authority:
            raise BadUsage(
                f"{address!r} is not the address of a server. Give one such as https://muniment.example.com."
            )
        self._scheme = scheme
        self.authority = authority
        self._prefix = "/" + path.strip("/") if path.strip("/") else ""
        self.address = f"{scheme}://{authority}{self._prefix}"
        self.timeout_seconds = timeout_seconds
        environment = os.environ if environment is None else environment
        self._ca_file = ca_file or (None if environment.get("SSL_CERT_FILE") else _ca_file_of(environment))
        self._proxy = _proxy_of(scheme, authority, proxy, environment)
        self._local = threading.local()
        self._tls: ssl.SSLContext | None = None

    @property
    def is_in_the_clear(self) -> bool:
        """Whether a key would travel so that others on the way can read it."""
        return self._scheme == "http" and _host_name(self.authority) not in LOOPBACK

    def exchange(self, method: str, path: str, headers: Mapping[str, str], body: bytes | None = None) -> Answer:
        """Sends one request and reads the whole answer."""
        began = time.monotonic()
        connection = self._open()
        try:
            connection.request(method, self._target(path), body=body, headers={**headers, **self._for_proxy()})
            return self._read(connection, method, path, began)
        except BaseException:
            self.drop()
            raise

    def send_file(
        self, path: str, headers: Mapping[str, str], file: IO[bytes], size: int, moved: Callable[[int], None]
    ) -> Answer:
        """PUTs `size` bytes of an open file, piece by piece, and tells `moved` how many went each time."""
        began = time.monotonic()
        connection = self._open()
        try:
            connection.putrequest("PUT", self._target(path))
            for name, value in {**headers, **self._for_proxy()}.items():
                connection.putheader(name, value)
            connection.putheader("Content-Length", str(size))
            connection.endheaders()
            try:
                self._send(connection, file, size, moved)
            except (BrokenPipeError, ConnectionResetError):
                # The server stopped listening. Most often it has said why before.
                return self._read(connection, "PUT", path, began)
            return self._read(connection, "PUT", path, began)
        except BaseException:
            self.drop()
            raise

    def receive(self, path: str, headers: Mapping[str, str]) -> http.client.HTTPResponse:
        """Begins a download; the caller reads the answer to its end, or calls `drop`."""
        connection = self._open()
        try:
            connection.request("GET", self._target(path), headers={**headers, **self._for_proxy()})
            return connection.getresponse()
        except BaseException:
            self.drop()
            raise

    def drop(self) -> None:
        """Closes this thread's connection; the next request opens another."""
        connection = getattr(self._local, "connection", None)
        self._local.connection = None
        if connection is not None:
            connection.close()

    def is_hopeless(self, fault: Exception) -> bool:
        """Whether trying again can change nothing."""
        return isinstance(fault, ssl.SSLCertVerificationError) or _speaks_no_tls(fault) or _proxy_said(fault) in _NEVER

    def why(self, fault: Exception) -> str:
        """Such a failure in words."""
        if isinstance(fault, ssl.SSLCertVerificationError):
            return _why_not_trusted(fault)
        if _speaks_no_tls(fault):
            return "it does not speak TLS; is its address one with http://?"
        why = self._why(fault)
        return why if self._proxy is None else f"{why}, through the proxy {self._proxy.address}"

    def _why(self, fault: Exception) -> str:
        if _proxy_said(fault):
            return f"the proxy refuses the way ({str(fault).partition(': ')[2]})"
        if isinstance(fault, socket.timeout):
            return f"no answer within {getattr(self._local, 'seconds', self.timeout_seconds):.3g} seconds"
        if isinstance(fault, socket.gaierror):
            return "its name is not known"
        if isinstance(fault, http.client.RemoteDisconnected):
            return "it closed the connection without an answer"
        if isinstance(fault, OSError):
            return (fault.strerror or str(fault)).lower()
        return str(fault).rstrip(".") or type(fault).__name__

    def within(self, seconds: float) -> None:
        """How long this thread's next request may wait for a sign of life, if that is less than the timeout."""
        self._local.seconds = max(min(seconds, self.timeout_seconds), 0.1)

    def _open(self) -> http.client.HTTPConnection:
        kept: http.client.HTTPConnection | None = getattr(self._local, "connection", None)
        seconds = getattr(self._local, "seconds", self.timeout_seconds)
        if kept is not None:
            if kept.sock is not None:
                kept.sock.settimeout(seconds)
            return kept
        made = self._made()
        made.timeout = seconds
        made.connect()
        made.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._local.connection = made
        return made

    def _made(self) -> http.client.HTTPConnection:
        reached = self.authority if self._proxy is None else self._proxy.address
        if self._scheme == "http":
            connection = http.client.HTTPConnection(reached, timeout=self.timeout_seconds, blocksize=PIECE_BYTES)
        else:
            connection = http.client.HTTPSConnection(
                reached, timeout=self.timeout_seconds, blocksize=PIECE_BYTES, context=self._context()
            )
        if self._proxy is not None and self._scheme == "https":
            connection.set_tunnel(self.authority, headers=self._proxy.headers)
        return connection

    def _target(self, path: str) -> str:
        """What a request asks for: a path, or for a proxy that passes on what it can read, the whole address."""
        is_read = self._proxy is not None and self._scheme == "http"
        return f"http://{self.authority}{self._prefix}{path}" if is_read else self._prefix + path

    def _for_proxy(self) -> dict[str, str]:
        """The proxy's own headers, where it reads those of requests; a tunnel's are sent once, before."""
        return self._proxy.headers if self._proxy is not None and self._scheme == "http" else {}

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            try:
                folder = self._ca_file if self._ca_file and os.path.isdir(self._ca_file) else None
                self._tls = ssl.create_default_context(cafile=None if folder else self._ca_file, capath=folder)
            except (OSError, ssl.SSLError) as error:
                raise BadUsage(f"{self._ca_file} holds no certificates that can be read ({error}).") from None
        return self._tls

    def _send(
        self, connection: http.client.HTTPConnection, file: IO[bytes], size: int, moved: Callable[[int], None]
    ) -> None:
        left = size
        while left:
            piece = file.read(min(PIECE_BYTES, left))
            if not piece:
                raise http.client.HTTPException("the file became shorter while it was sent")
            connection.sock.sendall(piece)
            left -= len(piece)
            moved(len(piece))

    def _read(self, connection: http.client.HTTPConnection, method: str, path: str, began: float) -> Answer:
        came = connection.getresponse()
        body = came.read(ANSWER_BYTES_MAX)
        if came.will_close or not came.isclosed():
            self.drop()
        return Answer(method, path, came, body, time.monotonic() - began)


def warn_of_clear_text(connections: Connections) -> None:
    """Says so when the key can be read on its way."""
    if connections.is_in_the_clear:
        print("muniment: the API key travels unencrypted; use an https address", file=sys.stderr)


def _host_name(authority: str) -> str:
    if authority.startswith("["):
        return authority[1:].partition("]")[0]
    return authority.partition(":")[0]


def _proxy_of(scheme: str, authority: str, told: str | None, environment: Mapping[str, str]) -> Proxy | None:
    host = _host_name(authority)
    named = any(name.lower() in (f"{scheme}_proxy", "all_proxy") for name in environment)
    if told is None and (host in LOOPBACK or not named):
        return None
    from muniment import proxies  # few pipelines have one

    if told is not None:
        return proxies.parsed(told)
    port = authority.removeprefix(f"[{host}]").removeprefix(host).lstrip(":")
    return proxies.proxy_for(
        scheme, host, int(port) if port.isdigit() else 443 if scheme == "https" else 80, environment
    )


def _ca_file_of(environment: Mapping[str, str]) -> str | None:
    """The certificates that other clients would trust. SSL_CERT_FILE is read by OpenSSL itself."""
    return environment.get("REQUESTS_CA_BUNDLE") or environment.get("CURL_CA_BUNDLE") or None


def _why_not_trusted(fault: ssl.SSLCertVerificationError) -> str:
    told = fault.verify_message.rstrip(".")
    if fault.verify_code in _OF_ANOTHER_NAME:
        return f"its certificate is one of another server ({told}); check the host"
    if fault.verify_code == _EXPIRED:
        return f"its certificate is out of date ({told}); tell whoever runs it"
    return f"its certificate is not trusted ({told}); name the CA with --ca-file"


def _speaks_no_tls(fault: Exception) -> bool:
    return isinstance(fault, ssl.SSLError) and fault.reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST")


def _proxy_said(fault: Exception) -> str:
    """The status with which a proxy refused a tunnel; "" when this is something else."""
    told = str(fault)
    return told.removeprefix("Tunnel connection failed: ")[:3] if told.startswith("Tunnel connection failed: ") else ""
