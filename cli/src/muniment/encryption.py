"""Evidence that only its readers can read: files encrypted to age recipients before they leave this machine.

The record then knows the digest of what was encrypted, and the server never sees the rest. Whoever holds a recipient's identity
decrypts with any program for age (age-encryption.org). A report that the server must read to judge it cannot be encrypted.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile

from muniment.evidence import File
from muniment.exits import BadUsage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

SUFFIX = ".age"


def encrypted(files: Sequence[File], recipients: Sequence[str]) -> list[File]:
    """These files encrypted, beside one another in a directory that is deleted when the program ends."""
    try:
        import pyrage  # type: ignore[import-untyped, import-not-found, unused-ignore]
    except ImportError:
        raise BadUsage("Encryption needs a library: pip install 'muniment[encrypt]'") from None
    to = [_recipient(pyrage, each) for each in recipients]
    folder = tempfile.mkdtemp(prefix="muniment-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    made = []
    for number, file in enumerate(files):
        path = os.path.join(folder, f"{number}{SUFFIX}")
        with open(file.path, "rb") as source, open(path, "wb") as sealed:
            pyrage.encrypt_io(source, sealed, to)
        made.append(File(path, file.name + SUFFIX, media_type="application/age-encryption"))
    return made


def _recipient(pyrage: Any, text: str) -> Any:
    try:
        if text.startswith("ssh-"):
            return pyrage.ssh.Recipient.from_str(text)
        return pyrage.x25519.Recipient.from_str(text)
    except pyrage.RecipientError:
        raise BadUsage(f"{text[:80]!r} is no age recipient. Give one such as age1... or ssh-ed25519 ...") from None
