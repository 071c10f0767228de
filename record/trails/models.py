"""Table of trails. Beginning a trail again is a newer row of the same trail."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index, text
from sqlmodel import Field, SQLModel

from record.tables import RECORD, index_key, instant_column, json_column, key, optional_json, org_key, uuid_column


class TrailVersion(SQLModel, table=True):
    """A trail from this entry on. `own_template` replaces the flow's; otherwise the flow's `template_version` is in force."""

    __tablename__ = "trails"
    __table_args__ = (
        Index("trails_by_name", "org_id", "flow_id", "name", unique=True, postgresql_where=text("version = 1")),
        Index("trails_by_version", "org_id", "trail_id", "version", unique=True),
        Index("trails_begun", "org_id", "flow_id", "entry_index", postgresql_where=text("version = 1")),
        Index(
            "trails_named",
            "org_id",
            "name",
            "entry_index",
            postgresql_where=text("version = 1"),
            postgresql_ops={"name": "text_pattern_ops"},
        ),
        Index(
            "trails_by_commit",
            "org_id",
            "commit",
            "entry_index",
            postgresql_ops={"commit": "text_pattern_ops"},
        ),
        RECORD,
    )
    org_id: UUID = org_key()
    trail_id: UUID = key()
    entry_index: int = index_key()
    version: int
    flow_id: UUID = uuid_column()
    flow: str
    name: str
    description: str
    commit: str | None = Field(default=None)
    commit_info: Any = optional_json()
    origin_url: str | None = Field(default=None)
    external_urls: Any = json_column()
    user_data: Any = json_column()
    template_version: int
    own_template: Any = optional_json()
    begun_by: str
    at: datetime = instant_column()
