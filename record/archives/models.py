"""Tables of archives: what was asked for, how it ended, and who took it away. Each is another entry, so each is another row."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, Index
from sqlmodel import Field, SQLModel

from record.tables import (
    RECORD,
    big_column,
    index_column,
    index_key,
    instant_column,
    key,
    optional_instant,
    org_key,
    uuid_column,
)


class RequestedArchive(SQLModel, table=True):
    """A question that is to be answered with an archive, pinned to a ledger size and the instant of its newest entry."""

    __tablename__ = "archives"
    __table_args__ = (Index("archives_by_entry", "org_id", "entry_index"), RECORD)
    org_id: UUID = org_key()
    archive_id: UUID = key()
    entry_index: int = index_column()
    kind: str
    flow: str | None = Field(default=None)
    trail: str | None = Field(default=None)
    fingerprint: str | None = Field(default=None)
    since: datetime | None = optional_instant()
    until: datetime | None = optional_instant()
    environment: str | None = Field(default=None)
    framework: str | None = Field(default=None)
    control: str | None = Field(default=None)
    size: int = big_column()
    instant: datetime = instant_column()
    requested_by: str
    at: datetime = instant_column()


class ArchiveOutcome(SQLModel, table=True):
    """How an archive ended. Its key is the archive alone: it can end once, however many workers believe that they ended it."""

    __tablename__ = "archive_outcomes"
    __table_args__ = RECORD
    org_id: UUID = org_key()
    archive_id: UUID = key()
    entry_index: int = index_column()
    failure: str | None = Field(default=None)
    digest: str | None = Field(default=None)
    byte_count: int | None = Field(default=None, sa_type=BigInteger, nullable=True)
    files: int | None = Field(default=None)
    checkpoint_size: int | None = Field(default=None, sa_type=BigInteger, nullable=True)
    key: str | None = Field(default=None)
    version_id: str | None = Field(default=None)
    at: datetime = instant_column()


class ArchiveDownload(SQLModel, table=True):
    """Somebody took an archive away."""

    __tablename__ = "archive_downloads"
    __table_args__ = (Index("archive_downloads_by_archive", "org_id", "archive_id", "entry_index"), RECORD)
    org_id: UUID = org_key()
    entry_index: int = index_key()
    archive_id: UUID = uuid_column()
    downloaded_by: str
    at: datetime = instant_column()
