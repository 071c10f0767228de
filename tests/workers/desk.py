"""An organization with notices, the worker's part of them in this process, and what became of each."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from record.access.rules import Caller
from record.ids import DeliveryId
from record.ledger.append import Ledger
from record.ledger.entries import Draft, Entry
from record.ledger.readings import Row
from record.moment import Moment
from record.notices import queries, service
from record.notices.events import Trigger
from record.notices.queries import Attempt, Delivery
from record.notices.rules import Channel, Notice
from record.notices.service import CreateNotice, SecretShown
from record.readings import rows_of
from record.record import Record, open_record
from record.settings import Settings
from tests.record.clocks import MovableClock
from tests.record.organizations import Organization
from workers.deliveries import Deliveries, Telling
from workers.work import Work

PATIENCE_SECONDS = 20
EVERYTHING = tuple(Trigger)


def on_loopback(settings: Settings, directory: Path, **more: Any) -> Settings:
    """Settings under which notices may go to receivers of this test, and are tried again soon."""
    key = directory / "notices_key"
    if not key.exists():
        key.write_text("5e" * 32 + "\n")
    chosen = {
        "notices_key_file": key,
        "notice_http_allowed": True,
        "notice_networks_allowed": "127.0.0.0/8",
        "notice_interval_seconds": 0.05,
        "notice_retry_seconds": 0.05,
        "notice_timeout_seconds": 5.0,
        "job_lease_seconds": 1.0,
        "notices_at_once": 4,
    }
    return settings.model_copy(update={**chosen, **more})


STAGED = frozenset({"judgement.recorded", "approval.requested", "approval.reviewed"})
"""Kinds that these tests append as their nouns would, without what those nouns keep of them."""


def without_staged(entry: Entry) -> Sequence[Row]:
    """The rows of an entry, but for kinds that are staged."""
    return [] if entry.kind in STAGED else rows_of(entry)


@dataclass
class Desk:
    """What a test does about notices."""

    record: Record
    acme: Organization
    ada: Caller
    clock: MovableClock

    async def notice(self, url: str | None, *triggers: Trigger, name: str = "alerts", **more: Any) -> SecretShown:
        """A webhook for these triggers, for all of them unless some are named."""
        wish = {"channel": Channel.WEBHOOK, "url": url, "triggers": triggers or EVERYTHING, **more}
        return await service.create(self.record, self.ada, CreateNotice(name=name, **wish))

    async def happens(self, kind: str, body: dict[str, Any]) -> int:
        """An entry of that kind, by whichever noun."""
        receipt = await self.record.ledger.append(self.acme.operator, Draft(kind, body))
        return int(receipt.index)

    async def trail(self, name: str) -> None:
        """A trail is begun; its flow with the first one."""
        await self.acme.trail(self.ada, name)

    async def current(self, name: str = "alerts") -> Notice:
        return await service.named(self.record, self.ada, name)

    async def deliveries(self, name: str = "alerts") -> list[Delivery]:
        """Its deliveries, the newest first."""
        notice = await self.current(name)
        async with self.record.database.connection(self.acme.org_id) as connection:
            return await queries.deliveries_page(connection, self.acme.org_id, notice.notice_id, limit=100)

    async def attempts(self, delivery_id: DeliveryId) -> list[Attempt]:
        async with self.record.database.connection(self.acme.org_id) as connection:
            return await queries.attempts(connection, self.acme.org_id, delivery_id, limit=100)

    async def until(self, reached: Callable[[list[Delivery]], bool], name: str = "alerts") -> list[Delivery]:
        """Waits until the notice's deliveries are so."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not reached(now := await self.deliveries(name)):
                await asyncio.sleep(0.02)
        return now

    async def ended(self, count: int = 1, name: str = "alerts") -> list[Delivery]:
        """Waits until so many deliveries have ended, and none waits."""
        return await self.until(lambda now: len(now) >= count and all(each.outcome is not None for each in now), name)

    async def moment(self) -> Moment:
        return await self.acme.moment()


@asynccontextmanager
async def desk(settings: Settings) -> AsyncIterator[Desk]:
    """An organization with a flow, over a record of its own."""
    clock = MovableClock()
    opened = open_record(settings, clock=clock)
    record = Record(
        opened.database, Ledger(opened.database, clock, without_staged), opened.vault, opened.sandbox, clock, settings
    )
    try:
        acme = await Organization.begin(record)
        ada = await acme.caller()
        await acme.flow(ada)
        yield Desk(record, acme, ada, clock)
    finally:
        await opened.close()


@asynccontextmanager
async def sending(record: Record, *, grace_seconds: float = 5) -> AsyncIterator[Work]:
    """The loop of one worker, until the block ends; then it drains."""
    kind = Deliveries(record.settings).kind()
    work = Work(record, {kind.name: kind}, jobs_max=record.settings.notices_at_once)
    stop = asyncio.Event()
    loop = asyncio.create_task(Telling(record, work).run(stop))
    try:
        yield work
        assert not loop.done(), "the loop ended by itself"
    finally:
        stop.set()
        await work.drain(grace_seconds=grace_seconds)
        await loop
