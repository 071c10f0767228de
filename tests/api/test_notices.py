"""Notices as an admin meets them: made, tried, watched and replayed over GraphQL, with a worker beside the API."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook

from record.access.rules import Role
from record.settings import Settings
from tests.api.graphql.house import House, serving_schema
from tests.workers.desk import on_loopback, sending
from tests.workers.receivers import Receiver, answers, receiving

NOTICE = """{ record { notice(name: "alerts") {
  id name channel targets triggers flows environments disabled disabledBecause version recordedBy previousSecretUntil
  health { deliveredAt failingSince waiting }
  deliveries(first: 10) { nodes {
    id messageId type title recipient status data causeIndex attemptCount responseStatus nextAttemptAt endedAt failure
    attempts { number beganAt endedAt delivered responseStatus response failure } } } } } }"""
DELIVERIES = """query ($status: DeliveryStatus, $first: Int, $after: String, $last: Int, $before: String) {
  record { notice(name: "alerts") { deliveries(status: $status, first: $first, after: $after, last: $last, before: $before) {
    pageInfo { hasNextPage endCursor startCursor } nodes { causeIndex status } } } } }"""
NODE = "query ($id: ID!) { node(id: $id) { __typename id } }"


@pytest.fixture
async def house(make_settings: Callable[..., Settings], tmp_path: Path) -> AsyncIterator[House]:
    settings = on_loopback(make_settings(), tmp_path, notice_retry_seconds=0.05)
    async with serving_schema(settings) as served:
        house = await House.begin(served)
        await house.delivery("delivery", "t0")
        yield house


async def made(house: House, receiver: Receiver, **more: Any) -> dict[str, Any]:
    wish: dict[str, Any] = {
        "name": "alerts",
        "channel": "WEBHOOK",
        "triggers": ["TRAIL_BEGUN"],
        "url": receiver.url,
        **more,
    }
    return await house.ada.done("createNotice", "secret notice { id name targets }", **wish)


async def begin_trails(house: House, *names: str) -> None:
    for name in names:
        await house.ada.done("beginTrail", flow="delivery", name=name)


async def deliveries_when(house: House, reached: Callable[[list[Any]], bool]) -> list[Any]:
    """The deliveries once they are so: each look is a request, which is pause enough."""
    for _ in range(2_000):
        nodes: list[Any] = (await house.ada.ask(NOTICE))["record"]["notice"]["deliveries"]["nodes"]
        if reached(nodes):
            return nodes
    raise AssertionError(nodes)


def ended(count: int) -> Callable[[list[Any]], bool]:
    return lambda nodes: len(nodes) >= count and all(each["endedAt"] for each in nodes)


async def test_a_notice_is_made_and_its_delivery_watched(house: House) -> None:
    async with receiving(answers(500, b"not now")) as receiver, sending(house.served.record):
        created = await made(house, receiver, environments=None)
        await begin_trails(house, "t1")
        (delivery,) = await deliveries_when(house, ended(1))
        notice = (await house.ada.ask(NOTICE))["record"]["notice"]

    assert created["receipt"]["kind"] == "notice.created"
    assert created["notice"]["targets"] == [receiver.url]
    assert Webhook(created["secret"]).verify(receiver.received[-1].body, receiver.received[-1].headers)
    assert delivery["messageId"] == receiver.received[0].headers["webhook-id"]
    assert (delivery["type"], delivery["title"], delivery["status"]) == (
        "trail.begun",
        "delivery/t1 was begun",
        "DELIVERED",
    )
    assert delivery["data"]["trail"] == "t1"
    assert [(each["responseStatus"], each["delivered"], each["response"]) for each in delivery["attempts"]] == [
        (204, True, None),
        (500, False, "not now"),
    ]
    assert (notice["triggers"], notice["flows"], notice["version"]) == (["TRAIL_BEGUN"], None, 1)
    assert (notice["health"]["failingSince"], notice["health"]["waiting"]) == (None, 0)
    assert notice["health"]["deliveredAt"] == delivery["endedAt"]
    assert "secret" not in str(notice)


async def test_a_repeated_request_gets_the_receipt_and_no_secret(house: House) -> None:
    async with receiving() as receiver:
        first = await made(house, receiver, idempotencyKey="k")
        again = await made(house, receiver, idempotencyKey="k")

    assert first["secret"].startswith("whsec_")
    assert (again["secret"], again["receipt"]["replayed"]) == (None, True)
    assert again["notice"] == first["notice"]


async def test_a_sample_is_sent_and_a_failed_one_replayed(house: House) -> None:
    async with receiving(answers(503)) as receiver, sending(house.served.record):
        await made(house, receiver)
        tested = await house.ada.done("testNotice", "notice { name }", name="alerts")
        (sample,) = await deliveries_when(house, ended(1))
        replayed = await house.ada.done("replayDelivery", "notice { name }", delivery=sample["id"])
        (delivered,) = await deliveries_when(house, lambda nodes: nodes[0]["status"] == "DELIVERED")

    assert (tested["receipt"]["kind"], replayed["receipt"]["kind"]) == ("notice.tested", "notice.replayed")
    assert (sample["type"], sample["status"], sample["attemptCount"]) == ("notice.sample", "GIVEN_UP", 1)
    assert sample["failure"] == "The receiver answered 503."
    assert (delivered["id"], delivered["failure"], delivered["attemptCount"]) == (sample["id"], None, 2)


async def test_a_notice_is_changed_rotated_disabled_and_enabled(house: House) -> None:
    async with receiving() as receiver:
        await made(house, receiver)
        changed = await house.ada.done(
            "changeNotice", "notice { triggers flows }", name="alerts", triggers=["ARCHIVE_READY"], flows=["delivery"]
        )
        rotated = await house.ada.done("rotateNoticeSecret", "secret notice { previousSecretUntil }", name="alerts")
        disabled = await house.ada.done(
            "disableNotice", "notice { disabled disabledBecause }", name="alerts", reason="loud"
        )
        enabled = await house.ada.done(
            "changeNotice", "notice { disabled disabledBecause }", name="alerts", enabled=True
        )

    assert changed["notice"] == {"triggers": ["ARCHIVE_READY"], "flows": ["delivery"]}
    assert rotated["secret"].startswith("whsec_")
    assert rotated["notice"]["previousSecretUntil"] is not None
    assert disabled["notice"] == {"disabled": True, "disabledBecause": "loud"}
    assert enabled["notice"] == {"disabled": False, "disabledBecause": None}


async def test_deliveries_are_paged_and_narrowed(house: House) -> None:
    async with receiving() as receiver, sending(house.served.record):
        await made(house, receiver)
        await begin_trails(house, *[f"t{number}" for number in range(1, 6)])
        await deliveries_when(house, ended(5))

    async def page(**asked: Any) -> Any:
        return (await house.ada.ask(DELIVERIES, **asked))["record"]["notice"]["deliveries"]

    everything = [each["causeIndex"] for each in (await page())["nodes"]]
    first = await page(first=2)
    second = await page(first=2, after=first["pageInfo"]["endCursor"])
    back = await page(last=2, before=second["pageInfo"]["startCursor"])

    assert len(everything) == 5
    assert [each["causeIndex"] for each in first["nodes"] + second["nodes"]] == everything[:4]
    assert first["pageInfo"]["hasNextPage"]
    assert back["nodes"] == first["nodes"]
    assert len((await page(status="DELIVERED"))["nodes"]) == 5
    assert (await page(status="GIVEN_UP"))["nodes"] == (await page(status="WAITING"))["nodes"] == []


async def test_only_admins_see_notices_and_nobody_sees_those_of_others(house: House) -> None:
    bob = await house.hire("bob", Role.AUDITOR, Role.WRITER)
    stranger = await House.begin(house.served, "globex")
    async with receiving() as receiver, sending(house.served.record):
        created = await made(house, receiver)
        await begin_trails(house, "t1")
        (delivery,) = await deliveries_when(house, ended(1))

    assert await bob.code('{ record { notice(name: "alerts") { id } } }') == "NOT_ALLOWED"
    assert await bob.code("{ record { notices { nodes { id } } } }") == "NOT_ALLOWED"
    for kind, node_id in (("Notice", created["notice"]["id"]), ("Delivery", delivery["id"])):
        assert await house.ada.ask(NODE, id=node_id) == {"node": {"__typename": kind, "id": node_id}}
        for other in (bob, stranger.ada):
            assert await other.ask(NODE, id=node_id) == {"node": None}
    async with house.nothing_recorded(), stranger.nothing_recorded():
        assert (await stranger.ada.do("replayDelivery", delivery=delivery["id"]))["code"] == "NOT_FOUND"
        assert (await bob.do("replayDelivery", delivery=delivery["id"]))["code"] == "NOT_ALLOWED"


async def test_notices_are_listed_by_name_and_as_they_were(house: House) -> None:
    async with receiving() as receiver:
        first = await made(house, receiver, name="b")
        await made(house, receiver, name="a")
        await house.ada.done("disableNotice", name="b")

    listed = await house.ada.ask("{ record { notices { nodes { name disabled } } } }")
    then = await house.ada.ask(
        "query ($size: LedgerSize) { record(size: $size) { notices { nodes { name disabled } } } }",
        size=first["receipt"]["index"] + 1,
    )

    assert listed["record"]["notices"]["nodes"] == [{"name": "a", "disabled": False}, {"name": "b", "disabled": True}]
    assert then["record"]["notices"]["nodes"] == [{"name": "b", "disabled": False}]


async def test_what_may_not_be_is_refused(house: House) -> None:
    wish: dict[str, Any] = {"name": "alerts", "channel": "WEBHOOK", "triggers": ["TRAIL_BEGUN"]}

    async with house.nothing_recorded():
        for url in ("https://10.0.0.1/", "https://user:word@example.com/", "ftp://example.com/"):
            refused = await house.ada.do("createNotice", **wish, url=url)
            assert (refused["code"], refused["field"]) == ("INVALID_INPUT", "url")
        assert (await house.ada.do("testNotice", name="alerts"))["code"] == "NOT_FOUND"
