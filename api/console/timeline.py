"""The timeline of an environment as places on a strip: instants in, horizontal places out, drawn by the template as SVG.

The strip runs from the oldest of what is shown to the moment of the page. Marks that would lie on one another are joined, and the
joined mark says how many they are: a thousand snapshots in an hour stay a picture that can be read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

WIDTH: Final = 960
LEFT: Final = 96
"""Where the lanes begin, after their names."""
_NEAR: Final = 9.0
_STEPS: Final = tuple(
    timedelta(seconds=seconds)
    for seconds in (
        60,
        300,
        900,
        3600,
        3 * 3600,
        6 * 3600,
        12 * 3600,
        86400,
        2 * 86400,
        7 * 86400,
        30 * 86400,
        90 * 86400,
    )
)
_TICKS_MAX: Final = 8


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happened at one place of a lane, or `count` things close together."""

    x: float
    count: int
    said: str
    kind: str


@dataclass(frozen=True, slots=True)
class Tick:
    """A place on the scale."""

    x: float
    label: str


@dataclass(frozen=True, slots=True)
class Span:
    """A status that held from one place to the next."""

    x: float
    width: float
    status: str
    said: str


@dataclass(frozen=True, slots=True)
class Timeline:
    """What is drawn. Empty when nothing ever happened."""

    ticks: Sequence[Tick]
    snapshots: Sequence[Mark]
    deployments: Sequence[Mark]
    judgements: Sequence[Span]
    drift: Sequence[Span]


def timeline_of(
    now: str,
    snapshots: Sequence[Mapping[str, Any]],
    deployments: Sequence[Mapping[str, Any]],
    judgements: Sequence[Mapping[str, Any]] = (),
    drift: Sequence[Mapping[str, Any]] = (),
) -> Timeline | None:
    """The strip up to `now` for these lists as GraphQL gave them; None when all are empty."""
    end = _instant(now)
    shots = [(_instant(each["at"]), each) for each in snapshots if each["at"] is not None]
    shipped = [(_instant(each["deployedAt"]), each) for each in deployments]
    judged = sorted([(_instant(each["instant"]), each) for each in judgements], key=lambda pair: pair[0])
    instants = [at for at, _ in (*shots, *shipped, *judged)] + [_instant(each["at"]) for each in drift]
    if not instants:
        return None
    begin = min(*instants, end)
    length = max((end - begin).total_seconds(), 60.0)
    begin = end - timedelta(seconds=length * 1.03)
    scale = (WIDTH - LEFT - 12) / (end - begin).total_seconds()

    def place(at: datetime) -> float:
        return round(LEFT + min(max((at - begin).total_seconds(), 0), (end - begin).total_seconds()) * scale, 1)

    return Timeline(
        ticks=_ticks(begin, end, place),
        snapshots=_joined(
            [
                (place(at), f"snapshot #{each['number']}, {_changed(each)}", "partial" if each["partial"] else "whole")
                for at, each in shots
            ],
            "snapshots",
        ),
        deployments=_joined(
            [
                (place(at), f"{each['name']} deployed by {each['deployedBy']}", each["seen"]["status"])
                for at, each in shipped
            ],
            "deployments",
        ),
        judgements=_spans([(place(at), each) for at, each in judged], place(end)),
        drift=[_drifting(each, place, end) for each in drift],
    )


def _spans(judged: Sequence[tuple[float, Mapping[str, Any]]], end: float) -> list[Span]:
    ends = [x for x, _ in judged[1:]] + [end] * bool(judged)
    return [
        Span(x, max(round(until - x, 1), 1.5), "UNKNOWN" if each["staleSince"] else each["status"], _judged(each))
        for (x, each), until in zip(judged, ends, strict=True)
    ]


def _drifting(event: Mapping[str, Any], place: Any, end: datetime) -> Span:
    begin = place(_instant(event["at"]))
    until = place(end if event["endedAt"] is None else _instant(event["endedAt"]))
    lasts = "" if event["endedAt"] is None else f" until {event['endedAt'][:19].replace('T', ' ')} UTC"
    return Span(
        begin, max(round(until - begin, 1), 3.0), "INCOMPLETE", f"{event['name']}: {event['explanation']}{lasts}"
    )


def _judged(judgement: Mapping[str, Any]) -> str:
    status = "silent" if judgement["staleSince"] else judgement["status"].lower().replace("_", " ")
    return f"{status} from {judgement['instant'][:19].replace('T', ' ')} UTC"


def _joined(marks: Sequence[tuple[float, str, str]], noun: str) -> list[Mark]:
    found: list[list[tuple[float, str, str]]] = []
    for mark in sorted(marks):
        if found and mark[0] - found[-1][0][0] < _NEAR:
            found[-1].append(mark)
        else:
            found.append([mark])
    return [
        Mark(group[0][0], len(group), group[0][1] if len(group) == 1 else f"{len(group)} {noun}", group[-1][2])
        for group in found
    ]


def _ticks(begin: datetime, end: datetime, place: Any) -> list[Tick]:
    step = next((each for each in _STEPS if (end - begin) / each <= _TICKS_MAX), (end - begin) / _TICKS_MAX)
    midnight = begin.replace(hour=0, minute=0, second=0, microsecond=0)
    at = midnight + step * int((begin - midnight) / step + 1)
    found = []
    while at <= end:
        label = f"{at:%d %b}" if step >= timedelta(days=1) or (at.hour, at.minute) == (0, 0) else f"{at:%H:%M}"
        found.append(Tick(place(at), label))
        at += step
    return found


def _changed(snapshot: Mapping[str, Any]) -> str:
    return f"{snapshot['started']} started, {snapshot['stopped']} stopped"


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)
