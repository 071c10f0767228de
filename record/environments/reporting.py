"""The use of environments that matters most: reporting what runs in one.

A report is everything that runs. It is compared with the newest snapshot: when the set of digests is the same, each is still known
in the same flows, and as before nothing or something was left out, then only "last reported" moves. Otherwise a snapshot is
numbered, and its members that changed are recorded, in as many entries as they need, all of them or none.

Two reports at once both build on the same snapshot; its number is unique, so the second is compared again.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from record.access.rules import Action, Caller
from record.environments import queries, rules, snapshots
from record.environments.members import Refused, Reported, read_members, state_of
from record.environments.queries import Environment
from record.environments.rules import Before, Member
from record.environments.service import archived, unknown_environment
from record.ids import EntryIndex, Fingerprint
from record.ledger.append import AlreadyRecorded
from record.ledger.entries import Draft, Idempotency, Receipt
from record.moment import Moment
from record.record import Record
from record.refusals import InvalidInput

REFUSED_LISTED_MAX: Final = 20
"""How many refused members an entry names. The answer names all of them."""


@dataclass(frozen=True, slots=True)
class ReportSnapshot:
    """Everything that runs in an environment; nothing at all is a valid report."""

    environment: str
    members: Sequence[Reported]


@dataclass(frozen=True, slots=True)
class SnapshotReported:
    """What became of a report. Unchanged: `number` and `receipt` are of the snapshot that still says what runs."""

    number: int
    is_new: bool
    refused: tuple[Refused, ...]
    receipt: Receipt


async def report(
    record: Record, caller: Caller, wish: ReportSnapshot, *, idempotency: Idempotency | None = None
) -> SnapshotReported:
    """Takes a report. Members that cannot be read are left out by name, and the snapshot says that it is partial."""
    caller.require(Action.SNAPSHOT, environment=wish.environment)
    while True:
        moment = Moment.latest(caller.org_id, record.clock.now())
        async with record.database.connection(caller.org_id) as connection:
            environment, newest = await snapshots.to_compare(connection, moment, wish.environment)
            reporting = _checked(environment, wish.environment)
            read, refused = await asyncio.to_thread(read_members, reporting.type, wish.members)
            flows = await queries.flows_of(connection, moment, list(read))
            members = _traced(read, flows)
            state = state_of(members, partial=bool(refused))
            if newest is not None and newest.state == state:
                index = EntryIndex(newest.entry_index)
                receipt = await queries.note_report(connection, moment, reporting, index)
                return SnapshotReported(newest.number, False, tuple(refused), receipt)
            before = await snapshots.before(connection, moment, newest)
        made = await asyncio.to_thread(drafts, reporting, before, members, refused, state)
        try:
            receipt = await record.ledger.append_together(caller, made, idempotency=idempotency)
        except AlreadyRecorded:
            continue  # another report came in between: compare with that
        return SnapshotReported(receipt.body["number"], True, tuple(refused), receipt)


def _checked(environment: Environment | None, name: str) -> Environment:
    if environment is None:
        raise unknown_environment(name)
    if environment.archived:
        raise archived(environment)
    if environment.is_logical:
        raise InvalidInput(
            f"{name} is logical: what runs in it is what runs in those that it includes. Report to them.",
            field="environment",
        )
    return environment


def _traced(members: Mapping[Fingerprint, Member], flows: Mapping[str, tuple[str, ...]]) -> dict[Fingerprint, Member]:
    return {
        fingerprint: replace(member, flows=flows[fingerprint]) if fingerprint in flows else member
        for fingerprint, member in members.items()
    }


def drafts(
    environment: Environment,
    before: Before,
    members: Mapping[Fingerprint, Member],
    refused: Sequence[Refused],
    state: str,
) -> list[Draft]:
    """The entries of a snapshot: parts with members, and the one that closes it."""
    delta = rules.delta(before, members)
    of_all: dict[str, Any] = {
        "environment_id": str(environment.environment_id),
        "environment": environment.name,
        "number": before.number + 1,
        "keyframe": delta.keyframe,
    }
    listed = [each.to_json() for each in refused[:REFUSED_LISTED_MAX]]
    closing = {
        "rows_since": delta.rows_since,
        "artifacts": len(members),
        "instances": sum(member.instances for member in members.values()),
        "started": delta.started,
        "stopped": delta.stopped,
        "scaled": delta.scaled,
        "found": delta.found,
        "state": state,
        "refused_count": len(refused),
        "refused": listed,
    }
    *parts, last = rules.in_parts(delta.members, last_bytes=1_000 * len(listed))
    return [
        *(
            Draft("snapshot.part", of_all | {"still_to_come": len(parts) - place, "members": part})
            for place, part in enumerate(parts)
        ),
        Draft("snapshot.reported", of_all | closing | {"still_to_come": 0, "members": last}),
    ]
