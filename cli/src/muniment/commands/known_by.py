"""Options that say what an artifact is, for every command that takes one; and its fingerprint by them."""

from __future__ import annotations

from muniment.artifacts import DIRECTORY_HASHES, TYPES, fingerprint_of
from muniment.command import LIST, Option
from muniment.exits import BadUsage
from muniment.fingerprints import FingerprintError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from muniment.context import Context

ARTIFACT_TYPE = Option(
    "--artifact-type",
    "-t",
    choices=TYPES,
    help="file, dir, oci (ask its registry) or docker (ask the engine on this machine); default: what lies at the path",
)
EXCLUDE = Option(
    "--exclude",
    "-x",
    kind=LIST,
    help="globs to leave out of a directory; also read from its .muniment_ignore",
    value="GLOBS",
)
DIR_HASH = Option("--dir-hash", choices=DIRECTORY_HASHES, default="dirHash1", help="how to fingerprint a directory")
REGISTRY_USERNAME = Option("--registry-username", help="user of the registry; default: docker's login", value="NAME")
REGISTRY_PASSWORD = Option("--registry-password", help="the user's password or token; better in the environment")
PLATFORM = Option("--platform", help="of an image for several platforms, the digest of this one", value="OS/ARCH")

KNOWN_BY = (ARTIFACT_TYPE, EXCLUDE, DIR_HASH, REGISTRY_USERNAME, REGISTRY_PASSWORD, PLATFORM)


def fingerprint_known(context: Context, name: str, kind: str | None = None) -> str:
    """The fingerprint of a path or an image by these options. `kind` goes before what they say of its type.

    Raises BadUsage when it has none; says how it was found.
    """
    try:
        fingerprint, remarks = fingerprint_of(
            name,
            kind or context.text(ARTIFACT_TYPE),
            exclude=context.texts(EXCLUDE),
            dir_hash=context.text(DIR_HASH) or "dirHash1",
            registry_username=context.text(REGISTRY_USERNAME),
            registry_password=context.text(REGISTRY_PASSWORD),
            platform=context.text(PLATFORM),
            environment=context.environment,
        )
    except FingerprintError as refusal:
        raise BadUsage(str(refusal)) from None
    for remark in remarks:
        context.say(remark)
    return fingerprint
