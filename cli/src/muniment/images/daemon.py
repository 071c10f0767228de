"""What a container engine on this machine knows: its running containers, and the digests of its images.

Docker's API is asked through the engine's Unix socket, which Podman serves as well. Where that is no socket (another machine,
Windows), the command `docker` is asked the same.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import socket
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol
from urllib.parse import quote, urlencode

from muniment.images.references import NotAnImage, digest_in, parse_reference

_TIMEOUT_SECONDS = 60.0
_ASKED_AT_ONCE = 200


class DaemonError(Exception):
    """The engine cannot be asked, or does not know. The text says what to do."""


class Daemon(Protocol):
    """A container engine. All raise DaemonError."""

    def running(self) -> list[dict[str, Any]]:
        """What `docker inspect` says of each running container."""

    def images(self, ids: Iterable[str]) -> dict[str, dict[str, Any]]:
        """What `docker image inspect` says of images, by the id or name asked; without those it does not know."""


class ImageDigest(NamedTuple):
    """A digest, and whether a registry gave it. If not, it is the engine's own id of the image."""

    digest: str
    from_registry: bool


def image_digest(image: Mapping[str, Any], name: str) -> ImageDigest | None:
    """The digest of an inspected image: a registry's if it was ever pushed or pulled, else the engine's id of it."""
    given = [each for each in image.get("RepoDigests") or () if isinstance(each, str) and digest_in(each)]
    wanted = _repository(name)
    best = [each for each in given if _repository(each) == wanted] or given
    # Podman lists an image for several platforms twice, by its index and by itself; `Digest` is what the name stood for.
    for said in (digest_in(name), digest_in(str(image.get("Digest") or ""))):
        if said is not None and any(digest_in(each) == said for each in best):
            return ImageDigest(said, True)
    if best:
        return ImageDigest(digest_in(best[0]) or "", True)
    own = digest_in(f"sha256:{str(image.get('Id') or '').rpartition(':')[2]}")
    return ImageDigest(own, False) if own else None


def _repository(name: str) -> str | None:
    try:
        return parse_reference(name).name
    except NotAnImage:
        return None


def daemon(environment: Mapping[str, str] | None = None) -> Daemon:
    """The engine that `docker` would use. Raises DaemonError when there is none."""
    environment = os.environ if environment is None else environment
    host = environment.get("DOCKER_HOST", "")
    if host.startswith("unix://") and hasattr(socket, "AF_UNIX"):
        return SocketDaemon(Path(host[len("unix://") :]))
    if not host and hasattr(socket, "AF_UNIX") and not _has_context(environment):
        for path in _sockets(environment):
            if path.is_socket():
                return SocketDaemon(path)
    for program in ("docker", "podman"):
        if shutil.which(program, path=environment.get("PATH")):
            return CommandDaemon(program)
    raise DaemonError("No container engine was found here. Set DOCKER_HOST to its socket, or install docker.")


def _has_context(environment: Mapping[str, str]) -> bool:
    """Whether `docker` was told to use another engine than this machine's; then it is asked, because it knows how."""
    if environment.get("DOCKER_CONTEXT"):
        return environment["DOCKER_CONTEXT"] != "default"
    folder = environment.get("DOCKER_CONFIG") or os.path.join(
        environment.get("HOME") or os.path.expanduser("~"), ".docker"
    )
    try:
        settings = json.loads(Path(folder, "config.json").read_text(encoding="utf-8"))
        return str(settings.get("currentContext") or "default") != "default"
    except (OSError, ValueError, AttributeError):
        return False


def _sockets(environment: Mapping[str, str]) -> Iterator[Path]:
    yield Path("/var/run/docker.sock")
    if environment.get("XDG_RUNTIME_DIR"):
        yield Path(environment["XDG_RUNTIME_DIR"]) / "docker.sock"
        yield Path(environment["XDG_RUNTIME_DIR"]) / "podman" / "podman.sock"
    yield Path("/run/podman/podman.sock")


class SocketDaemon:
    """An engine that is asked through its Unix socket."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def running(self) -> list[dict[str, Any]]:
        """What is inspected of each running container. One that ended meanwhile is not running."""
        listed = self._get("/containers/json?" + urlencode({"filters": json.dumps({"status": ["running", "paused"]})}))
        found = (self._get(f"/containers/{quote(str(each['Id']), safe='')}/json") for each in listed or ())
        return [each for each in found if each is not None]

    def images(self, ids: Iterable[str]) -> dict[str, dict[str, Any]]:
        """What is inspected of images."""
        found = {each: self._image(quote(each, safe="/:@")) for each in ids}
        return {each: image for each, image in found.items() if image is not None}

    def _image(self, name: str) -> dict[str, Any] | None:
        image: dict[str, Any] | None = self._get(f"/images/{name}/json")
        if image is None or len(image.get("RepoDigests") or ()) < 2:
            return image
        own = self._get(f"/v4.0.0/libpod/images/{name}/json")  # Docker has no such thing, and says so
        return image if own is None else {**image, "Digest": own.get("Digest")}

    def _get(self, path: str) -> Any:
        connection = _UnixConnection(self._path)
        try:
            connection.request("GET", path, headers={"Host": "localhost"})
            answer = connection.getresponse()
            body = answer.read()
            if answer.status == 404:
                return None
            if answer.status != 200:
                raise DaemonError(
                    f"The container engine answers {answer.status} when asked for {path}. Ask it yourself."
                )
            return json.loads(body)
        except PermissionError:
            raise DaemonError(
                f"{self._path} may not be opened. Run this as a member of the group that owns it (docker)."
            ) from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise DaemonError(f"The container engine at {self._path} does not answer ({error}). Start it.") from None
        finally:
            connection.close()


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=_TIMEOUT_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


class CommandDaemon:
    """An engine that is asked through its command line."""

    def __init__(self, program: str) -> None:
        self._program = program

    def running(self) -> list[dict[str, Any]]:
        """What is inspected of each running container. One that ended meanwhile is not running."""
        statuses = ["--filter", "status=running", "--filter", "status=paused"]
        ids = self._run("ps", "--quiet", "--no-trunc", *statuses).stdout.split()
        return list(self._inspected("container", ids))

    def images(self, ids: Iterable[str]) -> dict[str, dict[str, Any]]:
        """What is inspected of images."""
        found: dict[str, dict[str, Any]] = {}
        for asked in ids:
            found.update((asked, image) for image in self._inspected("image", [asked]))
        return found

    def _inspected(self, kind: str, ids: Sequence[str]) -> Iterator[dict[str, Any]]:
        for start in range(0, len(ids), _ASKED_AT_ONCE):
            answer = self._run(kind, "inspect", *ids[start : start + _ASKED_AT_ONCE], partial=True)
            try:
                yield from json.loads(answer.stdout or "[]")
            except ValueError:
                raise DaemonError(f"{self._program} {kind} inspect answers what is no JSON. Run it yourself.") from None

    def _run(self, *words: str, partial: bool = False) -> subprocess.CompletedProcess[str]:
        try:
            answer = subprocess.run(  # noqa: S603 (found on PATH, as a shell would)
                [self._program, *words], capture_output=True, text=True, timeout=_TIMEOUT_SECONDS, check=False
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise DaemonError(f"{self._program} cannot be run ({error}). Install it, or set DOCKER_HOST.") from None
        unknown = partial and "no such" in answer.stderr.lower()
        if answer.returncode != 0 and not unknown:
            said = answer.stderr.strip().splitlines()
            raise DaemonError(f"{self._program} {words[0]} fails: {said[-1] if said else answer.returncode}")
        return answer
