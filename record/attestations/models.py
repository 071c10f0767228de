"""Tables of attestations, their evidence, their types, and the keys that provenance is checked against."""

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
    optional_instant,
    org_key,
    uuid_column,
)


class AttestationRow(SQLModel, table=True):
    """An attestation and its result. Its subject is a trail, an artifact by `fingerprint`, or one still to be reported."""

    __tablename__ = "attestations"
    __table_args__ = (
        Index("attestations_by_trail", "org_id", "trail_id", "entry_index"),
        Index("attestations_by_fingerprint", "org_id", "fingerprint", "entry_index"),
        Index("attestations_by_id", "org_id", "attestation_id", unique=True),
        Index("attestations_expiring", "org_id", "trail_id", postgresql_where=text("expires_at IS NOT NULL")),
        RECORD,
    )
    org_id: UUID = org_key()
    entry_index: int = index_key()
    attestation_id: UUID = uuid_column()
    flow_id: UUID = uuid_column()
    flow: str
    trail_id: UUID = uuid_column()
    trail: str
    name: str
    type: str
    type_version: int | None = Field(default=None)
    compliant: bool
    explanation: str
    fingerprint: str | None = Field(default=None)
    template_name: str | None = Field(default=None)
    commit: str | None = Field(default=None)
    overrides: str | None = Field(default=None)
    expires_at: datetime | None = optional_instant()
    description: str
    origin_url: str | None = Field(default=None)
    external_urls: Any = json_column()
    annotations: Any = json_column()
    user_data: Any = json_column()
    summary: Any = json_column()
    attested_by: str
    at: datetime = instant_column()


class AttestationEvidence(SQLModel, table=True):
    """A file of an attestation: its name there, and the digest of its bytes in the vault."""

    __tablename__ = "attestation_evidence"
    __table_args__ = (Index("attestation_evidence_by_digest", "org_id", "digest"), RECORD)
    org_id: UUID = org_key()
    entry_index: int = index_key()
    position: int = key(Integer)
    digest: str
    file_name: str
    media_type: str
    size: int = Field(sa_type=BigInteger)


class AttestationType(SQLModel, table=True):
    """A version of a custom type: JSON Schema and jq rules."""

    __tablename__ = "attestation_types"
    __table_args__ = RECORD
    org_id: UUID = org_key()
    name: str = key(String)
    version: int = key(Integer)
    entry_index: int = index_column()
    description: str
    json_schema: Any = json_column()
    rules: Any = json_column()
    at: datetime = instant_column()


class SigningKeyVersion(SQLModel, table=True):
    """A public key that provenance may be signed with, trusted or retired from this entry on."""

    __tablename__ = "signing_keys"
    __table_args__ = RECORD
    org_id: UUID = org_key()
    name: str = key(String)
    entry_index: int = index_key()
    key_id: str
    pem: str
    trusted: bool
    at: datetime = instant_column()
