"""Snapshot expressions: which snapshot of which environment is meant.

prod                              the newest
prod#12                           number 12
prod~2                            two before the newest
prod@{2026-11-01T12:00:00Z}       what ran at that instant (without an offset: UTC)
prod@{2.days.ago}                 minutes, hours, days, weeks, months
prod@{now}
"""

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Final

from record.clock import from_rfc3339, to_rfc3339
from record.ids import ENVIRONMENT_NAME, checked_name
from record.refusals import InvalidInput, NotFound

_FORM: Final = re.compile(
    r"(?P<environment>[^#~@]*)(?:#(?P<number>[0-9]{1,9})|~(?P<back>[0-9]{1,9})|@\{(?P<when>[^{}]*)\})?"
)
_AGO: Final = re.compile(r"(?P<count>[0-9]{1,5})\.(?P<unit>minute|hour|day|week|month)s?\.ago")
_UNITS: Final = MappingProxyType(
    {
        "minute": timedelta(minutes=1),
        "hour": timedelta(hours=1),
        "day": timedelta(days=1),
        "week": timedelta(weeks=1),
    }
)
FORMS: Final = "env, env#N, env~N, env@{2026-11-01T12:00:00Z}, env@{2.days.ago} or env@{now}"


@dataclass(frozen=True, slots=True)
class Expression:
    """At most one of `number`, `back` and `instant` is given; none of them means the newest snapshot."""

    environment: str
    number: int | None = None
    back: int | None = None
    instant: datetime | None = None


def parse(text: str, *, now: datetime, environment: str | None = None) -> Expression:
    """What `text` asks for. With `environment`, its name may be left out, and no other may stand there."""
    matched = _FORM.fullmatch(text.strip())
    if matched is None:
        raise InvalidInput(f"{text[:80]!r} is no snapshot expression. Write {FORMS}.", field="expression")
    name = matched["environment"] or environment or ""
    checked_name(name, ENVIRONMENT_NAME, field="environment name")
    if environment is not None and name != environment:
        raise InvalidInput(
            f"{text[:80]!r} asks for a snapshot of another environment than {environment}. Ask there.",
            field="expression",
        )
    if matched["number"] is not None:
        return Expression(name, number=int(matched["number"]))
    if matched["back"] is not None:
        return Expression(name, back=int(matched["back"]))
    when = matched["when"]
    return Expression(name, instant=None if when is None else _instant(when.strip(), now))


def number_asked(expression: Expression, newest: int) -> int:
    """The number of the snapshot that is asked for by number or by counting back from the newest."""
    name = expression.environment
    if newest == 0:
        raise NotFound(f"The environment {name} has no snapshot at this moment. Report one with reportSnapshot.")
    if expression.number is not None:
        number, asked = expression.number, f"{name}#{expression.number}"
    else:
        back = expression.back or 0
        number, asked = newest - back, f"{name}~{back}"
    if not 1 <= number <= newest:
        raise NotFound(
            f"There is no snapshot {asked}: {name} has snapshots 1 to {newest} at this moment. Ask for one of these."
        )
    return number


def _instant(when: str, now: datetime) -> datetime:
    if when == "now":
        return now
    ago = _AGO.fullmatch(when)
    if ago is not None:
        return _before(now, int(ago["count"]), ago["unit"])
    try:
        instant = from_rfc3339(when)
    except ValueError:
        raise InvalidInput(f"{when[:60]!r} is no instant. Write {FORMS}.", field="expression") from None
    instant = instant if instant.tzinfo is not None else instant.replace(tzinfo=UTC)
    if instant > now:
        raise InvalidInput(
            f"{to_rfc3339(instant)} is in the future of this moment. Ask for an instant that has passed.",
            field="expression",
        )
    return instant


def _before(now: datetime, count: int, unit: str) -> datetime:
    try:
        if unit != "month":
            return now - count * _UNITS[unit]
        year, month = divmod(now.year * 12 + now.month - 1 - count, 12)
        return now.replace(year=year, month=month + 1, day=min(now.day, monthrange(year, month + 1)[1]))
    except (ValueError, OverflowError):
        raise InvalidInput(
            f"{count} {unit}s ago there was no calendar. Ask for a later instant.", field="expression"
        ) from None
