"""An entry: the one form in which anything gets into the record, and its bytes.

The bytes are canonical JSON (RFC 8785) of `{"v","org","id","kind","at","by","body"}`. They are made once, hashed, stored and
never made again: whoever reads an entry later parses the stored bytes. At most 65,535 bytes, because a tile's entry bundle
(C2SP tlog-tiles) says lengths in 16 bits; bulk goes to the vault and the entry names its digest.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from muniment.proof import canonical, merkle
from record.clock import from_rfc3339, to_rfc3339
from record.ids import EntryIndex, KeyId, OrgId, PrincipalId, uuid7
from record.refusals import InvalidInput, TooLarge

VERSION: Final = 1
ENTRY_BYTES_MAX: Final = 65_535
_DATE_BYTES: Final = len('"at":"2026-11-22T08:30:00.000000Z",')


@dataclass(frozen=True, slots=True)
class Idempotency:
    """A caller's promise that two requests are one: the key it chose, and the SHA-256 (hex) of what it asked for."""

    key: str
    input_sha256: str


@dataclass(frozen=True, slots=True)
class By:
    """Who wrote an entry and through which key (None: the operator, at the server's own command line, or a worker)."""

    principal_id: PrincipalId
    principal: str
    key_id: KeyId | None = None
    idempotency: Idempotency | None = None

    def to_json(self) -> dict[str, Any]:
        written: dict[str, Any] = {"principal_id": str(self.principal_id), "principal": self.principal}
        if self.key_id is not None:
            written["key_id"] = str(self.key_id)
        if self.idempotency is not None:
            written["idempotency"] = {"key": self.idempotency.key, "input_sha256": self.idempotency.input_sha256}
        return written

    @classmethod
    def from_json(cls, written: dict[str, Any]) -> "By":
        once = written.get("idempotency")
        return cls(
            principal_id=PrincipalId(UUID(written["principal_id"])),
            principal=written["principal"],
            key_id=KeyId(UUID(written["key_id"])) if "key_id" in written else None,
            idempotency=Idempotency(once["key"], once["input_sha256"]) if once else None,
        )


@dataclass(frozen=True, slots=True)
class Draft:
    """What a service wants recorded. `body` holds JSON values only: ids as strings, instants as RFC 3339 texts."""

    kind: str
    body: dict[str, Any]
    id: UUID = field(default_factory=uuid7)


@dataclass(frozen=True, slots=True)
class Entry:
    """A recorded fact. Everything that rows are read from is here."""

    org_id: OrgId
    index: EntryIndex
    id: UUID
    kind: str
    at: datetime
    by: By
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a write gives back: where its entry stands (`ledger` is the origin in checkpoints) and what proves it.

    `body` is the entry's, so that ids made on the way are read from what was recorded; `replayed` says that it was recorded
    by an earlier request with the same idempotency key.
    """

    org_id: OrgId
    ledger: str
    index: EntryIndex
    entry_id: UUID
    kind: str
    leaf_hash: str
    at: datetime
    body: dict[str, Any]
    replayed: bool = False


def encode(org_id: OrgId, draft: Draft, by: By, at: datetime) -> bytes:
    """The canonical bytes of an entry. Refuses what canonical JSON cannot say, and what is too large."""
    return dated(undated(org_id, draft, by), at)


def undated(org_id: OrgId, draft: Draft, by: By) -> bytes:
    """An entry's canonical bytes but for its instant, which is known only when it is committed. Refuses as `encode` does."""
    try:
        said = canonical.encode(
            {
                "v": VERSION,
                "org": str(org_id),
                "id": str(draft.id),
                "kind": draft.kind,
                "by": by.to_json(),
                "body": draft.body,
            }
        )
    except canonical.CanonicalError as error:
        raise InvalidInput(f"This cannot be recorded: {error}") from error
    size = len(said) + _DATE_BYTES
    if size > ENTRY_BYTES_MAX:
        raise TooLarge(
            f"This entry would be {size} bytes and an entry is at most {ENTRY_BYTES_MAX}. "
            "Upload large content as evidence and name its digest."
        )
    return said


def dated(said: bytes, at: datetime) -> bytes:
    """The entry's bytes, from what `undated` gave. Its members are in order of their names, so `at` comes first."""
    return b'{"at":"%b",%b' % (to_rfc3339(at).encode(), said[1:])


def decode(index: EntryIndex, entry: bytes) -> Entry:
    """The entry that these stored bytes say. Raises `canonical.CanonicalError` or KeyError on bytes that are not one."""
    said = canonical.parse(entry)
    return Entry(
        org_id=OrgId(UUID(said["org"])),
        index=index,
        id=UUID(said["id"]),
        kind=said["kind"],
        at=from_rfc3339(said["at"]),
        by=By.from_json(said["by"]),
        body=said["body"],
    )


def leaf_hash(entry: bytes) -> bytes:
    """SHA-256(0x00 || entry): the leaf of RFC 6962, section 2.1."""
    return merkle.leaf_hash(entry)
