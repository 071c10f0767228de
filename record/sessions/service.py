"""Uses of sessions: begin one with a key, look at one, end one.

A session is a secret of 256 bits that only the browser has. It stands for keys, one for each organization that its owner
signed in to, and opens nothing by itself: every request asks the key anew, so a revoked or expired key ends at once what it
opened. Signing in always makes a new secret, so that nobody can be given one that somebody else knows.
"""

import hashlib
import secrets
from collections.abc import Sequence
from datetime import timedelta

from record.access import tokens
from record.access.rules import Caller
from record.access.service import recognise_until
from record.record import Record
from record.sessions import queries
from record.sessions.queries import Seat


async def begin(record: Record, token: str, *, before: str | None) -> tuple[str, Caller]:
    """Signs in by a key. Gives the new session's secret; what the session `before` was signed in to comes along.

    Refuses unknown, expired and revoked keys in the same words as every other door.
    """
    org_id = tokens.organization_of(token)
    head = await record.ledger.head(org_id)
    hashed = tokens.token_sha256(token)
    caller, opens_until = await recognise_until(
        record, hashed, org_id=org_id, organization=head.name, access_index=head.access_index
    )
    now = record.clock.now()
    expires_at = now + timedelta(hours=record.settings.session_hours)
    secret = secrets.token_urlsafe(32)
    async with record.database.operations() as connection:
        await queries.begin(
            connection,
            org_id,
            session_sha256=digest_of(secret),
            before_sha256=None if before is None else digest_of(before),
            token_sha256=hashed,
            now=now,
            expires_at=expires_at if opens_until is None else min(expires_at, opens_until),
        )
    return secret, caller


async def seats(record: Record, secret: str) -> Sequence[Seat]:
    """The organizations that this session is signed in to; none for a secret that nobody knows."""
    async with record.database.operations() as connection:
        return await queries.seats(connection, digest_of(secret), now=record.clock.now())


async def end(record: Record, secret: str) -> None:
    """Signs out of every organization."""
    async with record.database.operations() as connection:
        await queries.end(connection, digest_of(secret))


def digest_of(secret: str) -> bytes:
    """What is kept of a session's secret."""
    return hashlib.sha256(secret.encode()).digest()
