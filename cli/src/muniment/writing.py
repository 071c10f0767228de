"""One write from its making to its receipt, so that it can be shown, sent, kept and sent again without being recorded twice.

1. its evidence goes into the vault, each file under its digest;
2. an artifact that is named and not fingerprinted is looked up;
3. the mutation is sent, with an idempotency key that was made once;
4. if the trail it belongs to is not there, the trail is begun, and 3 is done again.
"""

from __future__ import annotations

import os
import time

from muniment.commands.shared import ORGANIZATION
from muniment.exits import Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from muniment.client import Client
    from muniment.context import Context
    from muniment.documents import Mutation
    from muniment.evidence import File


class Write:
    """What will be recorded, complete but for what only the server knows."""

    __slots__ = ("artifact", "at", "command", "files", "given", "mutation", "trail")

    def __init__(
        self,
        command: str,
        mutation: Mutation,
        given: dict[str, Any],
        *,
        at: str,
        files: Sequence[File] = (),
        trail: Mapping[str, Any] | None = None,
        artifact: Mapping[str, Any] | None = None,
    ) -> None:
        self.command = command
        self.mutation = mutation
        self.given = given
        self.at = at
        self.files = list(files)
        self.trail = trail
        self.artifact = artifact

    @classmethod
    def made(
        cls,
        command: str,
        mutation: Mutation,
        given: Mapping[str, Any],
        *,
        key: str | None,
        number: int,
        files: Sequence[File] = (),
        trail: Mapping[str, Any] | None = None,
        artifact: Mapping[str, Any] | None = None,
    ) -> Write:
        """A new write of now. `key` is the user's own idempotency key, `number` counts the writes of one command."""
        kept = {name: value for name, value in given.items() if value is not None}
        if key is None:
            kept["idempotencyKey"] = f"cli-{os.urandom(16).hex()}"
        else:
            kept["idempotencyKey"] = key if number == 0 else f"{key}-{number}"
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        return cls(command, mutation, kept, at=at, files=files, trail=trail, artifact=artifact)

    @property
    def can_wait(self) -> bool:
        """Whether it says the same when it is sent later."""
        return self.mutation.noted is not None

    def shown(self) -> dict[str, Any]:
        """What a dry run prints."""
        shown: dict[str, Any] = {"mutation": self.mutation.name, "input": self.given}
        if self.artifact is not None:
            shown["fingerprintOf"] = dict(self.artifact)
        if self.files:
            shown["evidence"] = [{"file": file.path, "digest": file.digest, "bytes": file.size} for file in self.files]
        return shown

    def noting_when(self) -> dict[str, Any]:
        """The input, with the time at which it was first reported noted in it."""
        field = self.mutation.noted
        noted = dict(self.given)
        if field == "deployedAt":
            noted.setdefault("deployedAt", self.at)
        elif field in ("annotations", "userData"):
            noted[field] = {**(noted.get(field) or {}), "reported_at": self.at}
        elif field is not None:
            noted[field] = f"{noted.get(field) or ''} (first reported {self.at})".strip()
        return noted


def send(context: Context, write: Write, *, is_late: bool = False) -> dict[str, Any]:
    """Sends it. Raises Unreachable when that is not possible now, Refused when the server says no."""
    client = context.client
    if write.files:
        from muniment.evidence import store  # most writes have no files

        store(context, write.files)
    if write.artifact is not None:
        from muniment.naming import fingerprint_of_name  # few writes name an artifact so

        write.given["fingerprint"] = fingerprint_of_name(client, write.artifact["name"], write.artifact.get("flow"))
    given = write.noting_when() if is_late else write.given
    try:
        return _checked(context, _recorded(client, write, given))
    except Refused as refusal:
        if not (is_late and refusal.refusal == "IDEMPOTENCY_CONFLICT"):
            raise
        # The first attempt was recorded after all, at its own time; only its answer was lost.
        return _checked(context, _recorded(client, write, write.given))


def _checked(context: Context, outcome: dict[str, Any]) -> dict[str, Any]:
    """The key decides whose record it is. Says so when another organization was named."""
    named, recorded = context.text(ORGANIZATION), outcome["receipt"]["ledger"].rpartition("/")[2]
    if named not in (None, recorded):
        context.say(
            f"the key is of the organization {recorded}, so that is where it was recorded, although {named} was named"
        )
    return outcome


def _recorded(client: Client, write: Write, given: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return client.record(write.mutation, given)
    except Refused as refusal:
        if write.trail is None or refusal.refusal != "NOT_FOUND":
            raise
        from muniment.trails import begin_if_missing  # once for each trail

        # If it is there now, somebody else began it meanwhile. If something else is missing, the server says so again.
        begin_if_missing(client, write.trail)
        return client.record(write.mutation, given)
