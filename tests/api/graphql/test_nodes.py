"""`node(id:)`: everything that has an id can be asked for again by it; what is not there or not the caller's is null."""

import base64

import pytest

from record.access.rules import Grant, Role
from tests.api.graphql.house import FINGERPRINT, House
from tests.api.serving import Served

NODE = "query ($id: ID!) { node(id: $id) { __typename id } }"


def sealed(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


async def ids_of_everything(house: House) -> dict[str, str]:
    """An id of each type."""
    await house.delivery()
    await house.attest("pull-request")
    await house.artifact()
    await house.ada.done("requestArchive", kind="TRAIL", flow="delivery", trail="build-1")
    said = (
        await house.ada.ask(
            """{ record { flow(name: "delivery") { id trail(name: "build-1") { id attestations { id } } }
            ledger { entries(first: 1) { nodes { id } } } principals { id keys { id } } archives { nodes { id } }
            search(query: "f1f1f1f1") { ... on Artifact { id } } } }"""
        )
    )["record"]
    return {
        "Flow": said["flow"]["id"],
        "Trail": said["flow"]["trail"]["id"],
        "Attestation": said["flow"]["trail"]["attestations"][0]["id"],
        "Artifact": said["search"][0]["id"],
        "Entry": said["ledger"]["entries"]["nodes"][0]["id"],
        "Principal": said["principals"][0]["id"],
        "ApiKey": said["principals"][0]["keys"][0]["id"],
        "Archive": said["archives"]["nodes"][0]["id"],
    }


async def test_everything_with_an_id_is_found_by_it(house: House) -> None:
    for kind, node_id in (await ids_of_everything(house)).items():
        said = await house.ada.ask(NODE, id=node_id)
        assert said["node"] == {"__typename": kind, "id": node_id}


async def test_another_organization_finds_none_of_it(house: House, real: Served) -> None:
    stranger = await House.begin(real, f"stranger-of-{house.people.name}")
    ids = await ids_of_everything(house)
    del ids["Entry"]  # an index: each ledger has one of its own

    for node_id in ids.values():
        assert await stranger.ada.ask(NODE, id=node_id) == {"node": None}
    theirs = await stranger.ada.ask(
        "query ($f: Fingerprint!) { record { artifact(fingerprint: $f) { id } "
        'trail(flow: "delivery", name: "build-1") { id } search(query: "delivery") { __typename } flows { nodes { id } } } }',
        f=FINGERPRINT,
    )
    assert theirs["record"] == {"artifact": None, "trail": None, "search": [], "flows": {"nodes": []}}


async def test_another_organizations_ids_change_nothing(house: House, real: Served) -> None:
    stranger = await House.begin(real, f"stranger-of-{house.people.name}")
    ids = await ids_of_everything(house)

    async with house.nothing_recorded(), stranger.nothing_recorded():
        revoked = await stranger.ada.do("revokeKey", keyId=ids["ApiKey"])
        rotated = await stranger.ada.do("rotateKey", keyId=ids["ApiKey"])

    assert (revoked["code"], rotated["code"]) == ("NOT_FOUND", "NOT_FOUND")


async def test_a_reader_of_another_flow_finds_none_of_it(house: House) -> None:
    ids = await ids_of_everything(house)
    bob = await house.hire("bob", Grant(Role.AUDITOR, flows=frozenset({"other"})))

    for kind in ("Flow", "Trail", "Attestation", "Artifact", "Archive", "ApiKey"):
        assert await bob.ask(NODE, id=ids[kind]) == {"node": None}
    for kind in ("Entry", "Principal"):
        assert await bob.code(NODE, id=ids[kind]) == "NOT_ALLOWED"


async def test_a_key_is_its_owners_and_the_admins_to_see(house: House) -> None:
    bob = await house.hire("bob", Role.READER)
    said = await house.ada.ask("{ record { principals { name keys { id } } } }")
    keys = {person["name"]: person["keys"][0]["id"] for person in said["record"]["principals"]}

    assert (await bob.ask(NODE, id=keys["bob"]))["node"]["id"] == keys["bob"]
    assert (await bob.ask(NODE, id=keys["ada"]))["node"] is None
    assert (await house.ada.ask(NODE, id=keys["bob"]))["node"]["id"] == keys["bob"]
    assert await bob.code("{ record { principals { keys { id } } } }") == "NOT_ALLOWED"


@pytest.mark.parametrize(
    "node_id",
    [
        "",
        "x",
        "Rmxvdw",
        "\u00e9",
        sealed("Nothing:1"),
        sealed("__proto__:1"),
        sealed("Flow:\0"),
        sealed("Entry"),
        "=" * 9,
    ],
)
async def test_what_is_no_id_is_refused(house: House, node_id: str) -> None:
    assert await house.ada.code(NODE, id=node_id) == "INVALID_INPUT"


@pytest.mark.parametrize(
    "node_id",
    [
        sealed("Flow:nonsense"),
        sealed("Entry:-1"),
        sealed("Entry:99999999999999999999999"),
        sealed("Entry:" + "9" * 5_000),
        sealed("Artifact:" + "ab" * 32),
        sealed("Artifact:%"),
        sealed("Principal:00000000-0000-0000-0000-000000000000"),
    ],
)
async def test_an_id_of_nothing_is_null(house: House, node_id: str) -> None:
    assert await house.ada.ask(NODE, id=node_id) == {"node": None}
