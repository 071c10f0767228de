"""Who signs checkpoints: the log's secret key, and this process's memory of what it signed with it.

The memory is a safeguard, not a cache: when PostgreSQL no longer has what this process signed, it was set back, and going on
would sign a second history. Only workers hold the seed; the API shows the public half.
"""

from dataclasses import dataclass, field
from datetime import datetime

from muniment.proof.signing import Signer
from record.ids import OrgId
from record.ledger.queries import StoredCheckpoint
from record.settings import Settings


class ForkRefused(Exception):  # noqa: N818 (a refusal to act, but nobody's request: it ends the process)
    """Signing would contradict, or might contradict, what was signed before. Fatal: a person must look."""


@dataclass(slots=True)
class Notary:
    """Signs the checkpoints of every ledger with one seed, each under its own origin. One per process."""

    seed: bytes = field(repr=False)
    signed: dict[OrgId, StoredCheckpoint] = field(default_factory=dict)
    """The newest checkpoint of each ledger that this process signed or has verified."""
    compared: dict[OrgId, datetime] = field(default_factory=dict)
    """The start of the PostgreSQL server whose checkpoints were last compared with the vault's."""
    _signers: dict[str, Signer] = field(default_factory=dict)

    def signer(self, origin: str) -> Signer:
        """The signer for the ledger of this origin."""
        if origin not in self._signers:
            self._signers[origin] = Signer(origin, self.seed)
        return self._signers[origin]


def log_verifier_key(settings: Settings, origin: str) -> str:
    """The public key of the ledger of this origin, as verifiers are told it (C2SP vkey)."""
    return Signer(origin, settings.signing_seed()).verifier_key
