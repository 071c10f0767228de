"""`muniment verify` with an address: a real server answers, redirects, refuses and breaks off."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from muniment.cli import main
from muniment.exits import ExitCode
from tests.cli.archives_for_tests import archive_members, small_ledger, zipped

ARCHIVE = zipped(archive_members(small_ledger()))


class Server(ThreadingHTTPServer):
    """Serves one archive to whoever has the key, and remembers what it was told."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.keys_seen: list[tuple[str, str | None]] = []
        self.elsewhere = ""

    def address(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_port}{path}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        key = self.headers.get("Authorization")
        self.server.keys_seen.append((self.path, key))
        if self.path == "/redirect":
            self.answer(302, location=self.server.elsewhere)
        elif self.path == "/open" or key == "Bearer mun_secret":
            self.answer(200, ARCHIVE if self.path != "/broken" else ARCHIVE[:100], length=len(ARCHIVE))
        else:
            self.answer(403 if key else 401)

    def answer(self, status: int, body: bytes = b"", *, length: int = 0, location: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(length))
        if location:
            self.send_header("Location", location)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Tests keep quiet."""


def running() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    yield from running()


@pytest.fixture
def other_server() -> Iterator[Server]:
    yield from running()


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MUNIMENT_API_KEY", raising=False)


def test_an_archive_is_downloaded_with_the_key_and_verified(
    server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MUNIMENT_API_KEY", "mun_secret")

    assert main(["verify", server.address("/archive")]) == ExitCode.DONE

    told = capsys.readouterr()
    assert told.out.endswith("VERIFIED\n")
    assert told.err == ""


def test_the_key_can_come_from_a_file(server: Server, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("mun_secret\n")

    assert main(["verify", server.address("/archive"), "--api-key-file", str(tmp_path / "key")]) == ExitCode.DONE


@pytest.mark.parametrize("key", [None, "mun_wrong"])
def test_a_key_that_is_missing_or_wrong_exits_with_4(
    server: Server, key: str | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if key:
        monkeypatch.setenv("MUNIMENT_API_KEY", key)

    assert main(["verify", server.address("/archive")]) == ExitCode.NOT_AUTHORISED
    assert "mun_" not in capsys.readouterr().err


def test_the_key_is_not_taken_to_another_host(
    server: Server, other_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MUNIMENT_API_KEY", "mun_secret")
    server.elsewhere = other_server.address("/open")

    assert main(["verify", server.address("/redirect")]) == ExitCode.DONE
    assert server.keys_seen == [("/redirect", "Bearer mun_secret")]
    assert other_server.keys_seen == [("/open", None)]


def test_the_key_stays_with_a_redirect_on_the_same_host(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MUNIMENT_API_KEY", "mun_secret")
    server.elsewhere = "/archive"

    assert main(["verify", server.address("/redirect")]) == ExitCode.DONE


def test_a_redirect_to_a_file_is_not_followed(server: Server, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    server.elsewhere = f"file://{tmp_path}/secret"

    assert main(["verify", server.address("/redirect")]) == ExitCode.UNREACHABLE


def test_a_download_that_breaks_off_exits_with_3(
    server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MUNIMENT_API_KEY", "mun_secret")

    assert main(["verify", server.address("/broken")]) == ExitCode.UNREACHABLE
    assert capsys.readouterr().out == ""


def test_a_server_that_is_not_there_exits_with_3(server: Server) -> None:
    address = server.address("/open").replace(str(server.server_port), "1")

    assert main(["verify", address]) == ExitCode.UNREACHABLE


def test_a_key_that_would_smuggle_a_header_is_refused(server: Server, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("mun_a\r\nX-Evil: 1")

    assert main(["verify", server.address("/open"), "--api-key-file", str(tmp_path / "key")]) == ExitCode.BAD_USAGE
    assert server.keys_seen == []
