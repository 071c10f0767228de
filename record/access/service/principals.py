"""Adding people and service accounts, and changing what they may do."""

from collections.abc import Sequence
from typing import Final

from record.access import queries
from record.access.rules import Action, Caller, Grant
from record.ids import (
    PRINCIPAL_NAME,
    PrincipalId,
    checked_name,
    uuid7,
)
from record.ledger.append import AlreadyRecorded
from record.ledger.entries import Draft, Idempotency, Receipt
from record.moment import Moment
from record.record import Record
from record.refusals import InvalidInput, NameTaken, NotFound

KINDS: Final = ("person", "service_account")


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


async def principal_named(record: Record, caller: Caller, name: str) -> queries.Principal:
    """The principal of this name; refuses when there is none."""
    moment = Moment.latest(caller.org_id, record.clock.now())
    async with record.database.connection(caller.org_id) as connection:
        found = await queries.principals(connection, moment, name=name)
    if not found:
        raise NotFound(f"There is nobody called {name} in this organization. Check the name, or add them.")
    return found[0]
