"""A registry's digest of an image: a name in, 64 hexadecimal digits out, by the OCI distribution API.

The digest is that of the manifest the name stands for: of an image for several platforms that is the index, because the index
is what gets deployed by name and what runtimes report. `platform` asks for one of its images instead.

Passwords go to the registry that was named and to the token server that it names, over TLS; without TLS only to this machine.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import re
import ssl
import urllib.error
import urllib.parse
import urllib.request
from email.message import Message
from typing import Any, NamedTuple

from muniment import __version__
from muniment.images.credentials import Credentials, credentials_for
from muniment.images.references import HUB, Reference

_HUB_HOST = "registry-1.docker.io"
_TIMEOUT_SECONDS = 30.0
_MANIFEST_BYTES_MAX = 8 << 20
_LOOPBACK = re.compile(r"(localhost|127(\.\d+){3}|\[::1\])(:\d+)?")
_INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
_MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)


class RegistryError(Exception):
    """The registry gave no digest. The text says what it answered, and what to do."""


def digest_at_registry(reference: Reference) -> str:
    """The digest of an image, asked as whoever is logged in on this machine. Raises RegistryError."""
    return Registry(reference.registry, credentials_for(reference.registry)).digest(reference)


class _Answer(NamedTuple):
    status: int
    headers: Message
    body: bytes


class Registry:
    """One registry, as one user, or as anybody. Keeps the token that it was given for a repository."""

    def __init__(self, registry: str, credentials: Credentials | None = None) -> None:
        self.name = registry
        self._credentials = credentials
        self._tokens: dict[str, str] = {}
        self._on_this_machine = _LOOPBACK.fullmatch(registry) is not None
        self._scheme = "https"
        self._opener = urllib.request.build_opener(_Redirects)

    def digest(self, reference: Reference, platform: str | None = None) -> str:
        """The digest of what the reference names. Raises RegistryError."""
        if platform is not None:
            return self._of_platform(reference, platform)
        if reference.digest is not None:
            return reference.digest
        answer = self._manifest(reference, "HEAD")
        if answer.body:
            return _digest_of(answer)
        return _digest_told(answer) or _digest_of(self._manifest(reference, "GET"))

    def _of_platform(self, reference: Reference, platform: str) -> str:
        answer = self._manifest(reference, "GET")
        if answer.headers.get_content_type() not in _INDEXES:
            return _digest_of(answer)
        try:
            listed = json.loads(answer.body)["manifests"]
            found = [each["digest"] for each in listed if platform in _platforms(each.get("platform") or {})]
        except (ValueError, KeyError, TypeError, AttributeError):
            raise RegistryError(f"{reference.name} has an index that cannot be read. Push the image again.") from None
        digest = re.fullmatch(r"sha256:([0-9a-f]{64})", found[0]) if found else None
        if digest is None:
            raise RegistryError(
                f"{reference.name}:{reference.tag} has no image for {platform}. Name a platform it has."
            )
        return digest[1]

    def _manifest(self, reference: Reference, method: str) -> _Answer:
        which = f"sha256:{reference.digest}" if reference.digest else reference.tag
        path = f"/v2/{reference.repository}/manifests/{which}"
        answer = self._asked(method, path, reference.repository)
        if answer.status == 401:
            self._authenticate(answer, reference)
            answer = self._asked(method, path, reference.repository)
        if answer.status == 200:
            return answer
        if method == "HEAD" and answer.status in (405, 501):
            return self._manifest(reference, "GET")
        raise RegistryError(_refusal(self.name, reference, answer.status))

    def _asked(self, method: str, path: str, repository: str) -> _Answer:
        headers = {"Accept": ", ".join(_INDEXES + _MANIFESTS)}
        if repository in self._tokens:
            headers["Authorization"] = self._tokens[repository]
        host = _HUB_HOST if self.name == HUB else self.name
        try:
            address = f"{self._scheme}://{host}{path}"
            return self._send(urllib.request.Request(address, headers=headers, method=method))  # noqa: S310
        except RegistryError as error:
            # A registry on this machine often has no certificate, as Docker too allows for.
            if not (self._on_this_machine and self._scheme == "https" and _speaks_no_tls(error.__cause__)):
                raise
        self._scheme = "http"
        return self._asked(method, path, repository)

    def _send(self, request: urllib.request.Request) -> _Answer:
        request.add_header("User-Agent", f"muniment/{__version__}")
        try:
            with self._opener.open(request, timeout=_TIMEOUT_SECONDS) as answer:
                return _Answer(answer.status, answer.headers, answer.read(_MANIFEST_BYTES_MAX))
        except urllib.error.HTTPError as error:
            with error:
                return _Answer(error.code, error.headers, b"")
        except (OSError, http.client.HTTPException, ValueError) as error:
            reason = getattr(error, "reason", None) or error
            cause = reason if isinstance(reason, ssl.SSLError) else error
            raise RegistryError(
                f"The registry {self.name} cannot be reached ({reason}). Check its name and the network."
            ) from cause

    def _authenticate(self, answer: _Answer, reference: Reference) -> None:
        """Get what opens this repository, as the registry's challenge says."""
        challenge = answer.headers.get("WWW-Authenticate") or ""
        scheme, _, rest = challenge.partition(" ")
        known = self._credentials
        if known is not None and self._scheme != "https" and not self._on_this_machine:
            raise RegistryError(f"The registry {self.name} has no TLS. It is not told the password.")
        if scheme.lower() == "basic" and known is not None:
            self._tokens[reference.repository] = _basic(known)
        elif scheme.lower() == "bearer":
            said = dict(re.findall(r'(\w+)="([^"]*)"', rest))
            self._tokens[reference.repository] = f"Bearer {self._token(said, reference)}"
        else:
            raise RegistryError(_refusal(self.name, reference, 401))

    def _token(self, said: dict[str, str], reference: Reference) -> str:
        realm = urllib.parse.urlsplit(said.get("realm", ""))
        near = self._on_this_machine and _LOOPBACK.fullmatch(realm.netloc)
        if realm.scheme != "https" and not (realm.scheme == "http" and near):
            raise RegistryError(f"The registry {self.name} names a token server without TLS. It is not asked.")
        asked = {"service": said.get("service", ""), "scope": said.get("scope") or _scope(reference)}
        if self._credentials is not None and self._credentials.identity_token:
            asked.update(
                grant_type="refresh_token", client_id="muniment", refresh_token=self._credentials.identity_token
            )
            request = urllib.request.Request(realm.geturl(), urllib.parse.urlencode(asked).encode("ascii"))  # noqa: S310
        else:
            query = urllib.parse.urlencode([*urllib.parse.parse_qsl(realm.query), *asked.items()])
            request = urllib.request.Request(realm._replace(query=query).geturl())  # noqa: S310 (only http and https)
            if self._credentials is not None:
                request.add_header("Authorization", _basic(self._credentials))
        answer = self._send(request)
        try:
            given: Any = json.loads(answer.body)
            return str(given.get("token") or given["access_token"])
        except (ValueError, KeyError, AttributeError):
            raise RegistryError(_refusal(self.name, reference, answer.status)) from None


def _scope(reference: Reference) -> str:
    return f"repository:{reference.repository}:pull"


def _basic(credentials: Credentials) -> str:
    pair = f"{credentials.user}:{credentials.password}".encode()
    return f"Basic {base64.b64encode(pair).decode('ascii')}"


def _digest_told(answer: _Answer) -> str | None:
    found = re.fullmatch(r"sha256:([0-9a-f]{64})", answer.headers.get("Docker-Content-Digest") or "")
    return found[1] if found else None


def _digest_of(answer: _Answer) -> str:
    computed = hashlib.sha256(answer.body).hexdigest()
    told = _digest_told(answer)
    if told is not None and told != computed:
        raise RegistryError("The registry's manifest does not have the digest that it states. Ask whoever runs it.")
    return computed


def _platforms(said: dict[str, str]) -> tuple[str, str]:
    plain = f"{said.get('os')}/{said.get('architecture')}"
    return plain, f"{plain}/{said.get('variant')}"


def _refusal(registry: str, reference: Reference, status: int) -> str:
    which = (
        f"{reference.repository}@sha256:{reference.digest}"
        if reference.digest
        else f"{reference.repository}:{reference.tag}"
    )
    if status in (401, 403):
        return (
            f"The registry {registry} does not let us read {which} ({status}). "
            "Log in with docker or podman, or give --registry-username and --registry-password."
        )
    if status == 404:
        return f"The registry {registry} has no {which}. Push it first, or correct the name."
    if status == 429:
        return f"The registry {registry} has had too many requests from here (429). Log in, or try again later."
    return f"The registry {registry} answers {status} when asked for {which}. Try again, or ask whoever runs it."


def _speaks_no_tls(cause: BaseException | None) -> bool:
    return isinstance(cause, ssl.SSLError) and not isinstance(cause, ssl.SSLCertVerificationError)


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows a registry that has its manifests elsewhere, without taking along what opens it, or leaving TLS."""

    def redirect_request(
        self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        here, there = urllib.parse.urlsplit(req.full_url), urllib.parse.urlsplit(newurl)
        if req.get_method() not in ("GET", "HEAD") or there.scheme not in (here.scheme, "https"):
            return None
        following = urllib.request.Request(  # noqa: S310 (http only where it was http before)
            newurl, headers=dict(req.header_items()), method=req.get_method()
        )
        if here.netloc != there.netloc:
            following.remove_header("Authorization")
            following.remove_header("Host")
        return following

    http_error_308 = urllib.request.HTTPRedirectHandler.http_error_302
