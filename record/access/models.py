"""Tables of access. A changed organization or principal is a newer row; a key is issued once and revoked by a row."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index, text
from sqlmodel import Field, SQLModel

from record.tables import (
    RECORD,
    bytes_column,
    index_column,
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


class OrganizationVersion(SQLModel, table=True):
    """An organization's settings from this entry on."""

    __tablename__ = "organizations"
    __table_args__ = RECORD
    org_id: UUID = org_key()
    entry_index: int = index_key()
    name: str
    origin: str
    retention_days: int
    flow_name_pattern: str | None = Field(default=None)
    required_types: Any = json_column()
    public: bool


class PrincipalVersion(SQLModel, table=True):
    """A person or a service account, with its roles from this entry on. `version` counts from 1."""

    __tablename__ = "principals"
    __table_args__ = (
        Index("principals_by_version", "org_id", "principal_id", "version", unique=True),
        Index("principals_by_name", "org_id", "name", unique=True, postgresql_where=text("version = 1")),
        RECORD,
    )
    org_id: UUID = org_key()
    principal_id: UUID = key()
    entry_index: int = index_key()
    version: int
    name: str
    kind: str
    grants: Any = json_column()
    disabled: bool


class ApiKey(SQLModel, table=True):
    """An issued key: the SHA-256 of its token, never the token."""

    __tablename__ = "api_keys"
    __table_args__ = (
        Index("api_keys_by_hash", "org_id", "token_sha256", unique=True),
        Index("api_keys_by_principal", "org_id", "principal_id", "entry_index"),
        RECORD,
    )
    org_id: UUID = org_key()
    key_id: UUID = key()
    entry_index: int = index_column()
    principal_id: UUID = uuid_column()
    token_sha256: bytes = bytes_column()
    description: str
    scopes: Any = optional_json()
    expires_at: datetime | None = optional_instant()
    replaces: UUID | None = optional_uuid()


class KeyRevocation(SQLModel, table=True):
    """From `effective_at` on the key opens nothing. The earliest revocation of a key counts."""

    __tablename__ = "key_revocations"
    __table_args__ = RECORD
    org_id: UUID = org_key()
    key_id: UUID = key()
    entry_index: int = index_key()
    effective_at: datetime = instant_column()
    reason: str


class KeyUse(SQLModel, table=True):
    """When a key was last used, to the minute. Not a part of the record."""

    __tablename__ = "key_uses"
    __table_args__ = {"schema": "ops"}
    org_id: UUID = org_key()
    key_id: UUID = key()
    last_used_at: datetime = instant_column()
