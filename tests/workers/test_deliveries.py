"""Notices from an entry to the receiver: signed, at least once, tried again, given up, replayed, and all of it to be seen."""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook

from record.access import service as access
from record.access.rules import Role
from record.environments import reporting
from record.environments import service as environments
from record.environments.members import Reported
from record.ids import KeyId
from record.ledger.repair import repair
from record.notices import rules, service, telling
from record.notices.events import Trigger
from record.notices.rules import Channel, Outcome
from record.notices.secrets import message_id
from record.notices.service import ChangeNotice
from record.record import open_record
from record.settings import Settings
from tests.record.archives.superuser import behind_its_back
from tests.record.notices.happenings import judgement
from tests.servers import TestDatabase
from tests.workers.desk import Desk, desk, on_loopback, sending
from tests.workers.receivers import answers, cuts_off, hangs, mail_server, receiving


@pytest.fixture
def chosen(settings: Settings, tmp_path: Path) -> Settings:
    return on_loopback(settings, tmp_path)


@pytest.fixture
async def office(chosen: Settings) -> AsyncIterator[Desk]:
    async with desk(chosen) as made:
        yield made


def types(office_deliveries: list[Any]) -> list[str]:
    return sorted(each.type for each in office_deliveries)


async def test_what_happens_is_posted_and_the_librarys_receiver_verifies_it(office: Desk) -> None:
    async with receiving() as receiver, sending(office.record):
        made = await office.notice(receiver.url)
        await office.trail("t1")
        (request,) = await receiver.until(1)

    assert made.secret is not None
    said = Webhook(made.secret).verify(request.body, request.headers)
    assert (said["type"], said["organization"], said["notice"]) == ("trail.begun", "acme", "alerts")
    assert said["data"] == {"flow": "delivery", "trail": "t1", "trail_id": said["data"]["trail_id"], "by": "ada"}
    (delivery,) = await office.deliveries()
    assert (delivery.outcome, delivery.attempts, delivery.last_status) == (Outcome.DELIVERED, 1, 204)
    assert request.headers["webhook-id"] == message_id(delivery.delivery_id)
    assert said["entry_index"] == delivery.entry_index


async def test_every_kind_of_entry_that_can_be_told_is_told(office: Desk) -> None:
    async with receiving() as receiver, sending(office.record):
        await office.notice(receiver.url)
        since = {"stale": True, "stale_since": "2026-11-22T11:00:00.000000Z"}
        await office.happens("judgement.recorded", judgement("NON_COMPLIANT", "COMPLIANT"))
        await office.happens("judgement.recorded", judgement("NON_COMPLIANT", "NON_COMPLIANT", **since))
        await office.happens("judgement.recorded", judgement("UNKNOWN", "NON_COMPLIANT", **since))
        approval = {"approval_id": "a", "environment": "prod", "fingerprint": "f1" * 32, "name": "app"}
        await office.happens("approval.requested", approval)
        await office.happens("approval.reviewed", approval | {"act": "approve", "state": "APPROVED", "comment": "fine"})
        await office.trail("t1")
        found = await office.ended(6)

    assert types(found) == [
        *("approval.requested", "approval.reviewed", "environment.stale"),
        *("environment.verdict_changed", "environment.verdict_changed", "trail.begun"),
    ]


async def test_a_notice_hears_nothing_of_what_was_before_it_and_all_of_what_comes_right_after(office: Desk) -> None:
    await office.trail("before")
    async with receiving() as receiver:
        await office.notice(receiver.url)
        await office.trail("after")  # no worker has looked yet
        async with sending(office.record):
            await office.ended(1)

    assert [json.loads(request.body)["data"]["trail"] for request in receiver.received] == ["after"]


async def test_a_failure_is_tried_again_under_the_same_id_with_a_new_timestamp_and_is_seen(office: Desk) -> None:
    async with receiving(answers(500, b"not now"), answers(503)) as receiver, sending(office.record):
        made = await office.notice(receiver.url)
        await office.trail("t1")
        (delivery,) = await office.ended(1)

    assert made.secret is not None
    assert delivery.outcome is Outcome.DELIVERED
    assert len({request.headers["webhook-id"] for request in receiver.received}) == 1
    assert len({request.body for request in receiver.received}) == 1
    for request in receiver.received:
        Webhook(made.secret).verify(request.body, request.headers)
    seen = await office.attempts(delivery.delivery_id)
    assert [(each.response_status, each.response, each.delivered) for each in seen] == [
        (204, None, True),
        (503, "", False),
        (500, "not now", False),
    ]


async def test_a_receiver_that_hangs_is_tried_again(chosen: Settings) -> None:
    async with desk(chosen.model_copy(update={"notice_timeout_seconds": 0.3})) as office:
        async with receiving(hangs) as receiver, sending(office.record):
            await office.notice(receiver.url)
            await office.trail("t1")
            (delivery,) = await office.ended(1)

        assert (delivery.outcome, len(receiver.received)) == (Outcome.DELIVERED, 2)
        first = (await office.attempts(delivery.delivery_id))[-1]
        assert "within 0.3 seconds" in str(first.failure)


async def test_a_connection_that_is_cut_after_receipt_leads_to_a_second_message_with_the_same_id(office: Desk) -> None:
    async with receiving(cuts_off) as receiver, sending(office.record):
        await office.notice(receiver.url)
        await office.trail("t1")
        await office.ended(1)

    first, second = receiver.received
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.body == second.body


async def test_the_pause_before_the_next_attempt_can_be_seen(chosen: Settings) -> None:
    async with desk(chosen.model_copy(update={"notice_retry_seconds": 50.0})) as office:
        async with receiving(answers(500)) as receiver, sending(office.record):
            await office.notice(receiver.url)
            await office.trail("t1")
            (delivery,) = await office.until(
                lambda now: bool(now) and now[0].next_attempt_at is not None and now[0].attempts == 1
            )

        assert delivery.next_attempt_at is not None
        assert delivery.outcome is None
        assert 30 < (delivery.next_attempt_at - office.record.clock.now()).total_seconds() < 65
        assert delivery.failure == "The receiver answered 500."


async def test_after_the_last_attempt_it_is_given_up_and_a_replay_delivers_it_under_its_old_id(
    office: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "ATTEMPTS_MAX", 2)
    async with receiving(answers(500), answers(500)) as receiver, sending(office.record):
        await office.notice(receiver.url)
        await office.trail("t1")
        (failed,) = await office.ended(1)
        assert (failed.outcome, failed.attempts) == (Outcome.GIVEN_UP, 2)
        assert failed.failure == "The receiver answered 500."

        asked = await service.replay(office.record, office.ada, delivery_id=failed.delivery_id)
        await receiver.until(3)
        (replayed,) = await office.ended(1)

    assert asked.kind == "notice.replayed"
    assert (replayed.outcome, replayed.attempts, replayed.failure) == (Outcome.DELIVERED, 3, None)
    assert len({request.headers["webhook-id"] for request in receiver.received}) == 1


async def test_a_replay_hastens_what_waits(chosen: Settings) -> None:
    async with desk(chosen.model_copy(update={"notice_retry_seconds": 50.0})) as office:
        async with receiving(answers(500)) as receiver, sending(office.record):
            await office.notice(receiver.url)
            await office.trail("t1")
            (waits,) = await office.until(
                lambda now: bool(now) and now[0].next_attempt_at is not None and now[0].attempts == 1
            )
            await service.replay(office.record, office.ada, delivery_id=waits.delivery_id)
            (delivery,) = await office.ended(1)

        assert (delivery.outcome, len(receiver.received)) == (Outcome.DELIVERED, 2)


async def test_a_sample_is_sent_once_and_says_how_it_went(office: Desk) -> None:
    async with receiving(answers(500)) as receiver, sending(office.record):
        made = await office.notice(receiver.url, Trigger.ARCHIVE_READY)
        await service.send_sample(office.record, office.ada, name="alerts")
        (failed,) = await office.ended(1)
        await service.send_sample(office.record, office.ada, name="alerts")
        (good, _) = await office.ended(2)

    assert made.secret is not None
    assert (failed.outcome, failed.attempts) == (Outcome.GIVEN_UP, 1)
    assert good.outcome is Outcome.DELIVERED
    assert (
        Webhook(made.secret).verify(receiver.received[1].body, receiver.received[1].headers)["type"] == "notice.sample"
    )


async def test_two_workers_send_each_message_once(office: Desk, chosen: Settings) -> None:
    other = open_record(chosen)
    try:
        async with receiving() as receiver, sending(office.record), sending(other):
            await office.notice(receiver.url)
            for number in range(30):
                await office.trail(f"t{number}")
            found = await office.ended(30)
    finally:
        await other.close()

    assert len(found) == 30
    ids = [request.headers["webhook-id"] for request in receiver.received]
    assert len(ids) == len(set(ids)) == 30


async def test_a_receiver_that_hangs_leaves_room_for_the_others(office: Desk) -> None:
    async with receiving(*[hangs] * 50) as slow, receiving() as quick, sending(office.record, grace_seconds=0):
        await office.notice(slow.url, name="slow")
        await office.notice(quick.url, name="quick")
        for number in range(6):
            await office.trail(f"t{number}")
        found = await office.ended(6, name="quick")

    assert [each.outcome for each in found] == [Outcome.DELIVERED] * 6
    assert len(slow.received) <= 2


async def test_a_worker_that_is_told_to_stop_gives_the_delivery_back(office: Desk) -> None:
    async with receiving(hangs) as receiver:
        async with sending(office.record, grace_seconds=0):
            await office.notice(receiver.url)
            await office.trail("t1")
            await receiver.until(1)
        async with sending(office.record):
            (delivery,) = await office.ended(1)

    assert delivery.outcome is Outcome.DELIVERED
    assert [each.delivered for each in await office.attempts(delivery.delivery_id)] == [True, None]
    assert len({request.headers["webhook-id"] for request in receiver.received}) == 1


async def test_what_died_between_the_answer_and_its_row_is_sent_again_with_the_same_id(
    office: Desk, database: TestDatabase
) -> None:
    async with receiving() as receiver, sending(office.record):
        await office.notice(receiver.url)
        await office.trail("t1")
        (delivery,) = await office.ended(1)
        async with behind_its_back(database) as superuser:
            await superuser.execute("UPDATE ops.deliveries SET outcome = NULL, ended_at = NULL")
            await superuser.execute("UPDATE ops.jobs SET state = 'running', lease_until = now() - interval '1 s'")
        first, second = await receiver.until(2)
        await office.ended(1)

    assert first.headers["webhook-id"] == second.headers["webhook-id"] == message_id(delivery.delivery_id)


async def test_entries_that_are_looked_at_twice_are_told_once(office: Desk, database: TestDatabase) -> None:
    async with receiving() as receiver, sending(office.record):
        await office.notice(receiver.url)
        await office.trail("t1")
        await office.ended(1)
        async with behind_its_back(database) as superuser:
            await superuser.execute("UPDATE ops.notice_cursors SET next_index = 0")
        await office.trail("t2")
        await office.ended(2)

    assert len(receiver.received) == 2


# --- who is told what


async def test_a_notice_is_narrowed_to_its_environments_and_flows(office: Desk) -> None:
    await office.acme.flow(office.ada, "pay")
    async with receiving() as receiver, sending(office.record):
        await office.notice(receiver.url, Trigger.ARTIFACT_STARTED, Trigger.TRAIL_BEGUN, flows=["pay"])
        await office.trail("t1")
        await office.acme.trail(office.ada, "t2", flow="pay")
        (delivery,) = await office.ended(1)

    assert delivery.event["data"]["trail"] == "t2"


async def test_started_artifacts_are_told_from_a_real_report(office: Desk) -> None:
    await environments.create(office.record, office.ada, environments.CreateEnvironment("prod", "k8s"))
    members = [Reported(fingerprint=f"{number:064x}", name=f"app-{number}") for number in range(3)]
    async with receiving() as receiver, sending(office.record):
        await office.notice(receiver.url)
        await reporting.report(office.record, office.ada, reporting.ReportSnapshot("prod", members))
        await reporting.report(office.record, office.ada, reporting.ReportSnapshot("prod", members[:2]))
        stopped, started = await office.ended(2)

    assert (started.type, started.event["title"]) == ("artifact.started", "3 artifacts started in prod")
    assert (stopped.type, stopped.event["title"]) == ("artifact.stopped", "app-2 stopped in prod")


async def test_a_key_that_is_about_to_expire_is_told_once_for_each_warning(office: Desk) -> None:
    eve = await office.acme.hire("eve", Role.READER)
    key = await office.acme.give_key("eve", eve, days=10)
    office.ada = await office.acme.caller()  # access has changed
    async with receiving() as receiver:
        await office.notice(receiver.url, Trigger.KEY_EXPIRING)
        org_id = office.acme.org_id
        assert await telling.tell_by_time(office.record, org_id) == 0

        office.clock.ahead = timedelta(days=3, minutes=1)
        made = [await telling.tell_by_time(office.record, org_id) for _ in range(2)]
        office.clock.ahead = timedelta(days=9, minutes=1)
        made += [await telling.tell_by_time(office.record, org_id) for _ in range(2)]

    assert made == [1, 0, 1, 0]
    last, first = await office.deliveries()
    assert first.event["data"] == {
        "description": "key of eve",
        "principal": "eve",
        "key_id": str(key),
        "expires_at": first.event["data"]["expires_at"],
    }
    assert "within 7 days" in first.event["title"]
    assert "within a day" in last.event["title"]


async def test_a_key_that_was_replaced_or_revoked_is_not_told(office: Desk) -> None:
    eve = await office.acme.hire("eve", Role.READER)
    keys: list[KeyId] = [await office.acme.give_key("eve", eve, days=5) for _ in range(2)]
    ada = await office.acme.caller()
    await access.revoke_key(office.record, ada, key_id=keys[0], reason="lost")
    await access.rotate_key(office.record, await office.acme.caller(), key_id=keys[1])
    office.ada = await office.acme.caller()
    await office.notice("http://127.0.0.1:9/", Trigger.KEY_EXPIRING)

    assert await telling.tell_by_time(office.record, office.acme.org_id) == 0


async def test_an_organization_without_notices_is_never_looked_at(office: Desk, database: TestDatabase) -> None:
    async with sending(office.record):
        await office.trail("t1")
        await asyncio.sleep(0.2)
    async with behind_its_back(database) as superuser:
        assert await superuser.fetchval("SELECT count(*) FROM ops.notice_cursors") == 0


# --- secrets, disabling, loss


async def test_during_an_overlap_messages_are_signed_with_both_secrets(office: Desk) -> None:
    async with receiving() as receiver, sending(office.record):
        old = await office.notice(receiver.url)
        new = await service.rotate_secret(office.record, office.ada, name="alerts", overlap_hours=1)
        await office.trail("t1")
        (request,) = await receiver.until(1)
        office.clock.ahead = timedelta(hours=1, seconds=1)
        await office.trail("t2")
        (_, later) = await receiver.until(2)

    assert old.secret is not None
    assert new.secret is not None
    for secret in (old.secret, new.secret):
        assert Webhook(secret).verify(request.body, request.headers)
    assert len(request.headers["webhook-signature"].split()) == 2
    assert len(later.headers["webhook-signature"].split()) == 1


async def test_what_waits_is_cancelled_when_its_notice_is_disabled_and_a_replay_brings_it_back(office: Desk) -> None:
    async with receiving(*[answers(500)] * 3) as receiver, sending(office.record):
        await office.notice(receiver.url)
        await office.trail("t1")
        await receiver.until(1)
        await service.disable(office.record, office.ada, name="alerts", reason="moving house")
        (cancelled,) = await office.ended(1)
        receiver.behaviours.clear()

        await service.change(office.record, office.ada, ChangeNotice("alerts", enabled=True))
        await service.replay(office.record, office.ada, delivery_id=cancelled.delivery_id)
        (delivered,) = await office.until(lambda now: now[0].outcome is Outcome.DELIVERED)

    assert cancelled.outcome is Outcome.CANCELLED
    assert delivered.delivery_id == cancelled.delivery_id


async def test_a_receiver_that_says_it_is_gone_is_disabled_by_an_entry_that_others_may_hear(office: Desk) -> None:
    async with receiving(answers(410)) as gone, receiving() as watcher, sending(office.record):
        await office.notice(gone.url, Trigger.TRAIL_BEGUN)
        await office.notice(watcher.url, Trigger.NOTICE_DISABLED, name="watch")
        await office.trail("t1")
        (request,) = await watcher.until(1)

    disabled = await office.current()
    assert (disabled.disabled, disabled.recorded_by) == (True, "muniment:worker")
    assert "410" in str(disabled.disabled_because)
    assert json.loads(request.body)["data"]["notice"] == "alerts"


async def test_a_receiver_that_has_taken_nothing_for_days_is_disabled(
    office: Desk, database: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "ATTEMPTS_MAX", 1)
    async with receiving(*[answers(500)] * 9) as receiver, sending(office.record):
        await office.notice(receiver.url)
        await office.trail("t1")
        await office.ended(1)
        assert not (await office.current()).disabled

        async with behind_its_back(database) as superuser:
            await superuser.execute("UPDATE ops.delivery_attempts SET began_at = began_at + interval '1 s'")
        office.clock.ahead = timedelta(days=3, minutes=1)
        await office.trail("t2")
        await office.until(lambda now: len(now) == 2 and now[0].outcome is not None)
        async with asyncio.timeout(5):
            while not (notice := await office.current()).disabled:
                await asyncio.sleep(0.02)

    assert "Nothing was delivered for 3 days" in str(notice.disabled_because)


async def test_a_lost_secret_is_said_and_a_rotation_mends_it(office: Desk, database: TestDatabase) -> None:
    async with receiving() as receiver, sending(office.record):
        await office.notice(receiver.url)
        async with behind_its_back(database) as superuser:
            await superuser.execute("DELETE FROM ops.notice_secrets")
        await office.trail("t1")
        (waits,) = await office.until(lambda now: bool(now) and now[0].failure is not None)
        assert "rotateNoticeSecret" in str(waits.failure)
        assert receiver.received == []

        made = await service.rotate_secret(office.record, office.ada, name="alerts")
        await office.ended(1)

    assert made.secret is not None
    assert Webhook(made.secret).verify(receiver.received[0].body, receiver.received[0].headers)


async def test_after_ops_is_lost_a_repair_lets_notices_tell_of_what_comes(
    office: Desk, database: TestDatabase, chosen: Settings
) -> None:
    async with receiving() as receiver:
        await office.notice(receiver.url)
        await office.trail("t1")
        async with behind_its_back(database) as superuser:
            for table in ("notice_cursors", "deliveries", "delivery_attempts", "jobs", "ledgers"):
                await superuser.execute(f"DELETE FROM ops.{table}")
        await repair(chosen.model_copy(update={"owner_database_url": database.owner_url}))
        async with sending(office.record):
            await office.trail("t2")
            await office.ended(1)

    assert [json.loads(request.body)["data"]["trail"] for request in receiver.received] == ["t2"]


async def test_what_ended_long_ago_is_forgotten_with_its_attempts(office: Desk, database: TestDatabase) -> None:
    async with receiving() as receiver, sending(office.record):
        await office.notice(receiver.url)
        await office.trail("t1")
        await office.trail("t2")
        await office.ended(2)
    async with behind_its_back(database) as superuser:
        await superuser.execute(
            "UPDATE ops.deliveries SET ended_at = ended_at - interval '91 days' "
            "WHERE number = (SELECT min(number) FROM ops.deliveries)"
        )
        assert await telling.prune(office.record, office.acme.org_id) == 1
        left = [
            await superuser.fetchval(f"SELECT count(*) FROM ops.{table}")
            for table in ("deliveries", "delivery_attempts", "jobs")
        ]

    assert left == [1, 1, 1]


# --- the other channels


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
