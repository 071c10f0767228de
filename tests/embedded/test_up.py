"""`python -m embedded up`, which is `make up`: serves until a signal, keeps its data, survives `kill -9`."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil

from embedded.directory import free_port

CHECKOUT = Path(__file__).parents[2]
START_SECONDS = 60


@contextmanager
def serving(data: Path, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """`up` on this directory; killed at the end if it is still there."""
    up = subprocess.Popen(
        [sys.executable, "-m", "embedded", "up"],
        cwd=CHECKOUT,
        env={**os.environ, "MUNIMENT_DATA_DIR": str(data), "MUNIMENT_HTTP_PORT": "0", **environment},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield up
    finally:
        up.kill()
        up.communicate()


def endpoint(up: subprocess.Popen[str], data: Path) -> dict[str, Any]:
    """What `up` wrote when it was ready."""
    deadline = time.monotonic() + START_SECONDS
    file = data / "endpoint.json"
    while not file.exists():
        assert up.poll() is None, up.communicate()[1]
        assert time.monotonic() < deadline, "endpoint.json was not written"
        time.sleep(0.05)
    written: dict[str, Any] = json.loads(file.read_text())
    return written


def status(url: str, path: str) -> int:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    finally:
        connection.close()


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    return [process for process in processes if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]


def test_it_says_where_it_is_when_it_is_ready_and_takes_it_back_when_it_stops(tmp_path: Path) -> None:
    with serving(tmp_path) as up:
        written = endpoint(up, tmp_path)
        mode = (tmp_path / "endpoint.json").stat().st_mode & 0o777
        ready = status(written["url"], "/readyz")
        processes = psutil.Process(up.pid).children(recursive=True)
        up.send_signal(signal.SIGTERM)
        talk = up.communicate(timeout=60)[1]

    assert set(written) == {
        "url", "organization", "key_file", "log_verifier_key", "graphql", "database_url", "s3", "redis_url"
    }  # fmt: skip
    assert mode == 0o600
    assert ready == 200
    assert Path(written["key_file"]).read_text().startswith("mun_")
    assert up.returncode == 0, talk
    assert not (tmp_path / "endpoint.json").exists()
    assert alive(processes) == []


def test_it_works_again_on_the_kept_data_and_port_after_kill_9(tmp_path: Path) -> None:
    port = str(free_port())
    with serving(tmp_path, MUNIMENT_HTTP_PORT=port) as up:
        before = endpoint(up, tmp_path)
        key = Path(before["key_file"]).read_text()
        up.send_signal(signal.SIGKILL)
        up.wait()
    (tmp_path / "endpoint.json").unlink()

    with serving(tmp_path, MUNIMENT_HTTP_PORT=port) as up:
        after = endpoint(up, tmp_path)
        ready = status(after["url"], "/readyz")

    assert ready == 200
    assert after["url"] == before["url"] == f"http://127.0.0.1:{port}"
    assert (after["organization"], after["log_verifier_key"]) == (before["organization"], before["log_verifier_key"])
    assert Path(after["key_file"]).read_text() == key


def test_a_port_that_is_taken_is_refused_with_a_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with serving(tmp_path, MUNIMENT_HTTP_PORT=str(port)) as up:
            talk = up.communicate(timeout=START_SECONDS)[1]

    assert up.returncode == 1
    assert f"Port {port} is taken. Set MUNIMENT_HTTP_PORT" in talk
