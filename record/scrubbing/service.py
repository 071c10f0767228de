"""Uses of scrubbing: re-read everything of an organization, record what was found, and say it to a person."""

from collections.abc import Iterator
from typing import Any, Final

from muniment.proof.signing import Signer
from record.access.rules import worker
from record.clock import to_rfc3339
from record.ids import OrgId
from record.ledger.entries import Draft, Receipt
from record.ledger.queries import organization_named
from record.readings import rows_of
from record.record import Record
from record.refusals import NotFound
from record.scrubbing import vaulted
from record.scrubbing.replay import Replay
from record.scrubbing.rules import Findings, ScrubReport

RECORDED_MAX: Final = 50
"""Findings that the entry about a scrub spells out; the report has more, the count tells all."""


async def scrub(record: Record, org_id: OrgId) -> ScrubReport:
    """Re-reads ledger, rows, published log and evidence. Raises `Unavailable` when it cannot get to the end."""
    started_at = record.clock.now()
    head = await record.ledger.head(org_id)
    findings = Findings()
    async with record.database.connection(org_id) as connection:
        signer = Signer(head.origin, record.settings.signing_seed())
        replay = Replay(connection, org_id, signer, rows_of, findings)
        extent = await replay.run()
    published = await vaulted.scrub_published(record, org_id, extent.published, findings)
    evidence = await vaulted.scrub_evidence(record, org_id, extent.entries, findings)
    return ScrubReport(
        org_id=org_id,
        organization=head.name,
        size=extent.entries,
        started_at=started_at,
        counts={**replay.counts, "published": published, "evidence": evidence},
        finding_count=findings.count,
        findings=tuple(findings.kept),
    )


async def scrub_and_record(record: Record, org_id: OrgId) -> tuple[ScrubReport, Receipt]:
    """Scrubs, and appends what was found: a clean scrub is evidence too."""
    report = await scrub(record, org_id)
    body = {
        "started_at": to_rfc3339(report.started_at),
        "size": report.size,
        "counts": report.counts,
        "finding_count": report.finding_count,
        "findings": [finding.to_json() for finding in report.findings[:RECORDED_MAX]],
    }
    receipt = await record.ledger.append(worker(org_id, report.organization), Draft("scrub.completed", body))
    return report, receipt


async def verify(record: Record, organization: str) -> ScrubReport:
    """For the operator: scrubs the organization of this name and records nothing."""
    async with record.database.operations() as connection:
        org_id = await organization_named(connection, organization)
    if org_id is None:
        raise NotFound(f"There is no organization called {organization!r}. Check the name.")
    return await scrub(record, org_id)


def to_json(report: ScrubReport) -> dict[str, Any]:
    """A report for programs."""
    return {
        "organization": report.organization,
        "organization_id": str(report.org_id),
        "size": report.size,
        "started_at": to_rfc3339(report.started_at),
        "counts": report.counts,
        "finding_count": report.finding_count,
        "findings": [finding.to_json() for finding in report.findings],
        "clean": report.is_clean,
    }


def to_lines(report: ScrubReport) -> Iterator[str]:
    """A report for people."""
    counted = ", ".join(f"{count} {what}" for what, count in report.counts.items())
    yield f"{report.organization}: re-read {counted}, up to size {report.size}."
    for finding in report.findings:
        where = finding.place if finding.entry_index is None else f"{finding.place}, entry {finding.entry_index}"
        yield f"WRONG  {where}: {finding.fact} {finding.remedy}"
    unlisted = report.finding_count - len(report.findings)
    if unlisted:
        yield f"WRONG  and {unlisted} more."
    yield (
        "Everything is as it was recorded."
        if report.is_clean
        else f"{report.finding_count} findings. Do not rely on it."
    )
