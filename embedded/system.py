"""The whole system: servers, schema, organization, API and worker; what `make up` serves and `make demo` uses."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from embedded import processes
from embedded.children import StartError, end_leftover
from embedded.directory import free_port, is_free, write_private
from embedded.servers import Stack

ORGANIZATION = "acme"
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Organization:
    """The organization that the first start made, and the file with its first admin key."""

    name: str
    key_file: Path
    log_verifier_key: str


class System:
    """Everything on one machine, with its data in one directory.

    `http_port` 0 takes a free port. `organization=None` leaves creating organizations to the caller.
    """

    def __init__(
        self,
        directory: Path,
        *,
        http_port: int = 0,
        organization: str | None = ORGANIZATION,
        durable: bool = True,
        patience_seconds: float = 0,
        say: Say = lambda line: None,
        **settings: str,
    ) -> None:
        self.stack = Stack(directory, durable=durable, patience_seconds=patience_seconds)
        self.organization: Organization | None = None
        self.seconds: dict[str, float] = {}
        self._organization_name = organization
        self._http_port = http_port
        self._settings = settings
        self._say = say
        self._began = time.monotonic()
        self.api: processes.Api | None = None
        self.worker: processes.Worker | None = None

    @property
    def directory(self) -> Path:
        return self.stack.directory.path

    @property
    def endpoint_file(self) -> Path:
        return self.directory / "endpoint.json"

    @property
    def url(self) -> str:
        assert self.api is not None, "start it first"
        return self.api.url

    @property
    def chosen(self) -> dict[str, str]:
        """The settings of the server processes."""
        return processes.settings(
            database_url=self.stack.database_url,
            redis_url=self.stack.redis_url,
            s3=self.stack.s3,
            signing_key_file=self.stack.directory.secret_file("signing_key", bytes_count=32),
            http_port=self._http_port,
            notices_key_file=str(self.stack.directory.secret_file("notices_key", bytes_count=32)),
            **self._settings,
        )

    def start(self) -> Self:
        """Start everything; return when the API says that it is ready."""
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def _start(self) -> None:
        self._began = time.monotonic()
        self.stack.start()
        # A `kill -9` leaves the last run's file behind. Nobody may take it for ours.
        self.endpoint_file.unlink(missing_ok=True)
        # Its API may still hold the port that we are about to ask for.
        for name in (processes.Api.module, processes.Worker.module):
            end_leftover(self.stack.directory.pid_file(name))
        self._note("servers", "PostgreSQL, Valkey and SeaweedFS answer")
        self._http_port = self._choose_http_port()
        operator = self.chosen | {"MUNIMENT_OWNER_DATABASE_URL": self.stack.owner_database_url}
        processes.run("record.migrations", chosen=operator, log=self.stack.directory.log("migrations"))
        self._note("schema", "schema is up to date")
        if self._organization_name is not None:
            self.organization = self._ensure_organization(self._organization_name, operator)
        self.api = processes.Api(self.stack.directory, self.chosen).start()
        self.worker = processes.Worker(self.stack.directory, self.chosen).start()
        self.api.wait_ready()
        self._note("ready", f"API and worker are ready at {self.api.url}")
        if self.organization is not None:
            write_private(self.endpoint_file, json.dumps(self._endpoint(self.organization), indent=2))

    def stop(self) -> None:
        """Stop what is running, deliveries before the record, and let go of the directory."""
        if self.stack.directory.held:
            self.endpoint_file.unlink(missing_ok=True)
        for program in (self.api, self.worker):
            if program is not None:
                program.stop()
        self.stack.stop()

    def ended(self) -> str | None:
        """What ended by itself while it should serve, in one sentence; None while all is well."""
        for name, server in (
            ("PostgreSQL", self.stack.postgres),
            ("Valkey", self.stack.valkey),
            ("SeaweedFS", self.stack.seaweedfs),
            ("The API", self.api),
            ("The worker", self.worker),
        ):
            if server is not None and not server.running:
                return f"{name} ended by itself. Its log is in {self.directory / 'logs'}."
        return None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def _choose_http_port(self) -> int:
        if self._http_port == 0:
            return free_port()
        if not is_free(self._http_port, companion=False):
            raise StartError(
                f"Port {self._http_port} is taken. Set MUNIMENT_HTTP_PORT to another one; 0 chooses a free one."
            )
        return self._http_port

    def _ensure_organization(self, name: str, operator: dict[str, str]) -> Organization:
        """The organization of this directory: made on the first start, remembered afterwards."""
        memory = self.directory / "organization.json"
        attempts = self.directory / "organization.attempts"
        key_file = self.stack.directory.folder("secrets") / "admin_key"
        if not memory.exists():
            # A first start that was killed may have made the organization and lost its key. Nothing is in it yet, so
            # the next start makes another one rather than none at all.
            attempt = int(attempts.read_text()) + 1 if attempts.exists() else 1
            write_private(attempts, str(attempt))
            key_file.unlink(missing_ok=True)
            name = name if attempt == 1 else f"{name}-{attempt}"
            try:
                answer = self._create_organization(name, key_file, operator)
            except StartError:
                attempts.unlink()
                raise
            write_private(memory, json.dumps({"organization": name, "log_verifier_key": answer["log_verifier_key"]}))
            attempts.unlink()
            self._note("organization", f"organization {name!r} is made; its first admin key is in {key_file}")
        known = json.loads(memory.read_text())
        return Organization(known["organization"], key_file, known["log_verifier_key"])

    def _create_organization(self, name: str, key_file: Path, operator: dict[str, str]) -> dict[str, str]:
        answer = processes.run(
            "record",
            "create-organization",
            name,
            "--key-file",
            str(key_file),
            chosen=operator,
            log=self.stack.directory.log("record"),
        )
        made: dict[str, str] = json.loads(answer)
        return made

    def _endpoint(self, organization: Organization) -> dict[str, object]:
        s3 = self.stack.s3
        return {
            "url": self.url,
            "organization": organization.name,
            "key_file": str(organization.key_file),
            "log_verifier_key": organization.log_verifier_key,
            "graphql": f"{self.url}/graphql",
            "database_url": self.stack.database_url,
            "s3": {
                "endpoint": s3.endpoint,
                "secure": s3.secure,
                "bucket": s3.bucket,
                "access_key": s3.access_key,
                "secret_key": s3.secret_key,
            },
            "redis_url": self.stack.redis_url,
        }

    def _note(self, stage: str, sentence: str) -> None:
        self.seconds[stage] = round(time.monotonic() - self._began, 2)
        self._say(f"{self.seconds[stage]:6.2f} s  {sentence}")
