"""When a verdict changed: what was seen of a subject, one look after the other, and which of these looks are news.

A verdict is a function of ledger size and instant, so the moments at which it can change are known: each entry that concerns the
subject, and each instant up to which the last verdict held. Looking at just these gives every change, and the same changes however
the looks are spread over rounds, restarts and workers. Rules kept here:
 * what a subject begins with is no news: a trail with what its template asks of it, an environment with UNKNOWN, not silent;
 * a change of the status is news, and so is falling silent or reporting again; a snapshot is recorded even if it changes nothing;
 * a look at or before the point of the last judgement is none: somebody has looked there;
 * at the very instant of an expiry an entry of that instant is the cause, if there is one;
 * whoever was silent counts as reporting again when a later report is known, and not before.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from operator import attrgetter
from typing import Any, Final, NamedTuple

from record.clock import to_rfc3339
from record.environments.rules import report_due, stale_since
from record.flows.templates import Template
from record.ids import EntryIndex, JudgementId, LedgerSize
from record.trails.facts import TrailFacts
from record.trails.rules import examine_trail
from record.verdicts import Reason, Status

REASONS_MAX: Final = 20
REASON_CHARACTERS_MAX: Final = 400
FACTS_EXAMINED_MAX: Final = 20_000
"""How many facts of one trail a round examines: a look examines them all. With a hundred facts that is two hundred looks."""


class Kind(Enum):
    """What can be judged."""

    ENVIRONMENT = "environment"
    TRAIL = "trail"


class Point(NamedTuple):
    """Where a look is taken from."""

    size: LedgerSize
    instant: datetime


class Mark(NamedTuple):
    """An entry that concerns somebody."""

    entry: EntryIndex
    at: datetime

    @property
    def after(self) -> LedgerSize:
        """The size at which it is the newest entry."""
        return LedgerSize(self.entry + 1)


@dataclass(frozen=True, slots=True)
class Standing:
    """A subject's last judgement; or, with number 0, what it began with."""

    number: int
    status: Status
    stale_since: datetime | None
    point: Point


UNJUDGED: Final = Standing(0, Status.UNKNOWN, None, Point(LedgerSize(0), datetime.min.replace(tzinfo=UTC)))


@dataclass(frozen=True, slots=True)
class Look:
    """A subject as it was seen from a point. `why` is asked only when it is news: words take most of the time.

    `words` say why in the place of reasons, where no rule but silence has spoken.
    """

    point: Point
    cause: EntryIndex | None
    status: Status
    stale_since: datetime | None
    holds_until: datetime | None
    why: Callable[[], Iterable[Reason]]
    snapshot: int | None = None
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class News:
    """A look that is recorded, after the standing before it."""

    before: Standing
    look: Look

    @property
    def changed(self) -> bool:
        return _differs(self.before, self.look)

    @property
    def standing(self) -> Standing:
        """What stands from now on."""
        look = self.look
        return Standing(self.before.number + 1, look.status, look.stale_since, look.point)

    def body(self, judgement_id: JudgementId, subject: dict[str, Any]) -> dict[str, Any]:
        """The entry's body; `subject` says who it is about."""
        before, look = self.before, self.look
        body: dict[str, Any] = {
            "judgement_id": str(judgement_id),
            **subject,
            "number": before.number + 1,
            "previous": None if before is UNJUDGED else before.status.value,
            "status": look.status.value,
            "changed": self.changed,
            "stale": look.stale_since is not None,
            "size": look.point.size,
            "instant": to_rfc3339(look.point.instant),
            "cause": look.cause,
            "reasons": in_words(look),
        }
        if look.stale_since is not None:
            body["stale_since"] = to_rfc3339(look.stale_since)
        if look.holds_until is not None:
            body["holds_until"] = to_rfc3339(look.holds_until)
        if look.snapshot is not None:
            body["snapshot"] = look.snapshot
        return body


def news(standing: Standing, looks: Iterable[Look]) -> Iterator[News]:
    """Which of these looks, in their order, are recorded."""
    for look in looks:
        if (told := is_news(standing, look)) is not None:
            yield told
            standing = told.standing


def is_news(standing: Standing, look: Look) -> News | None:
    """The look as what is recorded next, if it is to be recorded."""
    if look.point <= standing.point:
        return None
    told = News(standing, look)
    return told if told.changed or look.snapshot is not None else None


def _differs(standing: Standing, look: Look) -> bool:
    return standing.status is not look.status or (standing.stale_since is None) is not (look.stale_since is None)


# --- trails


@dataclass(frozen=True, slots=True)
class TrailHistory:
    """Everything that was recorded in a trail, in the ledger's order, and the templates in force from an entry on."""

    begun: Mark
    facts: TrailFacts
    templates: Sequence[tuple[EntryIndex, Template, int]]

    def at(self, size: LedgerSize) -> TrailFacts:
        """The trail as it was when the ledger had this size."""
        _, template, version = [each for each in self.templates if each[0] < size][-1]
        return self.facts._replace(
            template=template,
            template_version=version,
            attestations=self.facts.attestations[: bisect_left(self.facts.attestations, size, key=_index)],
            artifacts=self.facts.artifacts[: bisect_left(self.facts.artifacts, size, key=_index)],
        )

    def beginning(self) -> Standing:
        """What it began with."""
        point = Point(self.begun.after, self.begun.at)
        return Standing(0, look_at_trail(self, point, cause=None).status, None, point)


_index = attrgetter("entry_index")


def follow_trail(
    history: TrailHistory, marks: Sequence[Mark], *, since: Point, due: datetime | None, until: datetime
) -> tuple[list[Look], datetime | None]:
    """Every look that a trail needs from `since` to the instant `until`, and when the next one is due by time alone.

    `marks` are the entries that concern it meanwhile; `due` is when, as of `since`, it is due without any. A trail with so many
    facts and entries that looking after each would take too long is looked at after some of them, the last one included.
    """
    looks: list[Look] = []
    point = since
    for mark in (*_some(marks, facts=len(history.facts.attestations) + len(history.facts.artifacts)), None):
        end = until if mark is None else mark.at
        while due is not None and (due < end or (mark is None and due == end)):
            point = Point(point.size, due)
            looks.append(look := look_at_trail(history, point, cause=None))
            due = look.holds_until
        if mark is not None:
            point = Point(mark.after, max(mark.at, point.instant))
            looks.append(look := look_at_trail(history, point, cause=mark.entry))
            due = look.holds_until
    return looks, due


def _some(marks: Sequence[Mark], *, facts: int) -> Sequence[Mark]:
    most = max(FACTS_EXAMINED_MAX // max(facts, 1), 1)
    every = -(-len(marks) // most)
    return marks if every <= 1 else marks[::-1][::every][::-1]


def look_at_trail(history: TrailHistory, point: Point, *, cause: EntryIndex | None) -> Look:
    """The trail's verdict at a point."""
    examined = examine_trail(history.at(point.size), now=point.instant)
    return Look(
        point, cause, examined.status, None, later_than(point.instant, examined.holds_until()), examined.reasons
    )


def later_than(instant: datetime, until: datetime | None) -> datetime | None:
    """Until when something holds, if that is still to come."""
    return until if until is not None and until > instant else None


# --- silence


@dataclass(frozen=True, slots=True)
class Reporting:
    """What is known of the reports of a physical environment. `since` is from when on it was to report."""

    cadence_seconds: int | None
    since: datetime
    last: datetime | None

    @property
    def reported(self) -> datetime:
        return self.last or self.since


def silence(
    parts: Sequence[Reporting], before: datetime | None, *, now: datetime, resumed_at: datetime | None
) -> tuple[datetime | None, datetime | None]:
    """Since when an environment is silent (None: it reports), and when that may change by time alone.

    A logical environment is silent as long as any of its parts is. `before` is since when it was silent as far as that is
    recorded, `resumed_at` when reports without a change were forgotten: until a cadence has passed, nobody is accused of silence.
    """
    silent, due = [], []
    for part in parts:
        if part.cadence_seconds is None:
            continue
        heard = part.reported if before is not None or resumed_at is None else max(part.reported, resumed_at)
        if stale_since(heard, part.cadence_seconds, now=now) is None:
            due.append(_due(heard, part.cadence_seconds))
        else:
            silent.append(_due(part.reported, part.cadence_seconds))
    return min(silent, default=None), min(due, default=None)


def _due(heard: datetime, cadence_seconds: int) -> datetime:
    found = report_due(heard, cadence_seconds)
    assert found is not None  # the cadence is there
    return found


def heard_again(standing: Standing, point: Point, since: datetime | None, holds_until: datetime | None) -> News:
    """That somebody fell silent, or reports again: the verdict stays what it was."""
    said = "It reports again."
    if since is not None:
        said = f"Silent since {to_rfc3339(since)}: no snapshot came when one was due."
    return News(standing, Look(point, None, standing.status, since, holds_until, tuple, words=(said,)))


# --- words


def in_words(look: Look) -> list[str]:
    """Why, in short texts: what is wrong, then what is missing; for what is in order, what the cause says."""
    if look.words:
        return list(look.words)
    reasons = tuple(look.why())
    if look.status is Status.COMPLIANT:
        told = [_worded(reason) for reason in _naming(reasons, look.cause)]
        texts = told or ["Everything that is asked for is there and compliant."]
    elif look.status is Status.UNKNOWN:
        texts = [_worded(reason) for reason in reasons]
    else:
        leaves = list(_failing(reasons))
        wrong = [_worded(leaf) for leaf in leaves if leaf.outcome is Status.NON_COMPLIANT]
        missing = [_worded(leaf) for leaf in leaves if leaf.outcome is Status.INCOMPLETE]
        texts = [*wrong, *missing] or [_worded(reason) for reason in reasons]
    texts = list(dict.fromkeys(texts))
    return texts if len(texts) <= REASONS_MAX else [*texts[:REASONS_MAX], f"And {len(texts) - REASONS_MAX} more."]


def _failing(reasons: Iterable[Reason]) -> Iterator[Reason]:
    """The lowest reasons that say what is wrong or missing."""
    for reason in reasons:
        if reason.outcome in (Status.NON_COMPLIANT, Status.INCOMPLETE):
            below = list(_failing(reason.because))
            yield from below or [reason]


def _naming(reasons: Iterable[Reason], index: EntryIndex | None) -> Iterator[Reason]:
    """The lowest reasons that name this entry."""
    if index is None:
        return
    for reason in reasons:
        below = list(_naming(reason.because, index))
        yield from below or ([reason] if reason.entry_index == index else [])


def _worded(reason: Reason) -> str:
    text = f"{reason.subject}: {reason.explanation} ({reason.rule})"
    return text if len(text) <= REASON_CHARACTERS_MAX else f"{text[: REASON_CHARACTERS_MAX - 1]}…"
