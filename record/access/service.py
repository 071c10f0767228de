"""Uses of access: begin an organization, add and change principals, issue, rotate and revoke keys, recognise a caller."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from record.access import queries, tokens
from record.access.rules import Action, Caller, Grant, Role, operator, pattern_as_schema
from record.clock import to_rfc3339
from record.flows.templates import TYPES, is_type
from record.ids import (
    ORGANIZATION_NAME,
    PRINCIPAL_NAME,
    KeyId,
    OrgId,
    PrincipalId,
    checked_name,
    uuid7,
)
from record.ledger.append import AlreadyRecorded
from record.ledger.entries import Draft, Idempotency, Receipt
from record.moment import Moment
from record.record import Record
from record.refusals import InvalidInput, NameTaken, NotAllowed, NotFound, Unauthenticated

KINDS: Final = ("person", "service_account")
KEY_DAYS_DEFAULT: Final = 90
KEY_DAYS_MAX: Final = 3660
OVERLAP_HOURS_MAX: Final = 24 * 30
RETENTION_DAYS_MAX: Final = 36_525

_BEGIN_LEDGER = """
WITH begun AS (
    INSERT INTO ops.ledgers (org_id, name, origin, size, at, access_index) VALUES ($1, $2, $3, 0, $4, 0)
    ON CONFLICT (name) DO NOTHING RETURNING org_id
)
SELECT org_id FROM begun UNION ALL SELECT org_id FROM ops.ledgers WHERE name = $2 LIMIT 1"""


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """A new key. `token` is shown to whoever asked for it and kept nowhere: a repeated request gets None."""

    token: str | None
    receipt: Receipt


async def create_organization(
    record: Record, name: str, *, admin: str, keep: Callable[[str], None] = lambda token: None
) -> tuple[Caller, IssuedKey]:
    """Begins an organization and its ledger, with a first person who is its admin, and issues that person's key.

    Three entries by the operator. If we die between them, the same call again does what is left. `keep` is given the token
    before its key is recorded, so that a key that opens is never one that nobody has.
    """
    checked_name(name, ORGANIZATION_NAME, field="organization name")
    checked_name(admin, PRINCIPAL_NAME, field="name")
    origin = f"{record.settings.log_origin}/log/{name}"
    async with record.database.operations() as connection:
        org_id = await connection.fetchval(_BEGIN_LEDGER, OrgId(uuid7()), name, origin, record.clock.now())
    caller = operator(org_id, name)
    moment = Moment.latest(org_id, record.clock.now())
    async with record.database.connection(org_id) as connection:
        begun = await queries.organization(connection, moment)
        people = await queries.principals(connection, moment, name=admin)
        keys = await queries.keys(connection, moment)
    if keys or (begun is not None and not people and await _has_people(record, moment)):
        raise NameTaken(f"An organization called {name} exists already. Choose another name.")
    if begun is None:
        await record.ledger.append(caller, Draft("organization.created", _settled(record, org_id, name, origin)))
    if people:
        person = people[0].principal_id
    else:
        added = await add_principal(record, caller, name=admin, kind="person", grants=[Grant(Role.ADMIN)])
        person = PrincipalId(UUID(added.body["principal_id"]))
    issued = await _issue(
        record,
        caller,
        principal_id=person,
        description="first admin key",
        scopes=None,
        expires_at=_expiry(record.clock.now(), None),
        extra={},
        idempotency=None,
        keep=keep,
    )
    return caller, issued


def _settled(record: Record, org_id: OrgId, name: str, origin: str) -> dict[str, object]:
    return {
        "organization_id": str(org_id),
        "name": name,
        "origin": origin,
        "retention_days": record.settings.retention_days,
        "required_types": [],
        "public": False,
    }


async def _has_people(record: Record, moment: Moment) -> bool:
    async with record.database.connection(moment.org_id) as connection:
        return bool(await queries.principals(connection, moment))


async def add_principal(
    record: Record,
    caller: Caller,
    *,
    name: str,
    kind: str,
    grants: Sequence[Grant],
    idempotency: Idempotency | None = None,
) -> Receipt:
    """Adds a person or a service account with its roles."""
    caller.require(Action.ADMINISTER)
    checked_name(name, PRINCIPAL_NAME, field="name")
    if kind not in KINDS:
        raise InvalidInput(f"{kind!r} is no kind of principal. Use {' or '.join(KINDS)}.", field="kind")
    principal_id = PrincipalId(uuid7())
    body = {
        "principal_id": str(principal_id),
        "version": 1,
        "name": name,
        "kind": kind,
        "grants": [grant.to_json() for grant in grants],
        "disabled": False,
    }
    try:
        return await record.ledger.append(caller, Draft("principal.added", body), idempotency=idempotency)
    except AlreadyRecorded as error:
        raise NameTaken(f"Somebody called {name} is in this organization already. Choose another name.") from error


async def change_principal(
    record: Record,
    caller: Caller,
    *,
    name: str,
    grants: Sequence[Grant] | None = None,
    disabled: bool | None = None,
    idempotency: Idempotency | None = None,
) -> Receipt:
    """Gives a principal other roles, or disables it (its keys open nothing from then on) or enables it again."""
    caller.require(Action.ADMINISTER)
    principal = await principal_named(record, caller, name)
    body = {
        "principal_id": str(principal.principal_id),
        "version": principal.version + 1,
        "name": principal.name,
        "kind": principal.kind,
        "grants": [grant.to_json() for grant in (principal.grants if grants is None else grants)],
        "disabled": principal.disabled if disabled is None else disabled,
    }
    return await record.ledger.append(caller, Draft("principal.changed", body), idempotency=idempotency)


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
    return await _issue(
        record,
        caller,
        principal_id=principal_id,
        description=description,
        scopes=None if scopes is None else [scope.to_json() for scope in scopes],
        expires_at=_expiry(record.clock.now(), expires_in_days),
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
    return await _issue(
        record,
        caller,
        principal_id=key.principal_id,
        description=key.description,
        scopes=None if key.scopes is None else [scope.to_json() for scope in key.scopes],
        expires_at=_expiry(now, expires_in_days),
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


async def recognise(record: Record, token: str) -> Caller:
    """Who presents this token, as of now. Unknown, expired and revoked keys are the same refusal."""
    org_id = tokens.organization_of(token)
    head = await record.ledger.head(org_id)
    return await recognise_at(record, token, org_id=org_id, organization=head.name, access_index=head.access_index)


async def recognise_at(record: Record, token: str, *, org_id: OrgId, organization: str, access_index: int) -> Caller:
    """As `recognise`, for whoever has asked for the head already."""
    caller, _ = await recognise_until(
        record, token, org_id=org_id, organization=organization, access_index=access_index
    )
    return caller


async def recognise_until(
    record: Record, token: str, *, org_id: OrgId, organization: str, access_index: int
) -> tuple[Caller, datetime | None]:
    """As `recognise_at`, and the instant from which the key opens nothing, for whoever keeps the answer until then."""
    async with record.database.connection(org_id) as connection:
        facts = await queries.key_by_token(connection, org_id, tokens.token_sha256(token))
    if facts is None or not facts.opens(now=record.clock.now()):
        raise Unauthenticated(
            "This key is unknown, expired or revoked. Ask an admin of your organization for a new one."
        )
    caller = Caller(
        org_id=org_id,
        organization=organization,
        principal_id=facts.principal_id,
        principal=facts.principal,
        key_id=facts.key_id,
        grants=facts.grants,
        scopes=facts.scopes,
        access_index=access_index,
    )
    return caller, facts.opens_until


async def principal_named(record: Record, caller: Caller, name: str) -> queries.Principal:
    """The principal of this name; refuses when there is none."""
    moment = Moment.latest(caller.org_id, record.clock.now())
    async with record.database.connection(caller.org_id) as connection:
        found = await queries.principals(connection, moment, name=name)
    if not found:
        raise NotFound(f"There is nobody called {name} in this organization. Check the name, or add them.")
    return found[0]


async def _issue(
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
    return IssuedKey(None if receipt.replayed else token, receipt)


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


def _expiry(now: datetime, days: int | None) -> datetime:
    days = KEY_DAYS_DEFAULT if days is None else days
    if not 1 <= days <= KEY_DAYS_MAX:
        raise InvalidInput(f"{days} days is no life for a key. Choose 1 to {KEY_DAYS_MAX}.", field="expiresInDays")
    return now + timedelta(days=days)


@dataclass(frozen=True, slots=True)
class ChangeOrganization:
    """What is None stays as it is; `flow_name_pattern` "" lifts the pattern."""

    retention_days: int | None = None
    flow_name_pattern: str | None = None
    required_types: Sequence[str] | None = None
    public: bool | None = None


async def change_organization(
    record: Record, caller: Caller, wish: ChangeOrganization, *, idempotency: Idempotency | None = None
) -> Receipt:
    """Settles what the organization asks of its flows, how long evidence is kept, and whether anyone may read it."""
    caller.require(Action.ADMINISTER)
    moment = Moment.latest(caller.org_id, record.clock.now())
    async with record.database.connection(caller.org_id) as connection:
        now = await queries.organization(connection, moment)
    if now is None:
        raise NotFound("There is no such organization. Check the name.")
    if wish.retention_days is not None and not 1 <= wish.retention_days <= RETENTION_DAYS_MAX:
        raise InvalidInput(
            f"{wish.retention_days} days is out of range. Keep evidence for 1 to {RETENTION_DAYS_MAX} days.",
            field="retentionDays",
        )
    pattern = now.flow_name_pattern if wish.flow_name_pattern is None else wish.flow_name_pattern or None
    if wish.flow_name_pattern:
        await _check_pattern(record, wish.flow_name_pattern)
    _check_types(wish.required_types or ())
    body = {
        "organization_id": str(now.org_id),
        "name": now.name,
        "origin": now.origin,
        "retention_days": now.retention_days if wish.retention_days is None else wish.retention_days,
        "flow_name_pattern": pattern,
        "required_types": list(now.required_types if wish.required_types is None else wish.required_types),
        "public": now.public if wish.public is None else wish.public,
    }
    return await record.ledger.append(caller, Draft("organization.changed", body), idempotency=idempotency)


async def _check_pattern(record: Record, pattern: str) -> None:
    if len(pattern) > 256:
        raise InvalidInput("This pattern is longer than 256 characters. Shorten it.", field="flowNamePattern")
    try:
        await record.sandbox.check_type(pattern_as_schema(pattern), [])
    except InvalidInput as error:
        raise InvalidInput(
            f"{pattern!r} is no regular expression (ECMA-262, as in JSON Schema). Correct it.", field="flowNamePattern"
        ) from error


def _check_types(required: Sequence[str]) -> None:
    for name in required:
        if not is_type(name):
            raise InvalidInput(
                f"{name[:80]!r} is not an attestation type. Use one of {', '.join(TYPES)}, or custom:NAME.",
                field="requiredTypes",
            )
