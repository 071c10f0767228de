"""Notices from an entry to the receiver: signed, at least once, tried again, given up, replayed, and all of it to be seen."""

import json
from typing import Any

import pytest
from standardwebhooks import Webhook

from record.notices import rules, service
from record.notices.events import Trigger
from record.notices.rules import Outcome
from record.notices.secrets import message_id
from record.record import open_record
from record.settings import Settings
from tests.record.archives.superuser import behind_its_back
from tests.record.notices.happenings import judgement
from tests.servers import TestDatabase
from tests.workers.desk import Desk, desk, sending
from tests.workers.receivers import answers, cuts_off, hangs, receiving


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
