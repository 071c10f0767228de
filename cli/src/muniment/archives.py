"""An archive on its way: downloaded piece by piece, taken up where it broke off, and there under its name only when it is whole."""

from __future__ import annotations

import hashlib
import os

from muniment.client import Again
from muniment.connections import Answer
from muniment.evidence import Progress
from muniment.exits import BadUsage, CommandError, ExitCode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from muniment.client import Client

PIECE_BYTES = 1 << 20


def fetch(client: Client, path: str, to: str, *, digest: str, size: int, is_shown: bool) -> int:
    """Downloads `path` into the file `to`; how many bytes were there already. Raises CommandError for another digest."""
    part = f"{to}.{digest[:12]}.part"
    had = os.path.getsize(part) if os.path.exists(part) else 0
    if had > size:
        os.remove(part)
        had = 0
    progress = Progress(size, is_shown=is_shown)
    progress.moved(had)
    while _length(part) < size:
        before = _length(part)
        # Whatever arrives counts: the next attempt goes on behind it, and its patience begins anew.
        client.patiently(lambda: _go_on(client, path, part, progress))
        if _length(part) <= before:
            break
    progress.end()
    if _digest(part) != digest:
        os.remove(part)
        raise CommandError(f"What arrived is not the archive {digest}. Download it again.", ExitCode.NOT_PROVEN)
    os.replace(part, to)
    return had


def _go_on(client: Client, path: str, part: str, progress: Progress) -> None:
    begin = _length(part)
    headers = client.headers({"Range": f"bytes={begin}-"} if begin else {})
    came = client.connections.receive(path, headers)
    try:
        if came.status not in (200, 206):
            client.checked(Answer("GET", path, came, came.read(), 0.0))
        with open(part, "r+b" if begin and came.status == 206 else "wb") as file:
            if came.status == 206:
                file.seek(begin)
            while piece := came.read(PIECE_BYTES):
                file.write(piece)
                progress.moved(len(piece))
        if came.length:
            raise Again("the connection broke off")
    except OSError as error:
        if error.filename == part:
            raise BadUsage(f"{part} cannot be written ({(error.strerror or '').lower()}).") from None
        raise
    finally:
        client.connections.drop()


def _length(path: str) -> int:
    return os.path.getsize(path) if os.path.exists(path) else 0


def _digest(path: str) -> str:
    hasher = hashlib.sha256()
    if os.path.exists(path):
        with open(path, "rb") as file:
            while piece := file.read(PIECE_BYTES):
                hasher.update(piece)
    return hasher.hexdigest()
