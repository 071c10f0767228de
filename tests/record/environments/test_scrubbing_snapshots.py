"""Snapshots under the scrubber: replaying their entries makes the rows that are there, whole or in parts."""

import pytest

from embedded.postgres import SUPERUSER
from embedded.servers import Stack
from record.environments import reporting, service
from record.environments.reporting import ReportSnapshot
from record.environments.service import CreateEnvironment
from record.record import Record
from record.scrubbing import service as scrubbing
from tests.record.environments.places import member
from tests.record.house import DATABASE
from tests.record.ledger.harness import LedgerUnderTest


@pytest.fixture
async def reported(record: Record, stack: Stack) -> LedgerUnderTest:
    """A ledger with snapshots of one entry and of many, recorded whole and as what changed."""
    made = await LedgerUnderTest.begin(record, stack.postgres.url(SUPERUSER, DATABASE), "scrubbed-snapshots")
    await service.create(record, made.caller, CreateEnvironment("prod", "k8s", tags={"a": "b"}, cadence_seconds=60))
    for numbers in (range(400), range(3), range(2, 500), ()):
        said = [member(number, facts={"text": "x" * 500}, created=["2026-01-01T00:00:00Z"]) for number in numbers]
        await reporting.report(record, made.caller, ReportSnapshot("prod", said))
    await made.sign()
    return made


async def test_snapshots_are_clean_and_a_row_that_somebody_edits_is_named(reported: LedgerUnderTest) -> None:
    report = await scrubbing.scrub(reported.record, reported.org_id)
    assert not report.findings

    await reported.execute("UPDATE record.snapshot_members SET instances = 9 WHERE org_id = $1 AND number = 2")
    report = await scrubbing.scrub(reported.record, reported.org_id)

    assert {finding.place for finding in report.findings} == {"snapshot_members"}
