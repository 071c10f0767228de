"""Signed checkpoints as a list: the newest first, page by page, and as they stood at an earlier size."""

import asyncio
from typing import Any

from record.access.rules import Role
from tests.api.graphql.house import House

LISTED = """query ($size: LedgerSize, $first: Int, $after: String, $last: Int, $before: String) {
  record(size: $size) { size ledger { origin checkpoints(first: $first, after: $after, last: $last, before: $before) {
    nodes { size root note signedAt } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } } } }"""


async def listed(house: House, **asked: Any) -> dict[str, Any]:
    found: dict[str, Any] = (await house.ada.ask(LISTED, **asked))["record"]["ledger"]["checkpoints"]
    return found


async def signed(house: House, least: int) -> list[int]:
    """The sizes of all checkpoints, once there are so many and the newest covers everything."""
    for number in range(300):
        said = (await house.ada.ask(LISTED, first=50))["record"]
        sizes = [each["size"] for each in said["ledger"]["checkpoints"]["nodes"]]
        if len(sizes) >= least and sizes[0] == said["size"]:
            return sizes
        if sizes and sizes[0] == said["size"]:
            await house.ada.done("createFlow", name=f"grown-{number}")
        await asyncio.sleep(0.1)
    raise AssertionError("nothing was signed")


async def test_checkpoints_are_listed_the_newest_first_each_with_its_note(working_house: House) -> None:
    sizes = await signed(working_house, 3)

    said = (await working_house.ada.ask(LISTED, first=50))["record"]["ledger"]

    assert sizes == sorted(set(sizes), reverse=True)
    for each in said["checkpoints"]["nodes"]:
        origin, size, _root = each["note"].split("\n")[:3]
        assert (origin, int(size)) == (said["origin"], each["size"])
        assert len(each["root"]) == 64


async def test_they_are_turned_page_by_page_in_both_directions(working_house: House) -> None:
    sizes = await signed(working_house, 4)
    start = sizes[:4]

    first = await listed(working_house, size=start[0], first=2)
    second = await listed(working_house, size=start[0], first=2, after=first["pageInfo"]["endCursor"])
    back = await listed(working_house, size=start[0], last=2, before=second["pageInfo"]["startCursor"])
    nearer = await listed(working_house, size=start[0], last=1, before=second["pageInfo"]["startCursor"])

    assert [each["size"] for each in first["nodes"] + second["nodes"]] == start
    assert back["nodes"] == first["nodes"]
    assert nearer["nodes"] == first["nodes"][1:]
    assert (first["pageInfo"]["hasNextPage"], first["pageInfo"]["hasPreviousPage"]) == (True, False)
    assert (nearer["pageInfo"]["hasPreviousPage"], nearer["pageInfo"]["hasNextPage"]) == (True, True)


async def test_at_an_earlier_size_those_beyond_it_are_not_there(working_house: House) -> None:
    sizes = await signed(working_house, 3)

    at = await listed(working_house, size=sizes[1], first=50)
    between = await listed(working_house, size=sizes[1] - 1, first=50)

    assert [each["size"] for each in at["nodes"]] == sizes[1:]
    assert [each["size"] for each in between["nodes"]] == sizes[2:]


async def test_a_cursor_of_another_list_is_refused(working_house: House) -> None:
    await signed(working_house, 1)
    entries = "{ record { ledger { entries(first: 1) { pageInfo { endCursor } } } } }"
    cursor = (await working_house.ada.ask(entries))["record"]["ledger"]["entries"]["pageInfo"]["endCursor"]

    assert await working_house.ada.code(LISTED, first=2, after=cursor) == "INVALID_INPUT"


async def test_an_organization_sees_its_own_checkpoints_alone(working_house: House) -> None:
    await signed(working_house, 1)
    reader = await working_house.hire("ruth", Role.READER)

    said = (await reader.ask(LISTED, first=50))["record"]["ledger"]

    assert {each["note"].split("\n")[0] for each in said["checkpoints"]["nodes"]} == {said["origin"]}
