"""The second person: whoever says yes to what somebody else asked for must be a person, and another one.

An approval, or a waiver's acceptance, is worth what is known of who gave it. So the record asks here, at the moment of the yes, and
refuses what it can tell: the requester; a service account, through which anybody might speak who has its key, the requester
included; and whoever has the name of the person for whom something was requested.
"""

from record.access import queries
from record.access.rules import Caller
from record.ids import PrincipalId
from record.moment import Moment
from record.people import may_be_one
from record.record import Record
from record.refusals import NotAllowed


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
    moment = Moment.latest(caller.org_id, record.clock.now())
    async with record.database.connection(caller.org_id) as connection:
        found = await queries.principals(connection, moment, ids=[caller.principal_id])
    if not found or found[0].kind != "person":
        raise NotAllowed(
            f"{caller.principal} is not a person, and a service account may speak for anybody who has its key. "
            f"Let a person review this {what}, with a key of their own."
        )
