"""A running server checked by somebody who does not believe it: its checkpoint, that it extends an older one, one entry, or all.

What is believed is a key: whoever signs with it may not say two things. The server only delivers.
"""

from __future__ import annotations

import base64
import time

from muniment.exits import Refused
from muniment.proof.bundle import TlogProof, parse_proof, verify_proof
from muniment.proof.checkpoint import Checkpoint, open_checkpoint
from muniment.proof.merkle import CompactRange, leaf_hash, verify_consistency
from muniment.proof.notes import NoteError, decode_base64
from muniment.proof.policy import trusting
from muniment.proof.tiles import TILE_WIDTH, decode_bundle, entries_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from muniment.client import Client
    from muniment.proof.notes import VerifierKey

SIGNED_WITHIN_SECONDS = 10.0


class LiveLog:
    """The log of one organization, as its server delivers it."""

    def __init__(self, client: Client, organization: str, key: VerifierKey) -> None:
        self._client = client
        self._place = f"/log/{organization}"
        self._key = key

    def newest(self) -> tuple[str, Checkpoint]:
        """The newest checkpoint, as it was signed and as it reads. Raises NoteError when the key did not sign it."""
        note = self._fetched("/checkpoint").decode("utf-8", "replace")
        return note, open_checkpoint(note, self._key)

    def check_extends(self, old: Checkpoint, new: Checkpoint) -> None:
        """Raises ProofError when the log was rewritten between the two."""
        if old.origin != new.origin:
            raise NoteError(
                f"The saved checkpoint is of {old.origin}, and this log is {new.origin}. Compare with its own."
            )
        hashes: list[bytes] = []
        if old.size < new.size:
            told = self._fetched(f"/consistency?old={old.size}&new={new.size}").decode("ascii", "replace")
            hashes = [decode_base64(line, "A hash of the consistency proof") for line in told.split()]
        verify_consistency(old.size, old.root, new.size, new.root, hashes)

    def check_entry(self, index: int, leaf: bytes) -> tuple[str, Checkpoint]:
        """The proof that the entry with this leaf hash is at this place, and the checkpoint that it is under."""
        ends = time.monotonic() + SIGNED_WITHIN_SECONDS
        while True:
            try:
                text = self._fetched(f"/proof/{index}.tlog-proof").decode("utf-8", "replace")
                break
            except Refused as refusal:
                # What was recorded a moment ago is signed a moment later.
                if refusal.refusal != "NOT_FOUND" or time.monotonic() > ends:
                    raise
                time.sleep(0.5)
        return text, self.checked(parse_proof(text), index, leaf)

    def checked(self, proof: TlogProof, index: int, leaf: bytes) -> Checkpoint:
        """The checkpoint under which the proof shows the leaf at this place."""
        if proof.index != index:
            raise NoteError(f"The proof is of entry {proof.index}, and entry {index} was asked for. Fetch it again.")
        return verify_proof(proof, leaf, trusting(self._key))

    def check_all(self, checkpoint: Checkpoint, moved: Callable[[int], None]) -> None:
        """Reads every entry, and raises NoteError when they do not make up the checkpoint's root."""
        grown = CompactRange()
        while grown.size < checkpoint.size:
            width = min(TILE_WIDTH, checkpoint.size - grown.size)
            bundle = decode_bundle(self._fetched("/" + entries_path(grown.size // TILE_WIDTH, width)))
            if len(bundle) != width:
                raise NoteError(f"A bundle of {width} entries holds {len(bundle)}. Do not rely on the log.")
            for entry in bundle:
                grown.append(leaf_hash(entry))
            moved(grown.size)
        if grown.root() != checkpoint.root:
            raise NoteError(
                f"The {checkpoint.size} entries make up the root {base64.b64encode(grown.root()).decode()}, and the signed one is "
                f"{base64.b64encode(checkpoint.root).decode()}. Do not rely on the log."
            )

    def _fetched(self, path: str) -> bytes:
        body: bytes = self._client.patiently(lambda: self._client.request("GET", self._place + path).body)
        return body


def leaf_of(text: str) -> bytes:
    """A leaf hash as receipts write it. Raises NoteError for anything else."""
    try:
        leaf = bytes.fromhex(text) if len(text) == 64 else base64.b64decode(text, validate=True)
    except ValueError:
        leaf = b""
    if len(leaf) != 32:
        raise NoteError(f"{text[:80]!r} is not a leaf hash. Give the receipt as the server wrote it.")
    return leaf
