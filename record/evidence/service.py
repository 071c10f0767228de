"""Uses of evidence: store bytes, find stored bytes again, read them.

The order is the vault first, then the entry that names what is there. If we die in between, an object lies in the vault that no
entry names; the scrubber reports it. The other order could record evidence that does not exist, and is never taken.
"""

import re
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Final

from record.access import queries as access
from record.access.rules import Action, Caller
from record.clock import to_rfc3339
from record.evidence import queries
from record.ids import Digest
from record.ledger.append import AlreadyRecorded
from record.ledger.entries import Draft
from record.moment import Moment
from record.record import Record
from record.refusals import EvidenceNotStored, InvalidInput, NotFound, TooLarge

MEDIA_TYPE: Final = re.compile(r"[a-z0-9][a-z0-9.+_-]{0,62}/[a-z0-9][a-z0-9.+_-]{0,126}")
DEFAULT_MEDIA_TYPE: Final = "application/octet-stream"
REPORT_BYTES_MAX: Final = 32 * 2**20


def checked_media_type(value: str | None) -> str:
    """A media type without parameters, in lower case."""
    bare = (value or DEFAULT_MEDIA_TYPE).partition(";")[0].strip().lower()
    if not MEDIA_TYPE.fullmatch(bare):
        raise InvalidInput(
            f"{bare[:80]!r} is not a media type. Send one such as application/json.", field="Content-Type"
        )
    return bare


async def store(
    record: Record,
    caller: Caller,
    chunks: AsyncIterator[bytes],
    *,
    expected: Digest | None,
    expected_size: int | None,
    media_type: str | None,
) -> tuple[queries.Evidence, bool]:
    """Puts a stream into the vault and records that it is there. Returns it, and whether it is new to this organization.

    A wrong digest, a cut or too large stream stores and records nothing. The same bytes again are the same evidence; that this
    caller brought them, too, is noted beside the record.
    """
    caller.require_somewhere(Action.WRITE)
    kind = checked_media_type(media_type)
    if expected_size is not None and expected_size > record.settings.evidence_bytes_max:
        raise TooLarge(
            f"This evidence is {expected_size} bytes and {record.settings.evidence_bytes_max} are the most. Split it."
        )
    moment = Moment.latest(caller.org_id, record.clock.now())
    async with record.database.connection(caller.org_id) as connection:
        organization = await access.organization(connection, moment)
    if organization is None:
        raise NotFound("There is no such organization. Check the key.")
    retained_until = moment.instant + timedelta(days=organization.retention_days)
    stored = await record.vault.put(
        chunks,
        expected=expected,
        expected_size=expected_size,
        retain_until=retained_until,
        size_max=record.settings.evidence_bytes_max,
    )
    known = await _brought_again(record, caller, stored.digest)
    if known is not None:
        return known, False
    body = {
        "sha256": stored.digest,
        "size": stored.size,
        "crc32": stored.crc32,
        "media_type": kind,
        "key": stored.key,
        "version_id": stored.version_id,
        "retained_until": to_rfc3339(retained_until),
    }
    try:
        await record.ledger.append(caller, Draft("evidence.stored", body))
    except AlreadyRecorded:  # the same bytes arrived twice at once; one of them was first
        evidence, is_new = await _brought_again(record, caller, stored.digest), False
    else:
        evidence, is_new = await find(record, caller, stored.digest), True
    assert evidence is not None
    return evidence, is_new


async def _brought_again(record: Record, caller: Caller, digest: Digest) -> queries.Evidence | None:
    """Evidence that is there already, of which the caller has now shown to hold the bytes; None when it is not there."""
    moment = Moment.latest(caller.org_id, record.clock.now())
    async with record.database.connection(caller.org_id) as connection:
        (known,) = await queries.by_digests(connection, moment, [digest])
        if known is not None:
            await queries.note_upload(connection, moment, digest, caller.principal_id)
    return known


async def find(record: Record, caller: Caller, digest: Digest) -> queries.Evidence | None:
    """This organization's evidence of that digest, as of now."""
    moment = Moment.latest(caller.org_id, record.clock.now())
    async with record.database.connection(caller.org_id) as connection:
        return (await queries.by_digests(connection, moment, [digest]))[0]


async def readable(record: Record, caller: Caller, digest: Digest) -> queries.Evidence:
    """Evidence that this caller may read: with narrowed roles only what attestations of its flows name."""
    evidence = await find(record, caller, digest)
    flows = caller.readable_flows()
    if evidence is not None and flows is not None:
        moment = Moment.latest(caller.org_id, record.clock.now())
        async with record.database.connection(caller.org_id) as connection:
            if not flows & await queries.flows_naming(connection, moment, digest):
                evidence = None
    if evidence is None:
        raise NotFound(f"There is no evidence with the digest {digest}. Upload it, or check the digest.")
    return evidence


async def required(record: Record, caller: Caller, digests: Sequence[Digest]) -> list[queries.Evidence]:
    """The evidence of these digests, to be attached; refuses, naming each digest that is not stored.

    To know a digest is not to have the bytes: what the caller neither uploaded nor may read is refused as if it were not there,
    because whoever attaches evidence to a flow of theirs may read it from then on.
    """
    if not digests:
        return []
    moment = Moment.latest(caller.org_id, record.clock.now())
    async with record.database.connection(caller.org_id) as connection:
        if (readable := caller.readable_flows()) is None:
            found = await queries.by_digests(connection, moment, digests)
        else:
            found = await queries.attachable(
                connection,
                moment,
                digests,
                principal=caller.principal,
                principal_id=caller.principal_id,
                readable=readable,
            )
    missing = [digest for digest, evidence in zip(digests, found, strict=True) if evidence is None]
    if missing:
        raise EvidenceNotStored(
            f"The vault has no evidence of yours with the digest {', '.join(missing)}. "
            "Upload it with PUT /evidence/sha256:<digest> first, then send this again."
        )
    return [evidence for evidence in found if evidence is not None]


async def whole(record: Record, evidence: queries.Evidence) -> bytes:
    """All bytes of a report that the server has to read; refuses what is too large to be one."""
    if evidence.size > REPORT_BYTES_MAX:
        raise TooLarge(
            f"This report is {evidence.size} bytes and {REPORT_BYTES_MAX} are the most that are read. "
            "Split it, or attest to it as generic evidence."
        )
    pieces = [piece async for piece in record.vault.read(evidence.key, version_id=evidence.version_id)]
    return b"".join(pieces)
