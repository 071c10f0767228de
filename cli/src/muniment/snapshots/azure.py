"""What runs in Azure App Service: what `az` lists of web and function apps in, members out.

An app from an image is known by the digest that its registry gives for the image's name now; an app that names a digest, by
that. An app from a package is known by its files, fetched as a ZIP file from its deployment door and hashed as a directory.
"""

from __future__ import annotations

import hashlib
import http.client
import tempfile
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Iterable, Mapping
from typing import IO, Any

from muniment import __version__
from muniment.fingerprints import FingerprintError, tree_fingerprint
from muniment.images.references import NotAnImage, Reference, parse_reference
from muniment.images.registry import RegistryError, digest_at_registry
from muniment.snapshots.choice import Choice
from muniment.snapshots.members import Member, Report, SnapshotError, instant, unreadable
from muniment.snapshots.programs import answer_of

_INSTALL = "Install the Azure CLI, and log in with az login."
_PIECE_BYTES = 1 << 20
_SECONDS = 300.0

Digest = Callable[[Reference], "tuple[str, str]"]
"""The digest of an image, and who told it. Raises SnapshotError or RegistryError."""
Package = Callable[[Mapping[str, Any]], str]
"""The fingerprint of the files of an app. Raises SnapshotError."""


def report_of_apps(apps: Iterable[Mapping[str, Any]], chosen: Choice, digest: Digest, package: Package) -> Report:
    """Every app chosen by its name that is running."""
    running = [each for each in apps if str(each.get("state") or "").lower() == "running"]
    members = [_read(each, digest, package) for each in running if chosen.takes(str(each.get("name") or ""))]
    remarks = chosen.remarks()
    if any(member.facts.get("digestsSource") in ("acr", "registry") for member in members):
        remarks.append("Apps that name a tag are known by what the tag means now, which may be newer than what runs.")
    return Report(members, remarks)


def _read(app: Mapping[str, Any], digest: Digest, package: Package) -> Member:
    name = str(app.get("name") or "")
    facts: dict[str, Any] = {"app": name, "kind": str(app.get("kind") or "")}
    created = instant(app.get("lastModifiedTimeUtc"))
    image = name
    try:
        runs = str((app.get("siteConfig") or {}).get("linuxFxVersion") or "")
        kind, _, rest = runs.partition("|")
        if kind.upper() != "DOCKER":
            return Member(name, package(app), created, 1, {**facts, "digestsSource": "package"})
        image = rest.split("://", 1)[-1]
        fingerprint, source = digest(parse_reference(image))
        return Member(image, fingerprint, created, 1, {**facts, "digestsSource": source})
    except (SnapshotError, RegistryError, NotAnImage) as error:
        return unreadable(image, str(error), **facts)
    except (AttributeError, KeyError, TypeError, ValueError):
        return unreadable(image, "Azure's description of it cannot be read.", **facts)


def ask(chosen: Choice, *, group: str | None, subscription: str | None) -> Report:
    """Everything in this subscription, or in one resource group of it. Raises SnapshotError."""
    where = [f"--subscription={subscription}"] if subscription else []
    within = [*where, f"--resource-group={group}"] if group else where
    apps: list[Any] = []
    for kind in ("webapp", "functionapp"):
        listed = answer_of("az", [kind, "list", *within, "--output=json"], install=_INSTALL)
        apps += (_with_settings(each, kind, where) for each in listed if chosen.takes(str(each.get("name") or "")))

    def package(app: Mapping[str, Any]) -> str:
        token = answer_of("az", ["account", "get-access-token", *where, "--output=json"], install=_INSTALL)
        return _package_fetched(app, str(token["accessToken"]))

    return report_of_apps(apps, chosen, lambda reference: _digest_asked(reference, where), package)


def _with_settings(app: Mapping[str, Any], kind: str, where: list[str]) -> Mapping[str, Any]:
    """The app with its settings, which a list may leave out."""
    if (app.get("siteConfig") or {}).get("linuxFxVersion") or "container" not in str(app.get("kind") or ""):
        return app
    which = [f"--name={app.get('name')}", f"--resource-group={app.get('resourceGroup')}"]
    try:
        return {
            **app,
            "siteConfig": answer_of("az", [kind, "config", "show", *which, *where, "--output=json"], install=_INSTALL),
        }
    except SnapshotError:
        return {**app, "siteConfig": "unknown"}


def _digest_asked(reference: Reference, where: list[str]) -> tuple[str, str]:
    if reference.digest is not None:
        return reference.digest, "name"
    registry, dot, _ = reference.registry.partition(".azurecr.")
    if not dot:
        return digest_at_registry(reference), "registry"
    image = f"--image={reference.repository}:{reference.tag}"
    words = ["acr", "repository", "show", f"--name={registry}", image, *where, "--output=json"]
    told = str(answer_of("az", words, install=_INSTALL)["digest"])
    return told.rpartition(":")[2], "acr"


def _package_fetched(app: Mapping[str, Any], token: str) -> str:
    """The fingerprint of the app's files, as its deployment door gives them."""
    hosts = [each.get("name") for each in app.get("hostNameSslStates") or () if each.get("hostType") == "Repository"]
    if not hosts:
        raise SnapshotError("Azure names no deployment door of it, so its files cannot be read.")
    request = urllib.request.Request(
        f"https://{hosts[0]}/api/zip/site/wwwroot/",
        headers={"Authorization": f"Bearer {token}", "User-Agent": f"muniment/{__version__}"},
    )
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS) as answer, tempfile.TemporaryFile() as file:  # noqa: S310
            for piece in iter(lambda: answer.read(_PIECE_BYTES), b""):
                file.write(piece)
            return fingerprint_of_zip(file)
    except urllib.error.HTTPError as error:
        with error:
            raise SnapshotError(f"Its deployment door answers {error.code}. Allow this login to read it.") from None
    except (OSError, http.client.HTTPException, ValueError, zipfile.BadZipFile, FingerprintError) as error:
        raise SnapshotError(f"Its files cannot be fetched ({error}). Try again.") from None


def fingerprint_of_zip(file: IO[bytes]) -> str:
    """The dirHash1 of the directory that a ZIP file would be, without unpacking it."""
    files: dict[bytes, str] = {}
    with zipfile.ZipFile(file) as archive:
        for member in archive.infolist():
            if not member.is_dir():
                hasher = hashlib.sha256()
                with archive.open(member) as content:
                    for piece in iter(lambda: content.read(_PIECE_BYTES), b""):
                        hasher.update(piece)
                files[member.filename.replace("\\", "/").encode("utf-8")] = hasher.hexdigest()
    return tree_fingerprint(files.items())
