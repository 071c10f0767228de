"""Who looks: a session's cookie in, a caller for one organization out; or anyone, where an organization is open to everyone.

The session is looked up and its key is asked on every request, as the API asks it, so whoever is locked out there is locked out
here with the same request. Addresses name the organization (`/o/<organization>/...`): they can be shared, and somebody who
is signed in to several changes between them by a link.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from starlette.requests import Request

from api.console import cookies
from api.identity import Identity, Recognised
from record.access.rules import Action, Caller
from record.record import Record
from record.refusals import Unauthenticated
from record.sessions import service
from record.sessions.queries import Seat


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody who may look at one organization. `secret` None: anyone, without a session."""

    recognised: Recognised
    again: Callable[[], Awaitable[Recognised]]
    secret: str | None
    seats: Sequence[Seat]

    @property
    def caller(self) -> Caller:
        return self.recognised.caller

    @property
    def is_anonymous(self) -> bool:
        return self.caller.key_id is None

    @property
    def form_token(self) -> str:
        """For the forms on this visitor's pages."""
        return "" if self.secret is None else cookies.form_token(self.secret)

    def may(self, action: str, environment: str | None = None) -> bool:
        """Whether the visitor may do this everywhere, or in that environment: what a page shows only to some asks so."""
        return self.caller.may(Action[action], environment=environment)


async def seats_of(request: Request) -> Sequence[Seat]:
    """The organizations that the visitor is signed in to."""
    secret = cookies.secret_in(request, "session")
    record: Record = request.app.state.record
    return [] if secret is None else await service.seats(record, secret)


async def visitor_of(request: Request, organization: str) -> Visitor:
    """The visitor of this organization's pages. Refuses with `Unauthenticated` whoever should sign in first."""
    identity: Identity = request.app.state.identity
    seats = await seats_of(request)
    seat = next((each for each in seats if each.organization == organization), None)
    if seat is None:
        return await _anyone(identity, organization, seats, cookies.secret_in(request, "session"))

    async def again() -> Recognised:
        assert seat is not None
        return await identity.recognise_seat(seat.org_id, seat.token_sha256)

    return Visitor(await again(), again, cookies.secret_in(request, "session"), seats)


async def _anyone(identity: Identity, organization: str, seats: Sequence[Seat], secret: str | None) -> Visitor:
    async def again() -> Recognised:
        return await identity.recognise(f"Public {organization}")

    if not organization.isascii():
        raise Unauthenticated("There is no organization of this name that you are signed in to. Sign in to it.")
    return Visitor(await again(), again, secret if seats else None, seats)
