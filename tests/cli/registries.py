"""A real registry (CNCF Distribution, Debian's `docker-registry`) on loopback, and images in it.

The token server is ours: registries leave that to whoever runs them.
"""

import base64
import json
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

PROGRAM = shutil.which("docker-registry") or shutil.which("registry")
needs_registry = pytest.mark.skipif(PROGRAM is None, reason="needs a registry: apt-get install docker-registry")

USER, PASSWORD = "ci", "wonderland"
# bcrypt of the password: making it would need a library that nothing else needs.
HTPASSWD = "ci:$2y$05$abcdefghijklmnopqrstuuA0vov2GDneHB3.8.cv9UF9g.RdvScIW\n"

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
START_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class RunningRegistry:
    """Where it listens, and how a push is let in."""

    address: str
    scheme: str = "http"
    headers: Mapping[str, str] = field(default_factory=dict)
    verify: Any = False

    def push(self, repository: str, tag: str, content: bytes = b"layer", **platform: str) -> str:
        """An image with one layer, under a tag. Gives its digest."""
        config = json.dumps(
            {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}, **platform}
        )
        manifest = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": self._blob(repository, config.encode(), OCI_CONFIG),
            "layers": [self._blob(repository, content, "application/vnd.oci.image.layer.v1.tar")],
        }
        return self._manifest(repository, tag, manifest)

    def push_index(self, repository: str, tag: str, platforms: Mapping[str, bytes]) -> tuple[str, dict[str, str]]:
        """An image for several platforms. Gives the index's digest, and that of each platform."""
        digests, listed = {}, []
        for platform, content in platforms.items():
            system, architecture = platform.split("/")
            digests[platform] = self.push(repository, f"{tag}-{architecture}", content, architecture=architecture)
            listed.append(
                {
                    "mediaType": OCI_MANIFEST,
                    "digest": f"sha256:{digests[platform]}",
                    "size": self._size(repository, digests[platform]),
                    "platform": {"os": system, "architecture": architecture},
                }
            )
        index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": listed}
        return self._manifest(repository, tag, index), digests

    def _blob(self, repository: str, content: bytes, kind: str) -> dict[str, Any]:
        digest = f"sha256:{sha256(content).hexdigest()}"
        begun = self._send("POST", f"/v2/{repository}/blobs/uploads/")
        location = httpx.URL(begun.headers["location"]).copy_merge_params({"digest": digest})
        self._send("PUT", str(location), content=content, headers={"content-type": "application/octet-stream"})
        return {"mediaType": kind, "digest": digest, "size": len(content)}

    def _manifest(self, repository: str, tag: str, manifest: dict[str, Any]) -> str:
        content = json.dumps(manifest).encode()
        self._send(
            "PUT", f"/v2/{repository}/manifests/{tag}", content=content, headers={"content-type": manifest["mediaType"]}
        )
        return sha256(content).hexdigest()

    def _size(self, repository: str, digest: str) -> int:
        told = self._send("HEAD", f"/v2/{repository}/manifests/sha256:{digest}", headers={"accept": OCI_MANIFEST})
        return int(told.headers["content-length"])

    def _send(self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **more: Any) -> httpx.Response:
        address = path if "://" in path else f"{self.scheme}://{self.address}{path}"
        answer = httpx.request(
            method, address, headers={**self.headers, **(headers or {})}, verify=self.verify, trust_env=False, **more
        )
        answer.raise_for_status()
        return answer


@contextmanager
def registry(folder: Path, *, http: str = "", auth: str = "", **reach: Any) -> Iterator[RunningRegistry]:
    """A registry that keeps its images in this folder."""
    assert PROGRAM is not None
    port = free_port()
    folder.mkdir(parents=True, exist_ok=True)
    settings = folder / "config.yml"
    settings.write_text(
        f"version: 0.1\nlog: {{level: error, accesslog: {{disabled: true}}}}\n"
        f"storage: {{filesystem: {{rootdirectory: '{folder / 'images'}'}}}}\n"
        f"http:\n  addr: 127.0.0.1:{port}\n{http}{auth}"
    )
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [PROGRAM, "serve", str(settings)],
            stdout=log,
            stderr=log,
            env={**os.environ, "OTEL_TRACES_EXPORTER": "none"},
        )
        try:
            wait_for(port, server, folder / "log")
            yield RunningRegistry(f"127.0.0.1:{port}", **reach)
        finally:
            server.terminate()
            server.wait(10)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for(port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        assert server.poll() is None, log.read_text()
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise AssertionError(log.read_text())


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate for loopback that signs itself, with its key."""

    certificate_file: Path
    key_file: Path
    key: rsa.RSAPrivateKey
    der: bytes

    @classmethod
    def made(cls, folder: Path) -> "Certificate":
        import ipaddress

        folder.mkdir(parents=True, exist_ok=True)
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "loopback")])
        now = datetime.now(UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(
                x509.SubjectAlternativeName(
                    [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
                ),
                critical=False,
            )
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, hashes.SHA256())
        )
        made = cls(
            folder / "certificate.pem", folder / "key.pem", key, certificate.public_bytes(serialization.Encoding.DER)
        )
        made.certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        made.key_file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
            )
        )
        return made


class TokenServer(ThreadingHTTPServer):
    """Gives a token for pulling to whoever has the password, and remembers what it was asked."""

    daemon_threads = True

    def __init__(self, certificate: Certificate) -> None:
        super().__init__(("127.0.0.1", 0), _TokenHandler)
        self.certificate = certificate
        self.asked: list[dict[str, str]] = []

    @property
    def realm(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/token"

    def token(self, service: str, scope: str, actions: list[str]) -> str:
        """A JSON web token that Distribution accepts."""
        kind, name, _ = scope.split(":", 2)
        now = int(time.time())
        head = {"typ": "JWT", "alg": "RS256", "x5c": [base64.b64encode(self.certificate.der).decode()]}
        claims = {
            "iss": "tests",
            "sub": USER,
            "aud": service,
            "exp": now + 300,
            "nbf": now - 10,
            "iat": now,
            "jti": os.urandom(8).hex(),
            "access": [{"type": kind, "name": name, "actions": actions}],
        }
        signed = b".".join(_url_safe(json.dumps(part).encode()) for part in (head, claims))
        signature = self.certificate.key.sign(signed, padding.PKCS1v15(), hashes.SHA256())
        return (signed + b"." + _url_safe(signature)).decode()


def _url_safe(content: bytes) -> bytes:
    return base64.urlsafe_b64encode(content).rstrip(b"=")


class _TokenHandler(BaseHTTPRequestHandler):
    server: TokenServer

    def do_GET(self) -> None:
        asked = {key: values[0] for key, values in parse_qs(urlsplit(self.path).query).items()}
        self.server.asked.append({**asked, "authorization": self.headers.get("Authorization") or ""})
        expected = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if self.headers.get("Authorization") != f"Basic {expected}":
            self.send_response(401)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        body = json.dumps({"token": self.server.token(asked["service"], asked["scope"], ["pull"])}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        return


@contextmanager
def token_server(certificate: Certificate) -> Iterator[TokenServer]:
    server = TokenServer(certificate)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
