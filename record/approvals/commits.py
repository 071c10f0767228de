"""The commits that an artifact would bring into an environment: those since what runs there now, with who wrote them.

They are looked up when an approval is requested and recorded with it, because later something else runs there. The record knows
the commits of trails; a pipeline knows those in between from git and may add them. It cannot take away any, so nobody hides
their own commit from the reviewers.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from record import details
from record.artifacts import queries as artifacts
from record.artifacts.queries import Built
from record.database import Connection
from record.details import Commit
from record.environments import snapshots
from record.environments.queries import Environment
from record.environments.rules import union
from record.moment import Moment
from record.refusals import TooLarge
from record.trails import queries as trails

TRAILS_MAX: Final = 500
"""How far back trails are looked at. Beyond, the authors count as not known."""
GIVEN_MAX: Final = 1_000
COMMITS_BYTES: Final = 28_000
AUTHORS_BYTES: Final = 8_000
"""How much of an entry commits and authors may fill."""
MESSAGE_MAX: Final = 120


@dataclass(frozen=True, slots=True)
class Brought:
    """What an artifact would bring: `commits` as they are recorded, and its authors. Not `authors_known`: there may be others."""

    commits: dict[str, Any]
    authors: tuple[str, ...]
    authors_known: bool


@dataclass(frozen=True, slots=True)
class _Known:
    """A commit, and the trail that the record knows it from."""

    sha: str
    author: str | None
    message: str | None
    trail: str | None = None

    def to_json(self) -> dict[str, str]:
        message = (self.message or "").partition("\n")[0].strip()[:MESSAGE_MAX]
        told = {"sha": self.sha, "author": self.author, "message": message, "trail": self.trail}
        return {key: value for key, value in told.items() if value}


async def brought(
    connection: Connection,
    moment: Moment,
    environment: Environment,
    wanted: Built | None,
    given: Sequence[Commit],
) -> Brought:
    """The commits since what runs there now, the newest first, then those that only the reporter knows: at most six statements.

    Where nothing of its kind runs, there is nothing to count from: then it is the commit that the artifact was built from. An
    artifact that no flow knows brings what is given.
    """
    if len(given) > GIVEN_MAX:
        raise TooLarge(f"{len(given)} commits are more than {GIVEN_MAX}. Give those since what runs there now.")
    for commit in given:
        details.commit_details(commit)
    if wanted is None:
        return _written([], given, {}, whole=True)
    parts = await snapshots.running_now(connection, moment, environment.places)
    running = union(each for part in parts for each in part)
    others = await artifacts.others_of_unit(connection, moment, wanted, [each.member.fingerprint for each in running])
    before = min(others, key=lambda built: built.begun_index, default=None)
    known, since, whole = await _since(connection, moment, before, wanted)
    return _written(known, given, since, whole=whole)


async def _since(
    connection: Connection, moment: Moment, before: Built | None, wanted: Built
) -> tuple[list[_Known], dict[str, Any], bool]:
    """Commits that the record knows, what they are counted from, and whether these are all."""
    ids = [wanted.trail_id] if before is None else [wanted.trail_id, before.trail_id]
    head, *others = await trails.by_ids(connection, moment, ids)
    assert head is not None  # its artifact is reported into it
    found, back = [head], False
    if others and others[0] is not None:
        found, back = await trails.between(connection, moment, others[0], head, limit=TRAILS_MAX + 1)
        if head not in found:
            found = [head, *found]
    known = [
        _Known(each.commit, _told(each.commit_info, "author"), _told(each.commit_info, "message"), each.name)
        for each in found[:TRAILS_MAX]
        if each.commit is not None
    ]
    if wanted.commit is not None:
        known.insert(0, _Known(wanted.commit, wanted.author, wanted.message, wanted.trail))
    since: dict[str, Any] = {"is_roll_back": True} if back else {}
    if before is not None:
        since["since"] = {"fingerprint": before.fingerprint, "name": before.name, "trail": before.trail}
        if before.commit is not None:
            since["since"]["commit"] = before.commit
    return known, since, len(found) <= TRAILS_MAX


def _told(info: dict[str, Any] | None, key: str) -> str | None:
    told = (info or {}).get(key)
    return None if told is None else str(told)


def _written(known: Iterable[_Known], given: Sequence[Commit], since: dict[str, Any], *, whole: bool) -> Brought:
    """What is recorded: as much as an entry holds, and how many more there were."""
    commits = _united(known, given)
    authors = list(dict.fromkeys(each.author for each in commits if each.author))
    kept = _fitting(authors, AUTHORS_BYTES)
    listed = _fitting([each.to_json() for each in commits], COMMITS_BYTES)
    written = {**since, "list": listed, "omitted": len(commits) - len(listed), "whole": whole}
    every = bool(commits) and all(each.author for each in commits)
    return Brought(written, tuple(kept), whole and every and len(kept) == len(authors))


def _united(known: Iterable[_Known], given: Sequence[Commit]) -> list[_Known]:
    """Each commit once: as the record knows it, with the author and message that others add where it knows none."""
    united: list[_Known] = []
    for each in [*known, *[_Known(commit.sha, commit.author, commit.message) for commit in given]]:
        for place, other in enumerate(united):
            if _same(each.sha, other.sha):
                united[place] = replace(
                    other, author=other.author or each.author, message=other.message or each.message
                )
                break
        else:
            united.append(each)
    return united


def _same(one: str, other: str) -> bool:
    return one.startswith(other) or other.startswith(one)


def _fitting(items: list[Any], most: int) -> list[Any]:
    """The first of these that fit into so many bytes of JSON."""
    filled = 0
    for count, item in enumerate(items):
        filled += len(json.dumps(item, ensure_ascii=False).encode()) + 1
        if filled > most:
            return items[:count]
    return items
