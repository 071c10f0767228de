"""What could not be sent, kept on disk in order, and sent later.

    DIR/<time>-<number>.json        a write: input, idempotency key, and when it was first reported
    DIR/evidence/<sha256>           the bytes that it names
    DIR/refused/<...>.json          what the server said no to, with its sentence

A write is there whole or not at all: it is written beside its place and moved there. While something is waiting, later writes of
the same spool go behind it, because the server would refuse evidence about what it has not heard of. A file is deleted when its
receipt is there; if we end between the two, it is sent again, and its key sees to it that it is not recorded twice.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from contextlib import contextmanager

from muniment.documents import Mutation
from muniment.evidence import File
from muniment.exits import BadUsage, Refused, Unreachable
from muniment.writing import Write, send

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from muniment.context import Context


def send_or_keep(context: Context, folder: str, write: Write) -> dict[str, Any] | None:
    """Sends what is waiting, then this; keeps this if that cannot be done now, and gives None."""
    spool = Spool(folder)
    with spool.alone():
        try:
            if spool.waiting():
                flush(context, spool)
            return send(context, write)
        except Unreachable as unreachable:
            path = spool.keep(write)
            context.say(f"{unreachable.message}")
            context.say(f"kept in {path}; send it with: muniment flush --spool {folder}")
            return None


def flush(context: Context, spool: Spool) -> list[tuple[str, dict[str, Any] | Refused]]:
    """Sends what is waiting, oldest first: each write's command and what came of it. Raises Unreachable where it stops."""
    outcomes: list[tuple[str, dict[str, Any] | Refused]] = []
    for path in spool.waiting():
        write = spool.read(path)
        try:
            outcome = send(context, write, is_late=True)
        except Refused as refusal:
            if refusal.refusal in ("UNAUTHENTICATED", "NOT_ALLOWED"):
                raise
            spool.set_aside(path, refusal.message)
            context.say(f"refused: {write.command} of {write.at}: {refusal.message}")
            outcomes.append((write.command, refusal))
        else:
            spool.forget(path)
            outcomes.append((write.command, outcome))
    if not spool.waiting():
        spool.clear_evidence()
    return outcomes


class Spool:
    """A directory of writes that are waiting."""

    def __init__(self, folder: str) -> None:
        self.folder = os.path.abspath(os.path.expanduser(folder))
        try:
            os.makedirs(os.path.join(self.folder, "evidence"), mode=0o700, exist_ok=True)
        except OSError as error:
            raise BadUsage(f"{folder} cannot be the spool ({error.strerror}). Name a directory to write to.") from None

    def waiting(self) -> list[str]:
        """The files of the writes that wait, oldest first."""
        names = sorted(name for name in os.listdir(self.folder) if name.endswith(".json"))
        return [os.path.join(self.folder, name) for name in names]

    def keep(self, write: Write) -> str:
        """Keeps a write and its evidence; the path of its file."""
        files = []
        for file in write.files:
            kept = os.path.join(self.folder, "evidence", file.digest)
            if not os.path.exists(kept):
                _whole(kept, lambda part, source=file.path: shutil.copyfile(source, part))
            files.append({"digest": file.digest, "name": file.name, "mediaType": file.media_type})
        mutation = write.mutation
        content = {
            "version": 1,
            "command": write.command,
            "at": write.at,
            "mutation": [mutation.name, mutation.input_type, mutation.done, mutation.selection, mutation.noted],
            "input": write.given,
            "evidence": files,
            "trail": write.trail,
            "artifact": write.artifact,
        }
        path = os.path.join(self.folder, f"{time.time_ns():020d}-{os.urandom(4).hex()}.json")
        text = json.dumps(content, indent=1)
        _whole(path, lambda part: _write(part, text))
        return path

    def read(self, path: str) -> Write:
        """A write that was kept."""
        try:
            with open(path, encoding="utf-8") as file:
                content = json.load(file)
            name, input_type, done, selection, noted = content["mutation"]
            files = [
                File(
                    os.path.join(self.folder, "evidence", each["digest"]),
                    each["name"],
                    media_type=each["mediaType"],
                    digest=each["digest"],
                )
                for each in content["evidence"]
            ]
            return Write(
                content["command"],
                Mutation(name, input_type, done, selection, noted=noted),
                content["input"],
                at=content["at"],
                files=files,
                trail=content["trail"],
                artifact=content["artifact"],
            )
        except (OSError, ValueError, LookupError, TypeError) as error:
            raise BadUsage(f"{path} is not a write that this kept ({error}). Move it away.") from None

    def forget(self, path: str) -> None:
        """It was recorded."""
        os.remove(path)

    def set_aside(self, path: str, why: str) -> None:
        """It was refused: it goes to `refused/`, with the server's sentence beside it."""
        aside = os.path.join(self.folder, "refused")
        os.makedirs(aside, mode=0o700, exist_ok=True)
        _write(os.path.join(aside, os.path.basename(path)[:-5] + ".txt"), why + "\n")
        os.replace(path, os.path.join(aside, os.path.basename(path)))

    def clear_evidence(self) -> None:
        """Nothing waits, so no bytes are needed; those of refused writes stay."""
        if os.path.isdir(os.path.join(self.folder, "refused")):
            return
        shutil.rmtree(os.path.join(self.folder, "evidence"), ignore_errors=True)
        os.makedirs(os.path.join(self.folder, "evidence"), mode=0o700, exist_ok=True)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Waits until no other program works on this spool. The lock goes when we end, however we end."""
        with open(os.path.join(self.folder, ".lock"), "a+b") as file:
            if os.name == "nt":
                import msvcrt  # there only on Windows

                file.seek(0)
                while True:
                    try:
                        msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)  # type: ignore[attr-defined, unused-ignore]
                        break
                    except OSError:
                        time.sleep(0.1)
                yield
                file.seek(0)
                msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)  # type: ignore[attr-defined, unused-ignore]
            else:
                import fcntl  # there only on POSIX

                fcntl.flock(file, fcntl.LOCK_EX)
                yield


def _whole(path: str, make: Any) -> None:
    part = f"{path}.{os.getpid()}.part"
    make(part)
    os.replace(part, path)


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
