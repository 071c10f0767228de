"""Evidence bytes, kept in an S3 bucket with object lock and named by their SHA-256.

`store` is the door; `uploads`, `parts` and `reading` move bytes, `worm` proves the lock, `transport` knows the SDK.
"""

from record.vault.facts import ObjectFacts, ObjectReference, Stored, VaultAddress, WormReport, content_key
from record.vault.parts import PartWriter, Tally
from record.vault.store import Vault

__all__ = [
    "ObjectFacts",
    "ObjectReference",
    "PartWriter",
    "Stored",
    "Tally",
    "Vault",
    "VaultAddress",
    "WormReport",
    "content_key",
]
