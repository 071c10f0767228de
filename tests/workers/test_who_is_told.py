"""Who hears of what: narrowed notices, warnings before keys expire, organizations without notices."""

import asyncio
from datetime import timedelta

from record.access import service as access
from record.access.rules import Role
from record.environments import reporting
from record.environments import service as environments
from record.environments.members import Reported
from record.ids import KeyId
from record.notices import telling
from record.notices.events import Trigger
from tests.record.archives.superuser import behind_its_back
from tests.servers import TestDatabase
from tests.workers.desk import Desk, sending
from tests.workers.receivers import receiving


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
