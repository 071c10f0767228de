"""Table of jobs: work that a worker must do, who is doing it, and how far it is.

In `ops`, because it changes and because losing it loses nothing: what is to be done follows from the record, and the sweep makes
the rows again.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, Index, text
from sqlmodel import Field, SQLModel

from record.tables import OPS, big_column, instant_column, key, optional_instant, org_key, uuid_column


class Job(SQLModel, table=True):
    """One piece of work. `lease_token` counts its leases: whoever writes with an older number writes nothing."""

    __tablename__ = "jobs"
    __table_args__ = (
        Index("jobs_by_subject", "org_id", "kind", "subject", unique=True),
        Index("jobs_unfinished", "due_at", postgresql_where=text("state IN ('queued', 'running')")),
        OPS,
    )
    org_id: UUID = org_key()
    job_id: UUID = key()
    kind: str
    subject: UUID = uuid_column()
    state: str
    attempts: int
    due_at: datetime = instant_column()
    lease_until: datetime | None = optional_instant()
    lease_token: int = Field(sa_type=BigInteger)
    progress_done: int = big_column()
    progress_total: int = big_column()
    progress_text: str
    failure: str | None = Field(default=None)
    created_at: datetime = instant_column()
    updated_at: datetime = instant_column()
