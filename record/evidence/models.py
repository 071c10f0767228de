"""Tables of evidence: which digests an organization has in the vault, where exactly, and who else has brought the same bytes."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import String
from sqlmodel import SQLModel

from record.tables import OPS, RECORD, big_column, index_column, instant_column, key, org_key


class StoredEvidence(SQLModel, table=True):
    """Bytes in the vault. `version_id` pins the locked version of the object; `crc32` lets archives be written unread."""

    __tablename__ = "evidence"
    __table_args__ = RECORD
    org_id: UUID = org_key()
    digest: str = key(String)
    entry_index: int = index_column()
    size: int = big_column()
    crc32: int = big_column()
    media_type: str
    key: str
    version_id: str
    retained_until: datetime = instant_column()
    stored_by: str
    at: datetime = instant_column()


class EvidenceUpload(SQLModel, table=True):
    """Somebody uploaded bytes that were there already: they hold them, so they may attach them.

    Losing it loses no record: who is asked for the bytes again uploads them again.
    """

    __tablename__ = "evidence_uploads"
    __table_args__ = OPS
    org_id: UUID = org_key()
    digest: str = key(String)
    principal_id: UUID = key()
    at: datetime = instant_column()
