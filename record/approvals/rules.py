"""The states of an approval: which act leads from where to where, and when time ends it.

                        approve (again)
                            ┌───┐
               approve      │   ▼
    REQUESTED ──────────▶ APPROVED
     │  │  │               │  │  │
     │  │  └─── reject ────┼──┼──┴──▶ REJECTED
     │  └──── withdraw ────┼──┴─────▶ WITHDRAWN
     └────── its expiry ───┴────────▶ EXPIRED

Rules kept here:
 * what is rejected, withdrawn or expired stays so: whoever still wants it requests it anew. One rejection is enough, also after
   approvals;
 * how many must approve is a policy's affair (`approvals: {min: 2}`), so an approved request takes further approvals;
 * it expires at the very instant that it says. An act that was recorded then or later changes nothing, whatever was decided when;
 * a comment changes no state, and may be made in any;
 * acts are numbered, and a number is recorded once. Of two acts at once, one is decided by what the other left behind.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from types import MappingProxyType
from typing import Final, NamedTuple

from record.clock import to_rfc3339
from record.ids import EntryIndex, PrincipalId
from record.refusals import InvalidInput


class State(Enum):
    """Where a request stands."""

    REQUESTED = "REQUESTED"
    APPROVED = "APPROVED"
    REJECTED = "REJECTED"
    WITHDRAWN = "WITHDRAWN"
    EXPIRED = "EXPIRED"


class Act(Enum):
    """What can be done to a request: three kinds of review, and taking it back."""

    APPROVE = "approve"
    REJECT = "reject"
    COMMENT = "comment"
    WITHDRAW = "withdraw"


OPEN: Final = frozenset({State.REQUESTED, State.APPROVED})
"""States that an act or the expiry may end."""

AFTER: Final[Mapping[tuple[State, Act], State]] = MappingProxyType(
    {
        (State.REQUESTED, Act.APPROVE): State.APPROVED,
        (State.REQUESTED, Act.REJECT): State.REJECTED,
        (State.REQUESTED, Act.WITHDRAW): State.WITHDRAWN,
        (State.APPROVED, Act.APPROVE): State.APPROVED,
        (State.APPROVED, Act.REJECT): State.REJECTED,
        (State.APPROVED, Act.WITHDRAW): State.WITHDRAWN,
        **{(state, Act.COMMENT): state for state in State},
    }
)
"""The whole machine. What is not in it is refused."""


class Done(NamedTuple):
    """An act as it was recorded. `who` did it; of a reported approval, whoever is said to have given it, at `given_at`.

    A named tuple in the order of its statement's columns, because an environment's verdict may look at thousands.
    """

    entry_index: EntryIndex
    number: int
    act: Act
    principal_id: PrincipalId
    principal: str
    who: str
    comment: str
    reported: bool
    url: str | None
    given_at: datetime
    at: datetime


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a request stands at an instant, and the approvals that took effect by then."""

    state: State
    approvals: tuple[Done, ...]


def standing(acts: Iterable[Done], expires_at: datetime | None, *, now: datetime) -> Standing:
    """Where a request stands after these acts, in whatever order they come."""
    state, given = State.REQUESTED, []
    for done in sorted(acts, key=lambda each: each.number):
        following = AFTER.get((state, done.act))
        if following is None or _is_over(expires_at, done.at):
            continue
        state = following
        if done.act is Act.APPROVE:
            given.append(done)
    if state in OPEN and _is_over(expires_at, now):
        state = State.EXPIRED
    return Standing(state, tuple(given))


def led_to(state: State, act: Act, *, acts: Sequence[Done], expires_at: datetime | None) -> State:
    """The state after this act; refuses an act that comes too late, and says what came first."""
    following = AFTER.get((state, act))
    if following is not None:
        return following
    if state is State.EXPIRED and expires_at is not None:
        fact = f"This request expired at {to_rfc3339(expires_at)}."
    else:
        ended = next(done for done in acts if done.act in (Act.REJECT, Act.WITHDRAW))
        verb = "rejected" if ended.act is Act.REJECT else "withdrew"
        fact = f"{ended.who} {verb} this request at {to_rfc3339(ended.at)}."
    raise InvalidInput(f"{fact} Request an approval anew with requestApproval.", field="id")


def _is_over(expires_at: datetime | None, at: datetime) -> bool:
    return expires_at is not None and expires_at <= at
