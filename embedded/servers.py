"""The three servers together: started as fast as they can be, stopped in order, and broken on purpose by tests."""

import atexit
import time
from pathlib import Path
from types import TracebackType

from embedded.directory import DataDirectory
from embedded.postgres import APPLICATION, OWNER, Postgres
from embedded.seaweedfs import S3, SeaweedFS
from embedded.valkey import Valkey


class Stack:
    """PostgreSQL, Valkey and SeaweedFS on free ports of 127.0.0.1, with their data in one directory.

        with Stack(Path(".muniment")) as stack:
            connect(stack.database_url)

    The directory may be used again after a stop or a `kill -9`. `durable=False` lets PostgreSQL skip fsync: committed
    data then survives the death of its processes but not of the machine, which is what tests need.
    """

    def __init__(self, directory: Path, *, durable: bool = True, patience_seconds: float = 0) -> None:
        self.directory = DataDirectory(directory)
        self.seconds: dict[str, float] = {}
        self._patience_seconds = patience_seconds
        self.postgres = Postgres(self.directory, durable=durable)
        self.valkey = Valkey(self.directory)
        self.seaweedfs = SeaweedFS(self.directory)

    @property
    def database_url(self) -> str:
        """What the API and the worker use."""
        return self.postgres.url(APPLICATION)

    @property
    def owner_database_url(self) -> str:
        """What migrations and `python -m record` use."""
        return self.postgres.url(OWNER)

    @property
    def redis_url(self) -> str:
        return self.valkey.url()

    @property
    def s3(self) -> S3:
        return self.seaweedfs.s3

    def start(self) -> "Stack":
        """Start all three side by side; return when each answers. Notes in `seconds` how long each took."""
        began = time.monotonic()
        self.directory.acquire(patience_seconds=self._patience_seconds)
        atexit.register(self.stop)
        try:
            self.seaweedfs.start()
            self.valkey.start()
            self.postgres.start()
            for server in (self.valkey, self.postgres, self.seaweedfs):
                server.wait_ready()
                self.seconds[type(server).__name__.lower()] = round(time.monotonic() - began, 2)
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Stop all three, and let go of the directory. Stopping twice is stopping once."""
        atexit.unregister(self.stop)
        for server in (self.seaweedfs, self.valkey, self.postgres):
            server.stop()
        self.directory.release()

    def __enter__(self) -> "Stack":
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def restart_postgres(self, *, kill: bool = False) -> None:
        """Stop PostgreSQL (or kill it) and start it again on the same port."""
        if kill:
            self.postgres.kill()
        else:
            self.postgres.stop()
        self.postgres.start()
        self.postgres.wait_ready()

    def stop_seaweedfs(self) -> None:
        self.seaweedfs.stop()

    def start_seaweedfs(self) -> None:
        """Start the object store again, on the ports it had."""
        self.seaweedfs.start()
        self.seaweedfs.wait_ready()

    def stop_redis(self) -> None:
        self.valkey.stop()

    def start_redis(self) -> None:
        """Start Valkey again, empty, on the port it had."""
        self.valkey.start()
        self.valkey.wait_ready()

    def flush_redis(self) -> None:
        self.valkey.flush()
