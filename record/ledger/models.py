"""Tables of the ledger: entries, full tiles, signed checkpoints; and its moving parts in `ops`."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index, Integer, String
from sqlmodel import SQLModel

from record.tables import (
    OPS,
    RECORD,
    big_column,
    bytes_column,
    index_column,
    index_key,
    instant_column,
    key,
    org_key,
    uuid_column,
)


class StoredEntry(SQLModel, table=True):
    """One entry: its canonical bytes as they were hashed, and the columns by which entries are looked up."""

    __tablename__ = "entries"
    __table_args__ = (
        Index("entries_by_id", "org_id", "id", unique=True),
        Index("entries_by_at", "org_id", "at", "entry_index"),
        Index("entries_by_kind", "org_id", "kind", "entry_index"),
        RECORD,
    )
    org_id: UUID = org_key()
    entry_index: int = index_key()
    id: UUID = uuid_column()
    kind: str
    at: datetime = instant_column()
    leaf_hash: bytes = bytes_column()
    content: bytes = bytes_column()


class IdempotencyKey(SQLModel, table=True):
    """A principal's idempotency key and the SHA-256 of the input it was first used with."""

    __tablename__ = "idempotency_keys"
    __table_args__ = RECORD
    org_id: UUID = org_key()
    principal_id: UUID = key()
    key: str = key(String)
    entry_index: int = index_column()
    input_sha256: str


class Tile(SQLModel, table=True):
    """A full tile (C2SP tlog-tiles): 256 hashes, and the root over them, which is a hash of the tile above.

    Partial tiles are not stored: they are the newest leaf hashes, or roots of tiles below.
    """

    __tablename__ = "tiles"
    __table_args__ = RECORD
    org_id: UUID = org_key()
    level: int = key(Integer)
    tile_index: int = index_key()
    hashes: bytes = bytes_column()
    root: bytes = bytes_column()


class SignedCheckpoint(SQLModel, table=True):
    """A checkpoint as it was signed: size, root and the whole note."""

    __tablename__ = "checkpoints"
    __table_args__ = RECORD
    org_id: UUID = org_key()
    size: int = index_key()
    root: bytes = bytes_column()
    note: str
    signed_at: datetime = instant_column()


class LedgerHead(SQLModel, table=True):
    """Where the next entry goes. `access_index` is the size after the newest entry that changed who may do what."""

    __tablename__ = "ledgers"
    __table_args__ = (Index("ledgers_by_name", "name", unique=True), {**OPS, "postgresql_with": {"fillfactor": 50}})
    org_id: UUID = org_key()
    name: str
    origin: str
    size: int = big_column()
    at: datetime = instant_column()
    access_index: int = big_column()


class Publication(SQLModel, table=True):
    """How far a ledger is signed, and how far its tiles and checkpoints have reached the vault."""

    __tablename__ = "publications"
    __table_args__ = OPS
    org_id: UUID = org_key()
    signed_size: int = big_column()
    published_size: int = big_column()
