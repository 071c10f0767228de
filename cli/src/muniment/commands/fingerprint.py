"""`muniment fingerprint`: a file, a directory or an image in, the 64 hexadecimal digits that name it out."""

from __future__ import annotations

from muniment.command import Argument, Command
from muniment.commands.known_by import KNOWN_BY, fingerprint_known
from muniment.exits import ExitCode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from muniment.context import Context


def fingerprint(context: Context) -> ExitCode:
    """Print the fingerprint."""
    found = fingerprint_known(context, context.argument("ARTIFACT") or "")
    return context.show({"fingerprint": found}, lambda output: output.line(found))


COMMANDS = (
    Command(
        "fingerprint",
        fingerprint,
        arguments=(Argument("ARTIFACT", help="a file, a directory, or the name of an image"),),
        options=KNOWN_BY,
        examples=(
            "muniment fingerprint build/app.jar",
            "muniment fingerprint dist/ --exclude '**/*.map'",
            "muniment fingerprint registry.example.com/shop/web:1.4.2 --artifact-type oci",
        ),
        explanation="A file is known by the SHA-256 of its bytes, a directory by in-toto's dirHash1 of the files below it "
        "(symbolic links are not part of it), an image by the digest of the manifest that its name stands for.",
    ),
)
