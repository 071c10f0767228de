"""Tables of waivers. Where a waiver stands is read from its acts and the instant, not written here."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index, Integer
from sqlmodel import Field, SQLModel

from record.tables import RECORD, index_column, index_key, instant_column, key, org_key, uuid_column


class WaiverRequest(SQLModel, table=True):
    """Somebody asks that an artifact (no rule: whatever policies say of it), a rule of a policy, or both be excused for a time."""

    __tablename__ = "waivers"
    __table_args__ = (
        Index("waivers_by_id", "org_id", "waiver_id", unique=True),
        Index("waivers_by_environment", "org_id", "environment", "entry_index"),
        Index("waivers_by_expiry", "org_id", "expires_at"),
        RECORD,
    )
    org_id: UUID = org_key()
    entry_index: int = index_key()
    waiver_id: UUID = uuid_column()
    environment_id: UUID = uuid_column()
    environment: str
    fingerprint: str | None = Field(default=None)
    name: str | None = Field(default=None)
    policy: str | None = Field(default=None)
    rule: str | None = Field(default=None)
    reason: str
    requester_id: UUID = uuid_column()
    requested_by: str
    requested_for: str | None = Field(default=None)
    expires_at: datetime = instant_column()
    at: datetime = instant_column()


class WaiverAct(SQLModel, table=True):
    """A waiver was accepted or revoked. Acts of a waiver are numbered from 1; a number is there once."""

    __tablename__ = "waiver_acts"
    __table_args__ = RECORD
    org_id: UUID = org_key()
    waiver_id: UUID = key()
    number: int = key(Integer)
    entry_index: int = index_column()
    act: str
    state: str
    principal_id: UUID = uuid_column()
    principal: str
    comment: str
    at: datetime = instant_column()
