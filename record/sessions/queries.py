"""Reads and writes of sessions, in `ops`: one statement each."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from record.database import Connection
from record.ids import OrgId


@dataclass(frozen=True, slots=True)
class Seat:
    """One organization that a session is signed in to."""

    org_id: OrgId
    organization: str
    token_sha256: bytes
    expires_at: datetime


async def seats(connection: Connection, session_sha256: bytes, *, now: datetime) -> Sequence[Seat]:
    """The organizations of a session by name, those that have ended left out. Reads `ops` alone."""
    rows = await connection.fetch(
        """
        SELECT s.org_id, l.name, s.token_sha256, s.expires_at
        FROM ops.sessions s JOIN ops.ledgers l USING (org_id)
        WHERE s.session_sha256 = $1 AND s.expires_at > $2
        ORDER BY l.name""",
        session_sha256,
        now,
    )
    return [Seat(OrgId(row["org_id"]), row["name"], row["token_sha256"], row["expires_at"]) for row in rows]


async def begin(
    connection: Connection,
    org_id: OrgId,
    *,
    session_sha256: bytes,
    before_sha256: bytes | None,
    token_sha256: bytes,
    now: datetime,
    expires_at: datetime,
) -> None:
    """Signs a session in to an organization, in `ops`. What was signed in under `before_sha256` goes on under the new secret.

    Sessions of that organization that have ended are forgotten on the way.
    """
    await connection.execute(
        """
        WITH moved AS (
            UPDATE ops.sessions SET session_sha256 = $2 WHERE session_sha256 = $3 AND org_id <> $1
        ), replaced AS (
            DELETE FROM ops.sessions WHERE org_id = $1 AND (session_sha256 = $3 OR expires_at <= $5)
        )
        INSERT INTO ops.sessions (org_id, session_sha256, token_sha256, began_at, expires_at)
        VALUES ($1, $2, $4, $5, $6)""",
        org_id,
        session_sha256,
        before_sha256 or b"",
        token_sha256,
        now,
        expires_at,
    )


async def end(connection: Connection, session_sha256: bytes) -> None:
    """Signs a session out everywhere, in `ops`."""
    await connection.execute("DELETE FROM ops.sessions WHERE session_sha256 = $1", session_sha256)
