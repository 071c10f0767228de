"""Looks at environments from every point at which their verdicts can have changed within a round, all that are concerned together.

A look costs the same number of statements however many environments are looked at from one point. Entries of trails can be very
many at once, and each may concern an environment with hundreds of artifacts: once a round has spent its time, those that are left
are looked at together. Then what changed and changed back in between is not seen; what lasts is.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from record.database import Connection
from record.environments import queries as environments
from record.environments.queries import Environment
from record.ids import EntryIndex, EnvironmentId
from record.judgements import rules
from record.judgements.concerned import Step
from record.judgements.progress import Due, Window
from record.judgements.rules import UNJUDGED, Kind, Look, News, Point, Reporting, Standing
from record.moment import Moment
from record.policies.presence import judged_by_attached
from record.policies.rules import EnvironmentJudgement

ONE_BY_ONE_SECONDS: Final = 0.3
"""How long a round may take for looking after each single entry of a trail."""
END_OF_TIME: Final = datetime.max.replace(tzinfo=UTC)


@dataclass(slots=True)
class Surveyed:
    """An environment in a survey: how it stands, what is news of it, when it changes next by its verdict's own time."""

    environment: Environment
    standing: Standing
    told: list[News]
    holds_until: datetime | None
    report_due: datetime | None = None
    silent_since: datetime | None = None

    def take(self, look: Look) -> None:
        self.holds_until = look.holds_until
        told = rules.is_news(self.standing, look)
        if told is not None:
            self.tell(told)

    def tell(self, told: News) -> None:
        self.told.append(told)
        self.standing = told.standing


class Places:
    """The environments of one round."""

    def __init__(
        self,
        connection: Connection,
        moment: Moment,
        window: Window,
        standings: Mapping[UUID, Standing],
        due: Mapping[UUID, Due],
    ) -> None:
        self._connection = connection
        self._moment = moment
        self._window = window
        self._standings = standings
        self._due = due
        self._surveyed: dict[EnvironmentId, Surveyed] = {}
        self._point = window.since

    async def survey(self, steps: Sequence[Step], concerned: Iterable[EnvironmentId]) -> list[Surveyed]:
        """Looks at the environments that these steps concern, and at all others that are named, because time may change them."""
        wanted = list(dict.fromkeys(concerned))
        if not wanted:
            return []
        for environment in await environments.by_ids(self._connection, self._moment, wanted):
            if environment is not None and not environment.archived:
                self._surveyed[environment.environment_id] = self._begin(environment)
        if self._window.everybody:
            await self._look(self._window.since, dict.fromkeys(self._surveyed))
        await self._walk(steps)
        await self._pass_time(self._window.until.instant, inclusive=True)
        if not self._window.is_behind:
            await self._listen()
        return list(self._surveyed.values())

    def due_next(self, concerned: Iterable[EnvironmentId]) -> list[Due]:
        """When to look at these again; never, where they are out of use."""
        return [self._due_next(subject) for subject in concerned]

    def _due_next(self, subject: EnvironmentId) -> Due:
        each = self._surveyed.get(subject)
        if each is None:
            return Due(subject, Kind.ENVIRONMENT, None, None)
        ends = [end for end in (each.holds_until, each.report_due) if end is not None]
        return Due(subject, Kind.ENVIRONMENT, min(ends, default=None), each.silent_since)

    def _begin(self, environment: Environment) -> Surveyed:
        subject = environment.environment_id
        standing, known = self._standings.get(subject, UNJUDGED), self._due.get(subject)
        if known is None:
            return Surveyed(environment, standing, [], None)
        # Whether it is due by its verdict or because a report is, nobody wrote down: looking finds out.
        return Surveyed(environment, standing, [], known.due_at, known.due_at, known.stale_since)

    async def _walk(self, steps: Sequence[Step]) -> None:
        clock = asyncio.get_running_loop().time
        began = clock()
        left: dict[EnvironmentId, EntryIndex] = {}
        for place, step in enumerate(steps):
            left |= dict.fromkeys(step.environments, step.mark.entry)
            if step.may_wait and place + 1 < len(steps) and clock() - began > ONE_BY_ONE_SECONDS:
                continue
            await self._pass_time(step.mark.at)
            point = Point(step.mark.after, max(step.mark.at, self._point.instant))
            await self._look(point, left, snapshot=step.snapshot)
            left = {}

    async def _pass_time(self, until: datetime, *, inclusive: bool = False) -> None:
        """Looks at whatever is due before an instant, or at it."""
        while True:
            ends = [each.holds_until for each in self._surveyed.values() if each.holds_until is not None]
            first = min(ends, default=None)
            if first is None or first > until or (first == until and not inclusive):
                return
            due = [subject for subject, each in self._surveyed.items() if each.holds_until == first]
            await self._look(Point(self._point.size, max(first, self._point.instant)), dict.fromkeys(due))

    async def _look(
        self,
        point: Point,
        causes: Mapping[EnvironmentId, EntryIndex | None],
        *,
        snapshot: tuple[EnvironmentId, int] | None = None,
    ) -> None:
        """Asks the policies, from this point, about all environments that have a cause to be looked at."""
        self._point = point
        asked = [subject for subject in causes if subject in self._surveyed]
        moment = Moment(self._moment.org_id, point.size, point.instant)
        judged = await judged_by_attached(self._connection, moment, asked) if asked else []
        for subject, found in zip(asked, judged, strict=True):
            if found is None:  # not there yet at this point
                self._surveyed[subject].holds_until = None
                continue
            number = snapshot[1] if snapshot is not None and snapshot[0] == subject else None
            self._surveyed[subject].take(self._seen(subject, point, causes[subject], found, number))

    def _seen(
        self,
        subject: EnvironmentId,
        point: Point,
        cause: EntryIndex | None,
        found: EnvironmentJudgement,
        snapshot: int | None,
    ) -> Look:
        standing, verdict = self._surveyed[subject].standing, found.verdict
        return Look(
            point,
            cause,
            verdict.status,
            standing.stale_since if snapshot is None else None,  # whoever reports is not silent
            rules.later_than(point.instant, verdict.holds_until),
            lambda: verdict.reasons,
            snapshot,
        )

    async def _listen(self) -> None:
        """Finds out who is silent as of now: the only thing that does not follow from the ledger alone. Two statements."""
        parts = await self._parts()
        until = self._window.until
        for each in self._surveyed.values():
            reporting = [parts[part] for part in each.environment.places if part in parts]
            was = each.standing.stale_since
            resumed_at = self._window.resumed_at
            since, each.report_due = rules.silence(reporting, was, now=until.instant, resumed_at=resumed_at)
            each.silent_since = since
            if (since is None) is (was is None):
                continue
            heard = since or max((part.reported for part in reporting), default=until.instant)
            point = Point(until.size, max(heard, each.standing.point.instant))
            each.tell(rules.heard_again(each.standing, point, since, each.holds_until))

    async def _parts(self) -> dict[EnvironmentId, Reporting]:
        """The environments in use that report to those of the survey, and when they last did."""
        surveyed = {subject: each.environment for subject, each in self._surveyed.items()}
        others = {part for each in surveyed.values() for part in each.places} - set(surveyed)
        found = await environments.by_ids(self._connection, self._moment, list(others)) if others else []
        known = [*surveyed.values(), *(each for each in found if each is not None)]
        physical = [each for each in known if not each.is_logical and not each.archived and each.cadence_seconds]
        ids = [each.environment_id for each in physical]
        # Whoever reported a moment ago is not silent, whatever the moment of this window would say.
        newest = replace(self._moment, instant=END_OF_TIME)
        reports = await environments.last_reports(self._connection, newest, ids) if ids else []
        return {
            each.environment_id: Reporting(each.cadence_seconds, each.created_at, last)
            for each, last in zip(physical, reports, strict=True)
        }
