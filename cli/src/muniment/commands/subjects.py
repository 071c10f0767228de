"""What a command is about: an artifact on this machine or in a registry, known by its fingerprint."""

from __future__ import annotations

import os

from muniment.command import Argument, Option
from muniment.commands.known_by import ARTIFACT_TYPE, KNOWN_BY, fingerprint_known
from muniment.exits import BadUsage
from muniment.naming import bare, is_fingerprint

TYPE_CHECKING = False
if TYPE_CHECKING:
    from muniment.context import Context

ARTIFACT = Argument("ARTIFACT", help="file, directory or image")
MAYBE_ARTIFACT = Argument("ARTIFACT", help="file, directory or image that it is about", required=False)

FINGERPRINT = Option("--fingerprint", "-F", help="SHA-256 of the artifact, instead of reading it", value="SHA256")
SUBJECT = (FINGERPRINT, *KNOWN_BY)
NAME = Option("--name", "-n", help="the artifact, by the name that it was reported under", value="ARTIFACT")


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
    if kind is not None:
        return fingerprint_known(context, name, kind), kind
    # An image: the engine that built it knows it best; a registry may know one that this machine never pulled.
    try:
        return fingerprint_known(context, name, "docker"), "docker"
    except BadUsage as unknown_here:
        try:
            return fingerprint_known(context, name, "oci"), "oci"
        except BadUsage as unknown_there:
            raise BadUsage(
                f"{name} is no file, and no image that can be found. {unknown_here.message} {unknown_there.message}"
            ) from None


def looks_like_image(name: str) -> bool:
    """Whether this may be an image's name: a tag or a digest, and not a path, with a drive in front or without."""
    has_drive = name[:1].isalpha() and name[1:3] == ":/"
    is_path = has_drive or name.startswith((".", "/", "~")) or "\\" in name
    return not is_path and (":" in name or "@" in name)


def chosen(context: Context, flow: str | None) -> tuple[str | None, dict[str, str | None] | None]:
    """Which artifact is meant: its fingerprint, or the exact name (and flow) by which to look it up. (None, None) for none."""
    fingerprint = given_fingerprint(context)
    name, read = context.text(NAME), context.argument("ARTIFACT")
    if fingerprint is not None:
        return fingerprint, None
    if read is not None:
        if is_fingerprint(read):
            return bare(read), None
        if looks_like_image(read) and context.text(ARTIFACT_TYPE) is None and not os.path.exists(read):
            return None, {"name": read, "flow": flow}
        return fingerprint_here(context, read)[0], None
    if name is not None and context.text(ARTIFACT_TYPE) is not None:
        return fingerprint_here(context, name)[0], None
    return None, None if name is None else {"name": name, "flow": flow}
