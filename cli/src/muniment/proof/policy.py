"""Whom to trust: a policy file in, and whether a checkpoint satisfies it out (C2SP tlog-policy).

A checkpoint is accepted if one of the policy's logs signed it, that log's key is named as the checkpoint's origin, and
witnesses cosigned it as the quorum demands. `quorum none` demands no witness.

Ed25519 keys count (type 0x01 for logs, cosignature type 0x04 for witnesses). ML-DSA-44 keys (0x06) may be listed, but
the standard library cannot check them, so they never count towards anything here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from muniment.proof.checkpoint import Checkpoint, parse_checkpoint
from muniment.proof.notes import (
    ED25519,
    ED25519_COSIGNATURE,
    MLDSA44_COSIGNATURE,
    NoteError,
    VerifierKey,
    parse_note,
    parse_verifier_key,
    verify_note,
)

NO_QUORUM = "none"
GROUPS_MAX = 256


class PolicyError(ValueError):
    """The policy file does not say clearly whom to trust."""


@dataclass(frozen=True)
class PolicyGroup:
    """Witnesses or groups, of which `threshold` must have witnessed."""

    threshold: int
    members: tuple[str, ...]


@dataclass(frozen=True)
class Policy:
    """Logs that may sign, witnesses that may cosign, and how many of them must have."""

    logs: tuple[VerifierKey, ...]
    witnesses: dict[str, VerifierKey]
    groups: dict[str, PolicyGroup]
    quorum: str

    def has_quorum(self, cosigned: Iterable[VerifierKey]) -> bool:
        """Whether these verified witness keys are enough."""
        return self.quorum == NO_QUORUM or self._witnessed(self.quorum, set(cosigned))

    def _witnessed(self, name: str, cosigned: set[VerifierKey]) -> bool:
        if name in self.witnesses:
            return self.witnesses[name] in cosigned
        group = self.groups[name]
        return sum(self._witnessed(member, cosigned) for member in group.members) >= group.threshold


def trusting(*logs: VerifierKey) -> Policy:
    """The policy that trusts these logs without witnesses."""
    return Policy(logs, {}, {}, NO_QUORUM)


def format_policy(*logs: VerifierKey) -> str:
    """The policy file that trusts these logs without witnesses."""
    return "".join(f"log {log}\n" for log in logs) + f"quorum {NO_QUORUM}\n"


def parse_policy(data: bytes | str) -> Policy:
    """The policy that the file spells."""
    # The specification compares names as bytes, so bytes that are not UTF-8 are kept as they are.
    text = data if isinstance(data, str) else data.decode("utf-8", "surrogateescape")
    if any((character < " " and character not in "\t\n") or character == "\x7f" for character in text):
        raise PolicyError("The policy holds a control character. Use only printable characters, tabs and newlines.")
    reading = _PolicyReading()
    for number, line in enumerate(text.split("\n"), start=1):
        words = [word for word in line.replace("\t", " ").split(" ") if word]
        if words and not words[0].startswith("#"):
            try:
                reading.read(words[0], words[1:])
            except ValueError as refusal:
                raise PolicyError(f"Line {number} of the policy: {refusal}") from None
    if reading.quorum is None:
        raise PolicyError("The policy has no quorum. Add a line `quorum none`, or name a witness or a group.")
    return Policy(tuple(reading.logs), reading.witnesses, reading.groups, reading.quorum)


def accepted_checkpoint(data: bytes | str, policy: Policy) -> Checkpoint:
    """The checkpoint in a note, if the policy accepts it; raises NoteError if it does not."""
    return accepted_with_keys(data, policy)[0]


def accepted_with_keys(data: bytes | str, policy: Policy) -> tuple[Checkpoint, tuple[VerifierKey, ...]]:
    """The checkpoint that the policy accepts, and the keys of its log that really signed it."""
    note = parse_note(data)
    checkpoint = parse_checkpoint(note.text)
    logs = [log for log in policy.logs if log.name == checkpoint.origin]
    if not logs:
        raise NoteError(f"The policy does not list the log {checkpoint.origin}. Ask its operator for the verifier key.")
    signed = verify_note(note, logs)
    cosigned: tuple[VerifierKey, ...] = ()
    present = {(line.name, line.key_id) for line in note.signatures}
    witnesses = [key for key in policy.witnesses.values() if (key.name, key.key_id) in present and key.can_verify]
    if witnesses:
        cosigned = verify_note(note, witnesses)
    if not policy.has_quorum(cosigned):
        raise NoteError(
            f"Too few witnesses cosigned the checkpoint: {policy.quorum} is not satisfied. Fetch a newer one."
        )
    return checkpoint, signed


class _PolicyReading:
    """What has been read of a policy so far; a line may only name what stands above it."""

    def __init__(self) -> None:
        self.logs: list[VerifierKey] = []
        self.witnesses: dict[str, VerifierKey] = {}
        self.groups: dict[str, PolicyGroup] = {}
        self.quorum: str | None = None
        self._members: set[str] = set()

    def read(self, keyword: str, words: list[str]) -> None:
        if keyword == "log" and len(words) in (1, 2):
            self.logs.append(_policy_key(words[0], ED25519, self.logs))
        elif keyword == "witness" and len(words) in (2, 3):
            self._define(words[0])
            self.witnesses[words[0]] = _policy_key(words[1], ED25519_COSIGNATURE, self.witnesses.values())
        elif keyword == "group" and len(words) >= 3:
            self._group(words[0], words[1], tuple(words[2:]))
        elif keyword == "quorum" and len(words) == 1:
            if self.quorum is not None:
                raise PolicyError("there is a second quorum. Keep one.")
            if words[0] != NO_QUORUM:
                self._refuse_unknown(words[0])
            self.quorum = words[0]
        else:
            raise PolicyError(f"{keyword!r} with {len(words)} words is unknown. Use log, witness, group or quorum.")

    def _group(self, name: str, threshold: str, members: tuple[str, ...]) -> None:
        if len(self.groups) >= GROUPS_MAX:
            raise PolicyError(f"there are more than {GROUPS_MAX} groups. Use fewer.")
        for member in members:
            self._refuse_unknown(member)
            if member in self._members:
                raise PolicyError(f"{member!r} is already a member of a group. List each name once.")
            self._members.add(member)
        self._define(name)
        if threshold in ("any", "all"):
            number = 1 if threshold == "any" else len(members)
        elif threshold.isascii() and threshold.isdigit() and len(threshold) < 6 and threshold[0] != "0":
            number = int(threshold)
        else:
            number = 0
        if not 1 <= number <= len(members):
            raise PolicyError(f"{threshold!r} is no threshold for {len(members)} members. Use any, all or a number.")
        self.groups[name] = PolicyGroup(number, members)

    def _define(self, name: str) -> None:
        if name == NO_QUORUM or name in self.witnesses or name in self.groups:
            raise PolicyError(f"the name {name!r} is taken. Use another one.")

    def _refuse_unknown(self, name: str) -> None:
        if name not in self.witnesses and name not in self.groups:
            raise PolicyError(f"{name!r} is not defined above. Define the witness or group first.")


def _policy_key(text: str, algorithm: int, others: Iterable[VerifierKey]) -> VerifierKey:
    key = parse_verifier_key(text)
    if key.algorithm not in (algorithm, MLDSA44_COSIGNATURE):
        raise PolicyError(f"the key of {key.name} has type 0x{key.algorithm:02x}. Here it must be 0x{algorithm:02x}.")
    if any(other.public_key == key.public_key for other in others):
        raise PolicyError(f"the key of {key.name} is listed twice. List each key once.")
    return key
