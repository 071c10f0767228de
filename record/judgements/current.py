"""How environments stand by what was judged last, and whether that is the last word: at a cost that does not grow with what runs.

A judgement tells what the policies said when something changed. It is what they would say at a moment, too, when judging had come
far enough by then: nothing that concerns the environment was recorded since, and nothing fell due by time alone. When that cannot
be told, nobody is told it: the judgement is then only what was said last.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from record.database import Connection
from record.ids import EntryIndex, EnvironmentId
from record.judgements import progress, queries
from record.judgements.concerned import KINDS, concerned
from record.judgements.queries import Judgement
from record.ledger import queries as ledger
from record.moment import Moment
from record.verdicts import Status

UNJUDGED_ENTRIES_MAX: Final = 200
"""With more entries than this waiting to be judged, nothing is current."""


@dataclass(frozen=True, slots=True)
class Stood:
    """The judgement recorded last before a moment; `is_current`: the policies would say the same at the moment.

    None is judged as long as there is nothing to judge by, and says UNKNOWN.
    `holds_until`: what is current may no longer be so from this instant on; None for whatever is not current, and for what time
    alone does not change.
    """

    judgement: Judgement | None
    is_current: bool = False
    holds_until: datetime | None = None

    @property
    def status(self) -> Status:
        """What it says."""
        return Status.UNKNOWN if self.judgement is None else self.judgement.status


async def how_they_stand(connection: Connection, moment: Moment, ids: Sequence[EnvironmentId]) -> list[Stood]:
    """How these environments stand, in the order asked: four statements, and at most five more while entries wait to be judged."""
    # In this order: how far judging has come is read before the judgements. What it has come to in between shows by an entry of
    # a judgement from the moment's size on, and is not current then; read the other way round, it would pass unseen.
    reached = await progress.reached(connection, moment.org_id, ids)
    changed = await _changed_since(connection, moment, reached)
    last = await queries.last_of(connection, moment, ids)
    since = await queries.judged_since(connection, moment, ids)
    found = []
    for subject in ids:
        due = None if reached is None else reached.due.get(subject)
        is_current = (
            changed is not None
            and subject not in changed
            and subject not in since
            and (due is None or due > moment.instant)
        )
        found.append(Stood(last.get(subject), is_current, due if is_current else None))
    return found


async def _changed_since(
    connection: Connection, moment: Moment, reached: progress.Reached | None
) -> set[EnvironmentId] | None:
    """The environments that entries concern which nobody has judged by; None when that could be any."""
    if reached is None or reached.point.size > moment.size or reached.point.instant > moment.instant:
        return None
    since = EntryIndex(reached.point.size - 1)
    entries = await ledger.entries_after(connection, moment, since, count_max=UNJUDGED_ENTRIES_MAX + 1, kinds=KINDS)
    if len(entries) > UNJUDGED_ENTRIES_MAX:
        return None
    if not entries:
        return set()
    return {place for step in (await concerned(connection, moment, entries)).steps for place in step.environments}
