"""Entries become deliveries, and deliveries are looked up to be sent: what workers do about notices short of sending.

The cursor passes an entry in the transaction that makes its deliveries, so an entry is never forgotten and never told twice; that a
receiver gets something twice comes only from an attempt whose answer was lost. What time alone makes due (an expiring key) is
looked for again and again: its deliveries have the same ids each time, and the first one stays.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from record.access import queries as access
from record.environments.queries import flows_of
from record.ids import DeliveryId, LedgerSize, OrgId
from record.ledger import queries as ledger
from record.ledger.entries import Entry
from record.moment import Moment
from record.notices import outbox, queries
from record.notices.events import Event, Trigger, events_of, kinds_for
from record.notices.expiries import LEADS, Expiry, expiring
from record.notices.queries import Delivery
from record.notices.rules import Channel, Notice, tellings
from record.notices.secrets import Seal
from record.record import Record
from record.waivers import queries as waivers
from record.waivers.queries import Waiver

ENTRIES_AT_ONCE: Final = 500
_ALWAYS: Final = ("notice.tested", "notice.replayed")


@dataclass(frozen=True, slots=True)
class Told:
    """How many deliveries were made, and whether there are entries left to look at."""

    count: int
    is_behind: bool


async def tell(record: Record, org_id: OrgId) -> Told:
    """Turns the next entries of an organization into deliveries. Entries of kinds that no notice asks for are not read."""
    async with record.database.connection(org_id) as connection, connection.transaction():
        held = await outbox.hold(connection, org_id)
        if held is None:
            return Told(0, False)
        next_index, size = held
        moment = Moment(org_id, LedgerSize(size), record.clock.now())
        notices = await queries.all_of(connection, moment)
        asked = {trigger for notice in notices if not notice.disabled for trigger in notice.triggers}
        found = await ledger.entries_after(
            connection,
            moment,
            next_index - 1,
            count_max=ENTRIES_AT_ONCE,
            kinds=[*kinds_for(asked), *_ALWAYS],
        )
        entries = [each.decoded() for each in found]
        events = [event for entry in entries for event in events_of(entry)]
        count = await outbox.put(connection, org_id, tellings(org_id, notices, events))
        await outbox.send_again(connection, org_id, _replayed(entries))
        is_behind = len(found) == ENTRIES_AT_ONCE
        await outbox.move(connection, org_id, found[-1].index + 1 if is_behind else size)
    return Told(count, is_behind)


async def tell_by_time(record: Record, org_id: OrgId) -> int:
    """Makes the deliveries that are due because something will expire soon. How many are new."""
    moment = Moment.latest(org_id, record.clock.now())
    async with record.database.connection(org_id) as connection, connection.transaction():
        notices = [notice for notice in await queries.all_of(connection, moment) if not notice.disabled]
        asked = {trigger for notice in notices for trigger in notice.triggers}
        until = moment.instant + max(LEADS)
        found: list[Expiry] = []
        if Trigger.KEY_EXPIRING in asked:
            found += await queries.expiring_keys(connection, moment, until)
        if Trigger.WAIVER_EXPIRING in asked:
            ending = await waivers.expiring(connection, moment, until)
            of_artifacts = [waiver.fingerprint for waiver in ending if waiver.fingerprint is not None]
            flows = await flows_of(connection, moment, of_artifacts) if of_artifacts else {}
            found += [_expiry(waiver, flows) for waiver in ending]
        due = [expiring(each, now=moment.instant) for each in found]
        events: list[Event] = [event for event in due if event is not None]
        return await outbox.put(connection, org_id, tellings(org_id, notices, events))


def _expiry(waiver: Waiver, flows: Mapping[str, tuple[str, ...]]) -> Expiry:
    """A waiver in force as something that ends. One for whatever runs there is about the environment, and about no flow."""
    rule = None if waiver.rule is None else f"{waiver.policy}/{waiver.rule}"
    artifact = waiver.name or waiver.fingerprint
    of = " and ".join(each for each in (artifact, rule) if each is not None)
    data = {
        "environment": waiver.environment,
        "fingerprint": waiver.fingerprint,
        "name": waiver.name,
        "rule": rule,
        "reason": waiver.reason,
        "requested_by": waiver.requested_by,
    }
    known = {name: value for name, value in data.items() if value is not None}
    called = f"of {of} in {waiver.environment}"
    return Expiry(
        Trigger.WAIVER_EXPIRING,
        waiver.waiver_id,
        called,
        waiver.expires_at,
        known,
        flows=None if waiver.fingerprint is None else flows.get(waiver.fingerprint, ()),
        environment=waiver.environment,
    )


def _replayed(entries: Sequence[Entry]) -> list[DeliveryId]:
    return [DeliveryId(UUID(entry.body["delivery_id"])) for entry in entries if entry.kind == "notice.replayed"]


async def prune(record: Record, org_id: OrgId) -> int:
    """Forgets the history that is older than it is kept. How many deliveries."""
    async with record.database.operations() as connection:
        return await outbox.prune(connection, org_id, days=record.settings.notice_history_days)


async def organization_name(record: Record, org_id: OrgId) -> str | None:
    """What the organization is called."""
    moment = Moment.latest(org_id, record.clock.now())
    async with record.database.connection(org_id) as connection:
        settled = await access.organization(connection, moment)
    return None if settled is None else settled.name


@dataclass(frozen=True, slots=True)
class Ready:
    """A delivery with all that is needed to send it. `secrets` None: one that counts is lost, or no key opens it."""

    delivery: Delivery
    notice: Notice
    organization: str
    secrets: tuple[str, ...] | None


async def ready(record: Record, org_id: OrgId, delivery_id: DeliveryId) -> Ready | None:
    """The delivery and its notice as of now; None when it is not there any more."""
    moment = Moment.latest(org_id, record.clock.now())
    async with record.database.connection(org_id) as connection:
        (delivery,) = await queries.deliveries_by_ids(connection, org_id, [delivery_id])
        if delivery is None:
            return None
        (notice,) = await queries.by_ids(connection, moment, [delivery.notice_id])
        settled = await access.organization(connection, moment)
        if notice is None or settled is None:
            return None
        if notice.channel is Channel.EMAIL:
            return Ready(delivery, notice, settled.name, ())
        ids = notice.secrets(now=moment.instant)
        sealed = await queries.sealed_secrets(connection, org_id, notice.notice_id, ids)
    seal = Seal(record.settings.notice_keys())
    opened = [
        None if box is None else seal.open(box, org_id, notice.notice_id, secret_id)
        for secret_id, box in zip(ids, sealed, strict=True)
    ]
    known = tuple(each for each in opened if each is not None)
    # A lost old secret costs its overlap; without the one in force nothing can be sent.
    return Ready(delivery, notice, settled.name, known if opened and opened[0] is not None else None)
