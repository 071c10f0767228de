"""A scrub of an untouched record finds nothing; each kind of damage is named, with its entry where there is one."""

import asyncio
import hashlib
import zlib
from datetime import UTC, datetime, timedelta

import pytest

from record.clock import to_rfc3339
from record.ids import EntryIndex, OrgId
from record.ledger.entries import Draft
from record.ledger.integrate import integrate
from record.ledger.publish import checkpoint_key, log_prefix
from record.ledger.signing import ForkRefused
from record.scrubbing import service
from record.scrubbing.rules import ScrubReport
from tests.record.ledger.harness import LedgerUnderTest, new_notary


@pytest.fixture
async def grown(ledger: LedgerUnderTest) -> LedgerUnderTest:
    """300 entries, signed at 100, 290 and 300, published at 290."""
    await ledger.grow_to(100)
    await ledger.sign()
    await ledger.grow_to(290)
    await ledger.sign()
    await ledger.publish()
    await ledger.grow_to(300)
    await ledger.sign()
    return ledger


async def scrub(ledger: LedgerUnderTest) -> ScrubReport:
    return await service.scrub(ledger.record, OrgId(ledger.org_id))


def said(report: ScrubReport) -> list[tuple[str, int | None]]:
    return [(finding.place, finding.entry_index) for finding in report.findings]


async def store_evidence(ledger: LedgerUnderTest, data: bytes) -> str:
    """Bytes in the vault and the entry that names them; their digest."""
    digest = hashlib.sha256(data).hexdigest()
    until = datetime.now(UTC) + timedelta(days=1)
    version_id = await ledger.record.vault.put_object(f"sha256/{digest}", data, retain_until=until)
    body = {
        "sha256": digest,
        "size": len(data),
        "crc32": zlib.crc32(data),
        "media_type": "text/plain",
        "key": f"sha256/{digest}",
        "version_id": version_id,
        "retained_until": to_rfc3339(until),
    }
    ledger.receipts.append(await ledger.record.ledger.append(ledger.caller, Draft("evidence.stored", body)))
    return digest


async def test_an_untouched_record_is_clean(grown: LedgerUnderTest) -> None:
    await store_evidence(grown, b"a report")

    report = await scrub(grown)

    assert said(report) == []
    assert report.is_clean
    assert report.counts == {
        "entries": 301,
        "rows": 301,
        "tiles": 1,
        "checkpoints": 3,
        "published": 5,
        "evidence": 1,
    }


async def test_a_record_that_grows_while_it_is_read_is_clean(grown: LedgerUnderTest) -> None:
    async def grow() -> None:
        for _ in range(20):
            await grown.append(40)
            await grown.sign()
            await grown.publish()

    growing = asyncio.create_task(grow())
    while not growing.done():
        assert said(await scrub(grown)) == []
    await growing

    assert (await scrub(grown)).counts["entries"] == 1_100


async def test_a_tile_that_nothing_signed_fills_is_named(grown: LedgerUnderTest) -> None:
    await grown.execute(
        "INSERT INTO record.tiles SELECT org_id, level, 7, hashes, root FROM record.tiles WHERE org_id = $1"
    )

    assert said(await scrub(grown)) == [("tile/0/007", None)]


async def test_a_scrub_is_recorded_and_the_next_one_reads_that_too(grown: LedgerUnderTest) -> None:
    _, receipt = await service.scrub_and_record(grown.record, OrgId(grown.org_id))
    assert receipt.kind == "scrub.completed"
    assert receipt.body["finding_count"] == 0

    report, _ = await service.scrub_and_record(grown.record, OrgId(grown.org_id))

    assert report.counts["entries"] == 301
    assert report.is_clean


async def test_edited_bytes_of_an_entry_are_named(grown: LedgerUnderTest) -> None:
    await grown.execute("UPDATE record.entries SET content = content || ' ' WHERE org_id = $1 AND entry_index = 17")

    report = await scrub(grown)

    assert ("entries", 17) in said(report)
    assert {index for _, index in said(report)} == {17}


async def test_an_entry_rewritten_with_its_leaf_hash_is_named_by_its_tile(grown: LedgerUnderTest) -> None:
    await forge(grown, 17)

    report = await scrub(grown)

    assert ("tile/0/000", 17) in said(report)
    assert {index for _, index in said(report) if index is not None} == {17}
    [bracket] = [finding for finding in report.findings if finding.place == "checkpoint 100"]
    assert "in entries 0 to 99" in bracket.fact


async def test_a_forged_entry_that_no_full_tile_covers_is_named_by_the_vault(grown: LedgerUnderTest) -> None:
    await forge(grown, 280)

    report = await scrub(grown)

    assert (log_prefix(OrgId(grown.org_id)) + "tile/0/001.p/34", 280) in said(report)
    [bracket] = [finding for finding in report.findings if finding.place.startswith("checkpoint ")]
    assert "in entries 100 to 289" in bracket.fact
    await grown.append()
    with pytest.raises(ForkRefused):
        await integrate(grown.record, OrgId(grown.org_id), new_notary(grown.record))


async def forge(ledger: LedgerUnderTest, index: int) -> None:
    """Rewrites an entry consistently: bytes and leaf hash. Its description was empty."""
    await ledger.execute(
        "UPDATE record.entries SET content = c.content, leaf_hash = sha256('\\x00'::bytea || c.content) FROM ("
        "SELECT convert_to(replace(convert_from(content, 'UTF8'), '\"description\":\"\"', '\"description\":\"x\"'), 'UTF8')"
        " AS content FROM record.entries WHERE org_id = $1 AND entry_index = $2) c WHERE org_id = $1 AND entry_index = $2",
        EntryIndex(index),
    )


async def test_a_removed_entry_is_named(grown: LedgerUnderTest) -> None:
    await grown.execute("DELETE FROM record.entries WHERE org_id = $1 AND entry_index = 20")

    report = await scrub(grown)

    assert ("entries", 20) in said(report)
    assert ("trails", 20) in said(report)
    assert {index for _, index in said(report) if index is not None} == {20}


async def test_entries_cut_off_at_the_end_are_noticed(grown: LedgerUnderTest) -> None:
    await grown.execute("DELETE FROM record.entries WHERE org_id = $1 AND entry_index >= 298")

    report = await scrub(grown)

    facts = [finding.fact for finding in report.findings]
    assert "The ledger's head counts 300 entries, but there are 298." in facts
    assert "300 entries were signed, but only 298 are there." in facts
    assert ("trails", 298) in said(report)


@pytest.mark.parametrize(
    ("column", "edit"),
    [
        ("description", "description = 'nothing to see'"),
        ("external_urls", "external_urls = '{}'"),
        ("at", "at = at - interval '1 day'"),
        ("begun_by", "begun_by = 'mallory'"),
    ],
)
async def test_an_edited_column_is_named_with_its_entry(grown: LedgerUnderTest, column: str, edit: str) -> None:
    await grown.execute(f"UPDATE record.trails SET {edit} WHERE org_id = $1 AND entry_index = 42")

    [finding] = (await scrub(grown)).findings

    assert (finding.place, finding.entry_index) == ("trails", 42)
    assert finding.fact.startswith(f"Column {column} of a row of trails holds ")


async def test_edited_columns_of_an_entry_s_own_row_are_named(grown: LedgerUnderTest) -> None:
    await grown.execute("UPDATE record.entries SET at = at + interval '1 day' WHERE org_id = $1 AND entry_index = 42")

    [finding] = (await scrub(grown)).findings

    assert (finding.place, finding.entry_index) == ("entries", 42)
    assert finding.fact.startswith("Column at of entry 42 holds ")


async def test_a_missing_row_is_named(grown: LedgerUnderTest) -> None:
    await grown.execute("DELETE FROM record.trails WHERE org_id = $1 AND entry_index = 42")

    [finding] = (await scrub(grown)).findings

    assert finding.fact == "trails lacks a row that entry 42 makes."


@pytest.mark.parametrize("index", [42, 5_000, -1])
async def test_a_row_that_no_entry_makes_is_named(grown: LedgerUnderTest, index: int) -> None:
    await grown.execute(
        "INSERT INTO record.key_revocations (org_id, key_id, entry_index, effective_at, reason)"
        " VALUES ($1, gen_random_uuid(), $2, now(), 'none')",
        index,
    )

    [finding] = (await scrub(grown)).findings

    assert (finding.place, finding.entry_index) == ("key_revocations", index)


async def test_an_edited_tile_is_named(grown: LedgerUnderTest) -> None:
    await grown.execute("UPDATE record.tiles SET root = sha256('x') WHERE org_id = $1")

    assert ("tile/0/000", None) in said(await scrub(grown))


async def test_a_missing_tile_is_named(grown: LedgerUnderTest) -> None:
    await grown.execute("DELETE FROM record.tiles WHERE org_id = $1")

    assert ("tile/0/000", None) in said(await scrub(grown))


async def test_an_edited_checkpoint_is_named_and_the_others_are_not(grown: LedgerUnderTest) -> None:
    await grown.execute("UPDATE record.checkpoints SET root = sha256('x') WHERE org_id = $1 AND size = 100")

    assert set(said(await scrub(grown))) == {("checkpoint 100", None)}


async def test_a_checkpoint_in_the_vault_that_postgresql_lost_is_named(grown: LedgerUnderTest) -> None:
    await grown.execute("DELETE FROM record.checkpoints WHERE org_id = $1 AND size = 290")

    assert said(await scrub(grown)) == [(checkpoint_key(OrgId(grown.org_id), 290), None)]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "path", ["tile/0/000", "tile/1/000.p/1", "tile/entries/000", "checkpoint/00000000000000000290"]
)
async def test_a_published_object_with_other_bytes_on_top_is_named(grown: LedgerUnderTest, path: str) -> None:
    objects = await grown.published()
    key = log_prefix(OrgId(grown.org_id)) + path
    edited = bytearray(objects[path])
    edited[-3] ^= 1
    await grown.record.vault.put_object(key, bytes(edited), retain_until=datetime.now(UTC) + timedelta(minutes=1))

    report = await scrub(grown)

    assert {finding.place for finding in report.findings} == {key}
    if path == "tile/0/000":
        assert report.findings[0].entry_index == 255


async def test_publication_that_the_vault_no_longer_has_is_noticed(grown: LedgerUnderTest) -> None:
    await grown.execute("UPDATE ops.publications SET published_size = 300 WHERE org_id = $1")

    report = await scrub(grown)

    assert said(report) == [(checkpoint_key(OrgId(grown.org_id), 300), None)]  # type: ignore[arg-type]


async def test_evidence_that_is_not_what_was_recorded_is_named(grown: LedgerUnderTest) -> None:
    digest = await store_evidence(grown, b"a report")
    index = grown.receipts[-1].index
    other = await grown.record.vault.put_object(
        "sha256/other", b"another", retain_until=datetime.now(UTC) + timedelta(minutes=1)
    )
    await grown.execute("UPDATE record.evidence SET key = 'sha256/other', version_id = $2 WHERE org_id = $1", other)

    report = await scrub(grown)

    assert (f"evidence sha256:{digest}", index) in said(report)
    assert ("evidence", index) in said(report)


async def test_evidence_that_is_gone_is_named(grown: LedgerUnderTest) -> None:
    digest = await store_evidence(grown, b"a report")
    await grown.execute("UPDATE record.evidence SET key = 'sha256/nowhere' WHERE org_id = $1")

    report = await scrub(grown)

    assert (f"evidence sha256:{digest}", grown.receipts[-1].index) in said(report)


async def test_findings_are_recorded_and_told(grown: LedgerUnderTest) -> None:
    await grown.execute("UPDATE record.trails SET description = 'x' WHERE org_id = $1")

    report, receipt = await service.scrub_and_record(grown.record, OrgId(grown.org_id))

    assert report.finding_count == 297
    assert receipt.body["finding_count"] == 297
    assert len(receipt.body["findings"]) == 50
    lines = list(service.to_lines(report))
    assert lines[1].startswith("WRONG  trails, entry 3: Column description ")
    assert service.to_json(report)["clean"] is False


async def test_another_organization_s_damage_is_not_ours(grown: LedgerUnderTest) -> None:
    other = await LedgerUnderTest.begin(grown.record, grown.superuser_url, "umbrella")
    await other.execute("UPDATE record.principals SET name = 'mallory' WHERE org_id = $1")

    assert (await scrub(grown)).is_clean
    assert said(await service.verify(grown.record, "umbrella")) == [("principals", 1)]
