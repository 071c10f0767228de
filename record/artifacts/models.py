"""Table of artifact reports. The same fingerprint may be reported into many trails, each report standing for itself."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index
from sqlmodel import Field, SQLModel

from record.tables import RECORD, index_key, instant_column, json_column, optional_json, org_key, uuid_column


class ArtifactReport(SQLModel, table=True):
    """An artifact was reported into a trail under a template name."""

    __tablename__ = "artifacts"
    __table_args__ = (
        Index(
            "artifacts_by_fingerprint",
            "org_id",
            "fingerprint",
            "entry_index",
            postgresql_ops={"fingerprint": "text_pattern_ops"},
        ),
        Index("artifacts_by_trail", "org_id", "trail_id", "entry_index"),
        Index("artifacts_by_name", "org_id", "name", "entry_index", postgresql_ops={"name": "text_pattern_ops"}),
        Index("artifacts_by_commit", "org_id", "commit", "entry_index", postgresql_ops={"commit": "text_pattern_ops"}),
        RECORD,
    )
    org_id: UUID = org_key()
    entry_index: int = index_key()
    fingerprint: str
    name: str
    kind: str
    flow_id: UUID = uuid_column()
    flow: str
    trail_id: UUID = uuid_column()
    trail: str
    template_name: str
    commit: str | None = Field(default=None)
    commit_info: Any = optional_json()
    commit_url: str | None = Field(default=None)
    build_url: str | None = Field(default=None)
    repository_url: str | None = Field(default=None)
    external_urls: Any = json_column()
    annotations: Any = json_column()
    user_data: Any = json_column()
    reported_by: str
    at: datetime = instant_column()
