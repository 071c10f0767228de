"""Table of deployments. Whether one was seen running is read from snapshots, not written here."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index
from sqlmodel import Field, SQLModel

from record.tables import RECORD, index_key, instant_column, optional_uuid, org_key, uuid_column


class DeploymentReport(SQLModel, table=True):
    """An artifact was put into an environment. `unit` is what is replaced by the next deployment of its kind."""

    __tablename__ = "deployments"
    __table_args__ = (
        Index("deployments_by_id", "org_id", "deployment_id", unique=True),
        Index("deployments_by_environment", "org_id", "environment_id", "entry_index"),
        Index("deployments_by_fingerprint", "org_id", "fingerprint", "environment_id", "deployed_at"),
        Index("deployments_by_instant", "org_id", "deployed_at", "entry_index"),
        Index("deployments_by_environment_instant", "org_id", "environment_id", "deployed_at", "entry_index"),
        Index("deployments_by_unit", "org_id", "environment_id", "unit", "deployed_at", "entry_index"),
        RECORD,
    )
    org_id: UUID = org_key()
    entry_index: int = index_key()
    deployment_id: UUID = uuid_column()
    environment_id: UUID = uuid_column()
    environment: str
    fingerprint: str
    name: str
    unit: str
    flow_id: UUID | None = optional_uuid()
    flow: str | None = Field(default=None)
    trail_id: UUID | None = optional_uuid()
    trail: str | None = Field(default=None)
    template_name: str | None = Field(default=None)
    commit: str | None = Field(default=None)
    build_url: str | None = Field(default=None)
    description: str
    deployed_by: str
    deployed_at: datetime = instant_column()
    reported_by: str
    at: datetime = instant_column()
