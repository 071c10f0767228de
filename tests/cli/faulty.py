"""A network that fails as networks do, between the client and a real server.

Each request that comes meets the next fault of a list, and when the list is empty, none:

    "refuse"    the connection is closed before anything was read
    "cut"       the server gets the request and does what it says; its answer is lost
    "503"       something in front of the server says that it is away
    "html"      something in front of the server answers with a page
    "stall"     nothing ever comes back
    "pass"      nothing fails
"""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

PAGE = b"<html>maintenance</html>"


class Network:
    """Listens, and passes on what it does not lose."""

    def __init__(self, server: str) -> None:
        there = urlsplit(server)
        self._there = (there.hostname or "", there.port or 80)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.address = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.faults: list[str] = []
        self.requests: list[str] = []
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                came, _ = self._listener.accept()
            except OSError:
                return
            self._open.add(came)
            threading.Thread(target=self._serve, args=(came,), daemon=True).start()

    def _serve(self, came: socket.socket) -> None:
        with suppress(OSError), came:
            while head := _head(came):
                with self._lock:
                    self.requests.append(head.split(b"\r\n", 1)[0].decode().rpartition(" ")[0])
                    fault = self.faults.pop(0) if self.faults else "pass"
                if not self._answered(came, head, fault):
                    return

    def _answered(self, came: socket.socket, head: bytes, fault: str) -> bool:
        if fault == "refuse":
            return False
        if fault == "stall":
            time.sleep(30)
            return False
        if fault in ("503", "html"):
            _drain(came, head)
            status = b"503 Service Unavailable" if fault == "503" else b"200 OK"
            length = str(len(PAGE)).encode()
            came.sendall(
                b"HTTP/1.1 " + status + b"\r\nContent-Type: text/html\r\nContent-Length: " + length + b"\r\n\r\n" + PAGE
            )
            return True
        with socket.create_connection(self._there) as there:
            there.sendall(head)
            _copied(came, there, head)
            answer = _head(there)
            if fault == "cut":
                return False
            came.sendall(answer)
            if not head.startswith(b"HEAD"):
                _copied(there, came, answer)
        return True

    def close(self) -> None:
        self._listener.close()
        for each in self._open:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


def _head(stream: socket.socket) -> bytes:
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = stream.recv(1)
        if not byte:
            return b""
        head += byte
    return head


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0


def _copied(source: socket.socket, target: socket.socket, head: bytes) -> None:
    left = _length(head)
    while left:
        piece = source.recv(min(left, 1 << 16))
        if not piece:
            raise OSError("it broke off")
        target.sendall(piece)
        left -= len(piece)


def _drain(source: socket.socket, head: bytes) -> None:
    left = _length(head)
    while left:
        left -= len(source.recv(min(left, 1 << 16)))


@contextmanager
def network_to(server: str) -> Iterator[Network]:
    """A network to this server, without faults until some are listed."""
    network = Network(server)
    try:
        yield network
    finally:
        network.close()
