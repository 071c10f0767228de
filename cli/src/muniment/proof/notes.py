"""Signed notes and verifier keys (C2SP signed-note): text in, and which of the trusted keys signed it out.

A note is text, a blank line, and signature lines. The text means nothing until a key that was trusted beforehand has
verified; so `verify_note` answers with those keys, and refuses a note that none of them signed.

Rules kept here:
 * the text is everything before the last blank line, with its final newline: that is what was signed;
 * a signature belongs to a key only if name and key id both match; lines of other keys are ignored;
 * a line of a trusted key that does not verify spoils the whole note;
 * base64 is standard and in its one canonical spelling, UTF-8 is valid, and the newline is the only control character.

Who may sign what is `muniment.proof.policy`'s affair; making signatures is `muniment.proof.signing`'s.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import struct
from collections.abc import Iterable
from dataclasses import dataclass

from muniment.proof.ed25519 import PUBLIC_KEY_BYTES, verify_ed25519

ED25519 = 0x01
ECDSA = 0x02
ED25519_COSIGNATURE = 0x04
MLDSA44_COSIGNATURE = 0x06
SIGNATURES_MAX = 100
NOTE_BYTES_MAX = 1_000_000


class NoteError(ValueError):
    """This is not a signed note or a verifier key, or no trusted key signed it."""


@dataclass(frozen=True)
class VerifierKey:
    """A public key under a name: what a person has to get from somewhere that they trust."""

    name: str
    key_id: int
    algorithm: int
    public_key: bytes

    @property
    def can_verify(self) -> bool:
        """Whether this module knows how to check signatures of this key."""
        return self.algorithm in (ED25519, ED25519_COSIGNATURE)

    def __str__(self) -> str:
        material = base64.b64encode(bytes([self.algorithm]) + self.public_key).decode("ascii")
        return f"{self.name}+{self.key_id:08x}+{material}"


@dataclass(frozen=True)
class SignatureLine:
    """One signature of a note. `signature` is what follows the key id."""

    name: str
    key_id: int
    signature: bytes

    def __str__(self) -> str:
        material = base64.b64encode(struct.pack(">I", self.key_id) + self.signature).decode("ascii")
        return f"\u2014 {self.name} {material}\n"


@dataclass(frozen=True)
class Note:
    """A note as it was read. Nothing about it has been verified."""

    text: str
    signatures: tuple[SignatureLine, ...]

    def __str__(self) -> str:
        return self.text + "\n" + "".join(map(str, self.signatures))


def key_id_of(name: str, algorithm: int, public_key: bytes) -> int:
    """The short number that names a key together with its name. It is a label, not a protection."""
    if algorithm == ECDSA:
        digest = hashlib.sha256(public_key).digest()
    else:
        digest = hashlib.sha256(name.encode("utf-8") + b"\n" + bytes([algorithm]) + public_key).digest()
    return int.from_bytes(digest[:4], "big")


def verifier_key(name: str, public_key: bytes, algorithm: int = ED25519) -> VerifierKey:
    """The verifier key of a raw public key."""
    _refuse_key_name(name)
    if algorithm in (ED25519, ED25519_COSIGNATURE) and len(public_key) != PUBLIC_KEY_BYTES:
        raise NoteError(
            f"An Ed25519 public key has {PUBLIC_KEY_BYTES} bytes, not {len(public_key)}. Copy the key again."
        )
    return VerifierKey(name, key_id_of(name, algorithm, public_key), algorithm, public_key)


def parse_verifier_key(text: str) -> VerifierKey:
    """The key that `<name>+<key id>+<base64>` writes."""
    parts = text.split("+", 2)
    if len(parts) != 3 or len(parts[1]) != 8 or not set(parts[1]) <= set("0123456789abcdef"):
        raise NoteError(f"{text[:200]!r} is not a verifier key. Write it as <name>+<8 hexadecimal digits>+<base64>.")
    name, key_id, encoded = parts
    material = decode_base64(encoded, "The verifier key's material")
    if len(material) < 2:
        raise NoteError(f"The verifier key of {name!r} is cut short. Copy the key again.")
    key = verifier_key(name, material[1:], material[0])
    if key.key_id != int(key_id, 16):
        raise NoteError(f"The verifier key of {name!r} does not have the key id {key_id}. Copy the key again.")
    return key


def parse_note(data: bytes | str) -> Note:
    """The text and the signature lines of a note, none of them verified."""
    text = _note_characters(data)
    end = text.rfind("\n\n")
    if end < 0 or not text.endswith("\n"):
        raise NoteError(
            "This is not a signed note: no blank line parts text and signatures. Fetch the whole note again."
        )
    lines = text[end + 2 :].split("\n")[:-1]
    if not lines or len(lines) > SIGNATURES_MAX:
        raise NoteError(f"The note has {len(lines)} signatures. There must be 1 to {SIGNATURES_MAX}.")
    return Note(text[: end + 1], tuple(_signature_line(line) for line in lines))


def verify_note(note: Note, keys: Iterable[VerifierKey]) -> tuple[VerifierKey, ...]:
    """Those of the trusted `keys` that signed the note: at least one. Raises NoteError otherwise."""
    trusted = {(key.name, key.key_id): key for key in keys}
    verified: list[VerifierKey] = []
    for line in note.signatures:
        key = trusted.get((line.name, line.key_id))
        if key is None or not key.can_verify:
            continue
        if not _signed(note.text, line.signature, key):
            raise NoteError(f"The signature of {line.name} does not belong to this text. Do not rely on the note.")
        if key not in verified:
            verified.append(key)
    if not verified:
        signers = ", ".join(f"{line.name} ({line.key_id:08x})" for line in note.signatures)
        raise NoteError(
            f"No trusted key signed this note; it names {signers}. Ask its publisher for the right verifier key."
        )
    return tuple(verified)


def decode_base64(text: str, what: str) -> bytes:
    """The bytes of standard base64 in its canonical spelling; the refusal begins with `what`."""
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        data = b""
    if not text or base64.b64encode(data).decode("ascii") != text:
        raise NoteError(f"{what} is not standard base64. Copy it again.")
    return data


def _signed(text: str, signature: bytes, key: VerifierKey) -> bool:
    message = text.encode("utf-8")
    if key.algorithm == ED25519:
        return verify_ed25519(key.public_key, message, signature)
    if len(signature) != 72:
        return False
    timestamp = int.from_bytes(signature[:8], "big")
    if timestamp >= 1 << 63:
        return False
    return verify_ed25519(key.public_key, b"cosignature/v1\ntime %d\n" % timestamp + message, signature[8:])


def _note_characters(data: bytes | str) -> str:
    if len(data) > NOTE_BYTES_MAX:
        raise NoteError(f"The note has more than {NOTE_BYTES_MAX} bytes. Real ones are much shorter.")
    try:
        text = data if isinstance(data, str) else data.decode("utf-8")
        text.encode("utf-8")
    except UnicodeError:
        raise NoteError("The note is not valid UTF-8. Fetch it again.") from None
    if any(character < " " and character != "\n" for character in text):
        raise NoteError("The note holds a control character. Fetch it again.")
    return text


def _signature_line(line: str) -> SignatureLine:
    parts = line.split(" ")
    if len(parts) != 3 or parts[0] != "\u2014":
        raise NoteError(f"{line[:200]!r} is not a signature line. It must be a long dash, a key name and base64.")
    _refuse_key_name(parts[1])
    material = decode_base64(parts[2], f"The signature of {parts[1]}")
    if len(material) < 5:
        raise NoteError(f"The signature of {parts[1]} is cut short. Fetch the note again.")
    return SignatureLine(parts[1], int.from_bytes(material[:4], "big"), material[4:])


def _refuse_key_name(name: str) -> None:
    if not name or "+" in name or any(character.isspace() or character < " " for character in name):
        raise NoteError(f"{name[:200]!r} cannot name a key. Use a text without spaces and plus signs.")
