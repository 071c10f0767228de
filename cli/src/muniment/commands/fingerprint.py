"""`muniment fingerprint`: a file or directory in, the 64 hexadecimal digits that name it out."""

from __future__ import annotations

from pathlib import Path

from muniment.command import Argument, Command
from muniment.exits import BadUsage, ExitCode
from muniment.fingerprints import FingerprintError, directory_fingerprint, file_fingerprint

TYPE_CHECKING = False
if TYPE_CHECKING:
    from muniment.context import Context


def fingerprint(context: Context) -> ExitCode:
    """Print the fingerprint."""
    given = context.argument("PATH") or ""
    path = Path(given)
    try:
        if path.is_dir():
            found, links = directory_fingerprint(path)
            if links:
                context.say(f"{links} symbolic links are not part of the fingerprint")
        else:
            found = file_fingerprint(path)
    except OSError as error:
        raise BadUsage(f"{given} cannot be read ({error.strerror}). Name a readable file or directory.") from None
    except FingerprintError as refusal:
        raise BadUsage(str(refusal)) from None
    return context.show({"fingerprint": found}, lambda output: output.line(found))


COMMANDS = (
    Command(
        "fingerprint",
        fingerprint,
        arguments=(Argument("PATH", help="file (SHA-256 of its bytes) or directory (in-toto dirHash1)"),),
        examples=("muniment fingerprint build/app.jar",),
    ),
)
