"""Beginning an organization, and changing what it asks and allows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from record.access import queries
from record.access.rules import Action, Caller, Grant, Role, operator, pattern_as_schema
from record.access.service.keys import IssuedKey, expiry, issue_unasked
from record.access.service.principals import add_principal
from record.flows.templates import TYPES, is_type
from record.ids import (
    ORGANIZATION_NAME,
    PRINCIPAL_NAME,
    OrgId,
    PrincipalId,
    checked_name,
    uuid7,
)
from record.ledger.entries import Draft, Idempotency, Receipt
from record.moment import Moment
from record.record import Record
from record.refusals import InvalidInput, NameTaken, NotFound

RETENTION_DAYS_MAX: Final = 36_525

_BEGIN_LEDGER = """
WITH begun AS (
    INSERT INTO ops.ledgers (org_id, name, origin, size, at, access_index) VALUES ($1, $2, $3, 0, $4, 0)
    ON CONFLICT (name) DO NOTHING RETURNING org_id
)
SELECT org_id FROM begun UNION ALL SELECT org_id FROM ops.ledgers WHERE name = $2 LIMIT 1"""


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
    issued = await issue_unasked(
        record,
        caller,
        principal_id=person,
        description="first admin key",
        scopes=None,
        expires_at=expiry(record.clock.now(), None),
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
