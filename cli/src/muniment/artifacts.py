"""What an artifact is known by, whatever it is: a file, a directory, an image in a registry or in the engine on this machine.

What a fingerprint costs is imported when it is asked for: a file needs no TLS, and an image no walk through directories.
"""

from __future__ import annotations

import os

from muniment.fingerprints import (
    FingerprintError,
    directory_fingerprint,
    file_digest,
    kosli_directory_fingerprint,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

TYPES = ("file", "dir", "oci", "docker")
DIRECTORY_HASHES = ("dirHash1", "kosli")


def fingerprint_of(
    name: str,
    artifact_type: str | None = None,
    *,
    exclude: Sequence[str] = (),
    dir_hash: str = "dirHash1",
    registry_username: str | None = None,
    registry_password: str | None = None,
    platform: str | None = None,
    environment: Mapping[str, str] | None = None,
) -> tuple[str, tuple[str, ...]]:
    """The fingerprint of a path or an image, and what is to be said on stderr of how it was found.

    Raises FingerprintError, whose text says what to do.
    """
    environment = os.environ if environment is None else environment
    if artifact_type == "oci":
        return _in_registry(name, registry_username, registry_password, platform, environment)
    if artifact_type == "docker":
        return _in_engine(name, environment)
    is_directory = os.path.isdir(name)
    if artifact_type is not None and os.path.exists(name) and is_directory != (artifact_type == "dir"):
        raise FingerprintError(
            f"{name} is {'a directory' if is_directory else 'no directory'}. "
            f"Give --artifact-type {'dir' if is_directory else 'file'}."
        )
    try:
        if not is_directory:
            return file_digest(name), ()
        from pathlib import Path

        path = Path(name)
        if dir_hash == "kosli":
            return kosli_directory_fingerprint(path, exclude), ()
        fingerprint, links = directory_fingerprint(path, exclude)
    except OSError as error:
        raise FingerprintError(f"{name} cannot be read ({error.strerror}). {_advice(name, artifact_type)}") from None
    return fingerprint, (f"{links} symbolic links are not part of the fingerprint",) if links else ()


def _advice(name: str, artifact_type: str | None) -> str:
    if artifact_type is None and not os.path.exists(name) and (":" in name or "@" in name):
        return "If it is an image, give --artifact-type oci or docker."
    return "Name a readable file or directory."


def _in_registry(
    name: str, user: str | None, password: str | None, platform: str | None, environment: Mapping[str, str]
) -> tuple[str, tuple[str, ...]]:
    from muniment.images.credentials import Credentials, credentials_for
    from muniment.images.references import NotAnImage, parse_reference
    from muniment.images.registry import Registry, RegistryError

    if bool(user) != bool(password):
        raise FingerprintError("A registry's user needs a password. Give both, or neither and log in with docker.")
    try:
        reference = parse_reference(name)
        given = Credentials(user, password) if user and password else credentials_for(reference.registry, environment)
        return Registry(reference.registry, given).digest(reference, platform), ()
    except (NotAnImage, RegistryError) as error:
        raise FingerprintError(str(error)) from None


def _in_engine(name: str, environment: Mapping[str, str]) -> tuple[str, tuple[str, ...]]:
    from muniment.images.daemon import DaemonError, daemon, image_digest
    from muniment.images.references import NotAnImage, parse_reference

    try:
        parse_reference(name)
        image = daemon(environment).images([name]).get(name)
    except (NotAnImage, DaemonError) as error:
        raise FingerprintError(str(error)) from None
    digest = image_digest(image, name) if image is not None else None
    if digest is None:
        raise FingerprintError(
            f"The container engine has no image {name}. Build or pull it first, or correct the name."
        )
    if digest.from_registry:
        return digest.digest, ()
    return (
        digest.digest,
        (f"{name} was never pushed or pulled: this is the engine's id of it, and a registry may give another digest",),
    )
