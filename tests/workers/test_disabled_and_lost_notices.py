"""Notices whose secret is changed or lost, whose receiver is gone, and what is left when they are disabled or forgotten."""

import asyncio
import json
from datetime import timedelta

import pytest
from standardwebhooks import Webhook

from record.ledger.repair import repair
from record.notices import rules, service, telling
from record.notices.events import Trigger
from record.notices.rules import Outcome
from record.notices.service import ChangeNotice
from record.settings import Settings
from tests.record.archives.superuser import behind_its_back
from tests.servers import TestDatabase
from tests.workers.desk import Desk, sending
from tests.workers.receivers import answers, receiving


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
