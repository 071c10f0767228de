"""Runs Muniment's own programs as real processes: `python -m api`, `python -m workers` and the one-shot commands.

They get their settings the way they get them in production, from environment variables and secret files, and nothing
else of ours: a setting that this process happens to have in its environment does not leak into them.
"""

import http.client
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from embedded.children import Child, StartError, end_leftover
from embedded.directory import LOOPBACK, DataDirectory
from embedded.seaweedfs import S3

CHECKOUT = Path(__file__).resolve().parent.parent
LOG_ORIGIN = "muniment.localhost"
READY_SECONDS = 60
DRAIN_SECONDS = 25


def settings(
    *,
    database_url: str,
    redis_url: str,
    s3: S3,
    signing_key_file: Path,
    http_port: int = 0,
    owner_database_url: str | None = None,
    log_origin: str = LOG_ORIGIN,
    **others: str,
) -> dict[str, str]:
    """The environment variables of a server process. `others` are further settings by their names in lower case."""
    named = {
        "database_url": database_url,
        "redis_url": redis_url,
        "s3_endpoint": s3.endpoint,
        "s3_secure": str(s3.secure).lower(),
        "s3_bucket": s3.bucket,
        "s3_access_key_file": str(s3.access_key_file),
        "s3_secret_key_file": str(s3.secret_key_file),
        "signing_key_file": str(signing_key_file),
        "log_origin": log_origin,
        "http_host": LOOPBACK,
        "http_port": str(http_port),
        **others,
    }
    if owner_database_url is not None:
        named["owner_database_url"] = owner_database_url
    return {f"MUNIMENT_{name.upper()}": value for name, value in named.items()}


def environment(chosen: Mapping[str, str]) -> dict[str, str]:
    """This process's environment without its own MUNIMENT_ settings, and with the chosen ones."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("MUNIMENT_", "PYTHON"))}
    return {**inherited, "PYTHONUNBUFFERED": "1", **chosen}


def run(module: str, *arguments: str, chosen: Mapping[str, str], log: Path) -> str:
    """Run `python -m module` to its end and return what it printed on stdout. Its stderr goes to `log`."""
    with log.open("ab") as errors:
        result = subprocess.run(
            [sys.executable, "-m", module, *arguments],
            cwd=CHECKOUT,
            env=environment(chosen),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            check=False,
        )
    if result.returncode != 0:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-25:])
        raise StartError(f"python -m {module} ended with status {result.returncode}. Its log {log}:\n{tail}")
    return result.stdout


class Program:
    """A program of ours that serves until it is stopped."""

    module: str

    def __init__(self, directory: DataDirectory, chosen: Mapping[str, str], *, name: str | None = None) -> None:
        self.name = name or self.module
        self.chosen = dict(chosen)
        self._directory = directory
        self._child: Child | None = None

    @property
    def log(self) -> Path:
        return self._directory.log(self.name)

    @property
    def pid(self) -> int | None:
        return None if self._child is None else self._child.pid

    @property
    def returncode(self) -> int | None:
        """None while it runs or before it was started."""
        return None if self._child is None else self._child.returncode

    @property
    def running(self) -> bool:
        return self._child is not None and self._child.returncode is None

    def start(self) -> Self:
        """Begin to start; what an earlier run in this directory left under this name is ended first."""
        pid_file = self._directory.pid_file(self.name)
        end_leftover(pid_file)
        self._child = Child.start(
            f"python -m {self.module}",
            [sys.executable, "-m", self.module],
            directory=CHECKOUT,
            log=self.log,
            pid_file=pid_file,
            environment=environment(self.chosen),
        )
        return self

    def stop(self) -> int | None:
        """SIGTERM, time to drain, then SIGKILL. Returns the exit status."""
        if self._child is None:
            return None
        self._child.stop(signal.SIGTERM, patience_seconds=DRAIN_SECONDS)
        return self._child.returncode

    def kill(self) -> None:
        """SIGKILL, as a crash or a power cut would."""
        if self._child is not None:
            self._child.kill()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


class Worker(Program):
    """`python -m workers`. Several of them need different names."""

    module = "workers"


class Api(Program):
    """`python -m api`, reachable at `url` once `wait_ready` has returned."""

    module = "api"

    @property
    def port(self) -> int:
        return int(self.chosen["MUNIMENT_HTTP_PORT"])

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    def wait_ready(self, *, path: str = "/readyz", timeout_seconds: float = READY_SECONDS) -> Self:
        """Return when `path` answers 200."""
        assert self._child is not None, "start it first"
        self._child.wait_until(lambda: self.answers(path), timeout_seconds=timeout_seconds)
        return self

    def answers(self, path: str = "/healthz") -> bool:
        """Whether `path` answers 200 now."""
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=5)
        try:
            connection.request("GET", path)
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def __enter__(self) -> Self:
        self.start()
        try:
            return self.wait_ready()
        except BaseException:
            self.stop()
            raise
