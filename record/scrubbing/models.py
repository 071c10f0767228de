"""Table of scrubs: when everything was last re-read, how much there was, and what was wrong with it."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlmodel import SQLModel

from record.tables import RECORD, big_column, index_key, instant_column, json_column, org_key


class Scrub(SQLModel, table=True):
    """One completed scrub. `findings` holds the first of `finding_count`."""

    __tablename__ = "scrubs"
    __table_args__ = RECORD
    org_id: UUID = org_key()
    entry_index: int = index_key()
    started_at: datetime = instant_column()
    completed_at: datetime = instant_column()
    size: int = big_column()
    entries: int = big_column()
    rows: int = big_column()
    checkpoints: int = big_column()
    tiles: int = big_column()
    published: int = big_column()
    evidence: int = big_column()
    finding_count: int = big_column()
    findings: Any = json_column()
