"""What a log promises about itself: three lines in, origin, size and root out (C2SP tlog-checkpoint).

A checkpoint is worth as much as the signature on it: `open_checkpoint` reads and verifies in one step, and
`parse_checkpoint` is for text whose note has been verified already.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass

from muniment.proof.merkle import EMPTY_ROOT, HASH_BYTES
from muniment.proof.notes import NoteError, VerifierKey, decode_base64, parse_note, verify_note

_DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}")


@dataclass(frozen=True)
class Checkpoint:
    """The state of one log: how many entries it holds and the root over them."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()


def format_checkpoint(checkpoint: Checkpoint) -> str:
    """The text that gets signed."""
    encoded = base64.b64encode(checkpoint.root).decode("ascii")
    text = "".join(f"{line}\n" for line in (checkpoint.origin, checkpoint.size, encoded, *checkpoint.extensions))
    parse_checkpoint(text)
    return text


def parse_checkpoint(text: str) -> Checkpoint:
    """The checkpoint that a note's text spells; it verifies nothing."""
    lines = text.split("\n")
    if len(lines) < 4 or lines[-1] or not all(lines[:-1]):
        raise NoteError("A checkpoint has three lines or more, none of them empty: origin, size, root. Fetch it again.")
    origin, size, root = lines[:3]
    decoded = decode_base64(root, "The checkpoint's root")
    if len(decoded) != HASH_BYTES:
        raise NoteError(f"The checkpoint's root has {len(decoded)} bytes instead of {HASH_BYTES}. Fetch it again.")
    number = parse_decimal(size, "The checkpoint's size")
    if number == 0 and decoded != EMPTY_ROOT:
        raise NoteError(
            "The checkpoint gives an empty tree a root that is not the empty tree's. Do not rely on the log."
        )
    return Checkpoint(origin, number, decoded, tuple(lines[3:-1]))


def open_checkpoint(data: bytes | str, key: VerifierKey) -> Checkpoint:
    """The checkpoint in a note that `key` signed, for the log that the key names."""
    note = parse_note(data)
    verify_note(note, [key])
    checkpoint = parse_checkpoint(note.text)
    if checkpoint.origin != key.name:
        raise NoteError(
            f"The checkpoint is of {checkpoint.origin}, but the key is for {key.name}. Use that log's own key."
        )
    return checkpoint


def parse_decimal(text: str, what: str) -> int:
    """A whole number in its one spelling; the refusal begins with `what`."""
    if not _DECIMAL.fullmatch(text):
        raise NoteError(f"{what}, {text[:40]!r}, is not a decimal number without leading zeros. Fetch it again.")
    return int(text)
