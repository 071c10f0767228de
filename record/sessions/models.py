"""Table of browser sessions: which keys a browser stands for, by hashes alone.

In `ops`, because sessions come and go and losing them loses no record: whoever was signed in signs in again. Neither the session's
secret nor the key's text is here, so the table opens nothing to whoever reads it.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index, LargeBinary
from sqlmodel import SQLModel

from record.tables import OPS, bytes_column, instant_column, key, org_key


class Session(SQLModel, table=True):
    """One organization that a browser is signed in to, and the key by which."""

    __tablename__ = "sessions"
    __table_args__ = (Index("sessions_by_secret", "session_sha256"), OPS)
    org_id: UUID = org_key()
    session_sha256: bytes = key(LargeBinary)
    token_sha256: bytes = bytes_column()
    began_at: datetime = instant_column()
    expires_at: datetime = instant_column()
