"""Tables of frameworks, their controls, and what controls are mapped to. Each has versions, and a newer one is a newer row."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Index, Integer, String, text
from sqlmodel import Field, SQLModel

from record.tables import (
    RECORD,
    index_column,
    index_key,
    instant_column,
    json_column,
    key,
    optional_json,
    org_key,
)


class FrameworkVersion(SQLModel, table=True):
    """A framework from this entry on. Its entry closes those that hold its controls; `digest` is the catalogue in the vault."""

    __tablename__ = "frameworks"
    __table_args__ = (
        Index("frameworks_by_name", "org_id", "name", unique=True, postgresql_where=text("version = 1")),
        Index("frameworks_by_version", "org_id", "framework_id", "version", unique=True),
        RECORD,
    )
    org_id: UUID = org_key()
    framework_id: UUID = key()
    entry_index: int = index_key()
    version: int
    name: str
    title: str
    description: str
    comment: str
    control_count: int
    digest: str | None = Field(default=None)
    file_name: str | None = Field(default=None)
    file_size: int | None = Field(default=None, sa_type=BigInteger, nullable=True)
    catalog: Any = optional_json()
    recorded_by: str
    at: datetime = instant_column()


class ListedControl(SQLModel, table=True):
    """A control in one version of a framework; `position` counts from 0 in the catalogue's order."""

    __tablename__ = "controls"
    __table_args__ = (
        Index("controls_by_position", "org_id", "framework_id", "version", "position", unique=True),
        RECORD,
    )
    org_id: UUID = org_key()
    framework_id: UUID = key()
    version: int = key(Integer)
    control: str = key(String)
    entry_index: int = index_column()
    position: int
    label: str
    title: str
    section: str
    statement: str
    withdrawn: bool


class ControlMapping(SQLModel, table=True):
    """What meets a control from this entry on. `version` counts its mappings from 1; one that requires nothing takes it back."""

    __tablename__ = "control_mappings"
    __table_args__ = (
        Index("control_mappings_by_version", "org_id", "framework_id", "control", "version", unique=True),
        RECORD,
    )
    org_id: UUID = org_key()
    framework_id: UUID = key()
    control: str = key(String)
    entry_index: int = index_key()
    version: int
    requirements: Any = json_column()
    environments: Any = optional_json()
    comment: str
    recorded_by: str
    at: datetime = instant_column()
