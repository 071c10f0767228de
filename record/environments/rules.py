"""Rules of snapshots: what changed between two, what differs between any two, how runs unite, when silence means staleness."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum
from typing import Any, Final

from record.ids import EnvironmentId, Fingerprint

KEYFRAME_ROWS: Final = 256
"""How many member rows a reader always puts up with before a snapshot is recorded whole again."""
PART_BYTES: Final = 56_000
"""How much of an entry members may fill. The rest is for who reported it, and for what else an entry says."""


class EventKind(Enum):
    """What can happen to an artifact in an environment, as snapshots tell it."""

    STARTED = "started"
    STOPPED = "stopped"
    SCALED = "scaled"
    PROVENANCE = "provenance"


@dataclass(frozen=True, slots=True)
class Member:
    """An artifact in a snapshot. `created` are the instants of its instances, the newest first; `flows` say where it is known."""

    fingerprint: Fingerprint
    name: str
    instances: int
    created: tuple[str, ...] = ()
    facts: tuple[Any, ...] = ()
    facts_omitted: int = 0
    flows: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Running:
    """A member as a reader meets it: where it runs, and since which snapshot, and since when."""

    member: Member
    environments: tuple[EnvironmentId, ...]
    since_number: int
    since: datetime


@dataclass(frozen=True, slots=True)
class Delta:
    """A snapshot as it will be recorded: the changed members as JSON, whether it is whole, and its counts."""

    members: list[dict[str, Any]]
    keyframe: int
    rows_since: int
    started: int
    stopped: int
    scaled: int
    found: int


@dataclass(frozen=True, slots=True)
class Before:
    """The snapshot before: its number, where reading it begins, and who ran with the number of the snapshot that saw it start."""

    number: int
    keyframe: int
    rows_since: int
    members: Mapping[Fingerprint, tuple[Member, int]]


NOTHING_BEFORE: Final = Before(0, 0, 0, {})


def delta(before: Before, now: Mapping[Fingerprint, Member]) -> Delta:
    """What the next snapshot records: what changed, and everything else too when reading would otherwise grow long."""
    number = before.number + 1
    changed: list[dict[str, Any]] = []
    kept: list[dict[str, Any]] = []
    scaled = found = 0
    for fingerprint in sorted(now):
        member = now[fingerprint]
        known = before.members.get(fingerprint)
        if known is None:
            changed.append(_written(member, "started", number))
            continue
        was, since = known
        if was == member:
            kept.append(_written(member, "kept", since))
            continue
        written = _written(member, "changed", since)
        if (was.instances, was.flows) != (member.instances, member.flows):
            written["was"] = {"instances": was.instances, "flows": list(was.flows)}
            scaled += was.instances != member.instances
            found += was.flows != member.flows
        changed.append(written)
    gone = sorted(fingerprint for fingerprint in before.members if fingerprint not in now)
    stopped = [_stopped(*before.members[fingerprint]) for fingerprint in gone]
    started = sum(written["change"] == "started" for written in changed)
    rows = before.rows_since + len(changed) + len(stopped)
    if number == 1 or rows > KEYFRAME_ROWS + 2 * len(now):
        return Delta([*stopped, *changed, *kept], number, len(now), started, len(stopped), scaled, found)
    return Delta([*stopped, *changed], before.keyframe, rows, started, len(stopped), scaled, found)


def _written(member: Member, change: str, since: int) -> dict[str, Any]:
    written: dict[str, Any] = {
        "fingerprint": member.fingerprint,
        "change": change,
        "since": since,
        "name": member.name,
        "instances": member.instances,
    }
    if member.created:
        written["created"] = list(member.created)
    if member.facts:
        written["facts"] = list(member.facts)
    if member.facts_omitted:
        written["facts_omitted"] = member.facts_omitted
    if member.flows:
        written["flows"] = list(member.flows)
    return written


def _stopped(was: Member, since: int) -> dict[str, Any]:
    return {
        "fingerprint": was.fingerprint,
        "change": "stopped",
        "since": since,
        "name": was.name,
        "instances": 0,
        **({"flows": list(was.flows)} if was.flows else {}),
        "was": {"instances": was.instances, "flows": list(was.flows)},
    }


def in_parts(members: Sequence[dict[str, Any]], *, last_bytes: int) -> list[list[dict[str, Any]]]:
    """The members, divided so that each part fits into an entry; the last leaves room for `last_bytes` more. At least one part."""
    parts: list[list[dict[str, Any]]] = [[]]
    filled = 0
    for member in members:
        size = len(json.dumps(member, ensure_ascii=False, separators=(",", ":")).encode()) + 1
        if filled + size > PART_BYTES and parts[-1]:
            parts.append([])
            filled = 0
        parts[-1].append(member)
        filled += size
    if filled + last_bytes > PART_BYTES and parts[-1]:
        parts.append([])
    return parts


@dataclass(frozen=True, slots=True)
class Difference:
    """How two snapshots differ: what runs only in one, what runs in both with other counts, what runs in both alike."""

    only_first: tuple[Running, ...]
    only_second: tuple[Running, ...]
    scaled: tuple[tuple[Running, Running], ...]
    same: tuple[tuple[Running, Running], ...]


def difference(first: Iterable[Running], second: Iterable[Running]) -> Difference:
    """What tells two snapshots apart, by fingerprint; each list by name."""
    ones = {running.member.fingerprint: running for running in sorted(first, key=_by_name)}
    others = {running.member.fingerprint: running for running in sorted(second, key=_by_name)}
    both = [(one, others[fingerprint]) for fingerprint, one in ones.items() if fingerprint in others]
    return Difference(
        only_first=tuple(one for fingerprint, one in ones.items() if fingerprint not in others),
        only_second=tuple(other for fingerprint, other in others.items() if fingerprint not in ones),
        scaled=tuple(pair for pair in both if pair[0].member.instances != pair[1].member.instances),
        same=tuple(pair for pair in both if pair[0].member.instances == pair[1].member.instances),
    )


def _by_name(running: Running) -> tuple[str, str]:
    return running.member.name, running.member.fingerprint


def union(running: Iterable[Running]) -> list[Running]:
    """What runs in a logical environment, from what runs in those that it includes: each artifact once, by name."""
    found: dict[Fingerprint, Running] = {}
    for each in sorted(running, key=_by_name):
        known = found.get(each.member.fingerprint)
        if known is None:
            found[each.member.fingerprint] = each
            continue
        first = min(known, each, key=lambda one: one.since)
        found[each.member.fingerprint] = Running(
            replace(
                known.member,
                instances=known.member.instances + each.member.instances,
                created=tuple(sorted((*known.member.created, *each.member.created), reverse=True)),
                facts=(*known.member.facts, *each.member.facts),
                facts_omitted=known.member.facts_omitted + each.member.facts_omitted,
                flows=tuple(sorted({*known.member.flows, *each.member.flows})),
            ),
            tuple(dict.fromkeys((*known.environments, *each.environments))),
            first.since_number,
            first.since,
        )
    return list(found.values())


@dataclass(frozen=True, slots=True)
class Run:
    """An interval in which an artifact ran in an environment, `until` exclusive; None while it runs."""

    environment_id: EnvironmentId
    fingerprint: Fingerprint
    name: str
    since: datetime
    since_number: int
    until: datetime | None = None
    until_number: int | None = None


def union_of_runs(runs: Iterable[Run], environment_id: EnvironmentId) -> list[Run]:
    """Runs in a logical environment: intervals that touch or overlap in any of those that it includes are one."""
    united: list[Run] = []
    for run in sorted(runs, key=lambda one: (one.fingerprint, one.since)):
        last = united[-1] if united and united[-1].fingerprint == run.fingerprint else None
        if last is None or (last.until is not None and last.until < run.since):
            united.append(replace(run, environment_id=environment_id))
        elif last.until is not None and (run.until is None or run.until > last.until):
            united[-1] = replace(last, until=run.until, until_number=run.until_number)
    return united


SERIES_GAP_MAX: Final = timedelta(hours=1)


def continued_from(reported_at: datetime, cadence_seconds: int | None, changed_at: datetime) -> datetime:
    """Since when the last report must have come for this one to continue its series.

    Between two reports of a series nobody was silent, by the cadence of then: one that came too late begins another, and so does
    the first after the environment was changed. Without a cadence, or with a long one, after an hour another begins too.
    """
    gap = SERIES_GAP_MAX if cadence_seconds is None else min(SERIES_GAP_MAX, timedelta(seconds=cadence_seconds))
    return max(reported_at - gap, changed_at)


def report_due(last_reported_at: datetime, cadence_seconds: int | None) -> datetime | None:
    """When the next report is due; an environment that is silent then is stale since that instant. None: whenever it likes."""
    return None if cadence_seconds is None else last_reported_at + timedelta(seconds=cadence_seconds)


def stale_since(last_reported_at: datetime, cadence_seconds: int | None, *, now: datetime) -> datetime | None:
    """Since when an environment has been silent for too long; None while it is not."""
    due = report_due(last_reported_at, cadence_seconds)
    return due if due is not None and due <= now else None
