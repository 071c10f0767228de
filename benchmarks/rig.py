"""What is measured on: a stack of its own in a passing directory, with real flushes to disk, and who runs on which core.

The servers under test share one core and are asked in turns, so an idle one costs nothing. Everything else has the other.
"""

import http.client
import json
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from benchmarks.load import Generator
from benchmarks.pinning import OTHER_CORE, SERVER_CORE, pin
from embedded import processes
from embedded.directory import LOOPBACK, free_port
from embedded.postgres import APPLICATION, OWNER
from embedded.seaweedfs import make_bucket
from embedded.servers import Stack
from record.record import Record, open_record
from record.settings import Settings

PLACE: Final = processes.CHECKOUT / ".muniment"


class Floor(processes.Api):
    """`python -m benchmarks.floor`."""

    module = "benchmarks.floor"

    @property
    def port(self) -> int:
        return int(self.chosen["FLOOR_PORT"])

    def prepare(self, path: str, content: bytes) -> None:
        """Gives the floor what it will answer with."""
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=30)
        connection.request("PUT", path, content, {"content-type": "application/json"})
        status = connection.getresponse().status
        connection.close()
        assert status == 204, f"the floor did not take {path}: {status}"

    def prepare_rows(self, key: str, answer: str, rows: int) -> None:
        """The answer as that many rows of about the same length."""
        length = -(-len(answer) // rows)
        self.prepare(
            f"/rows/{key}",
            json.dumps([answer[place : place + length] for place in range(0, len(answer), length)]).encode(),
        )


@dataclass(frozen=True, slots=True)
class House:
    """A database with the record's schema, a bucket, and the settings that lead to them."""

    name: str
    chosen: dict[str, str]

    def settings(self) -> Settings:
        """As a process of ours reads them."""
        named = {name.removeprefix("MUNIMENT_").lower(): value for name, value in self.chosen.items()}
        return Settings(**named)  # type: ignore[arg-type]  # pydantic reads texts

    @asynccontextmanager
    async def record(self) -> AsyncIterator[Record]:
        """The record, opened in this process."""
        opened = open_record(self.settings())
        try:
            yield opened
        finally:
            await opened.close()


class Rig:
    """Servers, started when they are first asked for and stopped when the block ends."""

    def __init__(self) -> None:
        PLACE.mkdir(exist_ok=True)
        self._directory = Path(tempfile.mkdtemp(prefix="benchmarks-", dir=PLACE))
        self._exits = ExitStack()
        self._exits.callback(shutil.rmtree, self._directory, ignore_errors=True)
        self.stack = Stack(self._directory, durable=True)

    def __enter__(self) -> Self:
        try:
            self._exits.enter_context(self.stack)
            for server in (self.stack.postgres, self.stack.valkey, self.stack.seaweedfs):
                assert server.pid is not None
                pin(server.pid, OTHER_CORE)
            self.load = Generator(OTHER_CORE)
            self._exits.callback(self.load.close)
            self.stack.postgres.run_sql(f"CREATE DATABASE floor OWNER {APPLICATION};")
            self.floor = Floor(
                self.stack.directory,
                {
                    "FLOOR_DATABASE_URL": self.stack.postgres.url(APPLICATION, "floor"),
                    "FLOOR_PORT": str(free_port()),
                },
            ).start()
            self._exits.callback(self.floor.stop)
            self.floor.wait_ready(path="/healthz")
            self._pin(self.floor, SERVER_CORE)
        except BaseException:
            self._exits.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._exits.close()

    def house(self, name: str, **settings: Any) -> House:
        """A new database and bucket."""
        postgres = self.stack.postgres
        postgres.run_sql(f"CREATE DATABASE {name} OWNER {OWNER};")
        make_bucket(self.stack.s3, name)
        chosen = processes.settings(
            database_url=postgres.url(APPLICATION, name),
            redis_url=self.stack.redis_url,
            s3=self.stack.s3,
            signing_key_file=self.stack.directory.secret_file("signing_key", bytes_count=32),
            owner_database_url=postgres.url(OWNER, name),
            s3_bucket=name,
            **settings,
        )
        processes.run("record.migrations", chosen=chosen, log=self.stack.directory.log("migrations"))
        return House(name, chosen)

    def api(self, house: House, name: str, **settings: str) -> processes.Api:
        """The API over a house, on the servers' core."""
        more = {f"MUNIMENT_{key.upper()}": value for key, value in settings.items()}
        chosen = {**house.chosen, **more, "MUNIMENT_HTTP_PORT": str(free_port())}
        api = processes.Api(self.stack.directory, chosen, name=name).start()
        self._exits.callback(api.stop)
        api.wait_ready(path="/healthz")
        self._pin(api, SERVER_CORE)
        return api

    def analyze(self, house: House) -> None:
        """Does at once what PostgreSQL does by itself within a minute or two of a bulk load."""
        self.stack.postgres.run_sql("VACUUM ANALYZE; CHECKPOINT;", database=house.name)

    def worker(self, house: House, name: str) -> processes.Worker:
        """A worker over a house, beside PostgreSQL."""
        worker = processes.Worker(self.stack.directory, house.chosen, name=name).start()
        self._exits.callback(worker.stop)
        self._pin(worker, OTHER_CORE)
        return worker

    @staticmethod
    def _pin(program: processes.Program, core: int | None) -> None:
        assert program.pid is not None
        pin(program.pid, core)
