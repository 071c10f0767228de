"""The second person: whoever says yes to what somebody else asked for must be a person, and another one.

An approval, or a waiver's acceptance, is worth what is known of who gave it. So the record asks here, at the moment of the yes, and
refuses what it can tell: the requester; a service account, through which anybody might speak who has its key, the requester
included; and whoever has the name of the person for whom something was requested. That name is therefore asked for whenever a
service account requests something: whoever stands behind a pipeline is its requester.
"""

from record.access import queries
from record.access.queries import Principal
from record.access.rules import Caller
from record.ids import PrincipalId
from record.moment import Moment
from record.people import may_be_one
from record.record import Record
from record.refusals import InvalidInput, NotAllowed


async def require_second_person(
    record: Record, caller: Caller, *, requester_id: PrincipalId, requested_for: str | None, what: str
) -> None:
    """Refuses a caller who is the requester, may be whom it was requested for, or is no person. `what` names the request."""
    if caller.principal_id == requester_id:
        raise NotAllowed(
            f"{caller.principal} requested this {what}, and nobody says yes to their own. Ask somebody else to review it."
        )
    if requested_for is not None and may_be_one(caller.principal, requested_for):
        raise NotAllowed(
            f"This {what} was requested for {requested_for[:80]}, who may be you. Ask somebody else to review it."
        )
    me, requester = await _known(record, caller, [caller.principal_id, requester_id])
    if me is None or me.kind != "person":
        raise NotAllowed(_no_person(caller, f"Let a person review this {what}, with a key of their own."))
    if requested_for is None and requester is not None and requester.kind != "person":
        raise NotAllowed(
            f"{requester.name} requested this {what} and did not say for whom, so it may have been for you. "
            "Let it be requested anew, naming the person (requestedFor)."
        )


async def require_somebody_behind(record: Record, caller: Caller, requested_for: str | None, *, what: str) -> None:
    """Refuses what a service account requests without naming a person for whom. A person requests for themselves."""
    (me,) = await _known(record, caller, [caller.principal_id])
    if me is None or me.kind == "person":
        return
    if requested_for is None:
        raise InvalidInput(
            f"{caller.principal} is a service account, and somebody requests this {what} through it. "
            "Name that person (requestedFor): they will not be the one who reviews it.",
            field="requestedFor",
        )
    async with record.database.connection(caller.org_id) as connection:
        moment = Moment.latest(caller.org_id, record.clock.now())
        named = await queries.principals(connection, moment, name=requested_for.strip())
    if may_be_one(requested_for, caller.principal) or any(each.kind != "person" for each in named):
        raise InvalidInput(
            f"{requested_for.strip()[:80]} is a service account. Name the person for whom this {what} is requested.",
            field="requestedFor",
        )


async def require_person(record: Record, caller: Caller, *, remedy: str) -> None:
    """Refuses a caller who is no person. `remedy` says what to do instead."""
    (me,) = await _known(record, caller, [caller.principal_id])
    if me is None or me.kind != "person":
        raise NotAllowed(_no_person(caller, remedy))


def _no_person(caller: Caller, remedy: str) -> str:
    return f"{caller.principal} is not a person, and a service account may speak for anybody who has its key. {remedy}"


async def _known(record: Record, caller: Caller, ids: list[PrincipalId]) -> list[Principal | None]:
    """These principals in the order asked; None for who is none, such as the operator."""
    moment = Moment.latest(caller.org_id, record.clock.now())
    async with record.database.connection(caller.org_id) as connection:
        found = {each.principal_id: each for each in await queries.principals(connection, moment, ids=ids)}
    return [found.get(principal_id) for principal_id in ids]
