"""Slack and e-mail, and addresses that change while something waits for them."""

import json
from collections import deque

from record.notices import service, telling
from record.notices.rules import Channel, Outcome
from record.notices.service import ChangeNotice
from record.record import open_record
from record.settings import Settings
from tests.record.archives.superuser import behind_its_back
from tests.servers import TestDatabase
from tests.workers.desk import Desk, desk, sending
from tests.workers.receivers import mail_server, receiving


async def test_slack_gets_blocks_and_its_url_stays_sealed(office: Desk, database: TestDatabase) -> None:
    async with receiving() as receiver, sending(office.record):
        url = f"http://127.0.0.1:{receiver.port}/services/T0/B0/verysecret"
        made = await office.notice(url, channel=Channel.SLACK)
        await office.trail("t1")
        (request,) = await receiver.until(1)
        await office.ended(1)

    assert made.secret is None
    assert request.path == "/services/T0/B0/verysecret"
    assert "webhook-signature" not in request.headers
    assert json.loads(request.body)["blocks"][0]["text"]["text"] == "delivery/t1 was begun"
    async with behind_its_back(database) as superuser:
        for table in (
            "record.entries",
            "record.notices",
            "ops.notice_secrets",
            "ops.deliveries",
            "ops.delivery_attempts",
        ):
            held = await superuser.fetch(f"SELECT t::text AS row FROM {table} t")
            assert not [row for row in held if "verysecret" in row["row"] or b"verysecret".hex() in row["row"]]


async def test_a_secret_is_in_no_entry_and_no_row(office: Desk, database: TestDatabase) -> None:
    made = await office.notice("http://127.0.0.1:9/")

    assert made.secret is not None
    bare = made.secret.removeprefix("whsec_")
    async with behind_its_back(database) as superuser:
        for table in ("record.entries", "record.notices", "ops.notice_secrets"):
            for row in await superuser.fetch(f"SELECT t::text AS row FROM {table} t"):
                assert bare not in row["row"]
                assert bare.encode().hex() not in row["row"]


async def test_each_address_gets_a_mail_of_its_own_and_one_that_bounces_keeps_nothing_from_the_others(
    chosen: Settings,
) -> None:
    async with mail_server() as (mailbox, port):
        mailbox.refusals["gone@example.com"] = deque(["550 no such mailbox"])
        mailbox.refusals["late@example.com"] = deque(["451 greylisted"])
        through = {"smtp_host": "127.0.0.1", "smtp_port": port, "smtp_tls": "none", "mail_from": "m@example.org"}
        async with desk(chosen.model_copy(update=through)) as office, sending(office.record):
            addresses = ["ops@example.com", "gone@example.com", "late@example.com"]
            await office.notice(None, channel=Channel.EMAIL, addresses=addresses)
            await office.trail("t1")
            found = await office.ended(3)

    assert {each.recipient: (each.outcome, each.attempts) for each in found} == {
        "ops@example.com": (Outcome.DELIVERED, 1),
        "gone@example.com": (Outcome.GIVEN_UP, 1),
        "late@example.com": (Outcome.DELIVERED, 2),
    }
    assert sorted(to for envelope in mailbox.envelopes for to in envelope.rcpt_tos) == [
        "late@example.com",
        "ops@example.com",
    ]


async def test_an_address_that_was_taken_away_gets_nothing_more(chosen: Settings) -> None:
    async with mail_server() as (_, port):
        through = {"smtp_host": "127.0.0.1", "smtp_port": port, "smtp_tls": "none", "mail_from": "m@example.org"}
        async with desk(chosen.model_copy(update=through)) as office:
            await office.notice(None, channel=Channel.EMAIL, addresses=["a@example.com", "b@example.com"])
            await office.trail("t1")
            assert (await telling.tell(office.record, office.acme.org_id)).count == 2
            await service.change(office.record, office.ada, ChangeNotice("alerts", addresses=["b@example.com"]))
            async with sending(office.record):
                found = await office.ended(2)

    assert {each.recipient: each.outcome for each in found} == {
        "a@example.com": Outcome.CANCELLED,
        "b@example.com": Outcome.DELIVERED,
    }


async def test_an_address_that_is_no_longer_allowed_is_given_up_at_once(chosen: Settings) -> None:
    async with receiving() as receiver, desk(chosen) as office:
        await office.notice(receiver.url)
        await office.trail("t1")
        stricter = chosen.model_copy(update={"notice_networks_allowed": None})
        other = open_record(stricter)
        try:
            async with sending(other):
                (delivery,) = await office.ended(1)
        finally:
            await other.close()

    assert (delivery.outcome, delivery.attempts) == (Outcome.GIVEN_UP, 1)
    assert "not public" in str(delivery.failure)
    assert receiver.received == []
