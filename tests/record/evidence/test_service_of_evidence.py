"""Evidence over a real record and vault: bytes first, then the entry; once for each organization; only for who may read it."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest

from record.access.rules import Caller, Grant, Role
from record.attestations.service import attest
from record.attestations.service.attest import About, File
from record.evidence import queries, service
from record.evidence.queries import Evidence
from record.ids import Digest, uuid7
from record.ledger.entries import Receipt
from record.record import Record
from record.refusals import EvidenceNotStored, InvalidInput, NotAllowed, NotFound, Refusal, TooLarge, WrongDigest
from record.vault import content_key
from tests.record.clocks import MovableClock
from tests.record.organizations import Organization
from tests.record.statements import watched
from tests.record.vault.harness import digest_of, joined, some_bytes, stream_of


def fresh(size: int = 1000) -> bytes:
    """Bytes that nobody has stored before."""
    return some_bytes(size, seed=str(uuid7()))


async def stored(
    acme: Organization, data: bytes, *, expected: Digest | None = None, size: int | None = None
) -> tuple[Evidence, bool]:
    return await service.store(
        acme.record,
        acme.operator,
        stream_of(data),
        expected=expected,
        expected_size=size,
        media_type=None,
    )


async def test_stored_bytes_have_an_entry_and_come_back(acme: Organization, clock: MovableClock) -> None:
    data = fresh()
    now = clock.stop()

    evidence, is_new = await stored(acme, data, expected=digest_of(data))

    assert is_new
    assert (evidence.digest, evidence.size, evidence.entry_index) == (digest_of(data), len(data), 3)
    assert evidence.retained_until >= now + timedelta(days=1)
    assert await joined(acme.record.vault.read(evidence.key, version_id=evidence.version_id)) == data
    assert await service.whole(acme.record, evidence) == data


async def test_the_same_bytes_again_are_the_same_evidence_and_no_entry(acme: Organization) -> None:
    data = fresh()
    first, _ = await stored(acme, data)

    again, is_new = await stored(acme, data, expected=digest_of(data), size=len(data))

    assert not is_new
    assert again == first
    assert await acme.size() == 4


async def test_the_same_bytes_at_once_are_one_evidence(acme: Organization) -> None:
    data = fresh()

    outcomes = await asyncio.gather(*(stored(acme, data) for _ in range(10)))

    assert sum(is_new for _, is_new in outcomes) == 1
    assert len({evidence.entry_index for evidence, _ in outcomes}) == 1
    assert await acme.size() == 4


async def test_another_organization_stores_the_same_bytes_as_if_it_were_the_first(
    acme: Organization, globex: Organization
) -> None:
    data = fresh()
    theirs, _ = await stored(acme, data)
    assert await service.find(globex.record, globex.operator, digest_of(data)) is None

    own, is_new = await stored(globex, data)

    assert is_new
    assert own.entry_index == 3
    assert own.key == theirs.key
    assert await service.whole(globex.record, own) == data


async def test_empty_evidence_is_evidence(acme: Organization) -> None:
    evidence, is_new = await stored(acme, b"")

    assert (evidence.size, is_new) == (0, True)
    assert await service.whole(acme.record, evidence) == b""


async def test_a_wrong_digest_stores_and_records_nothing(acme: Organization) -> None:
    data, other = fresh(), fresh()

    with pytest.raises(WrongDigest, match="nothing was stored"):
        await stored(acme, data, expected=digest_of(other))

    assert await acme.size() == 3
    for digest in (digest_of(data), digest_of(other)):
        assert await service.find(acme.record, acme.operator, digest) is None
        assert await acme.record.vault.stat(content_key(digest), None) is None


@pytest.mark.parametrize("size", [999, 1001])
async def test_a_wrong_size_stores_and_records_nothing(acme: Organization, size: int) -> None:
    data = fresh(1000)

    with pytest.raises(WrongDigest):
        await stored(acme, data, expected=digest_of(data), size=size)

    assert await acme.size() == 3
    assert await service.find(acme.record, acme.operator, digest_of(data)) is None


class Hangup(Exception):
    """The client went away."""


async def cut(data: bytes) -> AsyncIterator[bytes]:
    yield data
    raise Hangup


@pytest.mark.parametrize("size", [1000, 6 * 2**20])
async def test_a_stream_that_is_cut_stores_and_records_nothing(acme: Organization, size: int) -> None:
    data = fresh(size)

    with pytest.raises(Hangup):
        await service.store(
            acme.record,
            acme.operator,
            cut(data),
            expected=digest_of(data),
            expected_size=None,
            media_type=None,
        )

    assert await acme.size() == 3
    digest = digest_of(data)
    assert await acme.record.vault.stat(content_key(digest), None) is None


async def test_what_is_larger_than_may_be_is_refused_before_and_while_it_arrives(acme: Organization) -> None:
    small = replace(acme, record=with_room(acme.record, 500))

    for announced in (None, 1000):
        with pytest.raises(TooLarge):
            await stored(small, fresh(1000), size=announced)

    assert await acme.size() == 3


def with_room(record: Record, most: int) -> Record:
    return replace(record, settings=record.settings.model_copy(update={"evidence_bytes_max": most}))


async def test_a_report_too_large_to_be_read_is_refused_unread(acme: Organization) -> None:
    evidence, _ = await stored(acme, b"x")

    with pytest.raises(TooLarge, match="generic evidence"):
        await service.whole(acme.record, replace(evidence, size=service.REPORT_BYTES_MAX + 1, key="nowhere"))


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (None, "application/octet-stream"),
        ("", "application/octet-stream"),
        ("Application/JSON; charset=utf-8", "application/json"),
        ("application/vnd.cyclonedx+xml", "application/vnd.cyclonedx+xml"),
    ],
)
async def test_media_types_are_kept_bare(acme: Organization, given: str | None, kept: str) -> None:
    evidence = await acme.upload(acme.operator, fresh(), media_type=given)

    assert evidence.media_type == kept


@pytest.mark.parametrize(
    "media_type", ["json", "text/", "/html", "text/html\r\nX: y", "a/b/c", "te xt/html", "text/hTMLé"]
)
async def test_a_bad_media_type_is_refused_and_nothing_stored(acme: Organization, media_type: str) -> None:
    with pytest.raises(InvalidInput, match="is not a media type"):
        await acme.upload(acme.operator, fresh(), media_type=media_type)

    assert await acme.size() == 3


@pytest.mark.parametrize("role", [Role.READER, Role.AUDITOR, Role.APPROVER, Role.SNAPSHOTTER])
async def test_who_may_not_record_stores_nothing(acme: Organization, role: Role) -> None:
    caller = await acme.hired("rea", role)

    with pytest.raises(NotAllowed):
        await acme.upload(caller, fresh())


async def test_evidence_is_there_from_its_entry_on(acme: Organization) -> None:
    evidence, _ = await stored(acme, fresh())

    async with acme.record.database.connection(acme.org_id) as connection:
        before = await queries.by_digests(connection, await acme.moment(evidence.entry_index), [evidence.digest])
        after = await queries.by_digests(
            connection, await acme.moment(), [digest_of(b"nothing"), evidence.digest, evidence.digest]
        )

    assert before == [None]
    assert after == [None, evidence, evidence]


async def test_everything_stored_is_paged_by_digest(acme: Organization) -> None:
    digests = sorted([(await stored(acme, fresh(100)))[0].digest for _ in range(7)])

    seen: list[str] = []
    async with acme.record.database.connection(acme.org_id) as connection:
        while page := await queries.stored_after(connection, await acme.moment(), seen[-1] if seen else "", limit=3):
            seen += [evidence.digest for evidence in page]

    assert seen == digests


# --- what attestations name


async def attested(acme: Organization, flow: str, *files: File, by: Caller | None = None) -> Receipt:
    about = About(flow, "t1", "tests", evidence=files)
    return await attest.generic(acme.record, by or acme.operator, about, compliant=True)


async def two_flows(acme: Organization) -> None:
    for flow in ("mine", "theirs"):
        await acme.flow(acme.operator, flow)
        await acme.trail(acme.operator, flow=flow)


async def test_a_digest_that_is_not_stored_is_refused_by_name(acme: Organization) -> None:
    await two_flows(acme)
    there = await acme.file(acme.operator, fresh(), "there.txt")
    absent = digest_of(fresh())
    size = await acme.size()

    with pytest.raises(EvidenceNotStored, match=absent) as refused:
        await attested(acme, "mine", there, File(absent, "absent.txt"))

    assert there.digest not in refused.value.message
    assert await acme.size() == size


@pytest.mark.parametrize("digest", ["", "abc", "A" * 64, "sha512:" + "a" * 64, "a" * 63 + "\x00", "a" * 64 + "\n"])
async def test_what_is_no_digest_is_refused(acme: Organization, digest: str) -> None:
    await two_flows(acme)

    with pytest.raises(InvalidInput):
        await attested(acme, "mine", File(digest, "x.txt"))


async def test_a_narrowed_reader_reads_the_evidence_of_its_flows_alone(acme: Organization) -> None:
    await two_flows(acme)
    files = {
        name: await acme.file(acme.operator, fresh(), f"{name}.txt") for name in ("mine", "theirs", "both", "nobodys")
    }
    await attested(acme, "mine", files["mine"], files["both"])
    await attested(acme, "theirs", files["theirs"], files["both"])
    narrowed = await acme.hired("rea", Grant(Role.READER, frozenset({"mine"})))
    wide = await acme.hired("aud", Role.AUDITOR)

    for name, file in files.items():
        digest = Digest(file.digest)
        assert (await service.readable(acme.record, wide, digest)).digest == digest
        if name in ("mine", "both"):
            assert (await service.readable(acme.record, narrowed, digest)).digest == digest
        else:
            with pytest.raises(NotFound):
                await service.readable(acme.record, narrowed, digest)


async def test_evidence_that_is_not_there_and_not_yours_is_the_same_refusal(acme: Organization) -> None:
    await two_flows(acme)
    file = await acme.file(acme.operator, fresh(), "x.txt")
    narrowed = await acme.hired("rea", Grant(Role.READER, frozenset({"mine"})))
    told = []
    for digest in (Digest(file.digest), digest_of(b"never stored")):
        with pytest.raises(Refusal) as refused:
            await service.readable(acme.record, narrowed, digest)
        told.append(refused.value.message.replace(digest, "…"))

    assert told[0] == told[1]


async def test_knowing_a_digest_is_not_enough_to_attach_what_others_brought(acme: Organization) -> None:
    await two_flows(acme)
    data = fresh()
    secret = await acme.file(acme.operator, data, "theirs.txt")
    await attested(acme, "theirs", secret)
    will = await acme.hired("will", Grant(Role.WRITER, frozenset({"mine"})))
    told = []
    for digest in (secret.digest, digest_of(b"never stored")):
        with pytest.raises(EvidenceNotStored) as refused:
            await attested(acme, "mine", File(digest, "x.txt"), by=will)
        told.append(refused.value.message.replace(digest, "…"))
    size = await acme.size()

    assert told[0] == told[1]
    with pytest.raises(NotFound):
        await service.readable(acme.record, will, Digest(secret.digest))

    await acme.upload(will, data)  # whoever has the bytes may attach them

    assert await acme.size() == size
    await attested(acme, "mine", secret, by=will)
    assert (await service.readable(acme.record, will, Digest(secret.digest))).digest == secret.digest


async def test_a_narrowed_writer_attaches_what_it_uploaded_or_may_read(acme: Organization) -> None:
    await two_flows(acme)
    shown = await acme.file(acme.operator, fresh(), "shown.txt")
    await attested(acme, "mine", shown)
    will = await acme.hired("will", Grant(Role.WRITER, frozenset({"mine"})))
    own = await acme.file(will, fresh(), "own.txt")

    async with watched(acme.record) as (record, database):
        found = await service.required(record, will, [Digest(own.digest), Digest(shown.digest)])

    assert [each.digest for each in found] == [own.digest, shown.digest]
    assert len(database.sent) == 1
    await attested(acme, "mine", own, shown, by=will)


async def test_of_twins_that_brought_the_same_bytes_at_once_both_may_attach_them(acme: Organization) -> None:
    await two_flows(acme)
    data = fresh()
    await acme.hire("will", Grant(Role.WRITER, frozenset({"mine"})))
    await acme.hire("wilma", Grant(Role.WRITER, frozenset({"theirs"})))
    will, wilma = await acme.caller("will"), await acme.caller("wilma")

    one, other = await asyncio.gather(acme.upload(will, data), acme.upload(wilma, data))

    assert one == other
    await attested(acme, "mine", File(one.digest, "x.txt"), by=will)
    await attested(acme, "theirs", File(one.digest, "x.txt"), by=wilma)


async def test_a_snapshotter_reads_no_evidence(acme: Organization) -> None:
    evidence, _ = await stored(acme, fresh())
    caller = await acme.hired("sam", Role.SNAPSHOTTER)

    with pytest.raises(NotFound):
        await service.readable(acme.record, caller, evidence.digest)


async def test_files_come_in_their_order_and_as_of_the_size(acme: Organization) -> None:
    await two_flows(acme)
    files = [await acme.file(acme.operator, fresh(), f"{number}.txt") for number in (3, 1, 2)]
    first = await attested(acme, "mine", *files)
    second = await attested(acme, "mine")

    async with acme.record.database.connection(acme.org_id) as connection:
        now = await queries.attached_to(connection, await acme.moment(), [second.index, first.index])
        before = await queries.attached_to(connection, await acme.moment(first.index), [first.index])
        naming = await queries.flows_naming(connection, await acme.moment(), Digest(files[0].digest))

    assert [[file.file_name for file in each] for each in now] == [[], ["3.txt", "1.txt", "2.txt"]]
    assert before == [[]]
    assert naming == {"mine"}


@pytest.mark.parametrize("name", ["", "a" * 256, "a\nb", "a\x00b", "a\x7f", "half \ud83d", "../../etc/passwd\r"])
async def test_a_bad_name_of_a_file_is_refused(acme: Organization, name: str) -> None:
    await two_flows(acme)
    file = await acme.file(acme.operator, fresh(), name)
    size = await acme.size()

    with pytest.raises(InvalidInput):
        await attested(acme, "mine", file)

    assert await acme.size() == size


async def test_two_files_of_one_name_and_too_many_files_are_refused(acme: Organization) -> None:
    await two_flows(acme)
    file = await acme.file(acme.operator, fresh(), "x.txt")
    other = await acme.file(acme.operator, fresh(), "x.txt")

    with pytest.raises(InvalidInput, match="Two files are called"):
        await attested(acme, "mine", file, other)
    with pytest.raises(InvalidInput, match="too many"):
        await attested(acme, "mine", *(replace(file, name=str(number)) for number in range(attest.FILES_MAX + 1)))
