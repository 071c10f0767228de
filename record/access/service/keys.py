"""Issuing, rotating and revoking API keys."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from record.access import queries, tokens
from record.access.rules import Action, Caller, Grant
from record.clock import to_rfc3339
from record.ids import (
    KeyId,
    PrincipalId,
    uuid7,
)
from record.ledger.entries import Draft, Idempotency, Receipt
from record.moment import Moment
from record.record import Record
from record.refusals import InvalidInput, NotAllowed, NotFound

KEY_DAYS_DEFAULT: Final = 90
KEY_DAYS_MAX: Final = 3660
OVERLAP_HOURS_MAX: Final = 24 * 30


class IssuedKey(NamedTuple):
    """A new key. `token` is shown to whoever asked for it and kept nowhere: a repeated request gets None."""

    receipt: Receipt
    token: str | None


async def issue_key(
    record: Record,
    caller: Caller,
    *,
    principal_id: PrincipalId,
    description: str,
    scopes: Sequence[Grant] | None = None,
    expires_in_days: int | None = None,
    idempotency: Idempotency | None = None,
) -> IssuedKey:
    """Issues a key to a principal: 90 days unless said otherwise. Admins issue to anyone, everybody to themselves.

    A narrowed key begets only keys that are narrowed in the same way.
    """
    if principal_id != caller.principal_id:
        caller.require(Action.ADMINISTER)
    await _require_principal(record, caller, principal_id)
    if scopes is None:
        scopes = caller.scopes
    elif caller.scopes is not None and not set(scopes) <= set(caller.scopes):
        raise NotAllowed("This key is narrowed, so it can issue only keys with its own scopes. Leave scopes out.")
    return await issue_unasked(
        record,
        caller,
        principal_id=principal_id,
        description=description,
        scopes=None if scopes is None else [scope.to_json() for scope in scopes],
        expires_at=expiry(record.clock.now(), expires_in_days),
        extra={},
        idempotency=idempotency,
    )


async def rotate_key(
    record: Record,
    caller: Caller,
    *,
    key_id: KeyId,
    overlap_hours: int = 24,
    expires_in_days: int | None = None,
    idempotency: Idempotency | None = None,
) -> IssuedKey:
    """Issues a successor with the same scopes; the old key opens until the overlap is over, then nothing."""
    key = await _key(record, caller, key_id)
    _require_own_key_or_admin(caller, key)
    if not 0 <= overlap_hours <= OVERLAP_HOURS_MAX:
        raise InvalidInput(
            f"An overlap of {overlap_hours} hours is out of range. Choose 0 to {OVERLAP_HOURS_MAX}.",
            field="overlapHours",
        )
    now = record.clock.now()
    if any(end is not None and end <= now for end in (key.expires_at, key.revoked_at)):
        raise InvalidInput("This key is expired or revoked. Issue a new one instead of rotating it.", field="keyId")
    return await issue_unasked(
        record,
        caller,
        principal_id=key.principal_id,
        description=key.description,
        scopes=None if key.scopes is None else [scope.to_json() for scope in key.scopes],
        expires_at=expiry(now, expires_in_days),
        extra={"replaces": str(key_id), "replaced_until": to_rfc3339(now + timedelta(hours=overlap_hours))},
        idempotency=idempotency,
    )


async def revoke_key(
    record: Record, caller: Caller, *, key_id: KeyId, reason: str, idempotency: Idempotency | None = None
) -> Receipt:
    """From this entry on the key opens nothing."""
    key = await _key(record, caller, key_id)
    _require_own_key_or_admin(caller, key)
    body = {"key_id": str(key_id), "principal_id": str(key.principal_id), "reason": reason}
    return await record.ledger.append(caller, Draft("key.revoked", body), idempotency=idempotency)


async def issue_unasked(
    record: Record,
    caller: Caller,
    *,
    principal_id: PrincipalId,
    description: str,
    scopes: list[dict[str, object]] | None,
    expires_at: datetime,
    extra: dict[str, object],
    idempotency: Idempotency | None,
    keep: Callable[[str], None] = lambda token: None,
) -> IssuedKey:
    """Issues without asking whether the caller may: for those who have asked, and for an organization's first key."""
    token = tokens.new_token(caller.org_id)
    keep(token)
    key_id = KeyId(uuid7())
    body = {
        "key_id": str(key_id),
        "principal_id": str(principal_id),
        "token_sha256": tokens.token_sha256(token).hex(),
        "description": description,
        "scopes": scopes,
        "expires_at": to_rfc3339(expires_at),
        **extra,
    }
    receipt = await record.ledger.append(caller, Draft("key.issued", body), idempotency=idempotency)
    return IssuedKey(receipt, None if receipt.replayed else token)


async def _key(record: Record, caller: Caller, key_id: KeyId) -> queries.Key:
    moment = Moment.latest(caller.org_id, record.clock.now())
    async with record.database.connection(caller.org_id) as connection:
        found = await queries.keys(connection, moment, key_id=key_id)
    if not found:
        raise NotFound("There is no such key in this organization. List the keys to find its id.")
    return found[0]


async def _require_principal(record: Record, caller: Caller, principal_id: PrincipalId) -> None:
    moment = Moment.latest(caller.org_id, record.clock.now())
    async with record.database.connection(caller.org_id) as connection:
        if not await queries.principals(connection, moment, ids=[principal_id]):
            raise NotFound("There is nobody of that id in this organization. Add them first, or check the id.")


def _require_own_key_or_admin(caller: Caller, key: queries.Key) -> None:
    """Its own principal's keys; for a narrowed key only itself, since a sibling may be wider."""
    own = key.principal_id == caller.principal_id and caller.scopes is None
    if not own and key.key_id != caller.key_id:
        caller.require(Action.ADMINISTER)


def expiry(now: datetime, days: int | None) -> datetime:
    """When a key that lives so many days ends; 90 days unless said otherwise."""
    days = KEY_DAYS_DEFAULT if days is None else days
    if not 1 <= days <= KEY_DAYS_MAX:
        raise InvalidInput(f"{days} days is no life for a key. Choose 1 to {KEY_DAYS_MAX}.", field="expiresInDays")
    return now + timedelta(days=days)
