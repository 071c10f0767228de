"""A certification authority of a test's own, and servers with its certificates on loopback."""

import ipaddress
import socket
import ssl
import threading
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass(frozen=True, slots=True)
class Authority:
    """Who signs certificates. `file`: its own certificate, for those who are to trust it."""

    file: Path
    _key: ec.EllipticCurvePrivateKey
    _certificate: x509.Certificate

    @classmethod
    def made(cls, folder: Path) -> "Authority":
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "An authority for tests")])
        usage = x509.KeyUsage(
            digital_signature=True, key_cert_sign=True, crl_sign=True, content_commitment=False, key_encipherment=False,
            data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
        )  # fmt: skip
        certificate = (
            _begun(name, name, key.public_key(), days=1)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(key, hashes.SHA256())
        )
        file = folder / "authority.pem"
        file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        return cls(file, key, certificate)

    def issued(self, *names: str, days: int = 1) -> ssl.SSLContext:
        """What a server of these names needs. Negative `days`: it ended that long ago."""
        key = ec.generate_private_key(ec.SECP256R1())
        shown: list[x509.GeneralName] = []
        for name in names:
            with suppress(ValueError):
                shown.append(x509.IPAddress(ipaddress.ip_address(name)))
                continue
            shown.append(x509.DNSName(name))
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
        certificate = (
            _begun(subject, self._certificate.subject, key.public_key(), days=days)
            .add_extension(x509.SubjectAlternativeName(shown), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        file = self.file.with_name(f"{certificate.serial_number}.pem")
        secret = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        file.write_bytes(secret + certificate.public_bytes(serialization.Encoding.PEM))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context


def _begun(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, *, days: int
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=30))
        .not_valid_after(now + timedelta(days=days))
    )


class Listener:
    """Serves each connection in a thread of its own, until it is closed."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self._socket.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                came, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve_safely, args=(came,), daemon=True).start()

    def _serve_safely(self, came: socket.socket) -> None:
        with suppress(OSError), came:
            self.serve(came)

    def serve(self, came: socket.socket) -> None:
        raise NotImplementedError

    def close(self) -> None:
        self._socket.close()


class SecureFront(Listener):
    """TLS in front of a server that has none, as an operator's reverse proxy is."""

    def __init__(self, server: str, context: ssl.SSLContext) -> None:
        there = urlsplit(server)
        self._there = (there.hostname or "", there.port or 80)
        self._context = context
        super().__init__()

    def serve(self, came: socket.socket) -> None:
        with (
            self._context.wrap_socket(came, server_side=True) as opened,
            socket.create_connection(self._there) as there,
        ):
            relayed(opened, there)


class Proxy(Listener):
    """A proxy as companies have: tunnels by CONNECT, and for plain HTTP requests that name the whole address.

    `hosts` are names that only it can resolve, with ports on loopback. With a `password`, it asks for it.
    """

    def __init__(self, hosts: dict[str, int], password: str | None = None) -> None:
        self.hosts = hosts
        self.asked: list[str] = []
        self.authorizations: list[str | None] = []
        self._password = password
        super().__init__()

    def serve(self, came: socket.socket) -> None:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            piece = came.recv(1)
            if not piece:
                return
            head += piece
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        self.asked.append(f"{method} {target}")
        self.authorizations.append(headers.get("proxy-authorization"))
        if self._password is not None and headers.get("proxy-authorization") != self._password:
            came.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            return
        host = target.rpartition(":")[0] if method == "CONNECT" else urlsplit(target).hostname or ""
        with socket.create_connection(("127.0.0.1", self.hosts[host])) as there:
            if method == "CONNECT":
                came.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                parts = urlsplit(target)
                path = parts.path + (f"?{parts.query}" if parts.query else "")
                there.sendall(head.replace(target.encode(), path.encode(), 1))
            relayed(came, there)


def relayed(one: socket.socket, other: socket.socket) -> None:
    """Passes bytes on in both directions until one side ends."""

    def pass_on(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while piece := source.recv(1 << 16):
                target.sendall(piece)
        for each in (source, target):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    back = threading.Thread(target=pass_on, args=(other, one), daemon=True)
    back.start()
    pass_on(one, other)
    back.join()
