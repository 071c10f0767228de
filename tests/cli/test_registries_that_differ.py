"""Registries that answer otherwise than Distribution does: elsewhere, without naming a digest, or naming a wrong one.

The real registry of the other tests shows none of this, so a small one stands in.
"""

import json
import threading
from collections.abc import Callable, Iterator
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from muniment.images.credentials import Credentials, credentials_for
from muniment.images.daemon import CommandDaemon, SocketDaemon, daemon, image_digest
from muniment.images.references import Reference
from muniment.images.registry import Registry, RegistryError

MANIFEST = json.dumps({"schemaVersion": 2, "layers": []}).encode()
DIGEST = sha256(MANIFEST).hexdigest()
Reply = tuple[int, dict[str, str], bytes]
OK: Reply = (200, {"Content-Type": "application/vnd.oci.image.manifest.v1+json"}, MANIFEST)


class StandIn(ThreadingHTTPServer):
    """Replies as it is told, and remembers what it was asked."""

    daemon_threads = True

    def __init__(self, reply: Callable[[str, str, dict[str, str]], Reply]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.reply = reply
        self.asked: list[tuple[str, str, dict[str, str], bytes]] = []

    @property
    def name(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: StandIn

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = dict(self.headers.items())
        self.server.asked.append((self.command, self.path, headers, body))
        status, said, content = self.server.reply(self.command, self.path, headers)
        self.send_response(status)
        for name, value in said.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_HEAD = do_POST = do_GET

    def log_message(self, *_: Any) -> None:
        return


@pytest.fixture
def stand_in() -> Iterator[Callable[[Callable[[str, str, dict[str, str]], Reply]], StandIn]]:
    running: list[tuple[StandIn, threading.Thread]] = []

    def start(reply: Callable[[str, str, dict[str, str]], Reply]) -> StandIn:
        server = StandIn(reply)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        running.append((server, thread))
        return server

    yield start
    for server, thread in running:
        server.shutdown()
        server.server_close()
        thread.join()


Start = Callable[[Callable[[str, str, dict[str, str]], Reply]], StandIn]


def asked(server: StandIn, credentials: Credentials | None = None) -> str:
    return Registry(server.name, credentials).digest(Reference(server.name, "shop/web", "1", None))


def test_a_registry_that_names_no_digest_has_its_manifest_hashed(stand_in: Start) -> None:
    server = stand_in(lambda method, path, headers: OK)

    assert asked(server) == DIGEST
    assert [method for method, *_ in server.asked] == ["HEAD", "GET"]


def test_a_registry_that_knows_no_head_is_asked_for_the_whole(stand_in: Start) -> None:
    server = stand_in(lambda method, path, headers: (405, {}, b"") if method == "HEAD" else OK)

    assert asked(server) == DIGEST


def test_a_manifest_that_is_not_what_it_is_called_is_refused(stand_in: Start) -> None:
    wrong = {**OK[1], "Docker-Content-Digest": f"sha256:{'0' * 64}"}
    server = stand_in(lambda method, path, headers: (405, {}, b"") if method == "HEAD" else (200, wrong, MANIFEST))

    with pytest.raises(RegistryError, match="does not have the digest"):
        asked(server)


def test_a_registry_that_has_its_manifests_elsewhere_is_followed_without_the_password(stand_in: Start) -> None:
    elsewhere = stand_in(lambda method, path, headers: (200, {"Docker-Content-Digest": f"sha256:{DIGEST}"}, b""))

    def reply(method: str, path: str, headers: dict[str, str]) -> Reply:
        if "Authorization" not in headers:
            return 401, {"WWW-Authenticate": 'Basic realm="here"'}, b""
        return 307, {"Location": f"http://{elsewhere.name}{path}"}, b""

    assert asked(stand_in(reply), Credentials("ci", "secret")) == DIGEST
    [(method, _, headers, _)] = elsewhere.asked
    assert method == "HEAD"
    assert "Authorization" not in headers


def test_an_identity_token_is_exchanged(stand_in: Start) -> None:
    def tokens(method: str, path: str, headers: dict[str, str]) -> Reply:
        return 200, {}, json.dumps({"access_token": "opens"}).encode()

    server_of_tokens = stand_in(tokens)

    def reply(method: str, path: str, headers: dict[str, str]) -> Reply:
        if headers.get("Authorization") != "Bearer opens":
            realm = f'Bearer realm="http://{server_of_tokens.name}/token",service="here"'
            return 401, {"WWW-Authenticate": realm}, b""
        return 200, {"Docker-Content-Digest": f"sha256:{DIGEST}"}, b""

    assert asked(stand_in(reply), Credentials("", "", "identity")) == DIGEST
    [(method, _, _, body)] = server_of_tokens.asked
    assert method == "POST"
    assert b"refresh_token=identity" in body
    assert b"scope=repository%3Ashop%2Fweb%3Apull" in body


@pytest.mark.parametrize(
    ("status", "said"), [(403, "does not let us"), (429, "too many requests"), (500, "answers 500")]
)
def test_what_a_registry_refuses_is_told(stand_in: Start, status: int, said: str) -> None:
    with pytest.raises(RegistryError, match=said):
        asked(stand_in(lambda method, path, headers: (status, {}, b"")))


def test_settings_of_docker_that_make_no_sense_are_no_login(tmp_path: Any) -> None:
    for content in ("", "[]", '{"auths": 7}', '{"auths": {"r": {"auth": "%%%"}}}', '{"credHelpers": {"r": "../x"}}'):
        (tmp_path / "config.json").write_text(content)

        assert credentials_for("r", {"HOME": str(tmp_path), "DOCKER_CONFIG": str(tmp_path)}) is None


def test_which_engine_is_asked(tmp_path: Any) -> None:
    program = tmp_path / "docker"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    known = {"HOME": str(tmp_path), "PATH": str(tmp_path)}

    assert isinstance(daemon({**known, "DOCKER_HOST": "unix:///nowhere"}), SocketDaemon)
    assert isinstance(daemon({**known, "DOCKER_HOST": "ssh://elsewhere"}), CommandDaemon)
    assert isinstance(daemon({**known, "DOCKER_CONTEXT": "elsewhere"}), CommandDaemon)
    (tmp_path / ".docker").mkdir()
    (tmp_path / ".docker" / "config.json").write_text('{"currentContext": "elsewhere"}')
    assert isinstance(daemon(known), CommandDaemon)


@pytest.mark.parametrize(
    ("image", "name", "digest"),
    [
        ({"Id": f"sha256:{'1' * 64}", "RepoDigests": []}, "app:1", ("1" * 64, False)),
        ({"Id": "1" * 64, "RepoDigests": None}, "app:1", ("1" * 64, False)),
        ({"Id": "x", "RepoDigests": [f"app@sha256:{'2' * 64}"]}, "docker.io/library/app:1", ("2" * 64, True)),
        (
            {"Id": "x", "RepoDigests": [f"b/app@sha256:{'2' * 64}", f"a/app@sha256:{'3' * 64}"]},
            "a/app",
            ("3" * 64, True),
        ),
        (
            {"RepoDigests": [f"app@sha256:{'2' * 64}", f"app@sha256:{'3' * 64}"]},
            f"app@sha256:{'3' * 64}",
            ("3" * 64, True),
        ),
        ({"Id": "x"}, "app", None),
    ],
)
def test_which_digest_of_an_image_counts(image: dict[str, Any], name: str, digest: tuple[str, bool] | None) -> None:
    assert image_digest(image, name) == digest
