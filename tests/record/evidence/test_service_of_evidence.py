"""Evidence over a real record and vault: bytes first, then the entry; once for each organization; only for who may read it."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest

from record.access.rules import Role
from record.evidence import queries, service
from record.record import Record
from record.refusals import InvalidInput, NotAllowed, TooLarge, WrongDigest
from record.vault import content_key
from tests.record.clocks import MovableClock
from tests.record.evidence.storing import fresh, stored
from tests.record.organizations import Organization
from tests.record.vault.harness import digest_of, joined


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
