"""Creating and changing notices: what is recorded, what is refused, and that a refusal records nothing."""

import asyncio
from dataclasses import replace
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from record.access.rules import Grant, Role
from record.clock import from_rfc3339
from record.ids import DeliveryId
from record.ledger.entries import Idempotency
from record.moment import Moment
from record.notices import queries, service
from record.notices.events import Trigger
from record.notices.rules import Channel
from record.notices.service import ChangeNotice, CreateNotice
from record.record import Record
from record.refusals import InvalidInput, NameTaken, NotAllowed, NotFound
from record.scrubbing import service as scrubbing
from tests.record.organizations import Organization

URL = "https://hooks.example.com/muniment"
SLACK = "https://hooks.slack.example/services/T0/B0/secret"
HOOK = CreateNotice("alerts", Channel.WEBHOOK, [Trigger.TRAIL_BEGUN], url=URL)


async def refused(organization: Organization, record: Record, wish: Any, kind: type[Exception] = InvalidInput) -> str:
    """What `wish`, a coroutine, is refused with; it must record nothing."""
    size = await organization.size()
    with pytest.raises(kind) as raised:
        await wish
    assert await organization.size() == size
    return str(raised.value)


async def test_a_webhook_is_created_and_its_secret_is_shown_once(record: Record, acme: Organization) -> None:
    ada = await acme.caller()
    once = Idempotency("k", "aa")

    made = await service.create(record, ada, HOOK, idempotency=once)
    again = await service.create(record, ada, HOOK, idempotency=once)

    assert made.secret is not None
    assert made.secret.startswith("whsec_")
    assert (again.secret, again.receipt.replayed, again.receipt.index) == (None, True, made.receipt.index)
    assert made.secret.removeprefix("whsec_") not in str(made.receipt.body)
    notice = await service.named(record, ada, "alerts")
    assert (notice.targets, notice.triggers, notice.version) == ((URL,), (Trigger.TRAIL_BEGUN,), 1)
    assert notice.flows is None


async def test_of_a_slack_url_only_the_host_is_recorded(record: Record, acme: Organization) -> None:
    made = await service.create(
        record, await acme.caller(), CreateNotice("chat", Channel.SLACK, [Trigger.ARCHIVE_READY], url=SLACK)
    )

    assert made.secret is None
    assert made.receipt.body["targets"] == ["https://hooks.slack.example"]
    assert "T0/B0" not in str(made.receipt.body)


async def test_a_mail_notice_needs_no_secret(record: Record, acme: Organization) -> None:
    addresses = ["ops@example.com", "ops@example.com", "dev@example.com"]
    made = await service.create(
        record, await acme.caller(), CreateNotice("mail", Channel.EMAIL, [Trigger.KEY_EXPIRING], addresses=addresses)
    )

    assert made.receipt.body["targets"] == ["ops@example.com", "dev@example.com"]
    assert "secret_id" not in made.receipt.body


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"name": "no name"}, "notice name"),
        ({"triggers": []}, "trigger"),
        ({"url": None}, "a URL"),
        ({"url": "http://hooks.example.com/"}, "https://"),
        ({"url": "https://127.0.0.1/"}, "not public"),
        ({"url": "https://user:word@hooks.example.com/"}, "password"),
        ({"addresses": ["ops@example.com"]}, "e-mail"),
        ({"channel": Channel.EMAIL}, "no URL"),
        ({"channel": Channel.EMAIL, "url": None}, "1 to 20"),
        ({"channel": Channel.EMAIL, "url": None, "addresses": ["ops"]}, "mail address"),
        ({"channel": Channel.EMAIL, "url": None, "addresses": ["a@x.org\r\nBcc: b@x.org"]}, "mail address"),
        ({"flows": []}, "1 to 100 flows"),
        ({"environments": [f"e{number}" for number in range(101)]}, "1 to 100 environments"),
        ({"description": "x" * 4_001}, "characters"),
    ],
)
async def test_what_cannot_be_a_notice_is_refused(
    record: Record, acme: Organization, changes: dict[str, Any], word: str
) -> None:
    ada = await acme.caller()

    assert word in await refused(acme, record, service.create(record, ada, replace(HOOK, **changes)))


async def test_a_narrowing_to_what_is_not_there_is_refused(record: Record, acme: Organization) -> None:
    ada = await acme.caller()

    for wish in (replace(HOOK, flows=["pay"]), replace(HOOK, environments=["prod"])):
        said = await refused(acme, record, service.create(record, ada, wish), NotFound)
        assert "There is no" in said


async def test_without_a_key_to_seal_with_there_are_no_secrets_to_lose(record: Record, acme: Organization) -> None:
    bare = replace(record, settings=record.settings.model_copy(update={"notices_key_file": None, "smtp_host": None}))
    ada = await acme.caller()
    mail = CreateNotice("mail", Channel.EMAIL, [Trigger.KEY_EXPIRING], addresses=["ops@example.com"])

    assert "MUNIMENT_NOTICES_KEY_FILE" in await refused(acme, bare, service.create(bare, ada, HOOK))
    assert "MUNIMENT_SMTP_HOST" in await refused(acme, bare, service.create(bare, ada, mail))


async def test_a_name_is_taken_once(record: Record, acme: Organization, globex: Organization) -> None:
    ada = await acme.caller()
    await service.create(record, ada, HOOK)
    await service.create(record, await globex.caller(), HOOK)

    assert "exists already" in await refused(acme, record, service.create(record, ada, HOOK), NameTaken)


async def test_only_admins_have_to_do_with_notices(record: Record, acme: Organization) -> None:
    await service.create(record, await acme.caller(), HOOK)
    everything = (Role.WRITER, Role.AUDITOR, Role.APPROVER, Role.READER, Grant(Role.ADMIN, flows=frozenset({"pay"})))
    eve = await acme.hired("eve", *everything)

    for wish in (
        service.create(record, eve, HOOK),
        service.change(record, eve, ChangeNotice("alerts", description="x")),
        service.disable(record, eve, name="alerts"),
        service.rotate_secret(record, eve, name="alerts"),
        service.send_sample(record, eve, name="alerts"),
        service.replay(record, eve, delivery_id=DeliveryId(UUID(int=1))),
    ):
        assert "admin" in await refused(acme, record, wish, NotAllowed)


async def test_a_change_says_anew_all_that_the_notice_is(record: Record, acme: Organization) -> None:
    ada = await acme.caller()
    await acme.flow(ada, "pay")
    created = await service.create(record, ada, replace(HOOK, flows=["pay"], description="first"))

    changed = await service.change(record, ada, ChangeNotice("alerts", url=URL + "/2", triggers=[Trigger.KEY_EXPIRING]))
    widened = await service.change(record, ada, ChangeNotice("alerts", flows=[]))

    kept = {"notice_id", "name", "description", "channel", "secret_id", "flows", "disabled"}
    assert {name: changed.body[name] for name in kept} == {name: created.receipt.body[name] for name in kept}
    assert (changed.body["targets"], changed.body["triggers"]) == ([URL + "/2"], ["key.expiring"])
    assert (widened.body["version"], "flows" in widened.body) == (3, False)


async def test_a_change_that_changes_nothing_is_refused(record: Record, acme: Organization) -> None:
    ada = await acme.caller()
    await service.create(record, ada, HOOK)

    for wish in (ChangeNotice("alerts"), ChangeNotice("alerts", url=URL), ChangeNotice("alerts", enabled=True)):
        assert "Nothing" in await refused(acme, record, service.change(record, ada, wish))


async def test_a_channel_stays(record: Record, acme: Organization) -> None:
    ada = await acme.caller()
    await service.create(record, ada, HOOK)

    said = await refused(acme, record, service.change(record, ada, ChangeNotice("alerts", addresses=["a@x.org"])))

    assert "goes by webhook" in said


async def test_two_changes_at_once_are_two_versions(record: Record, acme: Organization) -> None:
    ada = await acme.caller()
    await service.create(record, ada, HOOK)

    await asyncio.gather(
        *(service.change(record, ada, ChangeNotice("alerts", description=f"{number}")) for number in range(5))
    )

    assert (await service.named(record, ada, "alerts")).version == 6


async def test_what_was_disabled_is_enabled_by_a_change(record: Record, acme: Organization) -> None:
    ada = await acme.caller()
    await service.create(record, ada, HOOK)

    disabled = await service.disable(record, ada, name="alerts", reason="too loud")
    again = await refused(acme, record, service.disable(record, ada, name="alerts"))
    sample = await refused(acme, record, service.send_sample(record, ada, name="alerts"))
    enabled = await service.change(record, ada, ChangeNotice("alerts", enabled=True))

    assert (disabled.kind, disabled.body["disabled_because"]) == ("notice.disabled", "too loud")
    assert "disabled already" in again
    assert "Enable it" in sample
    assert (enabled.body["disabled"], "disabled_because" in enabled.body) == (False, False)


async def test_a_rotation_keeps_the_last_secret_for_the_overlap(record: Record, acme: Organization) -> None:
    ada = await acme.caller()
    first = await service.create(record, ada, HOOK)

    rotated = await service.rotate_secret(record, ada, name="alerts", overlap_hours=2)
    described = await service.change(record, ada, ChangeNotice("alerts", description="x"))
    hard = await service.rotate_secret(record, ada, name="alerts", overlap_hours=0)

    assert rotated.secret not in (None, first.secret)
    body = rotated.receipt.body
    assert body["previous_secret_id"] == first.receipt.body["secret_id"] == described.body["previous_secret_id"]
    until = from_rfc3339(body["previous_secret_until"])
    assert 7_100 < (until - rotated.receipt.at).total_seconds() < 7_300
    assert "previous_secret_id" not in hard.receipt.body


@pytest.mark.parametrize("hours", [-1, 721])
async def test_an_overlap_that_is_none_is_refused(record: Record, acme: Organization, hours: int) -> None:
    ada = await acme.caller()
    await service.create(record, ada, HOOK)

    said = await refused(acme, record, service.rotate_secret(record, ada, name="alerts", overlap_hours=hours))

    assert "0 to 720" in said


async def test_only_webhooks_have_a_secret_to_rotate(record: Record, acme: Organization) -> None:
    ada = await acme.caller()
    await service.create(record, ada, CreateNotice("chat", Channel.SLACK, [Trigger.ARCHIVE_READY], url=SLACK))

    assert "not signed" in await refused(acme, record, service.rotate_secret(record, ada, name="chat"))


async def test_what_is_not_there_is_not_found(record: Record, acme: Organization) -> None:
    ada = await acme.caller()

    for wish in (
        service.change(record, ada, ChangeNotice("alerts", description="x")),
        service.disable(record, ada, name="alerts"),
        service.rotate_secret(record, ada, name="alerts"),
        service.send_sample(record, ada, name="alerts"),
        service.replay(record, ada, delivery_id=DeliveryId(UUID(int=1))),
    ):
        assert "There is no" in await refused(acme, record, wish, NotFound)


async def test_notices_are_read_as_they_were(record: Record, acme: Organization) -> None:
    ada = await acme.caller()
    await service.create(record, ada, HOOK)
    then = await acme.moment()
    await service.change(record, ada, ChangeNotice("alerts", description="later"))
    await service.create(record, ada, replace(HOOK, name="another"))

    async with record.database.connection(acme.org_id) as connection:
        now = await queries.page(connection, Moment.latest(acme.org_id, record.clock.now()), limit=10)
        before = await queries.page(connection, then, limit=10)

    assert [(each.name, each.description) for each in now] == [("alerts", "later"), ("another", "")]
    assert [(each.name, each.description) for each in before] == [("alerts", "")]


async def test_a_full_house_takes_no_more_notices(
    record: Record, acme: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "NOTICES_MAX", 1)
    ada = await acme.caller()
    await service.create(record, ada, HOOK)

    assert "are the most" in await refused(acme, record, service.create(record, ada, replace(HOOK, name="b")))


async def test_rows_of_notices_are_what_their_entries_say(record: Record, acme: Organization) -> None:
    ada = await acme.caller()
    await acme.flow(ada, "pay")
    await service.create(record, ada, replace(HOOK, flows=["pay"]))
    await service.rotate_secret(record, ada, name="alerts")
    await service.send_sample(record, ada, name="alerts")
    await service.disable(record, ada, name="alerts")

    report = await scrubbing.verify(record, acme.name)

    assert [str(finding) for finding in report.findings if "notices" in finding.place] == []


async def test_no_row_of_a_notice_can_be_changed(record: Record, acme: Organization) -> None:
    await service.create(record, await acme.caller(), HOOK)

    async with record.database.connection(acme.org_id) as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("UPDATE record.notices SET disabled = true WHERE org_id = $1", acme.org_id)
