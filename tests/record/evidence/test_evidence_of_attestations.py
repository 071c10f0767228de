"""Evidence as attestations name it: only what is there, and only by who has it or may read it."""

import asyncio
from dataclasses import replace

import pytest

from record.access.rules import Caller, Grant, Role
from record.attestations.service import attest
from record.attestations.service.attest import About, File
from record.evidence import queries, service
from record.ids import Digest
from record.ledger.entries import Receipt
from record.refusals import EvidenceNotStored, InvalidInput, NotFound, Refusal
from tests.record.evidence.storing import fresh, stored
from tests.record.organizations import Organization
from tests.record.statements import watched
from tests.record.vault.harness import digest_of


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


async def test_of_many_digests_those_are_told_that_the_caller_could_read(acme: Organization) -> None:
    await two_flows(acme)
    mine, theirs, nobodys = [await acme.file(acme.operator, fresh(), f"{number}.txt") for number in range(3)]
    await attested(acme, "mine", mine)
    await attested(acme, "theirs", theirs)
    asked = [Digest(each.digest) for each in (nobodys, theirs, mine, mine)] + [digest_of(b"never stored")]
    narrowed = await acme.hired("rea", Grant(Role.WRITER, frozenset({"mine"})))
    blind = await acme.hired("sam", Role.SNAPSHOTTER)
    globex = await Organization.begin(acme.record, "globex")

    async def told(caller: Caller, size: int | None = None) -> list[Digest]:
        return await service.stored_among(acme.record, caller, await acme.moment(size), asked)

    assert await told(acme.operator) == [nobodys.digest, theirs.digest, mine.digest]
    assert await told(narrowed) == [mine.digest]
    assert await told(narrowed, 4) == []
    assert await told(blind) == []
    assert await service.stored_among(acme.record, globex.operator, await globex.moment(), asked) == []


async def test_more_digests_than_are_looked_for_at_a_time_are_refused(acme: Organization) -> None:
    asked = [digest_of(b"x")] * (service.DIGESTS_MAX + 1)

    with pytest.raises(InvalidInput, match="too many"):
        await service.stored_among(acme.record, acme.operator, await acme.moment(), asked)


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

    assert [[file.file_name for file in each] for each in now] == [[], ["3.txt", "1.txt", "2.txt"]]
    assert before == [[]]


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
