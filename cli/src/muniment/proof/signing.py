"""Signing notes: the one module of the proofs that holds a secret, and the one that needs the `cryptography` package.

Whoever has the seed can make the log say anything, so nothing here prints it, keeps a copy or reads it from anywhere.
Verifiers never import this module.
"""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from muniment.proof.checkpoint import Checkpoint, format_checkpoint
from muniment.proof.notes import Note, NoteError, SignatureLine, VerifierKey, verifier_key

SEED_BYTES = 32


class Signer:
    """Signs notes under a name with an Ed25519 seed of 32 bytes."""

    def __init__(self, name: str, seed: bytes) -> None:
        if len(seed) != SEED_BYTES:
            raise NoteError(f"The seed has {len(seed)} bytes. Give the {SEED_BYTES} bytes of an Ed25519 seed.")
        self._secret = Ed25519PrivateKey.from_private_bytes(seed)
        self.key: VerifierKey = verifier_key(name, self._secret.public_key().public_bytes_raw())

    def __repr__(self) -> str:
        return f"Signer({self.verifier_key})"

    @property
    def verifier_key(self) -> str:
        """The public half, as verifiers are told it."""
        return str(self.key)

    def sign(self, text: str) -> str:
        """The signed note with this text, which must end with a newline."""
        if not text.endswith("\n"):
            raise NoteError("The text to sign does not end with a newline. Add one.")
        signature = self._secret.sign(text.encode("utf-8"))
        return str(Note(text, (SignatureLine(self.key.name, self.key.key_id, signature),)))

    def sign_checkpoint(self, size: int, root: bytes) -> str:
        """The signed checkpoint of the log that this key is for."""
        return self.sign(format_checkpoint(Checkpoint(self.key.name, size, root)))
