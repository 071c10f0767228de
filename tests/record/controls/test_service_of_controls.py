"""Frameworks and mappings over a real record: by hand, from OSCAL, in versions."""

import asyncio
import json
from typing import Any

import pytest

from record.access.rules import Grant, Role
from record.controls import queries, service
from record.controls.catalogs import Control
from record.controls.mappings import ApprovalRequired, AttestationRequired, PolicyRequired
from record.controls.queries import Framework
from record.controls.service import ChangeFramework, CreateFramework, ImportControls, MapControl
from record.evidence import service as evidence
from record.ids import Digest
from record.refusals import (
    EvidenceNotStored,
    InvalidInput,
    MalformedReport,
    NameTaken,
    NotAllowed,
    NotFound,
    Refusal,
    TooLarge,
)
from tests.record.controls.catalogues import catalogue, control
from tests.record.controls.rooms import TESTS, Shop
from tests.record.environments.places import Place
from tests.record.vault.harness import stream_of


async def framework(shop: Shop, name: str = "soc2", *, size: int | None = None) -> Framework:
    async with shop.record.database.connection(shop.caller.org_id) as connection:
        found = await queries.by_name(connection, await shop.organization.moment(size), name)
    assert found is not None
    return found


async def listed(
    shop: Shop, name: str = "soc2", *, size: int | None = None, limit: int = 100_000, **page: Any
) -> list[queries.Control]:
    moment = await shop.organization.moment(size)
    async with shop.record.database.connection(shop.caller.org_id) as connection:
        found = await queries.by_name(connection, moment, name)
        assert found is not None
        return await queries.controls(connection, moment, found, limit=limit, **page)


async def upload(shop: Shop, data: bytes) -> Digest:
    stored, _ = await evidence.store(
        shop.record, shop.caller, stream_of(data), expected=None, expected_size=len(data), media_type="application/json"
    )
    return stored.digest


async def imported(shop: Shop, data: bytes, **wish: str) -> None:
    asked = ImportControls("soc2", await upload(shop, data), **wish)
    await service.import_controls(shop.record, shop.caller, asked)


async def test_a_framework_by_hand_lists_its_controls_in_order(shop: Shop) -> None:
    await shop.framework("CC8.1", "A.8.32", "CC6.1")

    found = await framework(shop)

    assert (found.version, found.control_count, found.digest) == (1, 3, None)
    assert [each.control for each in await listed(shop)] == ["CC8.1", "A.8.32", "CC6.1"]


async def test_a_second_framework_of_that_name_is_refused(shop: Shop) -> None:
    await shop.framework()

    with pytest.raises(NameTaken, match="exists already"):
        await shop.framework()


async def test_a_new_version_replaces_the_list_and_an_earlier_size_shows_the_old_one(shop: Shop) -> None:
    await shop.framework("CC8.1", "CC6.1")
    size = await shop.organization.size()
    wish = ChangeFramework("soc2", [Control("CC8.1", "Another title")], comment="One was dropped.")
    await service.change_framework(shop.record, shop.caller, wish)

    now, then = await listed(shop), await listed(shop, size=size)

    assert [(each.control, each.title) for each in now] == [("CC8.1", "Another title")]
    assert [each.control for each in then] == ["CC8.1", "CC6.1"]
    assert ((await framework(shop)).version, (await framework(shop, size=size)).version) == (2, 1)


async def test_versions_made_at_once_are_numbered_one_after_the_other(shop: Shop) -> None:
    await shop.framework()
    wishes = [ChangeFramework("soc2", [Control(f"C{number}", "So")]) for number in range(3)]

    await asyncio.gather(*(service.change_framework(shop.record, shop.caller, wish) for wish in wishes))

    assert (await framework(shop)).version == 4


async def test_an_imported_catalogue_keeps_its_file_and_says_what_it_was(shop: Shop) -> None:
    data = catalogue(control("CC8.1"), control("CC6.1"))
    await imported(shop, data)

    found = await framework(shop)

    assert found.title == "House rules"
    assert found.catalog is not None
    assert found.catalog["version"] == "1.0"
    assert found.digest == await upload(shop, data)
    assert [each.section for each in await listed(shop)] == ["Change management", "Change management"]


async def test_a_catalogue_larger_than_an_entry_becomes_several_and_none_is_lost(shop: Shop) -> None:
    long = [{"id": "s", "name": "statement", "prose": "Word " * 700}]
    data = catalogue(*(control(f"c{number}", parts=long) for number in range(200)))
    before = await shop.organization.size()
    await imported(shop, data)

    found = await listed(shop)

    assert len(data) > 10 * 65_535
    assert [each.position for each in found] == list(range(200))
    assert await shop.organization.size() > before + 10
    assert {each.framework_version for each in found} == {1}


async def test_at_a_size_within_an_import_the_version_is_not_there_yet(shop: Shop) -> None:
    await shop.framework("CC8.1")
    size = await shop.organization.size()
    long = [{"id": "s", "name": "statement", "prose": "Word " * 700}]
    await imported(shop, catalogue(*(control(f"c{number}", parts=long) for number in range(60))))

    assert (await framework(shop, size=size + 3)).version == 1
    assert [each.control for each in await listed(shop, size=size + 3)] == ["CC8.1"]
    assert (await framework(shop)).version == 2


async def test_the_same_file_again_is_refused_and_another_is_a_new_version(shop: Shop) -> None:
    await imported(shop, catalogue(control("CC8.1")))

    with pytest.raises(InvalidInput, match="this very file"):
        await imported(shop, catalogue(control("CC8.1")))
    await imported(shop, catalogue(control("CC8.1"), control("CC8.2")))

    assert [(each.control, each.framework_version) for each in await listed(shop)] == [("CC8.1", 2), ("CC8.2", 2)]


@pytest.mark.parametrize("data", [b"{", b'{"catalog": {}}', b'{"catalog": {}, "catalog": {}}', catalogue(control("8"))])
async def test_a_hostile_or_broken_file_records_nothing(shop: Shop, data: bytes) -> None:
    digest = await upload(shop, data)
    size = await shop.organization.size()

    with pytest.raises(MalformedReport):
        await service.import_controls(shop.record, shop.caller, ImportControls("soc2", digest))

    assert await shop.organization.size() == size


async def test_a_file_that_was_not_uploaded_is_refused(shop: Shop) -> None:
    with pytest.raises(EvidenceNotStored):
        await service.import_controls(shop.record, shop.caller, ImportControls("soc2", "ab" * 32))


@pytest.mark.parametrize(
    ("controls", "kind", "said"),
    [
        ([], InvalidInput, "at least one"),
        ([Control("a b", "x")], InvalidInput, "control id"),
        ([Control("a", "x"), Control("A", "y")], InvalidInput, "there twice"),
        ([Control("a", " ")], InvalidInput, "no title"),
        ([Control("a", "x" * 501)], InvalidInput, "501 characters"),
        ([Control(f"c{number}", "x") for number in range(5_001)], TooLarge, "5001 controls"),
    ],
)
async def test_a_list_that_makes_no_catalogue_is_refused(
    shop: Shop, controls: list[Control], kind: type[Refusal], said: str
) -> None:
    with pytest.raises(kind, match=said):
        await service.create_framework(shop.record, shop.caller, CreateFramework("own", "Own", controls))


async def test_controls_are_paged_by_position(shop: Shop) -> None:
    await shop.framework(*(f"C{number}" for number in range(5)))

    first = await listed(shop, limit=2)
    second = await listed(shop, limit=2, after=first[-1].position)
    last = await listed(shop, limit=2, before=4)

    assert [each.control for each in (*first, *second)] == ["C0", "C1", "C2", "C3"]
    assert [each.control for each in last] == ["C2", "C3"]


async def test_a_mapping_is_versioned_and_an_earlier_size_shows_the_old_one(shop: Shop) -> None:
    await shop.framework()
    await shop.map("CC8.1", TESTS)
    size = await shop.organization.size()
    await shop.map("CC8.1", TESTS, ApprovalRequired(2, not_author=True), environments=["prod"], comment="Stricter.")

    now, then = (await listed(shop))[0].mapping, (await listed(shop, size=size))[0].mapping

    assert now is not None
    assert then is not None
    assert (now.version, now.environments, len(now.requirements), now.comment) == (2, ("prod",), 2, "Stricter.")
    assert (then.version, then.environments, then.requirements) == (1, None, (TESTS,))


async def test_a_mapping_stays_when_the_framework_gets_a_new_version(shop: Shop) -> None:
    await shop.framework("CC8.1", "CC6.1")
    await shop.map()
    await service.change_framework(shop.record, shop.caller, ChangeFramework("soc2", [Control("CC8.1", "Again")]))

    [found] = await listed(shop)

    assert found.mapping is not None


async def test_nothing_required_takes_the_mapping_back(shop: Shop) -> None:
    await shop.framework()
    await shop.map()
    await service.map_control(shop.record, shop.caller, MapControl("soc2", "CC8.1", []))

    assert (await listed(shop))[0].mapping is None


@pytest.mark.parametrize(
    ("wish", "kind", "said"),
    [
        (MapControl("iso", "CC8.1", [TESTS]), NotFound, "no framework called iso"),
        (MapControl("soc2", "cc8.1", [TESTS]), NotFound, "has no control cc8.1"),
        (MapControl("soc2", "CC8.1", [AttestationRequired()]), InvalidInput, "no attestation in particular"),
        (MapControl("soc2", "CC8.1", [AttestationRequired("a", "junits")]), InvalidInput, "not an attestation type"),
        (MapControl("soc2", "CC8.1", [AttestationRequired("a", None, ("gone",))]), NotFound, "no flow called gone"),
        (MapControl("soc2", "CC8.1", [AttestationRequired("a", None, ())]), InvalidInput, "0 flows"),
        (MapControl("soc2", "CC8.1", [PolicyRequired("gone")]), NotFound, "no policy called gone"),
        (MapControl("soc2", "CC8.1", [ApprovalRequired(0)]), InvalidInput, "no number of approvals"),
        (MapControl("soc2", "CC8.1", [TESTS, TESTS]), InvalidInput, "twice"),
        (MapControl("soc2", "CC8.1", [TESTS], environments=["gone"]), NotFound, "gone"),
        (MapControl("soc2", "CC8.1", [TESTS], environments=[]), InvalidInput, "0 environments"),
        (MapControl("soc2", "CC8.1", []), InvalidInput, "already"),
    ],
)
async def test_a_mapping_that_nothing_could_meet_is_refused(
    shop: Shop, wish: MapControl, kind: type[Refusal], said: str
) -> None:
    await shop.framework()
    size = await shop.organization.size()

    with pytest.raises(kind, match=said):
        await service.map_control(shop.record, shop.caller, wish)

    assert await shop.organization.size() == size


async def test_a_control_cannot_be_asked_of_a_logical_environment(shop: Shop) -> None:
    await shop.framework()
    await Place.make(shop.organization, "world", "logical", included=["prod"])

    with pytest.raises(InvalidInput, match="is logical"):
        await shop.map("CC8.1", TESTS, environments=["world"])


async def test_a_role_that_is_narrowed_to_a_flow_may_not_record_controls(shop: Shop) -> None:
    await shop.framework()
    narrow = await shop.organization.hired("eve", Grant(Role.WRITER, flows=frozenset({"delivery"})))

    with pytest.raises(NotAllowed):
        await service.map_control(shop.record, narrow, MapControl("soc2", "CC8.1", [TESTS]))


async def test_an_entry_of_an_import_names_the_file(shop: Shop) -> None:
    digest = await upload(shop, catalogue(control("CC8.1")))
    receipt = await service.import_controls(
        shop.record, shop.caller, ImportControls("soc2", digest, file_name="soc2.json")
    )

    assert receipt.kind == "framework.recorded"
    assert receipt.body["evidence"][0]["sha256"] == digest
    assert "CC8.1" in json.dumps(receipt.body["controls"])
