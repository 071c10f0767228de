"""Makes load: a closed loop over keep-alive connections, each with one request on the way; how many came back, and how soon.

Runs as a process of its own (`python -m benchmarks.load`), so that it can be given a core that the server under test has not.
Plain sockets and epoll rather than a client library, because what the client costs is taken from PostgreSQL, with which it
shares that core: about 10 microseconds for each request. A wrong answer ends the run: numbers of a server that refuses are
worth nothing.
"""

import json
import select
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Final

from benchmarks.pinning import pin

NUMBER: Final = b"@@@@@@@@@@@@@@@@"
"""Stands in a request for a number of 16 hexadecimal digits that no other request of the process has."""
LATE_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class Load:
    """What is asked of a server. Connection n cycles through `requests[n % len(requests)]`; `expected` is in every answer."""

    requests: Sequence[Sequence[bytes]]
    expected: bytes
    status: int = 200
    connections: int = 16


@dataclass(frozen=True, slots=True)
class Run:
    """What came of it."""

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float

    @property
    def per_second(self) -> float:
        return self.requests / self.seconds


class LoadError(Exception):
    """The server answered something else than what is measured."""


def http_request(path: str, body: bytes, headers: dict[str, str] | None = None) -> bytes:
    """The bytes of a POST of JSON."""
    said = {
        "host": "127.0.0.1",
        "content-type": "application/json",
        "content-length": str(len(body)),
        **(headers or {}),
    }
    return (
        f"POST {path} HTTP/1.1\r\n".encode()
        + "".join(f"{k}: {v}\r\n" for k, v in said.items()).encode()
        + b"\r\n"
        + body
    )


class Generator:
    """The other process. Give it one load after the other."""

    def __init__(self, core: int | None) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.load"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=Path(__file__).resolve().parent.parent,
            text=True,
        )
        pin(self._process.pid, core)

    def run(self, port: int, load: Load, *, seconds: float, warm_seconds: float = 0.3) -> Run:
        """Loads the server at `port`; the first `warm_seconds` are not counted."""
        order = {
            "port": port,
            "requests": [[each.decode("latin-1") for each in some] for some in load.requests],
            "expected": load.expected.decode("latin-1"),
            "status": load.status,
            "connections": load.connections,
            "seconds": seconds,
            "warm_seconds": warm_seconds,
        }
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline() or '{"error": "The load generator ended."}')
        if "error" in answer:
            raise LoadError(answer["error"])
        return Run(**answer)

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=10)


class _Connection:
    """One socket, and the part of the answer that has arrived."""

    def __init__(self, port: int, requests: Iterator[list[bytes]]) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self._requests = requests
        self._received = b""
        self.sent_at = 0.0

    def send(self, number: bytes) -> None:
        request = number.join(next(self._requests))
        self.sent_at = time.perf_counter()
        while request:
            try:
                request = request[self.socket.send(request) :]
            except BlockingIOError:
                select.select([], [self.socket], [], LATE_SECONDS)

    def receive(self) -> bytes | None:
        """The answer, when it is whole."""
        part = self.socket.recv(262_144)
        if not part:
            raise LoadError("The server closed a connection.")
        received = self._received = self._received + part
        end = received.find(b"\r\n\r\n")
        if end < 0:
            return None
        at = received.lower().find(b"content-length:", 0, end)
        length = 0 if at < 0 else int(received[at + 15 : received.index(b"\r", at)])
        if len(received) < end + 4 + length:
            return None
        self._received = b""
        return received


def _run(order: dict[str, object], numbers: Iterator[int]) -> dict[str, float]:
    port, count = int(str(order["port"])), int(str(order["connections"]))
    written = order["requests"]
    assert isinstance(written, list)
    requests = [cycle([each.encode("latin-1").split(NUMBER) for each in some]) for some in written]
    status = f"HTTP/1.1 {order['status']} ".encode()
    expected = str(order["expected"]).encode("latin-1")
    poll = select.epoll()
    connections = {}
    for place in range(count):
        connection = _Connection(port, requests[place % len(requests)])
        connections[connection.socket.fileno()] = connection
        poll.register(connection.socket.fileno(), select.EPOLLIN)
    for connection in connections.values():
        connection.send(b"%016x" % next(numbers))
    took: list[float] = []
    counted_from = time.perf_counter() + float(str(order["warm_seconds"]))
    until = counted_from + float(str(order["seconds"]))
    waiting = len(connections)
    over = 0.0
    while waiting:
        ready = poll.poll(LATE_SECONDS)
        if not ready:
            raise LoadError(f"No answer for {LATE_SECONDS:g} seconds.")
        for number, _ in ready:
            connection = connections[number]
            answer = connection.receive()
            if answer is None:
                continue
            now = time.perf_counter()
            if not answer.startswith(status) or expected not in answer:
                raise LoadError(f"Not the answer that is measured: {answer[:1500].decode(errors='replace')}")
            if now >= until and len(took) >= count:
                waiting -= 1
                over = over or now
                continue
            if now >= counted_from:
                took.append(now - connection.sent_at)
            connection.send(b"%016x" % next(numbers))
    for connection in connections.values():
        connection.socket.close()
    poll.close()
    took.sort()
    return {
        "requests": len(took),
        "seconds": over - counted_from,
        "p50_ms": took[len(took) // 2] * 1000,
        "p99_ms": took[min(len(took) - 1, len(took) * 99 // 100)] * 1000,
    }


def main() -> None:
    """One order a line on stdin, one answer a line on stdout."""
    numbers = iter(range(time.time_ns(), 2**63))  # so that two processes do not count the same numbers
    for line in sys.stdin:
        try:
            answer: dict[str, object] = dict(_run(json.loads(line), numbers))
        except (LoadError, OSError, IndexError) as error:
            answer = {"error": str(error)}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
