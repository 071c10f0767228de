"""Tables of approvals. Where a request stands is read from its acts and the instant, not written here."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index, Integer
from sqlmodel import Field, SQLModel

from record.tables import (
    RECORD,
    index_column,
    index_key,
    instant_column,
    json_column,
    key,
    optional_instant,
    optional_uuid,
    org_key,
    uuid_column,
)


class ApprovalRequest(SQLModel, table=True):
    """Somebody asks to put an artifact into an environment. `commits` are those that it would bring there."""

    __tablename__ = "approvals"
    __table_args__ = (
        Index("approvals_by_id", "org_id", "approval_id", unique=True),
        Index("approvals_by_fingerprint", "org_id", "fingerprint", "entry_index"),
        Index("approvals_by_environment", "org_id", "environment", "entry_index"),
        RECORD,
    )
    org_id: UUID = org_key()
    entry_index: int = index_key()
    approval_id: UUID = uuid_column()
    environment_id: UUID = uuid_column()
    environment: str
    fingerprint: str
    name: str
    description: str
    flow_id: UUID | None = optional_uuid()
    flow: str | None = Field(default=None)
    trail_id: UUID | None = optional_uuid()
    trail: str | None = Field(default=None)
    template_name: str | None = Field(default=None)
    commits: Any = json_column()
    authors: Any = json_column()
    authors_known: bool
    requester_id: UUID = uuid_column()
    requested_by: str
    requested_for: str | None = Field(default=None)
    reported: bool
    expires_at: datetime | None = optional_instant()
    at: datetime = instant_column()


class ApprovalAct(SQLModel, table=True):
    """Something that was done to a request: a review, or its withdrawal. Acts of a request are numbered from 1.

    That a number is there once is what lets of two acts at the same moment only one go first.
    """

    __tablename__ = "approval_acts"
    __table_args__ = (
        Index("approval_acts_by_act", "org_id", "act", "approval_id", postgresql_include=["entry_index", "at"]),
        RECORD,
    )
    org_id: UUID = org_key()
    approval_id: UUID = key()
    number: int = key(Integer)
    entry_index: int = index_column()
    act: str
    state: str
    principal_id: UUID = uuid_column()
    principal: str
    who: str
    comment: str
    reported: bool
    url: str | None = Field(default=None)
    given_at: datetime = instant_column()
    at: datetime = instant_column()
