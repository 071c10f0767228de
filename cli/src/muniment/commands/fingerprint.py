"""`muniment fingerprint`: a file or directory in, the 64 hexadecimal digits that name it out."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from muniment.exits import CommandError, ExitCode
from muniment.fingerprints import FingerprintError, directory_fingerprint, file_fingerprint


def describe(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument("path", help="file (SHA-256 of its bytes) or directory (in-toto dirHash1)")


def run(options: argparse.Namespace) -> ExitCode:
    """Print the fingerprint."""
    path = Path(options.path)
    try:
        if path.is_dir():
            fingerprint, links = directory_fingerprint(path)
            if links:
                print(f"muniment: {links} symbolic links are not part of the fingerprint", file=sys.stderr)
        else:
            fingerprint = file_fingerprint(path)
    except OSError as error:
        raise CommandError(
            f"{options.path} cannot be read ({error.strerror}). Name a readable file or directory.", ExitCode.BAD_USAGE
        ) from None
    except FingerprintError as refusal:
        raise CommandError(str(refusal), ExitCode.BAD_USAGE) from None
    print(fingerprint)
    return ExitCode.DONE
