"""Table of judgements, and in `ops` how far judging has come and when to look again without being told."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Index, Integer, text
from sqlmodel import Field, SQLModel

from record.tables import (
    OPS,
    RECORD,
    big_column,
    index_column,
    instant_column,
    json_column,
    key,
    optional_instant,
    org_key,
    uuid_column,
)


class Judgement(SQLModel, table=True):
    """A verdict from its instant on. `number` counts the subject's from 1, and as a key sees to it that each is there once.

    `changed` is false for a snapshot that changed nothing: it has a judgement all the same, because it keeps the verdict of its
    day. `size` and `instant` are the point at which it was judged, `cause` the entry that was the newest there; time has none.
    """

    __tablename__ = "judgements"
    __table_args__ = (
        Index("judgements_changed", "org_id", "subject_id", "number", postgresql_where=text("changed")),
        Index("judgements_by_entry", "org_id", "entry_index", postgresql_where=text("changed")),
        Index(
            "judgements_by_snapshot",
            "org_id",
            "subject_id",
            "snapshot",
            unique=True,
            postgresql_where=text("snapshot IS NOT NULL"),
        ),
        RECORD,
    )
    org_id: UUID = org_key()
    subject_id: UUID = key()
    number: int = key(Integer)
    entry_index: int = index_column()
    judgement_id: UUID = uuid_column()
    subject: str
    environment: str | None = Field(default=None)
    flow: str | None = Field(default=None)
    trail: str | None = Field(default=None)
    previous: str | None = Field(default=None)
    status: str
    changed: bool
    stale_since: datetime | None = optional_instant()
    size: int = big_column()
    instant: datetime = instant_column()
    cause: int | None = Field(default=None, sa_type=BigInteger, nullable=True)
    holds_until: datetime | None = optional_instant()
    reasons: Any = json_column()
    snapshot: int | None = Field(default=None)
    at: datetime = instant_column()


class Judging(SQLModel, table=True):
    """How far an organization is judged: every entry before `size`, and every instant up to `instant`.

    `resumed_at` is when this row had to be made again. What environments reported without a change before then is not known.
    """

    __tablename__ = "judging"
    __table_args__ = OPS
    org_id: UUID = org_key()
    size: int = big_column()
    instant: datetime = instant_column()
    resumed_at: datetime | None = optional_instant()


class JudgingDue(SQLModel, table=True):
    """What may change without an entry: at `due_at` by time alone, or, while it is stale, as soon as it reports again."""

    __tablename__ = "judging_due"
    __table_args__ = (
        Index("judging_due_by_instant", "due_at", postgresql_where=text("due_at IS NOT NULL")),
        Index("judging_due_stale", "org_id", "subject_id", postgresql_where=text("stale_since IS NOT NULL")),
        OPS,
    )
    org_id: UUID = org_key()
    subject_id: UUID = key()
    subject: str
    due_at: datetime | None = optional_instant()
    stale_since: datetime | None = optional_instant()
