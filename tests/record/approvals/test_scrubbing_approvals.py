"""Approvals and waivers under the scrubber: replaying their entries makes the rows that are there."""

from datetime import timedelta
from uuid import UUID

from embedded.postgres import SUPERUSER
from embedded.servers import Stack
from record.approvals import service as approvals
from record.approvals.service import RequestApproval
from record.details import Commit
from record.environments import service as environments
from record.environments.service import CreateEnvironment
from record.ids import ApprovalId, WaiverId
from record.record import Record
from record.scrubbing import service as scrubbing
from record.waivers import service as waivers
from record.waivers.service import RequestWaiver
from tests.record.environments.places import digest
from tests.record.house import DATABASE
from tests.record.ledger.harness import LedgerUnderTest


async def test_they_are_clean_and_a_row_that_somebody_edits_is_named(record: Record, stack: Stack) -> None:
    made = await LedgerUnderTest.begin(record, stack.postgres.url(SUPERUSER, DATABASE), "scrubbed-approvals")
    await environments.create(record, made.caller, CreateEnvironment("prod", "k8s"))
    soon = record.clock.now() + timedelta(days=1)
    wish = RequestApproval("prod", digest(1), commits=(Commit("a" * 40, "m", "Dan"),), expires_at=soon)
    asked = await approvals.request(record, made.caller, wish)
    await approvals.withdraw(record, made.caller, ApprovalId(UUID(asked.body["approval_id"])), comment="No.")
    excused = await waivers.request(record, made.caller, RequestWaiver("prod", "Why not.", soon, digest(1)))
    await waivers.revoke(record, made.caller, WaiverId(UUID(excused.body["waiver_id"])), reason="Done.")
    await made.sign()
    assert not (await scrubbing.scrub(record, made.org_id)).findings

    await made.execute("UPDATE record.approval_acts SET who = 'somebody' WHERE org_id = $1")
    await made.execute("UPDATE record.waivers SET expires_at = expires_at + interval '1 year' WHERE org_id = $1")

    report = await scrubbing.scrub(record, made.org_id)
    assert {finding.place for finding in report.findings} == {"approval_acts", "waivers"}
