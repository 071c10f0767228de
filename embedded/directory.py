"""The directory that a stack keeps everything in: who uses it, its passwords, its ports.

Passwords are made on the first start and stay, each in a file that only its owner may read. Ports are remembered so
that an address that worked yesterday works today, and chosen anew when somebody else has taken one.
"""

import fcntl
import json
import os
import random
import secrets
import socket
import time
from pathlib import Path

LOOPBACK = "127.0.0.1"
# Below the range from which Linux takes the near ends of outgoing connections, so that a server that restarts finds its
# port free. SeaweedFS puts a second port 10,000 above each, which stays below that range too.
PORTS = range(20_000, 22_700)
GRPC_OFFSET = 10_000


class DirectoryInUseError(RuntimeError):
    """Two stacks on one directory would destroy each other's data."""


class DataDirectory:
    """One stack's directory, held by one process at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self._lock: int | None = None

    def acquire(self, *, patience_seconds: float = 0) -> None:
        """Make it and hold it. The kernel lets go of the lock when this process ends, however it ends."""
        # Others may pass through (PostgreSQL runs as another user under root) but not list; what is inside is closed.
        self.path.mkdir(parents=True, exist_ok=True)
        self.path.chmod(0o711)
        handle = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        deadline = time.monotonic() + patience_seconds
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    holder = os.pread(handle, 32, 0).decode(errors="replace").strip()
                    os.close(handle)
                    raise DirectoryInUseError(
                        f"{self.path} is in use by process {holder}. Stop that, or set MUNIMENT_DATA_DIR to another directory."
                    ) from None
                time.sleep(0.1)
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        self._lock = handle

    @property
    def held(self) -> bool:
        """Whether this process holds it."""
        return self._lock is not None

    def release(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def folder(self, name: str) -> Path:
        """A folder in it that only its owner may enter."""
        folder = self.path / name
        folder.mkdir(mode=0o700, exist_ok=True)
        return folder

    def log(self, name: str) -> Path:
        return self.folder("logs") / f"{name}.log"

    def pid_file(self, name: str) -> Path:
        return self.folder("run") / f"{name}.pid"

    def secret_file(self, name: str, *, bytes_count: int = 24) -> Path:
        """The file of a random secret, in hexadecimal digits. Made when it is first asked for."""
        file = self.folder("secrets") / name
        if not file.exists():
            write_private(file, secrets.token_hex(bytes_count))
        return file

    def secret(self, name: str) -> str:
        return self.secret_file(name).read_text().strip()

    def port(self, name: str, *, renew: bool = False) -> int:
        """The port that `name` had before, or a free one when it had none, lost it, or asks to `renew`."""
        file = self.path / "ports.json"
        try:
            known: dict[str, int] = json.loads(file.read_text())
        except (FileNotFoundError, ValueError):
            known = {}
        port = known.get(name)
        if renew or port is None or not is_free(port):
            port = free_port(avoid=set(known.values()))
            write_private(file, json.dumps(known | {name: port}, indent=1))
        return port


def write_private(file: Path, text: str) -> None:
    """Write the whole file or nothing, readable by its owner only."""
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as output:
        output.write(text + "\n")
        output.flush()
        os.fsync(output.fileno())
    draft.replace(file)


def is_free(port: int, *, companion: bool = True) -> bool:
    """Whether `port` can be listened on, and with `companion` also the gRPC port that SeaweedFS would put above it."""
    for number in (port, port + GRPC_OFFSET) if companion else (port,):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((LOOPBACK, number))
                probe.listen()
            except OSError:
                return False
    return True


def free_port(*, avoid: set[int] | None = None) -> int:
    """A port that nobody listens on. Somebody may still be quicker; the servers' starts try again then."""
    for port in random.sample(PORTS, len(PORTS)):
        if port not in (avoid or ()) and is_free(port):
            return port
    raise OSError(f"No free port between {PORTS.start} and {PORTS.stop}. Stop something that listens there.")
