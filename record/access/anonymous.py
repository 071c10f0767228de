"""Reading without a key: what an organization has opened to everyone, and nothing else.

An organization may be opened whole, or flow by flow. Whoever asks names the organization; a name that does not exist and one that
has opened nothing are the same refusal, so that names cannot be guessed.
"""

from typing import Final
from uuid import UUID

from record.access import queries
from record.access.rules import Caller, Grant, Role
from record.flows.queries import public_names
from record.ids import PrincipalId
from record.ledger.queries import organization_named
from record.moment import Moment
from record.record import Record
from record.refusals import Unauthenticated

ANYONE: Final = PrincipalId(UUID(int=2))


async def recognise_anyone(record: Record, organization: str) -> Caller:
    """The caller without a key: a reader of what is public in this organization, as of now."""
    async with record.database.operations() as connection:
        org_id = await organization_named(connection, organization)
    grants: tuple[Grant, ...] = ()
    if org_id is not None:
        moment = Moment.latest(org_id, record.clock.now())
        async with record.database.connection(org_id) as connection:
            settled = await queries.organization(connection, moment)
            flows = await public_names(connection, moment)
        if settled is not None and settled.public:
            grants = (Grant(Role.READER),)
        elif flows:
            grants = (Grant(Role.READER, flows=flows),)
    if org_id is None or not grants:
        raise Unauthenticated(
            "Nothing is open to everyone under that name. Send an API key as `Authorization: Bearer mun_...`."
        )
    return Caller(org_id, organization, ANYONE, "anyone", None, grants)
