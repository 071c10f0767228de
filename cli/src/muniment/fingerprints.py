"""What an artifact is known by: bytes on disk in, 64 lower-case hexadecimal digits out.

A file is named by the SHA-256 of its bytes. A directory is named by in-toto's `dirHash1`: one line `<sha256>  <path>` for
each regular file below it, lines in the byte order of their paths, and the SHA-256 of those lines. Two trees with the
same files under other names thus differ. Empty directories, permissions and symbolic links are not part of it.

The other algorithm here is that of Kosli's client, for whoever has fingerprints from there. It does not tell every two
trees apart: an empty directory `a` beside a file `b` is to it what a file `b` inside `a` is.
"""

from __future__ import annotations

import hashlib
import os
import stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path
    from typing import NoReturn

    from muniment.exclusions import Exclusions

_PIECE_BYTES = 1 << 20


class FingerprintError(ValueError):
    """This has no fingerprint. The text says why, and what to do."""


def file_fingerprint(path: Path) -> str:
    """The SHA-256 of the file's bytes. Raises OSError."""
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


def tree_fingerprint(files: Iterable[tuple[bytes, str]]) -> str:
    """The dirHash1 of a tree by its files: path with `/`, relative to the top, and SHA-256 of the content."""
    hasher = hashlib.sha256()
    for relative, digest in sorted(files):
        if b"\n" in relative:
            raise FingerprintError(
                f"The name {os.fsdecode(relative)!r} holds a newline, which dirHash1 cannot express. Rename the file."
            )
        hasher.update(digest.encode("ascii") + b"  " + relative + b"\n")
    return hasher.hexdigest()


def directory_fingerprint(path: Path, exclude: Sequence[str] = ()) -> tuple[str, int]:
    """The directory's dirHash1, and how many symbolic links were left out.

    Raises OSError for the directory itself, FingerprintError for what is below it.
    """
    from muniment.exclusions import Exclusions

    exclusions = Exclusions.of(path, exclude)
    files: list[tuple[bytes, str]] = []
    links = 0
    for folder, folders, names in os.walk(path, onerror=_unlisted(path)):
        inside = os.path.relpath(folder, path)
        before = "" if inside == os.curdir else inside.replace(os.sep, "/") + "/"
        folders[:] = [name for name in folders if not exclusions.leave_out(before + name)]
        for name in [*folders, *(name for name in names if not exclusions.leave_out(before + name))]:
            whole = os.path.join(folder, name)
            mode = os.lstat(whole).st_mode
            if stat.S_ISLNK(mode):
                links += 1
            elif stat.S_ISREG(mode):
                files.append((os.fsencode(before + name), _content(whole)))
    return tree_fingerprint(files), links


def kosli_directory_fingerprint(path: Path, exclude: Sequence[str] = ()) -> str:
    """The directory's fingerprint as Kosli's client computes it. Raises like `directory_fingerprint`."""
    from muniment.exclusions import Exclusions

    hasher = hashlib.sha256()
    _add_folder(hasher, path, path, Exclusions.of(path, exclude))
    return hasher.hexdigest()


def _add_folder(hasher: hashlib._Hash, top: Path, folder: Path, exclusions: Exclusions) -> None:
    try:
        names = sorted((entry.name for entry in folder.iterdir()), key=os.fsencode)
    except OSError as error:
        _unlisted(top)(error)
    for name in names:
        whole = folder / name
        if exclusions.leave_out(whole.relative_to(top).as_posix()):
            continue
        hasher.update(hashlib.sha256(os.fsencode(name)).hexdigest().encode("ascii"))
        if whole.is_symlink() and not whole.exists():
            raise FingerprintError(f"{whole} is a symbolic link to nothing. Mend it, or leave it out with --exclude.")
        if whole.is_symlink() and whole.is_dir():
            said = os.fsencode(whole.readlink())
            hasher.update(hashlib.sha256(said).hexdigest().encode("ascii"))
        elif whole.is_dir():
            _add_folder(hasher, top, whole, exclusions)
        elif whole.is_file():
            hasher.update(_content(whole).encode("ascii"))


def _content(path: str | os.PathLike[str]) -> str:
    try:
        return file_digest(path)
    except OSError as error:
        raise FingerprintError(
            f"{path} cannot be read ({error.strerror}). Make it readable, or leave it out with --exclude."
        ) from None


def _unlisted(top: Path) -> Callable[[OSError], NoReturn]:
    """What to do about a directory that cannot be listed: the top's own error is raised, one below is told of."""

    def refuse(error: OSError) -> NoReturn:
        if error.filename is None or os.fspath(error.filename) == os.fspath(top):
            raise error
        raise FingerprintError(
            f"{error.filename} cannot be listed ({error.strerror}). Make it readable, or leave it out with --exclude."
        ) from None

    return refuse
