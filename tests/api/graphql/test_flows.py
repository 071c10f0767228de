"""Flows: created, changed, shown with their templates; and every way to be refused leaves the ledger as it was."""

from typing import Any

import pytest

from record.access.rules import Grant, Role
from tests.api.graphql.house import TEMPLATE, House

SHOWN = """flow { name description tags public version entryIndex template { version source entryIndex }
  templates { version entryIndex } createdAt changedAt }"""


async def test_a_created_flow_comes_back_with_its_receipt(house: House) -> None:
    size = await house.size()

    created = await house.ada.done(
        "createFlow",
        SHOWN,
        name="delivery",
        description="Ships it.",
        template=TEMPLATE,
        tags={"team": "a"},
        public=True,
    )

    receipt, flow = created["receipt"], created["flow"]
    assert (receipt["index"], receipt["kind"], receipt["replayed"]) == (size, "flow.created", False)
    assert receipt["ledger"] == f"muniment.test/log/{house.people.name}"
    assert (flow["name"], flow["description"], flow["tags"], flow["public"]) == (
        "delivery",
        "Ships it.",
        {"team": "a"},
        True,
    )
    assert flow["template"] == {"version": 1, "source": TEMPLATE, "entryIndex": size}
    assert flow["createdAt"] == flow["changedAt"] == receipt["at"]


async def test_a_receipt_names_the_entry_and_its_leaf(house: House) -> None:
    receipt = (await house.ada.done("createFlow", name="delivery"))["receipt"]

    found = await house.ada.ask(
        "query ($index: EntryIndex!) { record { ledger { entry(index: $index) { leafHash kind at body principal keyId } } } }",
        index=receipt["index"],
    )

    entry = found["record"]["ledger"]["entry"]
    assert (entry["leafHash"], entry["kind"], entry["at"]) == (receipt["leafHash"], receipt["kind"], receipt["at"])
    assert entry["principal"] == "ada"
    assert entry["keyId"] is not None
    assert entry["body"]["name"] == "delivery"


async def test_the_starter_asks_for_the_evidence_that_the_seeds_ask_for(house: House) -> None:
    created = await house.ada.done("createFlow", SHOWN, name="delivery", starter="SDLC")

    source = created["flow"]["template"]["source"]
    assert all(word in source for word in ("test", "scan", "review", "build"))


async def test_a_changed_template_gets_the_next_number_and_names_its_own_entry(house: House) -> None:
    created = await house.ada.done("createFlow", name="delivery")
    described = await house.ada.done("changeFlow", SHOWN, name="delivery", description="Better.")
    changed = await house.ada.done("changeFlow", SHOWN, name="delivery", template=TEMPLATE)

    assert described["flow"]["template"]["version"] == 1
    assert described["flow"]["template"]["entryIndex"] == created["receipt"]["index"]
    assert described["flow"]["entryIndex"] == described["receipt"]["index"]
    assert changed["flow"]["description"] == "Better."
    assert changed["flow"]["templates"] == [
        {"version": 2, "entryIndex": changed["receipt"]["index"]},
        {"version": 1, "entryIndex": created["receipt"]["index"]},
    ]


async def test_a_template_fault_says_line_and_column(house: House) -> None:
    async with house.nothing_recorded():
        refused = await house.ada.do("createFlow", name="delivery", template="version: 1\ntrail:\n  attestation: []\n")

    assert refused["__typename"] == "InvalidInput"
    assert (refused["code"], refused["line"], refused["column"]) == ("INVALID_INPUT", 3, 3)
    assert "attestation" in refused["message"]


@pytest.mark.parametrize(
    ("wish", "kind", "word"),
    [
        ({"name": "-x"}, "InvalidInput", "flow name"),
        ({"name": ""}, "InvalidInput", "flow name"),
        ({"name": "a b"}, "InvalidInput", "flow name"),
        ({"name": "x" * 257}, "InvalidInput", "flow name"),
        ({"name": "x", "starter": "SDLC", "template": TEMPLATE}, "InvalidInput", "starter"),
        ({"name": "x", "template": "version: [1"}, "InvalidInput", "not YAML"),
        ({"name": "x", "template": ""}, "InvalidInput", "template"),
        ({"name": "x", "tags": {"team": 1}}, "InvalidInput", "text"),
        ({"name": "x", "tags": ["team"]}, "InvalidInput", "object"),
        ({"name": "x", "tags": {"a b": "c"}}, "InvalidInput", "tag"),
        ({"name": "x", "description": "d" * 4_001}, "InvalidInput", "4000"),
        ({"name": "x", "idempotencyKey": ""}, "InvalidInput", "idempotency"),
    ],
)
async def test_a_flow_that_may_not_be_is_refused(house: House, wish: dict[str, Any], kind: str, word: str) -> None:
    async with house.nothing_recorded():
        refused = await house.ada.do("createFlow", **wish)

    assert refused["__typename"] == kind
    assert refused["code"] == "INVALID_INPUT"
    assert word in refused["message"].lower() or word in refused["message"]


async def test_a_name_is_taken_once(house: House) -> None:
    await house.ada.done("createFlow", name="delivery")

    async with house.nothing_recorded():
        refused = await house.ada.do("createFlow", name="delivery")

    assert (refused["__typename"], refused["code"]) == ("NameTaken", "NAME_TAKEN")


async def test_only_what_is_there_can_be_changed(house: House) -> None:
    async with house.nothing_recorded():
        refused = await house.ada.do("changeFlow", name="delivery", public=True)

    assert (refused["__typename"], refused["code"]) == ("NotFound", "NOT_FOUND")


async def test_house_rules_hold_for_names_and_templates(house: House) -> None:
    await house.ada.done("changeOrganization", flowNamePattern="team-[a-z]+", requiredTypes=["junit"])
    asking = "version: 1\ntrail:\n  attestations:\n    - {name: t, type: junit}\n"

    async with house.nothing_recorded():
        named = await house.ada.do("createFlow", name="delivery", template=asking)
        silent = await house.ada.do("createFlow", name="team-a", template="version: 1\n")
    await house.ada.done("createFlow", name="team-a", template=asking)

    assert (named["code"], named["field"]) == ("INVALID_INPUT", "name")
    assert (silent["code"], silent["field"]) == ("INVALID_INPUT", "template")
    assert "junit" in silent["message"]


@pytest.mark.parametrize("role", [Role.READER, Role.AUDITOR, Role.APPROVER, Role.SNAPSHOTTER])
async def test_who_may_not_record_is_told_which_role_would_do(house: House, role: Role) -> None:
    await house.ada.done("createFlow", name="delivery")
    eve = await house.hire("eve", role)

    async with house.nothing_recorded():
        created = await eve.do("createFlow", name="other")
        changed = await eve.do("changeFlow", name="delivery", public=True)

    for refused in (created, changed):
        assert (refused["__typename"], refused["code"]) == ("NotAllowed", "NOT_ALLOWED")
        assert "writer" in refused["message"]


async def test_a_writer_of_one_flow_writes_there_only(house: House) -> None:
    bob = await house.hire("bob", Grant(Role.WRITER, flows=frozenset({"delivery"})))

    created = await bob.done("createFlow", SHOWN, name="delivery")
    async with house.nothing_recorded():
        refused = await bob.do("createFlow", name="other")

    assert created["flow"]["name"] == "delivery"
    assert refused["code"] == "NOT_ALLOWED"


@pytest.mark.parametrize("first", [-1, 51, 2_147_483_647])
async def test_templates_come_in_pages_of_a_sane_size(house: House, first: int) -> None:
    await house.ada.done("createFlow", name="delivery")

    code = await house.ada.code(
        'query ($first: Int!) { record { flow(name: "delivery") { templates(first: $first) { version } } } }',
        first=first,
    )

    assert code in ("INVALID_INPUT", "TOO_LARGE")
