"""Approvals and waivers as they stood when a change was made, however they ended since: read once, asked for each change.

Attestations and reports only have to be left out when they came later. An approval may have been rejected since and a waiver may
have ended, so of these the whole history is kept.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from record.approvals import queries as approvals
from record.approvals.queries import Approval
from record.controls.rules import Change
from record.database import Connection
from record.ids import EntryIndex, EnvironmentId, Fingerprint
from record.moment import Moment
from record.policies.facts import ApprovalFact, WaiverFact
from record.waivers import queries as waivers
from record.waivers.queries import Waiver


@dataclass(frozen=True, slots=True)
class Past:
    """The histories of some artifacts' approvals, and of some environments' waivers."""

    approvals: Mapping[str, Sequence[Approval]]
    waivers: Sequence[Waiver]

    def approvals_at(self, change: Change) -> tuple[ApprovalFact, ...]:
        """The requests for the changed artifact as they stood when it was deployed."""
        at, before = change.place.at, EntryIndex(change.known_size)
        found = [approvals.fact_when(each, at, before) for each in self.approvals.get(change.fingerprint, ())]
        return tuple([each for each in found if each is not None])

    def waivers_at(self, change: Change) -> tuple[WaiverFact, ...]:
        """The waivers that were in force where and when it was deployed, for it or for anything."""
        at, before = change.place.at, EntryIndex(change.known_size)
        found = [
            waivers.fact_when(each, at, before)
            for each in self.waivers
            if each.environment_id == change.environment_id and each.fingerprint in (None, change.fingerprint)
        ]
        return tuple([each for each in found if each is not None])

    def approvals_now(self, moment: Moment, fingerprint: str) -> tuple[ApprovalFact, ...]:
        """The requests for an artifact as they stand at a moment."""
        size = EntryIndex(moment.size)
        found = [approvals.fact_when(each, moment.instant, size) for each in self.approvals.get(fingerprint, ())]
        return tuple([each for each in found if each is not None])


async def past_of(
    connection: Connection, moment: Moment, fingerprints: Sequence[Fingerprint], places: Sequence[EnvironmentId]
) -> Past:
    """The histories of these artifacts in these environments: four statements."""
    asked = await approvals.of_fingerprints(connection, moment, fingerprints)
    excused = await waivers.of_environments(connection, moment, places)
    return Past(dict(zip(fingerprints, asked, strict=True)), excused)
