"""Who is calling: a bearer key in, a caller and the ledger's head out.

Every request asks for the head (one statement, shared by all who wait), because it says whether access has changed. While it
has not, what was learned about a key still holds, so a known key costs no statement of its own, and a revoked one stops with
the first request after its revocation. Only its expiry comes without an entry; that is kept beside it.

When keys were last used is written down in `ops`, in batches and at most once a minute for each key: worth knowing, not evidence.
"""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog
from starlette.requests import HTTPConnection

from record.access import queries, service, tokens
from record.access.anonymous import recognise_anyone
from record.access.rules import Caller, Grant
from record.ids import KeyId, OrgId
from record.ledger.heads import Head
from record.record import Record
from record.refusals import NotFound, Refusal, Unauthenticated

log = structlog.get_logger(__name__)

KNOWN_MAX: Final = 10_000
NOTED_EVERY: Final = timedelta(minutes=1)
FLUSH_SECONDS: Final = 5.0
UNFLUSHED_MAX: Final = 100_000
RECOGNISE: Final = "recognise"
"""Where in a request's state the console leaves how its visitor is recognised, for the byte routes that it passes on to."""
CHALLENGE: Final = {"www-authenticate": 'Bearer realm="muniment"'}


@dataclass(frozen=True, slots=True)
class Recognised:
    """A caller, the head that was seen when it was recognised, and a digest of who it is and what it may see."""

    caller: Caller
    head: Head
    sight: bytes


@dataclass(slots=True)
class _Known:
    caller: Caller
    sight: bytes
    opens_until: datetime | None
    noted_at: datetime | None = None


class Identity:
    """Recognises callers for one application."""

    def __init__(self, record: Record, *, known_max: int = KNOWN_MAX) -> None:
        self._record = record
        self._known: OrderedDict[bytes, _Known] = OrderedDict()
        self._known_max = known_max
        self._uses: dict[tuple[OrgId, KeyId], datetime] = {}
        self._flushing: asyncio.Task[None] | None = None

    async def identify(self, request: HTTPConnection) -> Caller:
        """Who makes this request; refuses when nobody is to be recognised."""
        return (await self.recognise(request.headers.get("authorization"))).caller

    async def recognise(self, authorization: str | None) -> Recognised:
        """Who presents this `Authorization` header, as of now: a key, or `Public` and the name of an organization."""
        scheme, said = _split(authorization)
        if scheme == "public":
            return await self._anyone(said)
        token = said
        digest = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
        return await self._holder(digest, lambda: tokens.organization_of(token))

    async def recognise_seat(self, org_id: OrgId, token_sha256: bytes) -> Recognised:
        """Whom a session stands for, by the hash of the key that it was begun with: as strict as if the key were presented."""
        return await self._holder(token_sha256, lambda: org_id)

    async def _holder(self, digest: bytes, organization: Callable[[], OrgId]) -> Recognised:
        known = self._known.get(digest)
        if known is None:
            return await self._learn(organization(), digest, None)
        head = await self._head(known.caller.org_id)
        now = self._record.clock.now()
        ended = known.opens_until is not None and now >= known.opens_until
        if ended or head.access_index != known.caller.access_index:
            return await self._learn(known.caller.org_id, digest, known)
        self._known.move_to_end(digest)
        self._note(known, now)
        return Recognised(known.caller, head, known.sight)

    def start(self) -> None:
        """Begins to write down uses in the background."""
        self._flushing = asyncio.create_task(self._flush_for_ever())

    async def close(self) -> None:
        """Writes down what is left."""
        if self._flushing is not None:
            self._flushing.cancel()
            with suppress(asyncio.CancelledError):
                await self._flushing
        await self.flush()

    async def flush(self) -> None:
        """Writes uses down; keeps them for the next time when the database is away."""
        uses, self._uses = self._uses, {}
        if not uses:
            return
        try:
            async with self._record.database.operations() as connection:
                await queries.note_uses(connection, [(org, key, at) for (org, key), at in uses.items()])
        except Refusal as refusal:
            if len(uses) < UNFLUSHED_MAX:
                self._uses = uses | self._uses
            log.warning("uses of keys are not written down yet", keys=len(uses), why=refusal.message)

    async def _learn(self, org_id: OrgId, digest: bytes, known: _Known | None) -> Recognised:
        self._known.pop(digest, None)
        head = await self._head(org_id)
        caller, opens_until = await service.recognise_until(
            self._record, digest, org_id=org_id, organization=head.name, access_index=head.access_index
        )
        learned = _Known(caller, _sight(caller), opens_until, known.noted_at if known else None)
        self._known[digest] = learned
        while len(self._known) > self._known_max:
            self._known.popitem(last=False)
        self._note(learned, self._record.clock.now())
        return Recognised(caller, head, learned.sight)

    async def _anyone(self, organization: str) -> Recognised:
        """Asked for anew each time: what is public may change with any flow."""
        caller = await recognise_anyone(self._record, organization)
        return Recognised(caller, await self._head(caller.org_id), _sight(caller))

    async def _head(self, org_id: OrgId) -> Head:
        try:
            return await self._record.ledger.head(org_id)
        except NotFound:
            raise Unauthenticated(
                "This key is unknown, expired or revoked. Ask an admin of your organization for a new one."
            ) from None

    def _note(self, known: _Known, now: datetime) -> None:
        if known.noted_at is None or now - known.noted_at >= NOTED_EVERY:
            known.noted_at = now
            if known.caller.key_id is not None:
                self._uses[known.caller.org_id, known.caller.key_id] = now

    async def _flush_for_ever(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            await self.flush()


async def identify(request: HTTPConnection) -> Caller:
    """Who makes this request, by the application that serves it; or as whoever passed it on has left under `RECOGNISE`."""
    recognise: Callable[[], Awaitable[Recognised]] | None = request.scope.get("state", {}).get(RECOGNISE)
    if recognise is not None:
        return (await recognise()).caller
    identity: Identity = request.app.state.identity
    return await identity.identify(request)


def _split(authorization: str | None) -> tuple[str, str]:
    scheme, _, said = (authorization or "").partition(" ")
    scheme, said = scheme.lower(), said.strip()
    if scheme not in ("bearer", "public") or not said:
        raise Unauthenticated(
            "This needs an API key. Send it as `Authorization: Bearer mun_...`; or send `Authorization: Public <organization>` to "
            "read what an organization has opened to everyone."
        )
    return scheme, said


def _sight(caller: Caller) -> bytes:
    """Callers of one sight get the same answers. The key itself is in it, because some answers are about who asks."""
    seen = hashlib.sha256(f"{caller.org_id}{caller.principal_id}{caller.key_id}{caller.principal}".encode())
    for grants in (caller.grants, caller.scopes):
        seen.update(b"|" if grants is not None else b"-")
        for grant in grants or ():
            seen.update(_written(grant))
    return seen.digest()


def _written(grant: Grant) -> bytes:
    return repr(sorted(grant.to_json().items())).encode()
