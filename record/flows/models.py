"""Tables of flows and their templates. A changed flow is a newer row; a template keeps its number for ever."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index, Integer, text
from sqlmodel import SQLModel

from record.tables import RECORD, index_column, index_key, instant_column, json_column, key, org_key


class FlowVersion(SQLModel, table=True):
    """A flow from this entry on. `version` counts its changes from 1; names never change."""

    __tablename__ = "flows"
    __table_args__ = (
        Index("flows_by_name", "org_id", "name", unique=True, postgresql_where=text("version = 1")),
        Index("flows_by_version", "org_id", "flow_id", "version", unique=True),
        RECORD,
    )
    org_id: UUID = org_key()
    flow_id: UUID = key()
    entry_index: int = index_key()
    version: int
    name: str
    description: str
    tags: Any = json_column()
    public: bool
    template_version: int
    at: datetime = instant_column()


class FlowTemplate(SQLModel, table=True):
    """A version of a flow's template: the YAML as it was given, and as it was understood."""

    __tablename__ = "flow_templates"
    __table_args__ = RECORD
    org_id: UUID = org_key()
    flow_id: UUID = key()
    version: int = key(Integer)
    entry_index: int = index_column()
    source: str
    template: Any = json_column()
