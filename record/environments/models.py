"""Tables of environments and their snapshots.

A snapshot is recorded as what changed against the one before it. Now and then (`rules.is_keyframe`) it is recorded whole, so
that reading one costs in proportion to what runs and not to how many snapshots there are.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, Index, Integer, String, text
from sqlmodel import Field, SQLModel

from record.tables import (
    OPS,
    RECORD,
    index_column,
    index_key,
    instant_column,
    json_column,
    key,
    optional_json,
    org_key,
)


class EnvironmentVersion(SQLModel, table=True):
    """An environment from this entry on. `version` counts its changes from 1; name and type never change."""

    __tablename__ = "environments"
    __table_args__ = (
        Index("environments_by_name", "org_id", "name", unique=True, postgresql_where=text("version = 1")),
        Index("environments_by_version", "org_id", "environment_id", "version", unique=True),
        RECORD,
    )
    org_id: UUID = org_key()
    environment_id: UUID = key()
    entry_index: int = index_key()
    version: int
    name: str
    type: str
    description: str
    tags: Any = json_column()
    included: Any = json_column()
    cadence_seconds: int | None = Field(default=None)
    grace_seconds: int
    archived: bool
    at: datetime = instant_column()


class Snapshot(SQLModel, table=True):
    """What ran in an environment from this report on. Its entry closes those that hold its members.

    `keyframe` is the newest snapshot at or before this one that was recorded whole: reading begins there. `rows_since` counts the
    member rows from there to here. `state` is a digest of what would have to change for another snapshot to be numbered.
    """

    __tablename__ = "snapshots"
    __table_args__ = (
        Index("snapshots_by_entry", "org_id", "environment_id", "entry_index"),
        RECORD,
    )
    org_id: UUID = org_key()
    environment_id: UUID = key()
    number: int = key(Integer)
    entry_index: int = index_column()
    keyframe: int
    rows_since: int = Field(sa_type=BigInteger)
    artifacts: int
    instances: int = Field(sa_type=BigInteger)
    started: int
    stopped: int
    scaled: int
    found: int
    state: str
    refused_count: int
    refused: Any = json_column()
    reported_by: str
    at: datetime = instant_column()


class SnapshotMember(SQLModel, table=True):
    """An artifact in a snapshot, where that differs from the snapshot before or the snapshot was recorded whole.

    `change` is started, changed, stopped or kept; `since` is the number of the snapshot in which its run began.
    """

    __tablename__ = "snapshot_members"
    __table_args__ = RECORD
    org_id: UUID = org_key()
    environment_id: UUID = key()
    number: int = key(Integer)
    fingerprint: str = key(String)
    entry_index: int = index_column()
    change: str
    since: int
    name: str
    instances: int
    created: Any = json_column()
    facts: Any = json_column()
    facts_omitted: int
    flows: Any = json_column()


class EnvironmentEvent(SQLModel, table=True):
    """Something that happened in an environment, as the snapshot that noticed it tells.

    `still_to_come` says how many entries of the same snapshot follow: at a ledger size between them it has not happened yet.
    """

    __tablename__ = "environment_events"
    __table_args__ = (
        Index("events_by_artifact", "org_id", "fingerprint", "environment_id", "entry_index"),
        Index(
            "events_of_starts",
            "org_id",
            "at",
            "entry_index",
            "ordinal",
            postgresql_where=text("kind = 'started'"),
        ),
        Index(
            "events_of_starts_by_environment",
            "org_id",
            "environment_id",
            "at",
            "entry_index",
            "ordinal",
            postgresql_where=text("kind = 'started'"),
        ),
        RECORD,
    )
    org_id: UUID = org_key()
    environment_id: UUID = key()
    entry_index: int = index_key()
    ordinal: int = key(Integer)
    still_to_come: int
    number: int
    kind: str
    fingerprint: str
    name: str
    since: int
    instances: int
    instances_before: int
    flows: Any = json_column()
    flows_before: Any = optional_json()
    at: datetime = instant_column()


class ReportSeries(SQLModel, table=True):
    """Reports that nothing changed, one soon after the other: from `since` to `at`. In between nobody was silent for too long.

    Losing it loses no record: the newest snapshot stands in.
    """

    __tablename__ = "environment_reports"
    __table_args__ = OPS
    org_id: UUID = org_key()
    environment_id: UUID = key()
    since: datetime = key(DateTime(timezone=True))
    at: datetime = instant_column()
