"""The record as it stood: the same question at the same point gives the same bytes, whatever was recorded or expired since."""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from api.graphql.record import _instant_of
from record.access.rules import Role
from record.clock import to_rfc3339
from record.settings import Settings
from tests.api.graphql.house import COMMIT, House, serving_schema
from tests.api.serving import MovableClock

WHOLE = """record(%s) { size instant ledger { size entries(first: 50) { nodes { index canonical } } } organization { name public }
  flows(first: 5) { nodes { name description template { version } trails(first: 3) { nodes { name description
    verdict { status holdsUntil     reasons { rule explanation entryIndex because { rule explanation entryIndex } } }
    artifacts { fingerprint } attestations { name compliant } } } } }
  principals { name grants { role } disabled } attestationTypes { name version } signingKeys { name } archives { nodes { id } }
  search(query: "d") { __typename ... on Flow { name description } } }"""
STATUS = 'record(%s) { instant trail(flow: "delivery", name: "build-1") { verdict { status holdsUntil } } }'


def at_size(size: int) -> str:
    return "{ " + WHOLE % f"size: {size}" + " }"


def at_instant(instant: str) -> str:
    return "{ " + WHOLE % f'at: "{instant}"' + " }"


@pytest_asyncio.fixture
async def moving(make_settings: Callable[..., Settings]) -> AsyncIterator[tuple[House, MovableClock]]:
    """An organization on a server whose clock can be moved."""
    clock = MovableClock()
    async with serving_schema(make_settings(), clock=clock) as served:
        yield await House.begin(served), clock


async def recorded(house: House) -> None:
    """Something of many kinds."""
    await house.delivery()
    await house.attest("pull-request")
    await house.artifact()
    await house.attest("app.unit-tests", compliant=False)
    await house.ada.done("defineAttestationType", name="perf", rules=[".ok"])


async def much_more(house: House) -> None:
    """Changes to everything that `recorded` made, and more of it."""
    await house.ada.done("changeFlow", name="delivery", description="Other.", template="version: 1\n", tags={"a": "b"})
    await house.ada.done("beginTrail", flow="delivery", name="build-1", description="Again.", commit={"sha": COMMIT})
    await house.delivery("docs")
    await house.attest("app.unit-tests")
    await house.attest("pull-request", compliant=False)
    await house.ada.done("defineAttestationType", name="perf", rules=[".ok", ".fine"])
    await house.ada.done("changePrincipal", name="ada", grants=[{"role": "ADMIN"}, {"role": "AUDITOR"}])
    await house.ada.done("changeOrganization", public=True)


async def answer(house: House, query: str) -> bytes:
    """The bytes as the record gives them, not the memory."""
    house.forget_answers()
    response = await house.ada.raw(query)
    assert "errors" not in response.json(), response.text
    return response.content


async def test_the_same_size_gives_the_same_bytes_whatever_came_after(house: House) -> None:
    await recorded(house)
    size = await house.size()
    before = [await answer(house, at_size(each)) for each in range(size + 1)]

    await much_more(house)
    _instant_of.cache_clear()

    assert [await answer(house, at_size(each)) for each in range(size + 1)] == before


async def test_the_same_instant_gives_the_same_bytes_whatever_came_after(house: House) -> None:
    await recorded(house)
    at = to_rfc3339(datetime.now(UTC))
    before = await answer(house, at_instant(at))

    await much_more(house)

    assert await answer(house, at_instant(at)) == before


async def test_an_instant_between_two_entries_sees_the_first_only(house: House) -> None:
    first = await house.ada.done("createFlow", name="one")
    second = await house.ada.done("createFlow", name="two")

    said = await house.ada.ask(
        "query ($a: DateTime!, $b: DateTime!) { "
        "a: record(at: $a) { size flows { nodes { name } } } b: record(at: $b) { size flows { nodes { name } } } }",
        a=first["receipt"]["at"],
        b=second["receipt"]["at"],
    )

    assert said["a"] == {"size": first["receipt"]["index"] + 1, "flows": {"nodes": [{"name": "one"}]}}
    assert said["b"] == {"size": second["receipt"]["index"] + 1, "flows": {"nodes": [{"name": "one"}, {"name": "two"}]}}


async def test_at_size_zero_there_is_nothing_yet_and_always_the_same_nothing(house: House) -> None:
    said = (await house.ada.ask(at_size(0)))["record"]
    first = (await house.ada.ask("{ record { ledger { entry(index: 0) { at } } } }"))["record"]["ledger"]["entry"]

    assert (said["size"], said["organization"], said["flows"]["nodes"], said["principals"]) == (0, None, [], [])
    assert said["instant"] == first["at"]


async def test_before_the_organization_began_there_was_nothing(house: House) -> None:
    said = (await house.ada.ask(at_instant("2001-01-01T00:00:00Z")))["record"]

    assert (said["size"], said["organization"], said["ledger"]["entries"]["nodes"]) == (0, None, [])
    assert said["instant"] == "2001-01-01T00:00:00.000000Z"


async def test_the_future_is_refused(house: House) -> None:
    later = to_rfc3339(datetime.now(UTC) + timedelta(minutes=1))

    refused = await house.ada.refused(at_instant(later))
    beyond = await house.ada.refused(at_size(await house.size() + 1))

    assert (refused["extensions"]["code"], refused["extensions"]["field"]) == ("INVALID_INPUT", "at")
    assert (beyond["extensions"]["code"], beyond["extensions"]["field"]) == ("INVALID_INPUT", "size")
    assert "future" in refused["message"]


@pytest.mark.parametrize(
    "point",
    ["size: -1", "size: 9007199254740992", "size: 1.5", 'at: "2026-11-22"', 'at: "2026-11-22T00:00:00"', "at: 5"],
)
async def test_what_is_no_point_is_refused(house: House, point: str) -> None:
    refused = await house.ada.refused(f"{{ record({point}) {{ size }} }}")

    assert refused["message"]


async def override(house: House, expires_at: datetime) -> None:
    amy = await house.hire("amy", Role.APPROVER)
    await amy.done(
        "override",
        flow="delivery",
        trail="build-1",
        name="waiver",
        overrides="app.unit-tests".rpartition(".")[2],
        fingerprint="f1" * 32,
        compliant=True,
        reason="Known flake.",
        expiresAt=to_rfc3339(expires_at),
    )


async def overridden(house: House, clock: MovableClock) -> datetime:
    """A trail that is compliant for an hour; when that ends."""
    await house.delivery()
    await house.attest("pull-request")
    await house.artifact()
    await house.attest("unit-tests", compliant=False, fingerprint="f1" * 32)
    expires_at = (clock.now() + timedelta(hours=1)).replace(microsecond=0)
    await override(house, expires_at)
    return expires_at


def status_of(response: Any) -> tuple[str, str | None]:
    verdict = response.json()["data"]["record"]["trail"]["verdict"]
    return verdict["status"], verdict["holdsUntil"]


async def test_an_answer_is_not_kept_beyond_an_expiry_in_it(moving: tuple[House, MovableClock]) -> None:
    house, clock = moving
    expires_at = await overridden(house, clock)
    query = '{ record { trail(flow: "delivery", name: "build-1") { verdict { status holdsUntil } } } }'

    first = await house.ada.raw(query)
    hits = house.served.app.state.view.answers.hits
    again = await house.ada.raw(query)
    clock.moved = timedelta(hours=1, minutes=1)
    later = await house.ada.raw(query, headers={"if-none-match": first.headers["etag"]})

    assert status_of(first) == ("COMPLIANT", to_rfc3339(expires_at))
    assert again.content == first.content
    assert house.served.app.state.view.answers.hits == hits + 1
    assert later.status_code == 200
    assert status_of(later) == ("NON_COMPLIANT", None)


async def test_a_size_keeps_its_instant_when_an_override_has_expired(moving: tuple[House, MovableClock]) -> None:
    house, clock = moving
    await overridden(house, clock)
    pinned = "{ " + STATUS % f"size: {await house.size()}" + " }"
    instant = to_rfc3339(clock.now())
    timed = "{ " + STATUS % f'at: "{instant}"' + " }"
    before = [await answer(house, query) for query in (pinned, timed)]

    clock.moved = timedelta(days=2)

    assert [await answer(house, query) for query in (pinned, timed)] == before
    assert b'"COMPLIANT"' in before[0]


async def test_an_instant_after_the_newest_entry_sees_what_has_expired_by_then(
    moving: tuple[House, MovableClock],
) -> None:
    house, clock = moving
    expires_at = await overridden(house, clock)
    clock.moved = timedelta(hours=2)

    said = await house.ada.ask(
        "query ($before: DateTime!, $after: DateTime!) { a: "
        + STATUS % "at: $before"
        + " b: "
        + STATUS % "at: $after"
        + " }",
        before=to_rfc3339(expires_at - timedelta(microseconds=1)),
        after=to_rfc3339(expires_at),
    )

    assert said["a"]["trail"]["verdict"] == {"status": "COMPLIANT", "holdsUntil": to_rfc3339(expires_at)}
    assert said["b"]["trail"]["verdict"] == {"status": "NON_COMPLIANT", "holdsUntil": None}


async def test_who_holds_the_answer_is_told_so(house: House) -> None:
    await recorded(house)
    size = await house.size()
    now, then = "{ record { flows { nodes { name } } } }", at_size(size)
    tags = [(await house.ada.raw(query)).headers["etag"] for query in (now, then)]

    same = [
        await house.ada.raw(query, headers={"if-none-match": tag}) for query, tag in zip((now, then), tags, strict=True)
    ]
    await house.ada.done("createFlow", name="another")
    later = [
        await house.ada.raw(query, headers={"if-none-match": tag}) for query, tag in zip((now, then), tags, strict=True)
    ]

    assert [(response.status_code, response.content) for response in same] == [(304, b""), (304, b"")]
    assert [response.status_code for response in later] == [200, 304]
    assert later[1].headers["muniment-ledger-size"] == str(size)
