"""How a status goes on if nothing is recorded: its value now, and every later change that time alone will bring.

Verdicts need it whole, not only its first change: what a waiver covers today decides again when the waiver ends.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from operator import itemgetter
from typing import Final, NamedTuple

from record.verdicts import Status, worst


class Course(NamedTuple):
    """A status, and its changes in the order of their instants, each of them a change indeed."""

    status: Status
    later: tuple[tuple[datetime, Status], ...] = ()

    @property
    def until(self) -> datetime | None:
        """When it first changes; None: never."""
        return self.later[0][0] if self.later else None

    def at(self, instant: datetime) -> Status:
        """The status at an instant from now on. A change counts from its very instant."""
        status = self.status
        for when, changed in self.later:
            if when > instant:
                break
            status = changed
        return status


SATISFIED: Final = Course(Status.COMPLIANT)
WRONG: Final = Course(Status.NON_COMPLIANT)
MISSING: Final = Course(Status.INCOMPLETE)
UNDECIDED: Final = Course(Status.UNKNOWN)


_WRONG, _MISSING, _UNKNOWN, _RIGHT = Status.NON_COMPLIANT, Status.INCOMPLETE, Status.UNKNOWN, Status.COMPLIANT
_RANKS: Final = {status.value: rank for rank, status in enumerate((_WRONG, _MISSING, _UNKNOWN, _RIGHT))}
"""By value, because the hash of a member of an enumeration is slow, and a whole environment has ten thousands of parts."""


def best(statuses: Iterable[Status]) -> Status:
    """The status of a choice: one that is satisfied will do; otherwise wrong beats missing."""
    found = set(statuses)
    return Status.COMPLIANT if Status.COMPLIANT in found else worst(found)


def followed(status_at: Callable[[datetime], Status], instants: Iterable[datetime], *, now: datetime) -> Course:
    """The course of a status that can change at these instants only."""
    status = first = status_at(now)
    later = []
    for instant in sorted({instant for instant in instants if instant > now}):
        changed = status_at(instant)
        if changed is not status:
            later.append((instant, changed))
            status = changed
    return Course(first, tuple(later))


def worst_of(courses: Sequence[Course]) -> Course:
    """The course of a whole from those of its parts."""
    deciding = [course for course in courses if course is not SATISFIED] or courses[:1]
    if len(deciding) == 1:
        return deciding[0]
    counts = [0, 0, 0, 0]
    changes = False
    for status, later in deciding:
        counts[_RANKS[status._value_]] += 1
        if later:
            changes = True
        elif status is _WRONG:
            return WRONG  # for good, whatever the others do
    first = _worst(counts)
    if not changes:
        return Course(first)
    return _first_to_end(deciding) or _swept(deciding, counts, first)


def _first_to_end(courses: Sequence[Course]) -> Course | None:
    """The course of parts that are all right and each end at most once, all in the same way, which most do; None of others."""
    first: Course | None = None
    for course in courses:
        status, later = course
        if status is not _RIGHT or len(later) > 1:
            return None
        if later:
            if first is None:
                first = course
            elif later[0][1] is not first.later[0][1]:
                return None
            elif later[0][0] < first.later[0][0]:
                first = course
    return first


def _swept(courses: Sequence[Course], counts: list[int], first: Status) -> Course:
    """The course that begins with these counts, from every change of a part in the order of the instants."""
    steps = []
    for place, (before, changes) in enumerate(courses):
        was = before
        for instant, after in changes:
            steps.append((instant, place, was, after))
            was = after
    steps.sort(key=itemgetter(0, 1))
    status, later, last = first, [], len(steps) - 1
    for number, (instant, _, before, after) in enumerate(steps):
        counts[_RANKS[before._value_]] -= 1
        counts[_RANKS[after._value_]] += 1
        if number < last and steps[number + 1][0] == instant:
            continue
        changed = _worst(counts)
        if changed is not status:
            later.append((instant, changed))
            status = changed
    return Course(first, tuple(later))


def _worst(counts: list[int]) -> Status:
    wrong, missing, unknown, right = counts
    if wrong:
        return _WRONG
    if missing:
        return _MISSING
    return _UNKNOWN if unknown or not right else _RIGHT


def best_of(courses: Sequence[Course], *, now: datetime) -> Course:
    """The course of a choice from those of its alternatives."""
    if len(courses) == 1:
        return courses[0]
    if SATISFIED in courses:
        return SATISFIED
    instants = [instant for course in courses for instant, _ in course.later]
    return followed(lambda instant: best([course.at(instant) for course in courses]), instants, now=now)


def covered(course: Course, until: datetime | None) -> Course:
    """The course while something is accepted whatever it is, until an instant or for good."""
    if until is None:
        return SATISFIED
    after = course.at(until)
    ended = () if after is Status.COMPLIANT else ((until, after),)
    return Course(Status.COMPLIANT, (*ended, *[change for change in course.later if change[0] > until]))
