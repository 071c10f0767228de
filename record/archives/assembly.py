"""An archive from the record to the vault: one pass, in constant memory, the same bytes whenever the question is the same.

The order of members is fixed: README.txt, index.html, the lists of changes, verify.py, policy, checkpoint, entries.jsonl,
proofs, evidence, and last manifest.json. The checkpoint is the first one that covers the question's size: once it is signed
it will always be the first.

Until `finish` nothing is visible in the vault. What may have happened when we die: parts of an upload are left, which the vault's
sweep aborts; or the whole object is there and no entry names it, which scrubbing reports, and the next attempt writes another.
"""

import asyncio
from base64 import b64encode
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, ExitStack, aclosing
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, TypeAlias

from muniment.proof import standalone
from muniment.proof.archive import CHECKPOINT, ENTRIES, POLICY, proof_path
from muniment.proof.manifest import MANIFEST_VERSION
from record.archives import changes, history, pages, sections, selection
from record.archives.changes import Listing
from record.archives.history import History
from record.archives.members import DamagedEvidence, Members, append_items
from record.archives.pages import Cover
from record.archives.proving import proof_files
from record.archives.queries import Archive
from record.archives.selection import Attached, EvidenceFile, Selection
from record.archives.spool import Spool
from record.clock import to_rfc3339
from record.ids import Digest, EntryIndex, LedgerSize, OrgId
from record.jobs.service import Headway
from record.ledger.queries import StoredCheckpoint, checkpoint_covering
from record.ledger.signing import log_verifier_key
from record.moment import Moment
from record.record import Record
from record.refusals import NotFound, Unavailable
from record.vault import ObjectReference

CHECKPOINT_PATIENCE_SECONDS: Final = 60.0
CHECKPOINT_POLL_SECONDS: Final = 0.1
PROOFS_A_PAGE: Final = 256
EVIDENCE_TRAILS_A_PAGE: Final = 1_000


Admit: TypeAlias = Callable[[int], AbstractAsyncContextManager[None]]
"""Entered with the number of bytes of evidence before any of them is copied; raises when there is no room for so many now."""


@dataclass(frozen=True, slots=True)
class Assembled:
    """An archive that lies in the vault, locked, as it was measured on its way."""

    digest: Digest
    byte_count: int
    files: int
    checkpoint_size: LedgerSize
    key: str
    version_id: str


@dataclass(frozen=True, slots=True)
class Order:
    """Where an archive is to go, and whose it is."""

    org_id: OrgId
    organization: str
    origin: str
    archive: Archive
    key: str
    retain_until: datetime


async def assemble(
    record: Record, order: Order, *, headway: Headway, admit: Admit, still_ours: Callable[[], Awaitable[None]]
) -> Assembled:
    """Writes the archive. `still_ours` is asked before it becomes visible, and raises if somebody else is making it by now."""
    archive = order.archive
    moment = Moment(order.org_id, archive.size, archive.instant)
    headway.text = "waiting for a signed checkpoint"
    checkpoint = await _covering(record, moment)
    headway.text = "finding what belongs to it"
    chosen = await selection.select(record.database, archive.question, moment)
    headway.total = chosen.evidence_bytes
    indexes = sections.indexes_of(chosen, checkpoint.size)
    cover = _cover(record, order, chosen, checkpoint, len(indexes))
    async with (
        admit(chosen.evidence_bytes),
        record.vault.writer(order.key, retain_until=order.retain_until) as parts,
    ):
        with Members(parts, archive.instant) as members, Spool() as listed, ExitStack() as kept:
            listing = await changes.listed(record.database, chosen, kept, headway)
            lived = await history.told(record.database, chosen, kept)
            if listing is not None:
                cover = replace(cover, population=listing.population)
            await members.add("README.txt", pages.readme(cover))
            await _add_index(record, members, cover, chosen, indexes, listing, lived, headway)
            for path, spool in () if listing is None else listing.files():
                await members.add_spool(path, spool)
            await members.add("verify.py", standalone.source())
            await members.add(POLICY, f"log {cover.verifier_key}\nquorum none\n".encode())
            await members.add(CHECKPOINT, checkpoint.note.encode())
            headway.text = "copying entries"
            await _add_entries(record, members, chosen, indexes, listed)
            if chosen.entries is not None:
                await _add_proofs(record, members, moment, indexes, checkpoint, headway)
            await _add_evidence(record, members, chosen, headway)
            headway.text = "writing the manifest"
            await members.finish(listed, _told(order, checkpoint))
            files = members.count
        headway.text = "waiting for the vault"
        tally = await parts.flush()
        await still_ours()
        version_id = await parts.finish()
    return Assembled(tally.digest, tally.size, files, checkpoint.size, order.key, version_id)


async def _covering(record: Record, moment: Moment) -> StoredCheckpoint:
    """The first checkpoint that covers the moment; waits for it while it is still being signed."""
    deadline = asyncio.get_running_loop().time() + CHECKPOINT_PATIENCE_SECONDS
    while True:
        async with record.database.connection(moment.org_id) as connection:
            found = await checkpoint_covering(connection, moment.org_id, moment.size)
        if found is not None:
            return found
        if asyncio.get_running_loop().time() > deadline:
            raise Unavailable(
                f"No signed checkpoint covers {moment.size} entries after {CHECKPOINT_PATIENCE_SECONDS:g} seconds. "
                "See whether a worker that signs checkpoints runs."
            )
        await asyncio.sleep(CHECKPOINT_POLL_SECONDS)


def _cover(record: Record, order: Order, chosen: Selection, checkpoint: StoredCheckpoint, entry_count: int) -> Cover:
    return Cover(
        organization=order.organization,
        origin=order.origin,
        question=chosen.question,
        moment=chosen.moment,
        checkpoint=checkpoint,
        verifier_key=log_verifier_key(record.settings, order.origin),
        trail_count=len(chosen.trail_ids),
        entry_count=entry_count,
        evidence_count=chosen.evidence_count,
        evidence_bytes=chosen.evidence_bytes,
        is_whole_ledger=chosen.entries is None,
    )


async def _add_index(
    record: Record,
    members: Members,
    cover: Cover,
    chosen: Selection,
    indexes: Sequence[int],
    listing: Listing | None,
    lived: History | None,
    headway: Headway,
) -> None:
    headway.text = "writing the pages"
    moment, database = chosen.moment, record.database
    with Spool() as page:
        async for piece in pages.index_html(
            cover,
            trails=sections.trail_sections(database, chosen, is_detailed=cover.is_detailed),
            authors=await sections.authors(database, moment, indexes),
            entries=sections.entry_rows(database, moment, indexes),
            changes=None if listing is None else changes.pieces(listing.shown_changes),
            exceptions=None if listing is None else changes.pieces(listing.shown_exceptions),
            history=None if lived is None else lived.figures,
            happened=None if lived is None else changes.pieces(lived.happened),
            drifts=None if lived is None else changes.pieces(lived.drifted),
        ):
            page.write(piece)
        await members.add_spool("index.html", page)


async def _add_entries(
    record: Record, members: Members, chosen: Selection, indexes: Sequence[int], listed: Spool
) -> None:
    """`entries.jsonl`, and the list of entries for the manifest."""
    with Spool() as lines:
        listed.write(b"" if chosen.entries is None else b"[")
        if chosen.entries is None:
            append_items(listed, [{"from": 0, "to": len(indexes)}])
        is_first = True
        async for page in sections.entry_pages(record.database, chosen.moment, indexes):
            lines.write(b"".join(entry.content + b"\n" for entry in page))
            if chosen.entries is not None:
                items = b",".join(b'[%d,"%s"]' % (entry.index, entry.leaf_hash.hex().encode()) for entry in page)
                listed.write(items if is_first else b"," + items)
            is_first = False
        listed.write(b"" if chosen.entries is None else b"]")
        await members.add_spool(ENTRIES, lines)


async def _add_proofs(
    record: Record,
    members: Members,
    moment: Moment,
    indexes: Sequence[int],
    checkpoint: StoredCheckpoint,
    headway: Headway,
) -> None:
    for number, page in enumerate(selection.pages(indexes, PROOFS_A_PAGE)):
        headway.text = f"proving entries, {number * PROOFS_A_PAGE} of {len(indexes)}"
        entries = [EntryIndex(index) for index in page]
        async with record.database.connection(moment.org_id) as connection:
            made = await proof_files(connection, moment.org_id, entries, checkpoint)
        for index, proof in zip(entries, made, strict=True):
            await members.add(proof_path(index), proof)


async def _add_evidence(record: Record, members: Members, chosen: Selection, headway: Headway) -> None:
    copied, total = 0, chosen.evidence_count
    async with aclosing(_evidence_pages(record, chosen)) as pages_of_files:
        async for page in pages_of_files:
            coming = iter(page)
            objects = record.vault.read_many(ObjectReference(each.key, each.version_id, each.size) for each in page)
            file: EvidenceFile | None = None
            try:
                async for reference, chunks in objects:
                    file = next(coming)
                    assert reference.key == file.key, "the vault gives objects in the order asked"
                    headway.text = f"copying evidence, {copied} of {total} files"
                    await members.add_evidence(file, _counted(chunks, headway))
                    copied, file = copied + 1, None
            except NotFound as error:
                raise _lost(file or next(coming)) from error


async def _evidence_pages(record: Record, chosen: Selection) -> AsyncGenerator[list[EvidenceFile], None]:
    """Files in the archive's order, many at a time, so that the vault can read ahead; the next page is asked for meanwhile."""

    async def load(attached: Sequence[Attached]) -> list[EvidenceFile]:
        async with record.database.connection(chosen.moment.org_id) as connection:
            return await selection.files_of(connection, chosen, attached)

    if chosen.catalogue is not None:
        yield [chosen.catalogue]
    ahead: asyncio.Task[list[EvidenceFile]] | None = None
    try:
        async for attached in _attached(record, chosen):
            ready, ahead = ahead, asyncio.create_task(load(attached))
            if ready is not None:
                yield await ready
        if ahead is not None:
            yield await ahead
    finally:
        if ahead is not None:
            ahead.cancel()
            await asyncio.gather(ahead, return_exceptions=True)


async def _attached(record: Record, chosen: Selection) -> AsyncIterator[Sequence[Attached]]:
    for trail_ids in selection.trail_pages(chosen, trails_max=EVIDENCE_TRAILS_A_PAGE):
        async with record.database.connection(chosen.moment.org_id) as connection:
            found = await selection.attached_to(connection, chosen, trail_ids)
        for attached in selection.by_file_count(found):
            yield attached


async def _counted(chunks: AsyncIterator[bytes], headway: Headway) -> AsyncIterator[bytes]:
    async for chunk in chunks:
        headway.done += len(chunk)
        yield chunk


def _lost(file: EvidenceFile) -> DamagedEvidence:
    return DamagedEvidence(
        f"The evidence {file.name!r} of entry {file.entry} (sha256:{file.digest}) is not in the vault. "
        "Run the scrubbing job, and restore the object from a copy of the vault."
    )


def _told(order: Order, checkpoint: StoredCheckpoint) -> dict[str, object]:
    """The part of the manifest that is not a list of entries or files."""
    archive = order.archive
    return {
        "ledger": {
            "organization_id": str(order.org_id),
            "origin": order.origin,
            "root": b64encode(checkpoint.root).decode(),
            "size": checkpoint.size,
        },
        "organization": order.organization,
        "question": {**archive.question.to_json(), "size": archive.size, "instant": to_rfc3339(archive.instant)},
        "v": MANIFEST_VERSION,
    }
