"""Attesting what another system decided and the reporter tells as data: reviews of pull requests, tickets, quality gates.

The record never asks those systems itself: it keeps what was said, who said it, and what that comes to by its rules.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

from record.access.rules import Caller
from record.attestations.reports.pull_requests import DEFAULT_STATES, Thresholds, read_pull_request
from record.attestations.reports.sonar import read_sonar
from record.attestations.reports.tickets import read_tickets
from record.attestations.service import attest
from record.attestations.service.attest import About
from record.ledger.entries import Idempotency, Receipt
from record.record import Record


async def pull_request(
    record: Record,
    caller: Caller,
    about: About,
    *,
    data: Any,
    minimum_approvals: int = 1,
    accepted_states: Sequence[str] = DEFAULT_STATES,
    idempotency: Idempotency | None = None,
) -> Receipt:
    """Compliant when the pull request is in an accepted state and enough others than its authors approved it."""
    read = partial(read_pull_request, thresholds=Thresholds(minimum_approvals, tuple(accepted_states)))
    return await attest.reported(
        record, caller, about, kind="pull_request", data=data, read=read, idempotency=idempotency
    )


async def tickets(
    record: Record,
    caller: Caller,
    about: About,
    *,
    data: Any,
    jira: bool = False,
    idempotency: Idempotency | None = None,
) -> Receipt:
    """Compliant when at least one ticket is referred to and all exist. `jira`: as type jira and not ticket."""
    kind = "jira" if jira else "ticket"
    return await attest.reported(
        record, caller, about, kind=kind, data=data, read=read_tickets, idempotency=idempotency
    )


async def sonar(
    record: Record, caller: Caller, about: About, *, data: Any, idempotency: Idempotency | None = None
) -> Receipt:
    """Compliant when Sonar's quality gate is OK."""
    return await attest.reported(
        record, caller, about, kind="sonar", data=data, read=read_sonar, idempotency=idempotency
    )
