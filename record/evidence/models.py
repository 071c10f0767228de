"""Table of evidence: which digests an organization has in the vault, and where exactly."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import String
from sqlmodel import SQLModel

from record.tables import RECORD, big_column, index_column, instant_column, key, org_key


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
