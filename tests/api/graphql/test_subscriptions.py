"""Subscriptions to the ledger: each entry once, in order, through breaks and writes; nothing to whoever is shut out."""

import asyncio
from typing import Any

import pytest

from record.access.rules import Grant, Role
from tests.api.graphql.house import Client, House
from tests.api.graphql.listening import WAYS, listen

ENTRIES = "subscription ($after: LedgerSize) { entries(after: $after) { index kind leafHash principal } }"

each_way = pytest.mark.parametrize("way", WAYS)


async def hear(way: str, client: Client, until: int, after: int | None) -> list[dict[str, Any]]:
    """Entries from `after` on until the one with index `until`."""
    heard: list[dict[str, Any]] = []
    listening = listen(way, client, ENTRIES, after=after)
    try:
        async for result in listening:
            assert "errors" not in result, result
            heard.append(result["data"]["entries"])
            if heard[-1]["index"] >= until:
                break
    finally:
        await listening.aclose()
    return heard


async def errors_of(way: str, client: Client, query: str, **variables: Any) -> str:
    """The code with which a subscription ends."""
    async for result in listen(way, client, query, **variables):
        if result.get("errors"):
            code: str = result["errors"][0]["extensions"]["code"]
            return code
    raise AssertionError("it ended without a reason")


@each_way
async def test_every_entry_is_heard_once_through_breaks_and_concurrent_writes(house: House, way: str) -> None:
    await house.delivery(template=None)
    size, count = await house.size(), 60
    wanted = size + count

    async def write(number: int) -> None:
        await house.ada.done("beginTrail", flow="delivery", name=f"t-{number}")

    writing = asyncio.gather(*(write(number) for number in range(count)))
    heard: list[dict[str, Any]] = []
    while len(heard) < wanted:
        after = len(heard)
        heard += await hear(way, house.ada, until=min(after + 17, wanted) - 1, after=after)
    await writing

    assert [entry["index"] for entry in heard] == list(range(wanted))
    said = await house.ada.ask(
        "{ record { ledger { entries(last: 50) { nodes { index kind leafHash principal } } } } }"
    )
    assert heard[-50:] == said["record"]["ledger"]["entries"]["nodes"]


@each_way
async def test_without_a_beginning_one_hears_what_comes_from_now_on(house: House, way: str) -> None:
    size = await house.size()
    hearing = asyncio.create_task(hear(way, house.ada, until=0, after=None))
    while not len(house.served.app.state.view.asking.subscriptions):
        await asyncio.sleep(0.01)

    await house.ada.done("createFlow", name="delivery")

    assert [(entry["index"], entry["kind"]) for entry in await hearing] == [(size, "flow.created")]


@each_way
async def test_only_who_may_read_everything_hears_entries(house: House, way: str) -> None:
    for name, grant in (
        ("bob", Grant(Role.READER, flows=frozenset({"delivery"}))),
        ("eve", Grant(Role.SNAPSHOTTER)),
    ):
        somebody = await house.hire(name, grant)
        assert await errors_of(way, somebody, ENTRIES, after=0) == "NOT_ALLOWED"


@each_way
async def test_who_is_shut_out_does_not_hear_that_entry_any_more(house: House, way: str) -> None:
    endings: dict[str, tuple[str, dict[str, Any]]] = {
        "UNAUTHENTICATED": ("revokeKey", {"reason": "lost"}),
        "NOT_ALLOWED": ("changePrincipal", {"grants": [{"role": "SNAPSHOTTER"}]}),
    }
    for code, (mutation, wish) in endings.items():
        name = f"somebody-{code.lower()}"
        somebody = await house.hire(name, Role.READER)
        size = await house.size()
        heard: list[dict[str, Any]] = []
        listening = listen(way, somebody, ENTRIES, after=size - 1)
        heard.append(await anext(listening))
        about = {"keyId": await key_of(house, name)} if mutation == "revokeKey" else {"name": name}
        await house.ada.done(mutation, **about, **wish)
        heard += [result async for result in listening]

        assert [result["data"]["entries"]["index"] for result in heard[:-1]] == [size - 1]
        assert heard[-1]["errors"][0]["extensions"]["code"] == code


async def key_of(house: House, name: str) -> str:
    said = await house.ada.ask("{ record { principals { name keys { id } } } }")
    found: str = next(each["keys"][0]["id"] for each in said["record"]["principals"] if each["name"] == name)
    return found


@each_way
async def test_anyone_hears_a_public_organization_until_it_is_private_again(house: House, way: str) -> None:
    await house.ada.done("changeOrganization", public=True)
    size = await house.size()
    listening = listen(way, house.anyone(), ENTRIES, after=size - 1)
    first = await anext(listening)
    await house.ada.done("createFlow", name="delivery")
    second = await anext(listening)

    await house.ada.done("changeOrganization", public=False)
    (last,) = [result async for result in listening]

    assert [result["data"]["entries"]["index"] for result in (first, second)] == [size - 1, size]
    assert last["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"


@each_way
async def test_a_subscription_of_one_organization_hears_nothing_of_another(house: House, way: str) -> None:
    stranger = await House.begin(house.served, f"stranger-of-{house.people.name}")
    size = await house.size()
    hearing = asyncio.create_task(hear(way, house.ada, until=size, after=0))

    await stranger.ada.done("createFlow", name="theirs")
    await house.ada.done("createFlow", name="ours")

    assert [entry["index"] for entry in await hearing] == list(range(size + 1))


async def test_faults_of_a_subscription_are_told(house: House) -> None:
    wrong = [result async for result in listen("websocket", house.ada, ENTRIES, after=-1)]

    assert wrong[0]["errors"]
