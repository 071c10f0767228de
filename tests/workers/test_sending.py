"""One message to one receiver: what counts as taken, what does not, and that nothing is sent where it must not go."""

import asyncio
import ssl
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from record.ids import DeliveryId
from record.notices.messages import Told, mail
from record.notices.targets import checked_target
from record.settings import Settings
from tests.workers.receivers import answers, certificates, cuts_off, hangs, mail_server, never_stops, receiving
from workers.deliveries import trusted
from workers.sending.failures import NotTaken
from workers.sending.mail import hand_over
from workers.sending.webhooks import Taken, post

LOOPBACK = (ip_network("127.0.0.0/8"),)
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


async def send(url: str, *, seconds: float = 5, networks: Any = LOOPBACK, trust: ssl.SSLContext | None = None) -> Taken:
    return await post(
        checked_target(url, http_allowed=True, networks=networks),
        b'{"a":1}',
        {"webhook-id": "msg_1"},
        networks=networks,
        trust=trust or ssl.create_default_context(),
        timeout_seconds=seconds,
        now=NOW,
    )


async def refused(url: str, **more: Any) -> NotTaken:
    with pytest.raises(NotTaken) as raised:
        await send(url, **more)
    return raised.value


@contextmanager
def names(monkeypatch: pytest.MonkeyPatch, **known: list[str]) -> Iterator[list[str]]:
    """What names resolve to, one list for each look-up, the last one for good; and the look-ups there were."""
    asked: list[str] = []
    left = {name.replace("_", "."): list(answers) for name, answers in known.items()}

    async def resolve(_loop: Any, host: str, port: int, **_more: Any) -> list[Any]:
        asked.append(host)
        answer = left[host].pop(0) if len(left[host]) > 1 else left[host][0]
        return [(0, 0, 0, "", (address, port)) for address in answer.split()]

    with monkeypatch.context() as patch:
        patch.setattr(type(asyncio.get_running_loop()), "getaddrinfo", resolve)
        yield asked


async def test_what_is_answered_with_2xx_was_taken() -> None:
    async with receiving(answers(202, b"thanks")) as receiver:
        taken = await send(receiver.url)

    (request,) = receiver.received
    assert taken.status == 202
    assert (request.path, request.body) == ("/hook?x=1", b'{"a":1}')
    assert request.headers["host"] == f"127.0.0.1:{receiver.port}"
    assert (request.headers["content-type"], request.headers["webhook-id"]) == ("application/json", "msg_1")
    assert request.headers["user-agent"] == "Muniment"


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 503])
async def test_any_other_answer_is_a_failure_and_its_beginning_is_shown(status: int) -> None:
    async with receiving(answers(status, b"no\r\n\x1b[31mway")) as receiver:
        failure = await refused(receiver.url)

    assert (failure.status, failure.response, failure.for_good) == (status, "no [31mway", False)


async def test_a_receiver_that_is_gone_is_not_tried_again() -> None:
    async with receiving(answers(410)) as receiver:
        assert (await refused(receiver.url)).for_good


async def test_a_redirect_is_not_followed() -> None:
    async with receiving() as elsewhere, receiving(answers(302, location=elsewhere.url)) as receiver:
        failure = await refused(receiver.url)

    assert failure.status == 302
    assert elsewhere.received == []


async def test_a_receiver_that_hangs_is_left_after_the_time() -> None:
    async with receiving(hangs) as receiver:
        failure = await refused(receiver.url, seconds=0.3)

    assert "within 0.3 seconds" in str(failure)


async def test_a_receiver_that_cuts_off_may_have_it() -> None:
    async with receiving(cuts_off) as receiver:
        failure = await refused(receiver.url)

    assert len(receiver.received) == 1
    assert "broke off" in str(failure)


async def test_an_endless_answer_is_read_up_to_a_bound() -> None:
    async with receiving(never_stops) as receiver:
        failure = await refused(receiver.url)

    assert failure.status == 500
    assert len(failure.response or "") <= 300


async def test_nobody_there_is_a_failure() -> None:
    async with receiving() as receiver:
        url = receiver.url
    assert "No connection" in str(await refused(url))


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("120", 120),
        (format_datetime(NOW + timedelta(minutes=3), usegmt=True), 180),
        ("soon", None),
        ("-5", None),
        ("9" * 30, None),
    ],
)
async def test_a_receiver_may_ask_for_a_pause(said: str, seconds: float | None) -> None:
    async with receiving(answers(503, retry_after=said)) as receiver:
        failure = await refused(receiver.url)

    assert failure.after_seconds == seconds


# --- where it may go


async def test_loopback_is_not_reached_unless_it_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    async with receiving() as receiver:
        with names(monkeypatch, inside_example=["127.0.0.1"]):
            failure = await refused(f"http://inside.example:{receiver.port}/", networks=())

    assert failure.for_good
    assert receiver.received == []


@pytest.mark.parametrize(
    "addresses", ["127.0.0.1 10.0.0.1", "10.0.0.1 127.0.0.1", "127.0.0.1 ::1", "127.0.0.1 fe80::1%1"]
)
async def test_one_address_that_may_not_be_reached_refuses_them_all(
    monkeypatch: pytest.MonkeyPatch, addresses: str
) -> None:
    async with receiving() as receiver:
        with names(monkeypatch, mixed_example=[addresses]):
            failure = await refused(f"http://mixed.example:{receiver.port}/")

    assert failure.for_good
    assert receiver.received == []


async def test_a_name_is_looked_up_once_so_it_cannot_change_its_mind(monkeypatch: pytest.MonkeyPatch) -> None:
    async with receiving(host="rebinding.example") as receiver:
        with names(monkeypatch, rebinding_example=["127.0.0.1", "10.255.255.1"]) as asked:
            taken = await send(receiver.url)

    assert taken.status == 204
    assert asked == ["rebinding.example"]
    assert receiver.received[0].headers["host"] == f"rebinding.example:{receiver.port}"


async def test_an_address_that_does_not_answer_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    async with receiving(host="two.example") as receiver:
        with names(monkeypatch, two_example=["127.0.0.9 127.0.0.1"]):
            assert (await send(receiver.url)).status == 204


async def test_a_name_that_nobody_knows_is_a_failure_that_may_pass() -> None:
    failure = await refused("http://nobody.invalid/")

    assert "cannot be resolved" in str(failure)
    assert not failure.for_good


async def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with receiving() as proxy, receiving() as receiver:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        await send(receiver.url)

    assert proxy.received == []


# --- TLS


@pytest.fixture
def shown(tmp_path: Path) -> tuple[Path, ssl.SSLContext]:
    """Certificates of hooks.example."""
    return certificates(tmp_path, "hooks.example", "127.0.0.1")


def believing(settings: Settings, authority: Path) -> ssl.SSLContext:
    return trusted(settings.model_copy(update={"notice_ca_file": authority}))


async def test_the_certificate_is_the_names_though_the_connection_goes_to_the_address(
    monkeypatch: pytest.MonkeyPatch, shown: tuple[Path, ssl.SSLContext], settings: Settings
) -> None:
    authority, context = shown
    async with receiving(tls=context, host="hooks.example") as receiver:
        with names(monkeypatch, hooks_example=["127.0.0.1"]):
            taken = await send(receiver.url, trust=believing(settings, authority))

    assert taken.status == 204
    assert receiver.server_names == ["hooks.example"]
    assert receiver.received[0].headers["host"] == f"hooks.example:{receiver.port}"


async def test_a_certificate_of_another_name_is_not_believed(
    monkeypatch: pytest.MonkeyPatch, shown: tuple[Path, ssl.SSLContext], settings: Settings
) -> None:
    authority, context = shown
    async with receiving(tls=context, host="other.example") as receiver:
        with names(monkeypatch, other_example=["127.0.0.1"]):
            failure = await refused(receiver.url, trust=believing(settings, authority))

    assert "certificate" in str(failure).lower()
    assert receiver.received == []


async def test_an_authority_that_nobody_named_is_not_believed(
    shown: tuple[Path, ssl.SSLContext], settings: Settings
) -> None:
    async with receiving(tls=shown[1]) as receiver:
        failure = await refused(receiver.url, trust=trusted(settings))

    assert "certificate" in str(failure).lower()


async def test_a_receiver_may_be_an_address_with_a_certificate(
    shown: tuple[Path, ssl.SSLContext], settings: Settings
) -> None:
    async with receiving(tls=shown[1]) as receiver:
        assert (await send(receiver.url, trust=believing(settings, shown[0]))).status == 204


# --- mail


def letter() -> EmailMessage:
    event = {"type": "trail.begun", "at": "2026-11-22T12:00:00.000000Z", "title": "Ünïcode", "lines": [], "data": {}}
    told = Told(event, "acme", "alerts")
    return mail(told, DeliveryId(UUID(int=5)), sender="muniment@example.org", recipient="ops@example.com")


def through(settings: Settings, port: int, **more: Any) -> Settings:
    chosen = {"smtp_host": "127.0.0.1", "smtp_port": port, "smtp_tls": "none", "mail_from": "muniment@example.org"}
    return settings.model_copy(update={**chosen, **more})


async def test_a_mail_arrives_as_it_was_written(settings: Settings) -> None:
    async with mail_server() as (mailbox, port):
        chosen = through(settings, port)
        taken = await hand_over(letter(), settings=chosen, trust=trusted(chosen))

    (envelope,) = mailbox.envelopes
    assert (envelope.mail_from, envelope.rcpt_tos) == ("muniment@example.org", ["ops@example.com"])
    assert envelope.content == letter().as_bytes()
    assert taken.status == 250


async def test_mail_goes_over_tls_when_the_server_offers_it(
    settings: Settings, shown: tuple[Path, ssl.SSLContext]
) -> None:
    async with mail_server(shown[1]) as (mailbox, port):
        chosen = through(settings, port, smtp_tls="starttls", notice_ca_file=shown[0])
        await hand_over(letter(), settings=chosen, trust=trusted(chosen))

    assert mailbox.was_tls == [True]


async def test_without_tls_nothing_is_sent_unless_the_operator_says_so(settings: Settings) -> None:
    async with mail_server() as (mailbox, port):
        chosen = through(settings, port, smtp_tls="starttls")
        with pytest.raises(NotTaken, match="cannot be used"):
            await hand_over(letter(), settings=chosen, trust=trusted(chosen))

    assert mailbox.envelopes == []


@pytest.mark.parametrize(("answer", "for_good"), [("550 no such mailbox", True), ("451 try later", False)])
async def test_an_address_that_does_not_exist_is_given_up_at_once(
    settings: Settings, answer: str, for_good: bool
) -> None:
    async with mail_server() as (mailbox, port):
        mailbox.refusals["ops@example.com"] = deque([answer])
        chosen = through(settings, port)
        with pytest.raises(NotTaken) as raised:
            await hand_over(letter(), settings=chosen, trust=trusted(chosen))

    assert raised.value.for_good is for_good
    assert str(raised.value.status) == answer[:3]
