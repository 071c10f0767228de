"""What an artifact is known by: bytes on disk in, 64 lower-case hexadecimal digits out.

A file is named by the SHA-256 of its bytes. A directory is named by in-toto's `dirHash1`: one line `<sha256>  <path>` for
each regular file below it, lines in the byte order of their paths, and the SHA-256 of those lines. Two trees with the
same files under other names thus differ. Empty directories, permissions and symbolic links are not part of it.
"""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

_PIECE_BYTES = 1 << 20


class FingerprintError(ValueError):
    """This has no fingerprint."""


def file_fingerprint(path: Path) -> str:
    """The SHA-256 of the file's bytes."""
    return file_digest(path)


def file_digest(path: str | os.PathLike[str]) -> str:
    """The SHA-256 of the file's bytes, read piece by piece."""
    hasher = hashlib.sha256()
    piece = bytearray(_PIECE_BYTES)
    view = memoryview(piece)
    with open(path, "rb", buffering=0) as file:
        while count := file.readinto(view):
            hasher.update(view[:count])
    return hasher.hexdigest()


def directory_fingerprint(path: Path) -> tuple[str, int]:
    """The directory's dirHash1, and how many symbolic links were left out."""
    files: list[tuple[bytes, Path]] = []
    links = 0
    for folder, folders, names in os.walk(path, onerror=_raise):
        for name in [*folders, *names]:
            whole = Path(folder) / name
            mode = whole.lstat().st_mode
            if stat.S_ISLNK(mode):
                links += 1
            elif stat.S_ISREG(mode):
                files.append((os.fsencode(whole.relative_to(path).as_posix()), whole))
    hasher = hashlib.sha256()
    for relative, whole in sorted(files):
        if b"\n" in relative:
            raise FingerprintError(
                f"The name {str(whole)!r} holds a newline, which dirHash1 cannot express. Rename the file."
            )
        hasher.update(file_fingerprint(whole).encode("ascii") + b"  " + relative + b"\n")
    return hasher.hexdigest(), links


def _raise(error: OSError) -> None:
    raise error
