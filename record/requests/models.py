"""The one table of requests in general: where a queue of what nobody has decided may begin to look."""

from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Column, String
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Field, SQLModel

from record.tables import OPS, big_column, key, org_key


class UndecidedRequests(SQLModel, table=True):
    """The requests of a table that nobody had decided when the ledger had this size; null when they were too many to list.

    What was decided then stays so, and every later moment finds the rest among these and those that came after. Losing it loses
    time.
    """

    __tablename__ = "undecided_requests"
    __table_args__ = OPS
    org_id: UUID = org_key()
    requests: str = key(String)
    size: int = big_column()
    entry_indexes: Any = Field(default=None, sa_column=Column(ARRAY(BigInteger), nullable=True))
