"""A proof that fits in one file: "this entry is in that log", for somebody without a network (C2SP tlog-proof).

The file holds the entry's index, the hashes that lead to the root, and the checkpoint with its signatures. It does not
hold the entry: whoever checks brings the entry's bytes and a policy that says whom to trust.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass

from muniment.proof.checkpoint import Checkpoint, parse_decimal
from muniment.proof.merkle import HASH_BYTES, verify_inclusion
from muniment.proof.notes import NoteError, decode_base64
from muniment.proof.policy import Policy, accepted_checkpoint

PROOF_HEADER = "c2sp.org/tlog-proof@v1"
PATH_HASHES_MAX = 63


@dataclass(frozen=True)
class TlogProof:
    """A proof as it was read. `extra` is authenticated by nothing."""

    index: int
    hashes: tuple[bytes, ...]
    checkpoint: str
    extra: bytes | None = None


def format_proof(proof: TlogProof) -> str:
    """The content of the `.tlog-proof` file."""
    lines = [PROOF_HEADER]
    if proof.extra is not None:
        lines.append(f"extra {base64.b64encode(proof.extra).decode('ascii')}")
    lines.append(f"index {proof.index}")
    lines.extend(base64.b64encode(each).decode("ascii") for each in proof.hashes)
    return "\n".join(lines) + "\n\n" + proof.checkpoint


def parse_proof(data: bytes | str) -> TlogProof:
    """The proof that the file spells; it verifies nothing."""
    try:
        text = data if isinstance(data, str) else data.decode("utf-8")
    except UnicodeDecodeError:
        raise NoteError("The proof is not valid UTF-8. Fetch it again.") from None
    head, blank, checkpoint = text.partition("\n\n")
    lines = head.split("\n")
    if lines.pop(0) != PROOF_HEADER or not blank:
        raise NoteError(f"This is not a proof: it must begin with {PROOF_HEADER}. Fetch it again.")
    extra = None
    if lines and lines[0].startswith("extra "):
        extra = decode_base64(lines.pop(0)[len("extra ") :], "The proof's extra data")
    if not lines or not lines[0].startswith("index "):
        raise NoteError("The proof has no index line. Fetch it again.")
    index = parse_decimal(lines.pop(0)[len("index ") :], "The proof's index")
    if len(lines) > PATH_HASHES_MAX:
        raise NoteError(
            f"The proof has {len(lines)} hashes; no tree needs more than {PATH_HASHES_MAX}. Fetch it again."
        )
    hashes = tuple(decode_base64(line, "A hash of the proof") for line in lines)
    if any(len(each) != HASH_BYTES for each in hashes):
        raise NoteError(f"A hash of the proof has not {HASH_BYTES} bytes. Fetch it again.")
    return TlogProof(index, hashes, checkpoint, extra)


def verify_proof(proof: TlogProof, leaf: bytes, policy: Policy) -> Checkpoint:
    """The checkpoint that the leaf is proven to be under, at `proof.index`. Raises NoteError or ProofError otherwise."""
    checkpoint = accepted_checkpoint(proof.checkpoint, policy)
    verify_inclusion(leaf, proof.index, checkpoint.size, proof.hashes, checkpoint.root)
    return checkpoint
