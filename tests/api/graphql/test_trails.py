"""Trails: begun, begun again, judged; and every way to be refused leaves the ledger as it was."""

import asyncio
from typing import Any

import pytest

from record.access.rules import Grant, Role
from tests.api.graphql.house import COMMIT, TEMPLATE, House

SHOWN = """trail { id name flowName description originUrl begunAt changedAt begunBy templateVersion hasOwnTemplate entryIndex
  commit { sha message author branch url committedAt } externalUrls { label url fingerprint } userData
  verdict { status holdsUntil reasons { rule subject outcome explanation remedy entryIndex because { rule outcome } } } }"""


async def test_a_begun_trail_comes_back_whole(house: House) -> None:
    await house.ada.done("createFlow", name="delivery", template=TEMPLATE)
    commit = {
        "sha": COMMIT,
        "message": "Fix it",
        "author": "Ada",
        "branch": "main",
        "url": "https://example.com/c",
        "committedAt": "2026-11-01T10:00:00+01:00",
    }
    links = [{"label": "ticket", "url": "https://example.com/t", "fingerprint": "ab" * 32}]

    begun = await house.ada.done(
        "beginTrail",
        SHOWN,
        flow="delivery",
        name="build-1",
        description="A run.",
        commit=commit,
        originUrl="https://example.com/pr/1",
        externalUrls=links,
        userData={"n": 1, "deep": [None, True, 1.5]},
    )

    trail = begun["trail"]
    assert begun["receipt"]["kind"] == "trail.begun"
    assert trail["commit"] == commit | {"committedAt": "2026-11-01T09:00:00.000000Z"}
    assert trail["externalUrls"] == links
    assert trail["userData"] == {"n": 1, "deep": [None, True, 1.5]}
    assert (trail["begunBy"], trail["templateVersion"], trail["hasOwnTemplate"]) == ("ada", 1, False)
    assert trail["entryIndex"] == begun["receipt"]["index"]
    assert trail["verdict"]["status"] == "INCOMPLETE"


async def test_a_trail_begun_again_is_the_same_trail_under_the_present_template(house: House) -> None:
    await house.ada.done("createFlow", name="delivery")
    first = (await house.ada.done("beginTrail", SHOWN, flow="delivery", name="build-1"))["trail"]
    await house.ada.done("changeFlow", name="delivery", template=TEMPLATE)

    again = (await house.ada.done("beginTrail", SHOWN, flow="delivery", name="build-1", description="More."))["trail"]

    assert again["id"] == first["id"]
    assert (first["templateVersion"], again["templateVersion"]) == (1, 2)
    assert (again["description"], again["begunAt"]) == ("More.", first["begunAt"])
    assert again["changedAt"] > first["changedAt"]


async def test_a_trail_may_have_a_template_of_its_own(house: House) -> None:
    await house.ada.done("createFlow", name="delivery")

    begun = await house.ada.done("beginTrail", SHOWN, flow="delivery", name="build-1", template=TEMPLATE)

    assert begun["trail"]["hasOwnTemplate"] is True
    assert begun["trail"]["verdict"]["status"] == "INCOMPLETE"


async def test_a_trail_of_an_unknown_flow_is_refused(house: House) -> None:
    async with house.nothing_recorded():
        refused = await house.ada.do("beginTrail", flow="nowhere", name="build-1")

    assert (refused["__typename"], refused["code"]) == ("NotFound", "NOT_FOUND")
    assert "createFlow" in refused["message"]


@pytest.mark.parametrize(
    "wish",
    [
        {"name": "../x"},
        {"name": "a/b"},
        {"commit": {"sha": "xyz"}},
        {"commit": {"sha": COMMIT, "url": "javascript:alert(1)"}},
        {"originUrl": "file:///etc/passwd"},
        {"externalUrls": [{"label": "x", "url": "ftp://example.com"}]},
        {"externalUrls": [{"label": "x", "url": "https://example.com", "fingerprint": "zz"}]},
        {"externalUrls": [{"label": "x", "url": "https://a.com"}, {"label": "x", "url": "https://b.com"}]},
        {"userData": [1]},
        {"userData": {"text": "x" * 70_000}},
        {"template": "version: 1\ntrail: {attestations: [{name: a b, type: junit}]}\n"},
    ],
)
async def test_a_trail_that_may_not_be_is_refused(house: House, wish: dict[str, Any]) -> None:
    await house.ada.done("createFlow", name="delivery")

    async with house.nothing_recorded():
        refused = await house.ada.do("beginTrail", **{"flow": "delivery", "name": "build-1", **wish})

    assert refused["code"] in ("INVALID_INPUT", "TOO_LARGE"), refused


async def test_a_reader_begins_no_trail(house: House) -> None:
    await house.delivery()
    eve = await house.hire("eve", Role.READER, Grant(Role.WRITER, flows=frozenset({"other"})))

    async with house.nothing_recorded():
        refused = await eve.do("beginTrail", flow="delivery", name="build-2")

    assert refused["__typename"] == "NotAllowed"
    assert "delivery" in refused["message"]


async def test_trails_begun_at_once_under_one_name_are_one_trail(house: House) -> None:
    await house.ada.done("createFlow", name="delivery")

    begun = await asyncio.gather(
        *(house.ada.done("beginTrail", "trail { id }", flow="delivery", name="build-1") for _ in range(8))
    )

    assert len({each["trail"]["id"] for each in begun}) == 1
