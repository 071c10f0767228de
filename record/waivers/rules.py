"""The states of a waiver: which act leads from where to where, and when time ends it.

               accept
    REQUESTED ─────────▶ IN_FORCE
     │  │                 │  │
     │  └──── revoke ─────┼──┴──▶ REVOKED
     └────── its expiry ──┴─────▶ EXPIRED

Rules kept here:
 * only a waiver in force excuses anything, and a second person has put it in force;
 * every waiver expires, at the very instant that it says. An act that was recorded then or later changes nothing;
 * what is revoked or expired stays so: whoever still needs it requests it anew;
 * acts are numbered, and a number is recorded once. Of two acts at once, one is decided by what the other left behind.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from types import MappingProxyType
from typing import Final

from record.clock import to_rfc3339
from record.ids import EntryIndex, PrincipalId
from record.refusals import InvalidInput


class State(Enum):
    """Where a waiver stands."""

    REQUESTED = "REQUESTED"
    IN_FORCE = "IN_FORCE"
    REVOKED = "REVOKED"
    EXPIRED = "EXPIRED"


class Act(Enum):
    """What can be done to a waiver."""

    ACCEPT = "accept"
    REVOKE = "revoke"


OPEN: Final = frozenset({State.REQUESTED, State.IN_FORCE})
"""States that an act or the expiry may end."""

AFTER: Final[Mapping[tuple[State, Act], State]] = MappingProxyType(
    {
        (State.REQUESTED, Act.ACCEPT): State.IN_FORCE,
        (State.REQUESTED, Act.REVOKE): State.REVOKED,
        (State.IN_FORCE, Act.REVOKE): State.REVOKED,
    }
)
"""The whole machine. What is not in it is refused."""


@dataclass(frozen=True, slots=True)
class Done:
    """An act as it was recorded, and who did it."""

    entry_index: EntryIndex
    number: int
    act: Act
    principal_id: PrincipalId
    principal: str
    comment: str
    at: datetime


def state_after(acts: Iterable[Done], expires_at: datetime, *, now: datetime) -> State:
    """Where a waiver stands after these acts, in whatever order they come."""
    state = State.REQUESTED
    for done in sorted(acts, key=lambda each: each.number):
        if done.at < expires_at:
            state = AFTER.get((state, done.act), state)
    return State.EXPIRED if state in OPEN and expires_at <= now else state


def led_to(state: State, act: Act, *, acts: Sequence[Done], expires_at: datetime) -> State:
    """The state after this act; refuses an act that comes too late, and says what came first."""
    following = AFTER.get((state, act))
    if following is not None:
        return following
    if state is State.EXPIRED:
        raise InvalidInput(
            f"This waiver expired at {to_rfc3339(expires_at)}. Request another with requestWaiver, if it is still needed.",
            field="id",
        )
    verbs = {Act.ACCEPT: "accepted", Act.REVOKE: "revoked"}
    last = max(acts, key=lambda done: done.number)
    fact = f"{last.principal} {verbs[last.act]} this waiver at {to_rfc3339(last.at)} already."
    if state is State.IN_FORCE:
        raise InvalidInput(f"{fact} There is nothing to do.", field="id")
    raise InvalidInput(f"{fact} Request another with requestWaiver, if it is still needed.", field="id")
