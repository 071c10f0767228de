"""The events of an environment in one list, the newest first: what started and stopped, drifts, changes of the verdict.

Snapshots, deployments and judgements tell of them, in a list each; a person asks for all at once. Each of these lists may go on
further than it was read. Then the joined list ends where the first of them ends: below that, one kind would be missing.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

_CHANGES: Final = {
    "STARTED": ("+", "Started"),
    "STOPPED": ("\u2212", "Stopped"),
    "SCALED": ("\u00b1", "Scaled"),
    "PROVENANCE_FOUND": ("ok", "Provenance found"),
}
_JUDGED: Final = {
    "COMPLIANT": ("ok", "Became compliant"),
    "NON_COMPLIANT": ("bad", "Became not compliant"),
    "INCOMPLETE": ("open", "Became incomplete"),
    "UNKNOWN": ("none", "Verdict unknown"),
}
DRIFTS: Final = {
    "SHADOW_CHANGE": "Shadow change",
    "NOT_SEEN": "Deployed, not seen running",
    "OTHER_VERSION": "Another version runs",
}
"""What kinds of drift are called."""
ENDINGS: Final = {
    "REPORTED": "Its deployment was reported late.",
    "STOPPED": "It stopped running.",
    "SEEN": "It was seen running after all.",
    "REPLACED": "Something else was deployed in its place.",
}


@dataclass(frozen=True, slots=True)
class Event:
    """One line. `mark` is the class of a sign, or a character; `snapshot` and `entry` are None where there is none."""

    at: str
    mark: str
    what: str
    said: str
    artifact: Mapping[str, Any] | None
    environment: str
    snapshot: int | None
    entry: int | None


@dataclass(frozen=True, slots=True)
class Events:
    """The newest, as far as all of them are known; `more`: there are older ones."""

    lines: Sequence[Event]
    more: bool


def events_of(
    environment: str, changes: Mapping[str, Any], drift: Mapping[str, Any], judgements: Mapping[str, Any]
) -> Events:
    """The list of three connections as GraphQL gave them: `changes`, `driftEvents` and `judgements` of an environment."""
    of_each = (
        ([_changed(each) for each in changes["nodes"]], changes),
        ([line for each in drift["nodes"] for line in _drifted(each)], drift),
        ([_judged(each, environment) for each in judgements["nodes"]], judgements),
    )
    cut = [lines for lines, connection in of_each if connection["pageInfo"]["hasNextPage"]]
    reach = max((min(_instant(line.at) for line in lines) for lines in cut if lines), default=None)
    found = [line for lines, _ in of_each for line in lines if reach is None or _instant(line.at) >= reach]
    return Events(sorted(found, key=lambda line: _instant(line.at), reverse=True), bool(cut))


def _changed(event: Mapping[str, Any]) -> Event:
    kind = event["kind"]
    mark, what = _CHANGES.get(kind, ("\u00b7", kind.replace("_", " ").capitalize()))
    said = f"{event['instancesBefore']} to {event['instances']} instances" if kind == "SCALED" else ""
    return Event(
        event["at"], mark, what, said, event, event["environmentName"], event["snapshotNumber"], event["entryIndex"]
    )


def _drifted(drift: Mapping[str, Any]) -> Iterator[Event]:
    kind, where = DRIFTS.get(drift["kind"], drift["kind"]), drift["environmentName"]
    began = f"Drift: {kind[0].lower()}{kind[1:]}"
    yield Event(
        drift["at"],
        "open",
        began,
        drift["explanation"],
        drift,
        where,
        drift["snapshotNumber"],
        drift["deploymentIndex"],
    )
    if drift["endedAt"] is not None:
        yield Event(drift["endedAt"], "ok", "Drift ended", ENDINGS[drift["ending"]], drift, where, None, None)


def _judged(judgement: Mapping[str, Any], environment: str) -> Event:
    mark, what = ("open", "Fell silent") if judgement["staleSince"] else _JUDGED[judgement["status"]]
    said = judgement["reasons"][0] if judgement["reasons"] and judgement["status"] != "COMPLIANT" else ""
    return Event(judgement["instant"], mark, what, said, None, environment, None, judgement["entryIndex"])


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)
