"""Files into the vault: named by their digest, streamed from disk, several at a time, and none that is there already.

A file is read twice: once for its digest, and once to be sent, if the server does not have it. It never lies in memory whole.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from functools import partial

from muniment.client import PASSING
from muniment.documents import Query
from muniment.exits import BadUsage, Refused
from muniment.fingerprints import file_digest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from muniment.client import Client
    from muniment.context import Context

FILES_MAX = 100
"""How many files one attestation may name."""
DIGESTS_MAX = 1000
"""How many digests are asked about at a time."""
STORED = Query("query($digests: [Digest!]!) { record { storedEvidence(digests: $digests) } }")
_MEDIA_TYPES = {
    ".json": "application/json",
    ".sarif": "application/sarif+json",
    ".xml": "application/xml",
    ".html": "text/html",
    ".txt": "text/plain",
    ".log": "text/plain",
    ".csv": "text/csv",
    ".md": "text/markdown",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".zip": "application/zip",
    ".gz": "application/gzip",
    ".tar": "application/x-tar",
    ".age": "application/age-encryption",
}


class File:
    """A file of evidence: where its bytes are now, what to call it, and the digest by which it is known."""

    __slots__ = ("_digest", "media_type", "name", "path", "size")

    def __init__(
        self, path: str, name: str | None = None, *, media_type: str | None = None, digest: str | None = None
    ) -> None:
        self.path = path
        self.name = name or os.path.basename(path)
        self.media_type = media_type or _MEDIA_TYPES.get(
            os.path.splitext(self.name)[1].lower(), "application/octet-stream"
        )
        try:
            self.size = os.stat(path).st_size
        except OSError as error:
            raise unreadable(path, error) from None
        self._digest = digest

    @property
    def digest(self) -> str:
        """Its SHA-256; the file is read when this is asked for the first time."""
        if self._digest is None:
            try:
                self._digest = file_digest(self.path)
            except OSError as error:
                raise unreadable(self.path, error) from None
        return self._digest

    def named(self) -> dict[str, Any]:
        """How a mutation names it."""
        return {"digest": self.digest, "fileName": self.name, "mediaType": self.media_type}


def unreadable(path: str, error: OSError) -> BadUsage:
    """What to say of a file that cannot be read."""
    return BadUsage(
        f"{path} cannot be read ({(error.strerror or str(error)).lower()}). Name a readable file or directory."
    )


def gathered(paths: Sequence[str]) -> list[File]:
    """The files of these paths; of a directory, all regular files below it, under their names from there."""
    files: list[File] = []
    for path in paths:
        if os.path.isdir(path):
            files += _below(path)
        else:
            files.append(File(path))
    _tell_apart(files)
    return files


def check_count(count: int) -> None:
    """Refuses more files than an attestation can name: its entry in the ledger, which names them all, is at most 64 KiB."""
    if count > FILES_MAX:
        raise BadUsage(
            f"{count} files are more than the {FILES_MAX} that one attestation can name; nothing was sent. Pack them into one, "
            "leave some out, or attest in parts under several names."
        )


def store(context: Context, files: Sequence[File]) -> None:
    """Asks which of them the vault has, and stores the others. Raises CommandError for the first that could not be stored."""
    from muniment.commands import shared

    once = list({file.digest: file for file in files}.values())
    option = shared.PARALLEL
    at_a_time = context.number(option) if option in context.command.options else int(str(option.default))
    progress = Progress(
        sum(file.size for file in once), is_shown=sys.stderr.isatty() and not context.switch(shared.QUIET)
    )
    try:
        Storing(context.client, once, progress).run(at_a_time)
    finally:
        progress.end()


class Storing:
    """Some files on their way, by several threads."""

    def __init__(self, client: Client, files: Sequence[File], progress: Progress) -> None:
        self._client = client
        self._files = files
        self._waiting: list[File] = []
        self._progress = progress
        self._lock = threading.Lock()
        self._failure: BaseException | None = None

    def run(self, at_a_time: int) -> None:
        """Stores those that are not there, `at_a_time` at a time; the first failure ends it."""
        there = self._there()
        self._progress.moved(sum(file.size for file in self._files if file.digest in there))
        self._waiting = [file for file in reversed(self._files) if file.digest not in there]
        at_a_time = min(max(at_a_time, 1), len(self._waiting))
        if at_a_time == 1:
            self._work()
        else:
            threads = [threading.Thread(target=self._work_and_leave, daemon=True) for _ in range(at_a_time)]
            for thread in threads:
                thread.start()
            for thread in threads:
                while thread.is_alive():
                    thread.join(0.5)  # in turns, so that Ctrl-C is heard
        if self._failure is not None:
            raise self._failure

    def _work_and_leave(self) -> None:
        try:
            self._work()
        finally:
            self._client.connections.drop()

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._waiting or self._failure is not None:
                    return
                file = self._waiting.pop()
            try:
                self._client.patiently(partial(self._send, file))
            except BaseException as failure:  # noqa: BLE001 (told by the thread that waits)
                with self._lock:
                    self._failure = self._failure or failure
                return

    def _there(self) -> set[str]:
        """The digests that the vault has already, asked for all together. What this key may not read is not among them."""
        digests = [file.digest for file in self._files]
        there: set[str] = set()
        for start in range(0, len(digests), DIGESTS_MAX):
            asked = {"digests": digests[start : start + DIGESTS_MAX]}
            there.update(self._client.ask(STORED, asked)["record"]["storedEvidence"])
        return there

    def _send(self, file: File) -> None:
        path = f"/evidence/sha256:{file.digest}"
        moved = 0

        def note(count: int) -> None:
            nonlocal moved
            moved += count
            self._progress.moved(count)

        headers = self._client.headers({"Content-Type": file.media_type})
        try:
            with open(file.path, "rb", buffering=0) as opened:
                if os.fstat(opened.fileno()).st_size != file.size:
                    raise BadUsage(f"{file.path} changed while it was reported. Report it when it is finished.")
                self._client.checked(self._client.connections.send_file(path, headers, opened, file.size, note))
        except PASSING:
            self._progress.moved(-moved)
            raise
        except Refused as refusal:
            if refusal.refusal == "WRONG_DIGEST":
                raise BadUsage(f"{file.path} changed while it was reported. Report it when it is finished.") from None
            raise


class Progress:
    """How far it is, on stderr of a terminal."""

    def __init__(self, total: int, *, is_shown: bool) -> None:
        self._total = total
        self._is_shown = is_shown
        self._done = 0
        self._told_at = 0.0
        self._began = time.monotonic()
        self._lock = threading.Lock()

    def moved(self, count: int) -> None:
        """`count` more bytes are there."""
        if not self._is_shown:
            return
        with self._lock:
            self._done += count
            now = time.monotonic()
            if now - self._told_at >= 0.1:
                self._told_at = now
                self._tell(now)

    def end(self) -> None:
        """Nothing more will move."""
        if self._is_shown:
            self._tell(time.monotonic())
            print(file=sys.stderr)

    def _tell(self, now: float) -> None:
        share = self._done / self._total if self._total else 1.0
        bar = ("#" * int(share * 24)).ljust(24, "-")
        speed = self._done / 1e6 / max(now - self._began, 0.001)
        told = f"\r[{bar}] {self._done / 1e6:.1f} of {self._total / 1e6:.1f} MB, {speed:.0f} MB/s "
        print(told, end="", file=sys.stderr, flush=True)


def _below(folder: str) -> list[File]:
    top = os.path.basename(os.path.abspath(folder))
    files: list[File] = []
    for place, folders, names in os.walk(folder, onerror=_raise):
        folders.sort()
        for name in sorted(names):
            path = os.path.join(place, name)
            if os.path.isfile(path) and not os.path.islink(path):
                files.append(File(path, f"{top}/{os.path.relpath(path, folder)}".replace(os.sep, "/")))
    if not files:
        raise BadUsage(f"The directory {folder} holds no files. Name what is to be kept as evidence.")
    return files


def _raise(error: OSError) -> None:
    raise unreadable(str(error.filename), error)


def _tell_apart(files: Iterable[File]) -> None:
    """Files of one name get numbers: an attestation calls no two of its files the same."""
    seen: dict[str, int] = {}
    for file in files:
        count = seen[file.name] = seen.get(file.name, 0) + 1
        if count > 1:
            stem, extension = os.path.splitext(file.name)
            file.name = f"{stem}-{count}{extension}"
