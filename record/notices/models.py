"""Tables of notices: what is to be told is recorded; how the telling goes is in `ops`.

A delivery is not evidence of anything but itself, so losing it loses no record. What is sealed here is needed in clear by the
worker that sends, must be replaceable, and must never be in an archive: three reasons not to keep it in an entry.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Column, Identity, Index, Integer, text
from sqlmodel import Field, SQLModel

from record.tables import (
    OPS,
    RECORD,
    big_column,
    bytes_column,
    index_key,
    instant_column,
    json_column,
    key,
    optional_instant,
    optional_json,
    optional_uuid,
    org_key,
    uuid_column,
)


class NoticeVersion(SQLModel, table=True):
    """A notice from this entry on. `version` counts its changes from 1; name and channel never change.

    `targets` is what may be shown of where it goes: a URL, a Slack host, or mail addresses. `secret_id` names the row of
    `ops.notice_secrets` that it is signed with; `previous_secret_id` counts beside it until `previous_secret_until`.
    """

    __tablename__ = "notices"
    __table_args__ = (
        Index("notices_by_name", "org_id", "name", unique=True, postgresql_where=text("version = 1")),
        Index("notices_by_version", "org_id", "notice_id", "version", unique=True),
        RECORD,
    )
    org_id: UUID = org_key()
    notice_id: UUID = key()
    entry_index: int = index_key()
    version: int
    name: str
    description: str
    channel: str
    targets: Any = json_column()
    triggers: Any = json_column()
    flows: Any = optional_json()
    environments: Any = optional_json()
    disabled: bool
    disabled_because: str | None = Field(default=None)
    secret_id: UUID | None = optional_uuid()
    previous_secret_id: UUID | None = optional_uuid()
    previous_secret_until: datetime | None = optional_instant()
    recorded_by: str
    at: datetime = instant_column()


class NoticeSecret(SQLModel, table=True):
    """A webhook's secret or a Slack URL, sealed. Losing it costs a rotation, and every delivery says so until then."""

    __tablename__ = "notice_secrets"
    __table_args__ = OPS
    org_id: UUID = org_key()
    notice_id: UUID = key()
    secret_id: UUID = key()
    sealed: bytes = bytes_column()
    created_at: datetime = instant_column()


class NoticeCursor(SQLModel, table=True):
    """How far a ledger is turned into deliveries: entries before `next_index` are. Begins with the first notice."""

    __tablename__ = "notice_cursors"
    __table_args__ = OPS
    org_id: UUID = org_key()
    next_index: int = big_column()
    told_at: datetime = instant_column()


class NoticeDelivery(SQLModel, table=True):
    """One event for one receiver. Its id follows from these, so that making it twice makes one.

    `number` is its place among all deliveries. `outcome` is delivered, given_up or cancelled; until then it waits, and its
    job says when for.
    """

    __tablename__ = "deliveries"
    __table_args__ = (
        Index("deliveries_by_notice", "org_id", "notice_id", "number"),
        OPS,
    )
    org_id: UUID = org_key()
    delivery_id: UUID = key()
    number: int = Field(sa_column=Column(BigInteger, Identity(always=True), nullable=False))
    notice_id: UUID = uuid_column()
    recipient: str
    type: str
    event: str
    entry_index: int | None = Field(default=None, sa_type=BigInteger)
    created_at: datetime = instant_column()
    outcome: str | None = Field(default=None)
    ended_at: datetime | None = optional_instant()
    failure: str | None = Field(default=None)


class DeliveryAttempt(SQLModel, table=True):
    """One attempt at a delivery. Without `ended_at` its worker is at it, or died: it may have been received."""

    __tablename__ = "delivery_attempts"
    __table_args__ = OPS
    org_id: UUID = org_key()
    delivery_id: UUID = key()
    number: int = key(Integer)
    began_at: datetime = instant_column()
    ended_at: datetime | None = optional_instant()
    delivered: bool | None = Field(default=None)
    response_status: int | None = Field(default=None)
    response: str | None = Field(default=None)
    failure: str | None = Field(default=None)
