"""Recognising who presents a key."""

from datetime import datetime

from record.access import queries, tokens
from record.access.rules import Caller
from record.ids import (
    OrgId,
)
from record.record import Record
from record.refusals import Unauthenticated


async def recognise(record: Record, token: str) -> Caller:
    """Who presents this token, as of now. Unknown, expired and revoked keys are the same refusal."""
    org_id = tokens.organization_of(token)
    head = await record.ledger.head(org_id)
    return await recognise_at(record, token, org_id=org_id, organization=head.name, access_index=head.access_index)


async def recognise_at(record: Record, token: str, *, org_id: OrgId, organization: str, access_index: int) -> Caller:
    """As `recognise`, for whoever has asked for the head already."""
    caller, _ = await recognise_until(
        record, tokens.token_sha256(token), org_id=org_id, organization=organization, access_index=access_index
    )
    return caller


async def recognise_until(
    record: Record, token_sha256: bytes, *, org_id: OrgId, organization: str, access_index: int
) -> tuple[Caller, datetime | None]:
    """Who presents the token of this hash, and from when it opens nothing, for whoever keeps the answer until then."""
    async with record.database.connection(org_id) as connection:
        facts = await queries.key_by_token(connection, org_id, token_sha256)
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
