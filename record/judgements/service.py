"""Judges an organization: one round looks at everything that changed since the last one, and records what is news.

    lock > read how far it is judged > entries since > whom they concern > look at them > append what is news > move on

Everything is looked at from the points at which it can have changed, so rounds may be cut off anywhere: the next one begins where
the last one that ended began, finds what is recorded already by each subject's last judgement, and records the rest. Two workers
keep apart by a lock; should both judge all the same, the subject's number is a key, and the second learns that it came second.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from record.access.rules import worker
from record.database import Connection
from record.ids import EntryIndex, EnvironmentId, JudgementId, LedgerSize, OrgId, TrailId, uuid7
from record.judgements import progress, queries, rules
from record.judgements.concerned import KINDS, Concerned, concerned
from record.judgements.places import Places, Surveyed
from record.judgements.progress import Due, Progress, Window
from record.judgements.rules import Kind, Look, Mark, News, Point, Standing, TrailHistory
from record.ledger import queries as ledger
from record.ledger.append import AlreadyRecorded
from record.ledger.entries import Draft
from record.ledger.queries import RecordedEntry
from record.moment import Moment
from record.record import Record
from record.trails.queries import Trail

ENTRIES_MAX: Final = 1_000
"""Most entries that one round looks at."""
TOGETHER_MAX: Final = 64
"""Most judgements that are recorded in one commit."""
SETTLING: Final = timedelta(milliseconds=200)
"""How long an instant must be past before anything is judged at it: entries of that instant may still be on their way."""


@dataclass(frozen=True, slots=True)
class Round:
    """What a round did: how many judgements it recorded, and whether there is more to look at at once."""

    recorded: int
    is_behind: bool


async def judge(record: Record, org_id: OrgId, organization: str) -> Round | None:
    """One round for this organization; None when another worker is at it."""
    async with record.database.connection(org_id) as connection:
        if not await progress.lock(connection, org_id):
            return None
        try:
            done = await _round(record, connection, org_id, organization)
            await progress.unlock(connection, org_id)
        except BaseException:
            connection.terminate()  # and with it the lock
            raise
        return done


async def _round(record: Record, connection: Connection, org_id: OrgId, organization: str) -> Round:
    window, entries = await _window(record, connection, org_id)
    moment = Moment(org_id, window.until.size, window.until.instant)
    found = await concerned(connection, moment, entries) if entries else Concerned()
    surveyed = {place for step in found.steps for place in step.environments}
    if window.everybody:
        before = Moment(org_id, window.since.size, window.since.instant)
        surveyed |= set(await queries.every_environment(connection, before))
        for trail_id in await queries.trails_expiring(connection, before):
            found.trails.setdefault(trail_id, [])
    due = await progress.due(connection, org_id, [*found.trails, *surveyed], window.until.instant)
    trails = [*found.trails, *(TrailId(each) for each in _also(due, Kind.TRAIL, found.trails))]
    surveyed |= {EnvironmentId(each) for each in _also(due, Kind.ENVIRONMENT, surveyed)}
    if not trails and not surveyed:
        await progress.save(connection, org_id, Progress(window.until, window.resumed_at), [])
        return Round(0, window.is_behind)
    standings = await queries.standings(connection, Moment.latest(org_id, moment.instant), [*trails, *surveyed])
    told, looked_at = await _judge_trails(connection, moment, window, found, trails, due, standings)
    places = Places(connection, moment, window, standings, due)
    for each in await places.survey(found.steps, surveyed):
        told += [(_environment(each), one) for one in each.told]
    looked_at += places.due_next(surveyed)
    # From here on the judgements are in the record one commit after the other, those of earlier points first. If we die before the
    # last, or before `save`, the next round begins where this one did, and takes up each subject after its last judgement.
    recorded = await _record(record, org_id, organization, told)
    if recorded is None:
        return Round(0, is_behind=True)
    await progress.save(connection, org_id, Progress(window.until, window.resumed_at), looked_at)
    return Round(recorded, window.is_behind)


def _also(due: Mapping[UUID, Due], kind: Kind, known: Any) -> list[UUID]:
    return [subject for subject, each in due.items() if each.kind is kind and subject not in known]


async def _window(record: Record, connection: Connection, org_id: OrgId) -> tuple[Window, list[RecordedEntry]]:
    """From where judging stands to the newest entry, or over as many entries as one round takes; and the entries that matter."""
    now = record.clock.now() - SETTLING
    size = await progress.ledger_size(connection, org_id)
    known = await progress.progress(connection, org_id)
    latest = Moment.latest(org_id, now)
    if known is None:
        since, resumed_at = await _resume(connection, latest, record.clock.now())
    else:
        since, resumed_at = known.point, known.resumed_at
    moment = Moment(org_id, size, now)
    entries = await ledger.entries_after(connection, moment, since.size - 1, count_max=ENTRIES_MAX, kinds=KINDS)
    newest = entries[-1].at if entries else since.instant
    is_behind = len(entries) == ENTRIES_MAX
    until = Point(
        LedgerSize(entries[-1].index + 1) if is_behind else max(size, since.size),
        max(newest, since.instant) if is_behind else max(newest, since.instant, now),
    )
    return Window(since, until, resumed_at, is_behind, everybody=known is None), entries


async def _resume(connection: Connection, latest: Moment, now: datetime) -> tuple[Point, datetime | None]:
    """Where to begin when nobody knows how far judging had come: just before the judgement that was recorded last."""
    last = await queries.last_point(connection, latest)
    first = await ledger.entry(connection, latest, EntryIndex(0))
    beginning = Point(LedgerSize(0), now if first is None else first.at)
    if last is None or last.size <= 1:
        return beginning, None if last is None else now
    before = await ledger.entry(connection, latest, EntryIndex(last.size - 2))
    return (beginning if before is None else Point(LedgerSize(last.size - 1), before.at)), now


async def _judge_trails(
    connection: Connection,
    moment: Moment,
    window: Window,
    found: Concerned,
    trails: Sequence[TrailId],
    due: Mapping[UUID, Due],
    standings: Mapping[UUID, Standing],
) -> tuple[list[tuple[dict[str, Any], News]], list[Due]]:
    """What is news of these trails, and when each of them is due again."""
    if not trails:
        return [], []
    histories = await queries.histories(connection, moment, trails)

    def follow() -> tuple[list[tuple[dict[str, Any], News]], list[Due]]:
        told, looked_at = [], []
        for trail_id, (trail, history) in histories.items():
            known = due.get(trail_id)
            looks, until = _follow(history, found.trails.get(trail_id, []), window, known.due_at if known else None)
            standing = standings.get(trail_id) or history.beginning()
            told += [(_trail(trail), one) for one in rules.news(standing, looks)]
            if until is not None or known is not None:
                looked_at.append(Due(trail_id, Kind.TRAIL, until, None))
        return told, looked_at

    return await asyncio.to_thread(follow)  # a thousand trails take a while


def _follow(
    history: TrailHistory, marks: Sequence[Mark], window: Window, due: datetime | None
) -> tuple[list[Look], datetime | None]:
    looks: list[Look] = []
    if window.everybody and history.begun.after <= window.since.size:
        looks.append(look := rules.look_at_trail(history, window.since, cause=None))
        due = look.holds_until
    followed, until = rules.follow_trail(history, marks, since=window.since, due=due, until=window.until.instant)
    return [*looks, *followed], until


def _trail(trail: Trail) -> dict[str, Any]:
    return {
        "subject": Kind.TRAIL.value,
        "trail_id": str(trail.trail_id),
        "flow": trail.flow,
        "trail": trail.name,
    }


def _environment(surveyed: Surveyed) -> dict[str, Any]:
    return {
        "subject": Kind.ENVIRONMENT.value,
        "environment_id": str(surveyed.environment.environment_id),
        "environment": surveyed.environment.name,
    }


async def _record(
    record: Record, org_id: OrgId, organization: str, told: Sequence[tuple[dict[str, Any], News]]
) -> int | None:
    """Appends what is news, in the order of its points. How many; None when another worker came first with any of it."""
    by = worker(org_id, organization)
    ordered = sorted(told, key=lambda each: each[1].look.point)
    for start in range(0, len(ordered), TOGETHER_MAX):
        together = ordered[start : start + TOGETHER_MAX]
        drafts = await asyncio.to_thread(_drafts, together)
        try:
            await record.ledger.append_together(by, drafts)
        except AlreadyRecorded:
            return None
    return len(ordered)


def _drafts(told: Sequence[tuple[dict[str, Any], News]]) -> list[Draft]:
    return [Draft(queries.RECORDED, one.body(JudgementId(uuid7()), subject)) for subject, one in told]
