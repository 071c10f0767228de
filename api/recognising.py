"""Going on when who may do what changes under a request: a write is decided again, by whoever the caller is then."""

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from record.ledger.append import AccessChanged
from record.refusals import Unavailable

T = TypeVar("T")

ATTEMPTS: Final = 3


async def decided_again(attempt: Callable[[bool], Awaitable[T]]) -> T:
    """What `attempt` gives, tried anew while it raises `AccessChanged`. It is told whether it has to recognise the caller again.

    Raises `Unavailable` when access has changed under each of three attempts.
    """
    for number in range(ATTEMPTS):
        try:
            return await attempt(number > 0)
        except AccessChanged:
            continue
    raise Unavailable("Who may do what in this organization is changing right now. Try again in a moment.")
