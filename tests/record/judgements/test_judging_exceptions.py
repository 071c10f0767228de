"""Approvals and waivers change verdicts too: when they are given, and at the very instant at which they end."""

from datetime import timedelta
from uuid import UUID

import pytest

from record.access.rules import Role
from record.approvals import service as approvals
from record.approvals.rules import Act
from record.approvals.service import RequestApproval
from record.ids import ApprovalId, WaiverId
from record.policies import service as policies
from record.policies.service import ChangePolicy
from record.waivers import service as waivers
from record.waivers.service import RequestWaiver
from tests.record.environments.places import Place, digest
from tests.record.judgements.court import Court

APPROVED = "version: 1\nartifacts: {approvals: {min: 1}}\n"


@pytest.fixture
async def prod(court: Court, prod: Place) -> Place:
    """Judged: app-1 is untested."""
    await court.judge()
    return prod


async def test_a_waiver_turns_the_environment_green_until_its_very_instant(court: Court, prod: Place) -> None:
    until = court.clock.now() + timedelta(days=3)
    wish = RequestWaiver("prod", "It is known.", until, fingerprint=digest(1))
    requested = await waivers.request(court.record, court.caller, wish)
    await court.judge()
    second = await court.organization.hired("sami", Role.APPROVER)
    accepted = await waivers.accept(court.record, second, WaiverId(UUID(requested.body["waiver_id"])))
    await court.judge()
    court.pass_time(days=4)
    await court.judge()

    untested, waived, ended = await court.of((await prod.environment()).environment_id)
    assert (waived.status.value, waived.cause, waived.holds_until) == ("COMPLIANT", accepted.index, until)
    assert (ended.status.value, ended.cause, ended.instant) == (untested.status.value, None, until)


async def test_an_approval_is_a_cause(court: Court, prod: Place) -> None:
    await policies.change(court.record, court.caller, ChangePolicy("production", APPROVED))
    requested = await approvals.request(court.record, court.caller, RequestApproval("prod", digest(1)))
    second = await court.organization.hired("sami", Role.APPROVER)
    approval_id = ApprovalId(UUID(requested.body["approval_id"]))
    reviewed = await approvals.review(court.record, second, approval_id, Act.APPROVE)
    await court.judge()

    *_, approved = await court.of((await prod.environment()).environment_id)
    assert (approved.status.value, approved.cause) == ("COMPLIANT", reviewed.index)
