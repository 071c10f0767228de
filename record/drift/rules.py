"""Rules of drift as it went: at which moments one began, and when and how it ended, by what was recorded then.

What may begin one is a run or a deployment. Its grace period ends; what was known at that instant decides:

    a run          nobody had reported that its artifact was deployed there: a shadow change
                   somebody had, but something else was the last deployment in its place, and did not run: another version
    a deployment   no snapshot had seen it run, and nothing else had been deployed in its place: not seen;
                   and what was deployed there before it ran: another version, too

A report that comes late does not undo that a drift was there. It ends it when it is recorded, whatever instant it names.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum
from typing import NamedTuple

from record.deployments.rules import DriftKind
from record.ids import EntryIndex, EnvironmentId, Fingerprint


class Place(NamedTuple):
    """Where a beginning stands among all of them: its instant, then its entry, then its place there."""

    at: datetime
    entry_index: int
    ordinal: int


class Ending(Enum):
    """How a drift ended."""

    REPORTED = "REPORTED"
    STOPPED = "STOPPED"
    SEEN = "SEEN"
    REPLACED = "REPLACED"


@dataclass(frozen=True, slots=True)
class Deployed:
    """A deployment as far as drift minds: what it put there, by which entry."""

    entry_index: EntryIndex
    fingerprint: Fingerprint
    name: str


@dataclass(frozen=True, slots=True)
class Started:
    """A run: of what, in which snapshot it began, and when it stopped (None: it goes on)."""

    fingerprint: Fingerprint
    name: str
    number: int
    stopped_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """What may have begun a drift when its grace period ended at `due`, and what became of it.

    `run` is what runs: what began it, or what was there before the deployment and still ran at `due`. `meant` is the last
    deployment in its place, `meant_at` when that was recorded, `ran` whether it ran already, `seen_at` when it started after
    that, and `replaced_at` when another deployment in its place was recorded, of `replaced_by`. `reported_at`: when the run's
    artifact was first reported as deployed there.
    """

    environment_id: EnvironmentId
    of_deployment: bool
    at: datetime
    entry_index: EntryIndex
    ordinal: int
    due: datetime
    run: Started | None = None
    reported_at: datetime | None = None
    meant: Deployed | None = None
    meant_at: datetime | None = None
    ran: bool = False
    seen_at: datetime | None = None
    replaced_at: datetime | None = None
    replaced_by: Fingerprint | None = None


@dataclass(frozen=True, slots=True)
class DriftEvent:
    """A drift that began at `place.at`, for which run or deployment, and how it ended (None while it lasts)."""

    environment_id: EnvironmentId
    place: Place
    kind: DriftKind
    fingerprint: Fingerprint
    name: str
    explanation: str
    snapshot_number: int | None = None
    deployment: EntryIndex | None = None
    ended_at: datetime | None = None
    ending: Ending | None = None


def beginnings(candidate: Candidate, *, now: datetime) -> list[DriftEvent]:
    """The drifts that this run or deployment began, by their places: none, one, or two."""
    if candidate.due > now:
        return []
    return list(_of_deployment(candidate) if candidate.of_deployment else _of_run(candidate))


def _of_run(candidate: Candidate) -> Iterator[DriftEvent]:
    run = candidate.run
    assert run is not None
    place = Place(candidate.due, candidate.entry_index, candidate.ordinal)
    stopped = (run.stopped_at, Ending.STOPPED)
    if candidate.reported_at is None or candidate.reported_at > candidate.due:
        event = DriftEvent(
            candidate.environment_id,
            place,
            DriftKind.SHADOW_CHANGE,
            run.fingerprint,
            run.name,
            f"{run.name} ran, and within {_minutes(candidate)} nobody reported that it was deployed here.",
            run.number,
        )
        yield from _lasting(event, candidate.due, stopped, (candidate.reported_at, Ending.REPORTED))
    elif candidate.meant is not None and candidate.meant.fingerprint != run.fingerprint and not candidate.ran:
        event = _other(candidate, candidate.meant, run, place)
        yield from _lasting(event, candidate.due, stopped, (candidate.seen_at, Ending.SEEN), _replaced(candidate, run))


def _of_deployment(candidate: Candidate) -> Iterator[DriftEvent]:
    meant = candidate.meant
    assert meant is not None
    assert candidate.meant_at is not None
    if candidate.ran:
        return
    place = Place(candidate.due, candidate.entry_index, 0)
    shown = max(candidate.due, candidate.meant_at)
    event = DriftEvent(
        candidate.environment_id,
        place,
        DriftKind.NOT_SEEN,
        meant.fingerprint,
        meant.name,
        f"{meant.name} was reported as deployed, and no snapshot saw it run within {_minutes(candidate)}.",
        deployment=meant.entry_index,
    )
    run = candidate.run
    ends = (candidate.seen_at, Ending.SEEN), _replaced(candidate, run)
    yield from _lasting(event, shown, *ends)
    if run is not None:
        other = _other(candidate, meant, run, place._replace(ordinal=1))
        yield from _lasting(other, shown, (run.stopped_at, Ending.STOPPED), *ends)


def _other(candidate: Candidate, meant: Deployed, run: Started, place: Place) -> DriftEvent:
    return DriftEvent(
        candidate.environment_id,
        place,
        DriftKind.OTHER_VERSION,
        run.fingerprint,
        run.name,
        f"{run.name} ran, but {meant.name} was the last that was deployed in its place.",
        run.number,
        meant.entry_index,
    )


def _replaced(candidate: Candidate, run: Started | None) -> tuple[datetime | None, Ending]:
    """By what runs, its deployment was reported late; by anything else, the question is now about that."""
    late = run is not None and candidate.replaced_by == run.fingerprint
    return candidate.replaced_at, Ending.REPORTED if late else Ending.REPLACED


def _lasting(event: DriftEvent, shown: datetime, *ends: tuple[datetime | None, Ending]) -> Iterator[DriftEvent]:
    """The event with its end; nothing when it would have ended before anybody could have seen it."""
    there = [(at, ending) for at, ending in ends if at is not None]
    if not there:
        yield event
        return
    ended_at, ending = min(there, key=lambda each: each[0])
    if ended_at > shown:
        yield replace(event, ended_at=ended_at, ending=ending)


def _minutes(candidate: Candidate) -> str:
    return f"{(candidate.due - candidate.at) / timedelta(minutes=1):g} minutes"
