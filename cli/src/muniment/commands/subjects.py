"""What a command is about: an artifact on this machine or in a registry, known by its fingerprint."""

from __future__ import annotations

import os

from muniment.command import LIST, Argument, Option
from muniment.exits import BadUsage
from muniment.naming import bare, is_fingerprint

TYPE_CHECKING = False
if TYPE_CHECKING:
    from muniment.context import Context

ARTIFACT = Argument("ARTIFACT", help="file, directory or image")
MAYBE_ARTIFACT = Argument("ARTIFACT", help="file, directory or image that it is about", required=False)

FINGERPRINT = Option("--fingerprint", "-F", help="SHA-256 of the artifact, instead of reading it", value="SHA256")
ARTIFACT_TYPE = Option(
    "--artifact-type",
    "-t",
    choices=("file", "dir", "oci", "docker"),
    help="file, dir, docker (an image of this machine's engine) or oci (an image of a registry); default: what it looks like",
    value="TYPE",
)
EXCLUDE = Option("--exclude", "-x", kind=LIST, help="what to leave out of a directory's fingerprint", value="GLOBS")
DIR_HASH = Option(
    "--dir-hash", choices=("dirHash1", "kosli"), default="dirHash1", help="how to fingerprint directories"
)
REGISTRY_USERNAME = Option("--registry-username", help="user of the registry; default: as docker is logged in")
REGISTRY_PASSWORD = Option("--registry-password", help="password of the registry; better in the environment")
PLATFORM = Option("--platform", help="of an image for several platforms: the one that is meant", value="OS/ARCH")

FINGERPRINTING = (ARTIFACT_TYPE, EXCLUDE, DIR_HASH, REGISTRY_USERNAME, REGISTRY_PASSWORD, PLATFORM)
SUBJECT = (FINGERPRINT, *FINGERPRINTING)


def given_fingerprint(context: Context) -> str | None:
    """The fingerprint that was given as such; None without one."""
    given = context.text(FINGERPRINT)
    if given is None:
        return None
    if not is_fingerprint(given):
        raise BadUsage(f"{given[:80]!r} is not a SHA-256 fingerprint. Give 64 lower-case hexadecimal digits.")
    return bare(given)


def fingerprint_here(context: Context, name: str) -> tuple[str, str]:
    """Fingerprint and kind of the file, directory or image of this name. Raises BadUsage when it has none."""
    kind = context.text(ARTIFACT_TYPE)
    if kind is None:
        kind = "dir" if os.path.isdir(name) else "file" if os.path.exists(name) or not looks_like_image(name) else None
    if kind == "file":
        return _file(name), kind
    if kind is not None:
        return _fingerprint(context, name, kind), kind
    # An image: the engine that built it knows it best; a registry may know one that this machine never pulled.
    try:
        return _fingerprint(context, name, "docker"), "docker"
    except BadUsage as unknown_here:
        try:
            return _fingerprint(context, name, "oci"), "oci"
        except BadUsage as unknown_there:
            raise BadUsage(
                f"{name} is no file, and no image that can be found. {unknown_here.message} {unknown_there.message}"
            ) from None


def looks_like_image(name: str) -> bool:
    """Whether this may be an image's name: a tag or a digest, and not a path."""
    return not name.startswith((".", "/", "~")) and "\\" not in name and (":" in name or "@" in name)


def kind_of(given: str | None) -> str:
    """What the record calls it: whatever was not looked at is a file."""
    return {"docker": "image", "oci": "image", "dir": "directory"}.get(given or "", "file")


def _file(name: str) -> str:
    from muniment.evidence import unreadable
    from muniment.fingerprints import file_digest

    try:
        return file_digest(name)
    except OSError as error:
        raise unreadable(name, error) from None


def _fingerprint(context: Context, name: str, kind: str) -> str:
    from muniment.artifacts import fingerprint_of
    from muniment.fingerprints import FingerprintError

    try:
        found = fingerprint_of(
            name,
            kind,
            exclude=context.texts(EXCLUDE),
            dir_hash=context.text(DIR_HASH) or "dirHash1",
            registry_username=context.text(REGISTRY_USERNAME),
            registry_password=context.text(REGISTRY_PASSWORD),
            platform=context.text(PLATFORM),
            environment=context.environment,
        )
    except FingerprintError as error:
        raise BadUsage(str(error)) from None
    for remark in found.remarks:
        context.say(remark)
    return found.fingerprint
