"""How columns of the record are declared, so that every table reads alike.

A table of the record is insert-only (grants and a trigger see to it), its key starts with `org_id`, and every row carries the
index of the entry that made it.
"""

from typing import Any, Final

from sqlalchemy import BigInteger, Column, DateTime, LargeBinary, Uuid
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

RECORD: Final = {"schema": "record"}
"""Insert-only: the application role may INSERT and SELECT, and a trigger refuses the rest for everyone."""
OPS: Final = {"schema": "ops"}
"""May change; losing it loses no record, because `python -m record repair` makes it again."""


def key(sa_type: Any = Uuid) -> Any:
    """A column of the primary key, in the order in which the class names them."""
    return Field(primary_key=True, sa_type=sa_type)


def org_key() -> Any:
    """The organization: first column of every primary key."""
    return key(Uuid)


def index_key() -> Any:
    """The entry's index, as part of the primary key."""
    return key(BigInteger)


def index_column() -> Any:
    """The entry's index, outside the primary key."""
    return Field(sa_type=BigInteger)


def uuid_column() -> Any:
    return Field(sa_type=Uuid)


def optional_uuid() -> Any:
    return Field(default=None, sa_type=Uuid, nullable=True)


def instant_column() -> Any:
    return Field(sa_type=DateTime(timezone=True))


def optional_instant() -> Any:
    return Field(default=None, sa_type=DateTime(timezone=True), nullable=True)


def bytes_column() -> Any:
    return Field(sa_type=LargeBinary)


def big_column() -> Any:
    return Field(sa_type=BigInteger)


def json_column() -> Any:
    return Field(sa_column=Column(JSONB(none_as_null=True), nullable=False))


def optional_json() -> Any:
    return Field(default=None, sa_column=Column(JSONB(none_as_null=True), nullable=True))


__all__ = [
    "OPS",
    "RECORD",
    "big_column",
    "bytes_column",
    "index_column",
    "index_key",
    "instant_column",
    "json_column",
    "key",
    "optional_instant",
    "optional_json",
    "optional_uuid",
    "org_key",
    "uuid_column",
]
