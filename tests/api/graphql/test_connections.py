"""Connections: whole lists page by page in both directions, the same page while new things arrive, and no misread cursor."""

import asyncio
from functools import partial
from typing import Any

import pytest

from tests.api.graphql.house import House

PAGE = "edges { cursor node { name } } nodes { name } pageInfo { hasNextPage hasPreviousPage startCursor endCursor }"
ARGUMENTS = "first: $first, after: $after, last: $last, before: $before"
VARIABLES = "query ($first: Int, $after: String, $last: Int, $before: String)"
TRAILS = f'{VARIABLES} {{ record {{ flow(name: "delivery") {{ page: trails({ARGUMENTS}) {{ {PAGE} }} }} }} }}'
FLOWS = f"{VARIABLES} {{ record {{ page: flows({ARGUMENTS}) {{ {PAGE} }} }} }}"
ENTRIES = f"{VARIABLES} {{ record {{ ledger {{ page: entries({ARGUMENTS}) {{ {PAGE.replace('name', 'name: index')} }} }} }} }}"
ARCHIVES = f"{VARIABLES} {{ record {{ page: archives({ARGUMENTS}) {{ {PAGE.replace('name', 'name: trailName')} }} }} }}"
EVERY = pytest.mark.parametrize(
    "query", [TRAILS, FLOWS, ENTRIES, ARCHIVES], ids=["trails", "flows", "entries", "archives"]
)


async def page(house: House, query: str, **arguments: Any) -> dict[str, Any]:
    found = (await house.ada.ask(query, **arguments))["record"]
    found = found.get("flow") or found.get("ledger") or found
    said: dict[str, Any] = found["page"]
    return said


def names(of: dict[str, Any]) -> list[Any]:
    assert [edge["node"]["name"] for edge in of["edges"]] == [node["name"] for node in of["nodes"]]
    return [node["name"] for node in of["nodes"]]


async def fill(house: House) -> None:
    """Seven of each."""
    await house.delivery("delivery", *(f"build-{number}" for number in range(7)), template=None)
    for number in range(6):
        await house.ada.done("createFlow", name=f"flow-{number}")
    request = partial(house.ada.done, "requestArchive", kind="TRAIL", flow="delivery")
    await asyncio.gather(*(request(trail=f"build-{number}") for number in range(7)))


@EVERY
async def test_pages_forward_and_backward_are_the_whole_list(house: House, query: str) -> None:
    await fill(house)
    whole = names(await page(house, query, first=50))

    forward, after = [], None
    while True:
        found = await page(house, query, first=3, after=after)
        forward += names(found)
        assert found["pageInfo"]["hasPreviousPage"] is (after is not None)
        after = found["pageInfo"]["endCursor"]
        if not found["pageInfo"]["hasNextPage"]:
            break
    backward: list[Any] = []
    before = None
    while True:
        found = await page(house, query, last=3, before=before)
        backward = names(found) + backward
        assert found["pageInfo"]["hasNextPage"] is (before is not None)
        before = found["pageInfo"]["startCursor"]
        if not found["pageInfo"]["hasPreviousPage"]:
            break

    assert len(whole) >= 7
    assert forward == backward == whole


@EVERY
async def test_an_empty_page_is_a_page(house: House, query: str) -> None:
    await fill(house)

    nothing = await page(house, query, first=0)

    assert (nothing["edges"], nothing["pageInfo"]["endCursor"]) == ([], None)
    assert nothing["pageInfo"]["hasNextPage"] is True


NO_PAGES = (
    {"first": -1},
    {"first": 51},
    {"last": 51},
    {"last": -1},
    {"first": 1, "last": 1},
    {"first": 1, "before": "x"},
    {"last": 1, "after": "x"},
    {"first": 1, "after": "nonsense"},
    {"first": 1, "after": "\u00e9"},
    {"first": 1, "after": "AAAA"},
    {"last": 1, "before": "Zmxvd3M6AA"},
)


@EVERY
async def test_what_is_no_page_is_refused(house: House, query: str) -> None:
    await house.delivery(template=None)

    for arguments in NO_PAGES:
        assert await house.ada.code(query, **arguments) == "INVALID_INPUT", arguments


async def test_a_cursor_of_another_list_is_refused(house: House) -> None:
    await fill(house)
    cursors = [
        (await page(house, query, first=1))["pageInfo"]["endCursor"] for query in (TRAILS, FLOWS, ENTRIES, ARCHIVES)
    ]

    for query, own in zip((TRAILS, FLOWS, ENTRIES, ARCHIVES), cursors, strict=True):
        for cursor in cursors:
            if cursor != own:
                refused = await house.ada.refused(query, first=1, after=cursor)
                assert refused["extensions"] == {"code": "INVALID_INPUT", "field": "after"}


async def test_pages_stay_where_they_are_while_trails_begin(house: House) -> None:
    await house.delivery("delivery", *(f"old-{number}" for number in range(10)), template=None)
    ended = asyncio.Event()

    async def begin() -> None:
        number = 0
        while not ended.is_set():
            await house.ada.done("beginTrail", flow="delivery", name=f"new-{number}")
            await house.ada.done("beginTrail", flow="delivery", name=f"old-{number % 10}", description="Again.")
            number += 1

    beginning = asyncio.create_task(begin())
    found = await page(house, TRAILS, first=2)
    seen = names(found)
    while found["pageInfo"]["hasNextPage"]:
        found = await page(house, TRAILS, first=2, after=found["pageInfo"]["endCursor"])
        seen += names(found)
    ended.set()
    await beginning

    assert len(seen) == len(set(seen))
    assert [name for name in seen if name.startswith("old")] == [f"old-{number}" for number in reversed(range(10))]


async def test_entries_of_some_kinds_only(house: House) -> None:
    await fill(house)
    query = """query ($after: String) { record { ledger { entries(first: 4, after: $after, kinds: ["flow.created"]) {
      nodes { kind body } pageInfo { endCursor hasNextPage } } } } }"""

    first = (await house.ada.ask(query))["record"]["ledger"]["entries"]
    second = (await house.ada.ask(query, after=first["pageInfo"]["endCursor"]))["record"]["ledger"]["entries"]

    found = [node["body"]["name"] for node in first["nodes"] + second["nodes"]]
    assert found == ["delivery", *(f"flow-{number}" for number in range(6))]
    assert (first["pageInfo"]["hasNextPage"], second["pageInfo"]["hasNextPage"]) == (True, False)
