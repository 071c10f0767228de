"""Tables of policies: their versions, and where they are attached. A newer row takes the place of an older one."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index, text
from sqlmodel import SQLModel

from record.tables import RECORD, index_key, instant_column, key, org_key


class PolicyVersion(SQLModel, table=True):
    """A policy from this entry on: the YAML as it was given. `version` counts from 1; names never change."""

    __tablename__ = "policies"
    __table_args__ = (
        Index("policies_by_name", "org_id", "name", unique=True, postgresql_where=text("version = 1")),
        Index("policies_by_version", "org_id", "policy_id", "version", unique=True),
        RECORD,
    )
    org_id: UUID = org_key()
    policy_id: UUID = key()
    entry_index: int = index_key()
    version: int
    name: str
    description: str
    comment: str
    source: str
    recorded_by: str
    at: datetime = instant_column()


class PolicyAttachment(SQLModel, table=True):
    """From this entry on the policy counts in the environment, or, when `attached` is false, no longer does."""

    __tablename__ = "policy_attachments"
    __table_args__ = (
        Index("policy_attachments_by_policy", "org_id", "policy_id", "environment_id", "entry_index"),
        RECORD,
    )
    org_id: UUID = org_key()
    environment_id: UUID = key()
    policy_id: UUID = key()
    entry_index: int = index_key()
    environment: str
    policy: str
    attached: bool
    recorded_by: str
    at: datetime = instant_column()
