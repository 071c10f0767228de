"""A member of a report, and a report as it is sent: the shapes of the mutation `reportSnapshot`.

What runs many times is one member with a count: instances that only differ in their names are put together, so that ten
thousand pods of a hundred deployments are a hundred members. The server takes 4096 bytes of facts of each, so a long list of
names is divided among several members of the same fingerprint, which the server adds up.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import Any

from muniment.exits import CommandError, ExitCode

_LISTED_BYTES_MAX = 3_000
_FACT_BYTES_MAX = 900
_CREATED_MAX = 200
_NAME_MAX = 1_024
_NAMED_MAX = 5


class SnapshotError(CommandError):
    """There can be no report, because of how it was asked for. The text says why, and what to do."""

    def __init__(self, message: str, code: ExitCode = ExitCode.BAD_USAGE) -> None:
        super().__init__(message, code)


class Unanswered(SnapshotError):  # noqa: N818 (says what happened)
    """There can be no report, because the platform does not tell what runs."""

    def __init__(self, message: str) -> None:
        super().__init__(message, ExitCode.UNREACHABLE)


@dataclass(frozen=True)
class Member:
    """Something that runs. Without a fingerprint it is named, but cannot be judged; `why` then says what is wrong."""

    name: str
    fingerprint: str | None
    created_at: tuple[str, ...] = ()
    instances: int = 1
    facts: Mapping[str, Any] = field(default_factory=dict)
    why: str | None = None

    def to_json(self) -> dict[str, Any]:
        """As an input of type SnapshotMemberInput."""
        return {
            "fingerprint": self.fingerprint,
            "name": _sayable(self.name)[:_NAME_MAX],
            "instances": self.instances,
            "createdAt": list(self.created_at[:_CREATED_MAX]),
            "facts": {key: _fact(value) for key, value in self.facts.items() if value not in (None, "", [])},
        }


@dataclass(frozen=True)
class Report:
    """Everything that runs in an environment, and what is to be said of how it was found (on stderr)."""

    members: Sequence[Member]
    remarks: Sequence[str] = ()


def unreadable(name: str, why: str, **facts: Any) -> Member:
    """A member that is known to run, and nothing more."""
    return Member(name=name or "(no name)", fingerprint=None, facts=facts, why=why)


def of_no_registry(members: Iterable[Member]) -> list[str]:
    """What is to be said of members that are known by an image id (fact `imageId`), because no registry knows them."""
    names = sorted({member.name for member in members if member.facts.get("imageId")})
    if not names:
        return []
    listed = ", ".join(names[:_NAMED_MAX]) + (f" and {len(names) - _NAMED_MAX} more" if names[_NAMED_MAX:] else "")
    return [f"{listed}: from no registry; known by the image id that the runtime gave."]


def as_sent(members: Sequence[Member], bytes_max: int = 7_500_000) -> tuple[list[dict[str, Any]], list[str]]:
    """Members as inputs of the mutation, and what is to be said if some of what is known of them had to stay behind.

    A server takes requests of 8 MB unless it is told otherwise; that is some 20,000 different artifacts with all their facts.
    """
    inputs = [member.to_json() for member in members]
    left_out: list[str] = []
    for dispensable in ("facts", "createdAt"):
        if len(json.dumps(inputs)) <= bytes_max:
            break
        inputs = [{name: value for name, value in each.items() if name != dispensable} for each in inputs]
        left_out.append(dispensable)
    told = (
        f"{len(inputs)} members are too many for one request with all that is known: left out {' and '.join(left_out)}."
    )
    return inputs, [told] if left_out else []


def together(members: Iterable[Member], singular: str, plural: str) -> list[Member]:
    """Members that only differ in the fact `singular` and in when they were created, as one with the list `plural`."""
    alike: dict[str, list[Member]] = {}
    for member in members:
        others = {key: value for key, value in member.facts.items() if key != singular}
        key = json.dumps([member.name, member.fingerprint, member.why, others], sort_keys=True, default=str)
        alike.setdefault(key, []).append(member)
    return [one for same in alike.values() for one in _merged(same, singular, plural)]


def _merged(same: Sequence[Member], singular: str, plural: str) -> list[Member]:
    if len(same) == 1:
        return [same[0]]
    found: list[list[Member]] = [[]]
    size = 0
    for member in same:
        size += len(json.dumps(member.facts.get(singular))) + 1
        if size > _LISTED_BYTES_MAX or len(found[-1]) == _CREATED_MAX:
            found.append([])
            size = 0
        found[-1].append(member)
    return [_one(part, singular, plural) for part in found]


def _one(part: Sequence[Member], singular: str, plural: str) -> Member:
    facts = {key: value for key, value in part[0].facts.items() if key != singular}
    facts[plural] = sorted({str(member.facts[singular]) for member in part if member.facts.get(singular)})
    return replace(
        part[0],
        facts=facts,
        instances=sum(member.instances for member in part),
        created_at=tuple(instant for member in part for instant in member.created_at),
    )


def instant(said: object) -> tuple[str, ...]:
    """When something was created, as the server reads it; empty when that was not said, or cannot be read.

    Read are RFC 3339 with any number of digits behind the point, `+0000` for a zone, and seconds since 1970.
    """
    try:
        if isinstance(said, datetime):
            moment = said
        elif isinstance(said, (int, float)) and not isinstance(said, bool):
            moment = datetime.fromtimestamp(said, timezone.utc)
        elif isinstance(said, str):
            moment = _parsed(said)
        else:
            return ()
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=timezone.utc)
        return (moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),)
    except (ValueError, OverflowError, OSError):
        return ()


def _parsed(text: str) -> datetime:
    seconds, rest = text[:19], text[19:]
    zone = rest.lstrip(".0123456789") if rest[:1] == "." else rest
    moment = datetime.strptime(seconds, "%Y-%m-%dT%H:%M:%S")  # noqa: DTZ007 (the zone comes next)
    if zone in ("", "Z", "z"):
        return moment.replace(tzinfo=timezone.utc)
    return datetime.strptime(f"{seconds}{zone}", "%Y-%m-%dT%H:%M:%S%z")


def _fact(value: Any) -> Any:
    """A fact that the server will take: no part of a character, and not so long that it costs the member its place."""
    if isinstance(value, str):
        text = _sayable(value)
        return text if len(text.encode("utf-8")) <= _FACT_BYTES_MAX else text[: _FACT_BYTES_MAX // 4] + "…"
    if isinstance(value, (list, tuple)):
        return [_fact(each) for each in value]
    if isinstance(value, Mapping):
        return {str(key): _fact(each) for key, each in value.items()}
    return value


def _sayable(text: str) -> str:
    """Names of files may hold bytes that are no text; they are shown as `?`."""
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", "?")
