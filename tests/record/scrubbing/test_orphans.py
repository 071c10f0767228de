"""An object that was written to the vault and never named by an entry is reported, and nothing else is."""

from datetime import timedelta

from record.record import Record
from record.scrubbing.orphans import orphans
from tests.record.organizations import Organization
from tests.record.vault.harness import stream_of


async def keys_of_orphans(record: Record) -> set[str]:
    return {orphan.key async for orphan in orphans(record, older_than=timedelta(hours=-1))}


async def put_unrecorded(record: Record, content: bytes) -> str:
    """As if the server had died between the vault and the entry."""
    stored = await record.vault.put(
        stream_of(content),
        expected=None,
        expected_size=None,
        retain_until=record.clock.now() + timedelta(minutes=1),
        size_max=1_000,
    )
    return stored.key


async def test_bytes_that_no_entry_names_are_reported(record: Record, acme: Organization) -> None:
    key = await put_unrecorded(record, b"written, and then the lights went out")

    assert key in await keys_of_orphans(record)


async def test_an_upload_that_may_still_be_on_its_way_is_not_reported(record: Record, acme: Organization) -> None:
    key = await put_unrecorded(record, b"written a moment ago")

    assert key not in {orphan.key async for orphan in orphans(record)}


async def test_evidence_of_any_organization_is_not_an_orphan(
    record: Record, acme: Organization, globex: Organization
) -> None:
    mine = await acme.upload(await acme.caller(), b"named by an entry of the first")
    theirs = await globex.upload(await globex.caller(), b"named by an entry of the second")

    assert not {mine.key, theirs.key} & await keys_of_orphans(record)


async def test_bytes_that_are_uploaded_again_are_no_orphan_any_more(record: Record, acme: Organization) -> None:
    key = await put_unrecorded(record, b"wanted after all")
    await acme.upload(await acme.caller(), b"wanted after all")

    assert key not in await keys_of_orphans(record)
