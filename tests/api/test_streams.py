"""Subscriptions over WebSockets and server-sent events: who may open them, what ends them, and what they let out."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
import websockets
from websockets.asyncio.client import ClientConnection, connect

from api.graphql import streams
from record.access import queries, service
from record.access.service import ChangeOrganization
from record.moment import Moment
from record.settings import Settings
from tests.api.serving import Organization, Served, serving

PROTOCOL = websockets.Subprotocol("graphql-transport-ws")


@asynccontextmanager
async def socket(served: Served, **more: Any) -> AsyncIterator[ClientConnection]:
    url = served.url.replace("http://", "ws://").rstrip("/") + "/graphql"
    async with connect(url, subprotocols=[PROTOCOL], **more) as connection:
        yield connection


async def begin(connection: ClientConnection, organization: Organization | None) -> None:
    payload = {} if organization is None else {"authorization": f"Bearer {organization.token}"}
    await connection.send(json.dumps({"type": "connection_init", "payload": payload}))


async def heard(connection: ClientConnection) -> dict[str, Any]:
    message: dict[str, Any] = json.loads(await asyncio.wait_for(connection.recv(), 20))
    return message


async def subscribe(connection: ClientConnection, query: str, **more: Any) -> None:
    await connection.send(json.dumps({"id": "1", "type": "subscribe", "payload": {"query": query, **more}}))


async def events(served: Served, organization: Organization, query: str) -> AsyncGenerator[tuple[str, str], None]:
    headers = {**organization.headers, "accept": "text/event-stream"}
    async with served.client.stream("POST", "/graphql", json={"query": query}, headers=headers) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        name = ""
        async for line in response.aiter_lines():
            if line.startswith("event:"):
                name = line.removeprefix("event:").strip()
            elif line.startswith("data:"):
                yield name, line.removeprefix("data:").strip()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Callers are recognised again ten times a second."""
    monkeypatch.setattr(streams, "RECOGNISE_EVERY_SECONDS", 0.1)


async def revoke(served: Served, organization: Organization) -> None:
    moment = Moment.latest(organization.operator.org_id, served.record.clock.now())
    async with served.record.database.connection(moment.org_id) as connection:
        (key,) = await queries.keys(connection, moment)
    await service.revoke_key(served.record, organization.operator, key_id=key.key_id, reason="lost")


async def test_a_subscription_is_answered_over_a_websocket(served: Served, acme: Organization) -> None:
    async with socket(served) as connection:
        await begin(connection, acme)
        assert (await heard(connection))["type"] == "connection_ack"

        await subscribe(connection, "subscription ($to: Int!) { count(to: $to) }", variables={"to": 2})
        said = [await heard(connection) for _ in range(3)]

    assert [message["type"] for message in said] == ["next", "next", "complete"]
    assert [message["payload"]["data"] for message in said[:2]] == [{"count": 0}, {"count": 1}]


async def test_a_key_in_the_header_opens_a_websocket_too(served: Served, acme: Organization) -> None:
    async with socket(served, additional_headers=acme.headers) as connection:
        await begin(connection, None)

        assert (await heard(connection))["type"] == "connection_ack"


@pytest.mark.parametrize("token", [None, "mun_nonsense"])
async def test_a_websocket_without_a_good_key_is_closed(served: Served, acme: Organization, token: str | None) -> None:
    async with socket(served) as connection:
        await begin(connection, Organization(acme.operator, token) if token else None)

        with pytest.raises(websockets.ConnectionClosed) as closed:
            await heard(connection)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4403


async def test_nothing_is_answered_before_the_key_came(served: Served, acme: Organization) -> None:
    async with socket(served, additional_headers=acme.headers) as connection:
        await subscribe(connection, "{ viewer }")

        with pytest.raises(websockets.ConnectionClosed) as closed:
            await heard(connection)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4401


async def test_a_page_of_another_origin_may_not_open_a_websocket(served: Served) -> None:
    with pytest.raises(websockets.InvalidStatus) as refused:
        async with socket(served, origin=websockets.Origin("https://evil.example")):
            pass

    assert refused.value.response.status_code == 403


async def test_a_page_of_the_public_url_may_open_one(make_settings: Callable[..., Settings]) -> None:
    async with serving(make_settings(public_url="https://muniment.example/x")) as served:
        async with socket(served, origin=websockets.Origin("https://muniment.example")) as connection:
            assert connection.subprotocol == PROTOCOL


async def test_queries_over_a_websocket_keep_the_limits_and_the_masks(served: Served, acme: Organization) -> None:
    async with socket(served) as connection:
        await begin(connection, acme)
        await heard(connection)
        said = []
        for query in ("{ viewer }", "{ broken }", "{" + "viewer " * 3_000 + "}", "{ nothing }", "{ missing }"):
            await subscribe(connection, query)
            message = await heard(connection)
            said.append(message)
            while message["type"] == "next":
                message = await heard(connection)

    answer, broken, long, wrong, missing = said
    assert answer["payload"] == {"data": {"viewer": "ada"}}
    assert "swordfish" not in json.dumps(broken)
    assert broken["payload"]["errors"][0]["extensions"]["code"] == "INTERNAL"
    assert (long["type"], wrong["type"]) == ("error", "error")
    assert missing["payload"]["errors"][0]["extensions"] == {"code": "NOT_FOUND"}


async def test_json_that_is_not_strict_closes_a_websocket(served: Served, acme: Organization) -> None:
    async with socket(served) as connection:
        await begin(connection, acme)
        await heard(connection)
        await connection.send('{"type":"ping","type":"ping"}')

        with pytest.raises(websockets.ConnectionClosed) as closed:
            await heard(connection)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4400


async def test_a_revoked_key_ends_its_websocket_subscriptions(
    served: Served, acme: Organization, impatient: None
) -> None:
    async with socket(served) as connection:
        await begin(connection, acme)
        await heard(connection)
        await subscribe(connection, "subscription { count(to: 1000, pause: 0.05) }")
        assert (await heard(connection))["type"] == "next"

        await revoke(served, acme)
        message = await heard(connection)
        while "errors" not in message["payload"]:
            message = await heard(connection)
        last = await heard(connection)

    assert message["payload"]["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
    assert last["type"] == "complete"


async def test_a_subscription_is_answered_by_server_sent_events(served: Served, acme: Organization) -> None:
    heard = [event async for event in events(served, acme, "subscription { count(to: 2) }")]

    assert heard == [("next", '{"data":{"count":0}}'), ("next", '{"data":{"count":1}}'), ("complete", "")]


async def test_a_query_may_be_answered_by_an_event(served: Served, acme: Organization) -> None:
    heard = [event async for event in events(served, acme, "{ viewer }")]

    assert heard == [("next", '{"data":{"viewer":"ada"}}'), ("complete", "")]


async def test_events_need_a_key_and_a_valid_document(served: Served, acme: Organization) -> None:
    accepts = {"accept": "text/event-stream"}

    anonymous = await served.ask(None, "subscription { count(to: 2) }", headers=accepts)
    invalid = await served.ask(acme, "subscription { nothing }", headers=accepts)

    assert anonymous.status_code == 401
    assert "data" not in invalid.json()


async def test_faults_in_a_stream_are_masked(served: Served, acme: Organization) -> None:
    heard = [event async for event in events(served, acme, "subscription { fail }")]

    assert "swordfish" not in json.dumps(heard)
    assert "INTERNAL" in json.dumps(heard)


async def test_a_revoked_key_ends_its_events(served: Served, acme: Organization, impatient: None) -> None:
    said = []
    async for name, data in events(served, acme, "subscription { count(to: 1000, pause: 0.05) }"):
        said.append((name, data))
        if len(said) == 1:
            await revoke(served, acme)

    assert "UNAUTHENTICATED" in said[-2][1]
    assert said[-1] == ("complete", "")
    assert len(said) < 100


async def test_a_subscription_over_plain_json_is_told_where_to_go(served: Served, acme: Organization) -> None:
    response = await served.ask(acme, "subscription { count(to: 2) }")

    assert response.status_code == 400
    assert "text/event-stream" in response.json()["errors"][0]["message"]


async def test_a_key_holds_only_so_many_subscriptions(make_settings: Callable[..., Settings]) -> None:
    async with serving(make_settings(subscriptions_per_key_max=1)) as served:
        acme = await served.organization()
        held = events(served, acme, "subscription { count(to: 1000, pause: 0.05) }")
        assert (await anext(held))[0] == "next"

        one_too_many = [event async for event in events(served, acme, "subscription { count(to: 2) }")]
        await held.aclose()

    assert "TOO_LARGE" in one_too_many[0][1]


@asynccontextmanager
async def anonymous(served: Served, address: str, **headers: str) -> AsyncIterator[str]:
    """Somebody without a key subscribes from this address, and stays; the first thing that they are told."""
    transport = httpx.AsyncHTTPTransport(local_address=address)
    said = {"authorization": "Public acme", "accept": "text/event-stream", **headers}
    asked = {"query": "subscription { count(to: 1000, pause: 0.05) }"}
    async with httpx.AsyncClient(base_url=served.url, transport=transport, timeout=20) as client:
        async with client.stream("POST", "/graphql", json=asked, headers=said) as response:
            async for line in response.aiter_lines():
                if line.startswith("data:"):
                    yield line
                    return


async def opened(served: Served) -> None:
    """An organization that everybody may read."""
    acme = await served.organization()
    await service.change_organization(served.record, acme.operator, ChangeOrganization(public=True))


async def test_readers_without_a_key_are_bounded_by_their_address_and_together(
    make_settings: Callable[..., Settings],
) -> None:
    async with serving(make_settings(subscriptions_per_key_max=1, subscriptions_anonymous_max=2)) as served:
        await opened(served)
        async with anonymous(served, "127.0.0.1") as first, anonymous(served, "127.0.0.1") as second:
            async with anonymous(served, "127.0.0.2") as elsewhere, anonymous(served, "127.0.0.3") as third:
                assert '"count":0' in first
                assert "This address holds 1 subscriptions open already" in second
                assert '"count":0' in elsewhere
                assert "Readers without a key hold 2 subscriptions open together" in third


@pytest.mark.parametrize(("proxies", "believed"), [(None, False), ("10.0.0.0/8", False), ("127.0.0.0/8", True)])
async def test_behind_a_proxy_that_is_named_readers_are_told_apart(
    make_settings: Callable[..., Settings], proxies: str | None, believed: bool
) -> None:
    async with serving(make_settings(subscriptions_per_key_max=1, http_proxies=proxies)) as served:
        await opened(served)
        one, other = {"x-forwarded-for": "203.0.113.7"}, {"x-forwarded-for": "203.0.113.8"}
        async with anonymous(served, "127.0.0.1", **one) as first, anonymous(served, "127.0.0.1", **other) as second:
            assert '"count":0' in first
            assert ("This address holds" not in second) is believed
            async with anonymous(served, "127.0.0.1", **one) as third:
                assert "This address holds" in third


async def test_a_listener_that_goes_away_frees_its_place(make_settings: Callable[..., Settings]) -> None:
    async with serving(make_settings(subscriptions_per_key_max=1)) as served:
        acme = await served.organization()
        async with socket(served) as connection:
            await begin(connection, acme)
            await heard(connection)
            await subscribe(connection, "subscription { count(to: 1000, pause: 0.05) }")
            await heard(connection)
            assert len(served.app.state.view.asking.subscriptions) == 1

        async with asyncio.timeout(5):
            while len(served.app.state.view.asking.subscriptions):
                await asyncio.sleep(0.01)


async def test_a_server_that_stops_ends_its_streams(make_settings: Callable[..., Settings]) -> None:
    said: list[str] = []
    async with serving(make_settings()) as served:
        acme = await served.organization()
        listening = asyncio.Event()

        async def listen() -> None:
            async for _, data in events(served, acme, "subscription { count(to: 100000, pause: 0.02) }"):
                said.append(data)
                listening.set()

        listener = asyncio.create_task(listen())
        await listening.wait()
        served.app.state.stopping.set()
        try:
            await asyncio.wait_for(listener, 5)
        except httpx.HTTPError:
            pytest.fail("the stream was cut off instead of ended")

    assert "stopping" in said[-2]
