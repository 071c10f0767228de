"""Verdicts and the reasons for them: what every rule answers with.

A verdict is never a bare boolean. It is one of four statuses, a tree of reasons, and the instant until which it holds
if nothing new is recorded. Wrong beats missing: something present and wrong outweighs something absent.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Final, NamedTuple

from record.ids import EntryIndex


class Status(Enum):
    """The four answers. `UNKNOWN` means that there is nothing to judge by, and is never green."""

    COMPLIANT = "COMPLIANT"
    NON_COMPLIANT = "NON_COMPLIANT"
    INCOMPLETE = "INCOMPLETE"
    UNKNOWN = "UNKNOWN"


COMPLIANT, NON_COMPLIANT, INCOMPLETE, UNKNOWN = Status
"""For code that runs thousands of times for a page: an attribute of an enumeration is found more slowly than a global."""
_WORST_FIRST: Final = (NON_COMPLIANT, INCOMPLETE, UNKNOWN)


class Reason(NamedTuple):
    """One step of a judgement. A named tuple, because a page of trails makes thousands.

    `rule` says what was asked and by whom (`template v3, line 7: unit-tests (junit)`), `subject` what it was asked of,
    `outcome` how that went, `explanation` the sentence for people, `remedy` what would satisfy it (None when satisfied),
    `entry_index` the ledger entry that decided (None when the evidence is absent), `because` the steps below.
    """

    rule: str
    subject: str
    outcome: Status
    explanation: str
    remedy: str | None = None
    entry_index: EntryIndex | None = None
    because: Sequence["Reason"] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """A status, why, and until when it holds if nothing is recorded (None: for ever)."""

    status: Status
    reasons: tuple[Reason, ...]
    holds_until: datetime | None = None


def worst(statuses: Iterable[Status]) -> Status:
    """The status of a whole from those of its parts: wrong, then missing, then unknown; compliant only if all are.

    No parts at all is `UNKNOWN`: there was nothing to judge by.
    """
    found = tuple(statuses)  # not a set: members of an enumeration hash slowly
    for status in _WORST_FIRST:
        if status in found:
            return status
    return COMPLIANT if found else UNKNOWN


def worst_first(reasons: Iterable[Reason]) -> list[Reason]:
    """What is wrong before what is missing, then what cannot be told, then what is satisfied; among alike as they came."""
    found = list(reasons)
    return [each for status in (*_WORST_FIRST, COMPLIANT) for each in found if each.outcome is status]


def earliest(instants: Iterable[datetime | None]) -> datetime | None:
    """The first instant at which something expires; None when nothing does."""
    return min((instant for instant in instants if instant is not None), default=None)
