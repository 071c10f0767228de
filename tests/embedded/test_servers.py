"""The embedded servers start, survive, stay on loopback and go away."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

from embedded import postgres
from embedded.children import StartError
from embedded.directory import DataDirectory, DirectoryInUseError, free_port
from embedded.seaweedfs import make_bucket
from embedded.servers import Stack
from tests.embedded.objects import read_object, write_object

CHECKOUT = Path(__file__).parents[2]


def family(*pids: int | None) -> list[psutil.Process]:
    """These processes and all their descendants."""
    roots = [psutil.Process(pid) for pid in pids if pid is not None]
    return [*roots, *(child for root in roots for child in root.children(recursive=True))]


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    return [process for process in processes if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]


def test_every_listening_socket_is_on_loopback(stack: Stack) -> None:
    processes = family(stack.postgres.pid, stack.valkey.pid, stack.seaweedfs.pid)

    listening = [
        connection.laddr
        for process in processes
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    ]

    assert len(listening) >= 3
    assert {address.ip for address in listening} == {"127.0.0.1"}


def test_the_application_role_is_neither_superuser_nor_above_row_security(stack: Stack) -> None:
    answer = stack.postgres.run_sql(
        "SELECT rolname, rolsuper, rolbypassrls, rolcreatedb, rolcreaterole FROM pg_roles "
        "WHERE rolname LIKE 'muniment%' ORDER BY rolname;"
    )

    assert answer.split() == ["muniment_app|f|f|f|f", "muniment_owner|f|f|f|f"]


def test_a_wrong_password_opens_nothing(stack: Stack) -> None:
    result = subprocess.run(
        [postgres.programs() / "psql", "--command", "SELECT 1"],
        env={
            "PGHOST": "127.0.0.1",
            "PGPORT": str(stack.postgres.port),
            "PGUSER": "postgres",
            "PGPASSWORD": "guess",
            "PGDATABASE": "muniment",
        },
        capture_output=True,
        text=True,
        check=False,
    )

    assert "password authentication failed" in result.stderr


def test_secrets_are_readable_by_their_owner_only(stack: Stack) -> None:
    secrets = stack.directory.path / "secrets"

    assert secrets.stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in secrets.iterdir()} == {0o600}


def test_data_survives_sigkill_of_every_server_and_a_new_start_finds_it(tmp_path: Path) -> None:
    with Stack(tmp_path / "data") as stack:
        stack.postgres.run_sql(
            "CREATE TABLE kept (word text); INSERT INTO kept VALUES ('still here');", database="muniment"
        )
        write_object(stack.s3, "word", b"still here")
        stack.postgres.kill()
        stack.seaweedfs.kill()
        stack.valkey.kill()

    with Stack(tmp_path / "data") as stack:
        assert stack.postgres.run_sql("SELECT word FROM kept;", database="muniment") == "still here\n"
        assert read_object(stack.s3, "word") == b"still here"


def test_data_is_found_when_others_have_taken_every_port(tmp_path: Path) -> None:
    with Stack(tmp_path / "data") as stack:
        write_object(stack.s3, "word", b"still here")
        before = (stack.database_url, stack.redis_url, stack.s3.endpoint)
    ports = [urlsplit(before[0]).port, urlsplit(before[1]).port, int(before[2].rpartition(":")[2])]
    squatters = [socket.create_server(("127.0.0.1", port or 0)) for port in ports]

    try:
        with Stack(tmp_path / "data") as stack:
            after = (stack.database_url, stack.redis_url, stack.s3.endpoint)
            found = read_object(stack.s3, "word")
    finally:
        for squatter in squatters:
            squatter.close()

    assert found == b"still here"
    assert not set(before) & set(after)


def test_a_stale_pid_file_that_names_a_stranger_does_not_stop_the_start(tmp_path: Path) -> None:
    with Stack(tmp_path / "data"):
        pass
    pid_file = tmp_path / "data" / "postgres" / "postmaster.pid"
    pid_file.write_text(f"{os.getpid()}\n{pid_file.parent}\n")
    (tmp_path / "data" / "run" / "postgres.pid").write_text(f"{os.getpid()} 1.0\n")

    with Stack(tmp_path / "data") as stack:
        assert stack.postgres.running


def test_stopping_leaves_no_process(tmp_path: Path) -> None:
    with Stack(tmp_path / "data", durable=False) as stack:
        processes = family(stack.postgres.pid, stack.valkey.pid, stack.seaweedfs.pid)

    assert len(processes) > 3
    assert alive(processes) == []
    assert list((tmp_path / "data" / "run").iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children that their parent died")
def test_the_servers_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from embedded.servers import Stack\n"
        "stack = Stack(Path(sys.argv[1]), durable=False).start()\n"
        "print(stack.postgres.pid, stack.valkey.pid, stack.seaweedfs.pid, flush=True)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "data")],
        cwd=CHECKOUT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as parent:
        assert parent.stdout is not None
        processes = family(*(int(pid) for pid in parent.stdout.readline().split()))
        parent.send_signal(signal.SIGKILL)

    _, remaining = psutil.wait_procs(processes, timeout=15)

    assert alive(list(remaining)) == []


def test_a_second_stack_on_the_same_directory_is_refused(stack: Stack) -> None:
    with pytest.raises(DirectoryInUseError, match=f"in use by process {os.getpid()}"):
        Stack(stack.directory.path).start()

    assert stack.postgres.running


def test_a_server_that_cannot_start_says_why_with_its_log(tmp_path: Path) -> None:
    with Stack(tmp_path / "data", durable=False):
        pass
    (tmp_path / "data" / "postgres" / "PG_VERSION").write_text("9\n")

    with pytest.raises(StartError, match="not compatible with this version"):
        Stack(tmp_path / "data", durable=False).start()


def test_each_server_comes_back_at_its_address(tmp_path: Path) -> None:
    with Stack(tmp_path / "data", durable=False) as stack:  # its own: others hold open connections to the shared one
        before = (stack.database_url, stack.redis_url, stack.s3)

        stack.restart_postgres(kill=True)
        stack.stop_seaweedfs()
        stack.start_seaweedfs()
        stack.stop_redis()
        stack.start_redis()

        assert (stack.database_url, stack.redis_url, stack.s3) == before


def test_a_bucket_is_made_once(stack: Stack) -> None:
    make_bucket(stack.s3, "made-twice")
    make_bucket(stack.s3, "made-twice")


def test_secrets_and_ports_are_remembered(tmp_path: Path) -> None:
    first = DataDirectory(tmp_path / "data")
    first.acquire()
    secret, port = first.secret("word"), first.port("door")
    first.release()

    second = DataDirectory(tmp_path / "data")
    second.acquire()

    assert (second.secret("word"), second.port("door")) == (secret, port)
    assert second.port("door", renew=True) != port
    second.release()


def test_a_free_port_avoids_those_that_are_spoken_for() -> None:
    taken = free_port()

    assert free_port(avoid={taken}) != taken
