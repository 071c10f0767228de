"""What a policy asks of an artifact as it runs, whatever its trails say: who approved it, and where it proved itself before.

Rules kept here:
 * approvals of different requests are not added up; each person counts once, the requester never;
 * a rejection takes away what was approved by the requests before it: to ask anew is no way around it;
 * with `not-author` nobody counts who cannot be told from an author of the commits, and nobody at all when the authors are
   not known;
 * an approval counts until it is too old or its request expires, whichever is first;
 * a run counts when it lasted long enough without a break, also while it goes on.
"""

from datetime import datetime
from typing import Final, NamedTuple

from record.clock import to_rfc3339
from record.ids import EntryIndex
from record.people import identities
from record.policies.bench import Found, found
from record.policies.courses import MISSING, SATISFIED, WRONG, Course
from record.policies.facts import ApprovalFact, ArtifactFacts
from record.policies.forms import Approved, DeployedTo, worded
from record.verdicts import Status

REJECTED: Final = "REJECTED"
COUNTING: Final = frozenset({"REQUESTED", "APPROVED"})
"""States of requests whose approvals count, in capitals. Whatever else there may be (withdrawn, expired) does not."""


class _Counted(NamedTuple):
    """The approvals of a request that count now, the one which lasts longest first."""

    request: ApprovalFact
    ends: tuple[tuple[bool, datetime, EntryIndex], ...]
    refused: tuple[str, ...]


def approved(rule: Approved, artifact: ArtifactFacts, *, environment: str | None, now: datetime) -> Found:
    """Whether enough people approved the artifact for the environment, and until when."""
    where = f"environment {environment}" if environment is not None else "no environment"
    requests = [
        request
        for request in artifact.approvals
        if request.environment == environment and request.fingerprint == artifact.fingerprint
    ]
    newest = max(requests, key=lambda request: request.entry_index, default=None)
    rejected = max((request.entry_index for request in requests if request.state.upper() == REJECTED), default=-1)
    if newest is not None and newest.entry_index == rejected:
        said = "The newest request to approve it was rejected."
        return found(WRONG, where, said, "Request an approval anew, once what was found is mended.", newest.entry_index)
    counted = [
        _counted(rule, request, now)
        for request in requests
        if request.state.upper() in COUNTING and request.entry_index > rejected
    ]
    enough = [each for each in counted if len(each.ends) >= rule.least]
    if enough:
        return _given(rule, where, max(enough, key=lambda each: (each.ends[rule.least - 1], each.request.entry_index)))
    remedy = f"Request an approval for {where}, and have {rule.least} review it."
    if not counted:
        return found(MISSING, where, "Nobody has approved it.", remedy, None)
    most = max(counted, key=lambda each: (len(each.ends), each.request.entry_index))
    not_counted = f" Not counted: {'; '.join(most.refused)}." if most.refused else ""
    said = f"{len(most.ends)} of {rule.least} approvals that count.{not_counted}"
    return found(MISSING, where, said, remedy, most.request.entry_index)


def _given(rule: Approved, where: str, counted: _Counted) -> Found:
    forever, end, index = counted.ends[rule.least - 1]
    names = {entry: who for who, _, entry in counted.request.approved_by}
    people = ", ".join(sorted({names[entry] for _, _, entry in counted.ends}))
    course = SATISFIED if forever else Course(Status.COMPLIANT, ((end, Status.INCOMPLETE),))
    until = "" if forever else f" It counts until {to_rfc3339(end)}."
    return found(course, where, f"Approved by {people}.{until}", None, index)


def _counted(rule: Approved, request: ApprovalFact, now: datetime) -> _Counted:
    ends: dict[str, tuple[bool, datetime, EntryIndex]] = {}
    refused = []
    authors = [identities(author) for author in request.authors]
    for who, at, index in request.approved_by:
        limits = [] if rule.max_age is None else [at + rule.max_age]
        if request.expires_at is not None:
            limits.append(request.expires_at)
        end = min(limits, default=at)
        if identities(who) & identities(request.requested_by):
            refused.append(f"{who}, who requested it")
        elif rule.not_author and not authors:
            refused.append(f"{who}, because the authors of its commits are not known")
        elif rule.not_author and any(identities(who) & author for author in authors):
            refused.append(f"{who}, an author of its commits")
        elif limits and end <= now:
            refused.append(f"{who}, too long ago")
        else:
            ends[who] = max(ends.get(who, (False, end, index)), (not limits, end, index))
    return _Counted(request, tuple(sorted(ends.values(), reverse=True)), tuple(refused))


def deployed_to(rule: DeployedTo, artifact: ArtifactFacts, *, now: datetime) -> Found:
    """Whether the artifact ran there for long enough, or when it will have."""
    where = f"environment {rule.environment}"
    runs = [
        run
        for run in artifact.runs
        if run.environment == rule.environment and run.fingerprint == artifact.fingerprint and run.since <= now
    ]
    if not runs:
        return found(MISSING, where, f"It never ran in {rule.environment}.", f"Deploy it to {rule.environment} first.")
    for run in sorted(runs, key=lambda run: run.since):
        ended = run.until if run.until is not None and run.until <= now else now
        if ended - run.since >= rule.lasting:
            return found(SATISFIED, where, f"It ran in {rule.environment} since {to_rfc3339(run.since)}.")
    needed = worded(rule.lasting)
    reached = [run.since + rule.lasting for run in runs if run.until is None or run.until >= run.since + rule.lasting]
    if not reached:
        said = f"It ran in {rule.environment}, but never for {needed}."
        return found(MISSING, where, said, f"Let it run in {rule.environment} for {needed} without a break.")
    ready = min(reached)
    said = f"It runs in {rule.environment}, and will have for {needed} at {to_rfc3339(ready)}."
    course = Course(Status.INCOMPLETE, ((ready, Status.COMPLIANT),))
    return found(course, where, said, f"Leave it running in {rule.environment} until then.")
