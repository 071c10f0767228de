"""Notices on their way: entries become deliveries, deliveries are jobs, and a job is one attempt after another to be rid of it.

The loop looks for ledgers that have grown since their cursor, and for deliveries that are due; once a minute for what time alone
makes due. Each delivery is done under a lease, apart from other jobs, so that a slow receiver holds up no archive. It is delivered
at least once: an attempt whose answer was lost is made again, under the same message id.
"""

import asyncio
import random
import ssl
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import httpx
import structlog

from record.ids import DeliveryId, NoticeId, OrgId
from record.jobs import service as jobs
from record.jobs.queries import Lease
from record.jobs.service import Headway
from record.moment import Moment
from record.notices import messages, outbox, queries, rules, service, telling
from record.notices.events import SAMPLE
from record.notices.messages import Told
from record.notices.rules import JOB, Channel, Notice, Outcome
from record.notices.secrets import signed_headers
from record.notices.targets import checked_target
from record.notices.telling import Ready
from record.record import Record
from record.refusals import InvalidInput
from record.settings import Settings
from workers.sending.failures import NotTaken
from workers.sending.mail import hand_over
from workers.sending.webhooks import Taken, post
from workers.work import AWAY, Again, Busy, Hopeless, Kind, Work

BY_TIME_SECONDS: Final = 60.0
PRUNING_SECONDS: Final = 3600.0
GONE: Final = 410

log = structlog.get_logger(__name__)


class Deliveries:
    """What one worker process sends. A receiver may take up at most half of it."""

    def __init__(self, settings: Settings) -> None:
        # One each: HTTP announces itself in the handshake, and the context remembers.
        self._trust = trusted(settings)
        self._trust_of_mail = trusted(settings)
        self._sending: Counter[NoticeId] = Counter()
        self._of_one_max = max(1, settings.notices_at_once // 2)

    def kind(self) -> Kind:
        return Kind(JOB, do=self.deliver, give_up=give_up, attempts_max=rules.ATTEMPTS_MAX)

    async def deliver(self, record: Record, lease: Lease, _headway: Headway) -> None:
        """One attempt."""
        delivery_id = DeliveryId(lease.subject)
        found = await telling.ready(record, lease.org_id, delivery_id)
        if found is None or found.delivery.outcome is not None:
            return  # it ended in an attempt whose job was not ended any more
        why = _pointless(found)
        if why is not None:
            async with record.database.operations() as connection:
                await outbox.end(connection, lease.org_id, delivery_id, Outcome.CANCELLED, failure=why)
            return
        with self._room_for(found.notice.notice_id):
            await jobs.require_held(record, lease)
            failed = await self._attempt(record, lease, found)
        if failed is None:
            return
        if failed.for_good or found.delivery.type == SAMPLE:
            raise Hopeless(str(failed))
        pause = rules.pause_seconds(
            lease.attempts,
            first_seconds=record.settings.notice_retry_seconds,
            jitter=random.random(),
            asked_seconds=failed.after_seconds,
        )
        raise Again(str(failed), after_seconds=pause)

    async def _attempt(self, record: Record, lease: Lease, found: Ready) -> NotTaken | None:
        """Sends, and writes down that it was begun and how it went. What it was refused with, if it was."""
        async with record.database.operations() as connection:
            await outbox.begin_attempt(connection, lease.org_id, found.delivery.delivery_id, lease.token)
        try:
            went: Taken | NotTaken = await self._send(record, found)
        except NotTaken as refused:
            went = refused
        except Exception as error:
            await _write_down(record, lease, NotTaken(f"The worker failed with {type(error).__name__}. See its log."))
            raise
        await _write_down(record, lease, went)
        return went if isinstance(went, NotTaken) else None

    async def _send(self, record: Record, found: Ready) -> Taken:
        notice, settings = found.notice, record.settings
        told = Told(found.delivery.event, found.organization, notice.name, settings.public_url)
        if found.secrets is None:
            raise NotTaken(
                f"The secret of the notice {notice.name} is lost or sealed with another key. "
                + (
                    "Give its URL again with changeNotice."
                    if notice.channel is Channel.SLACK
                    else "Rotate it with rotateNoticeSecret."
                )
            )
        if notice.channel is Channel.EMAIL:
            message = messages.mail(
                told,
                found.delivery.delivery_id,
                sender=settings.mail_from or "muniment@invalid",
                recipient=found.delivery.recipient,
            )
            return await hand_over(message, settings=settings, trust=self._trust_of_mail)
        is_slack = notice.channel is Channel.SLACK
        body = messages.slack_body(told) if is_slack else messages.webhook_body(told)
        now = record.clock.now()
        networks = settings.notice_networks()
        try:
            target = checked_target(
                found.secrets[0] if is_slack else notice.targets[0],
                http_allowed=settings.notice_http_allowed,
                networks=networks,
            )
        except InvalidInput as refusal:  # the operator allows less than when it was recorded
            raise NotTaken(refusal.message, for_good=True) from refusal
        return await post(
            target,
            body,
            {} if is_slack else signed_headers(found.secrets, found.delivery.delivery_id, now, body),
            networks=networks,
            trust=self._trust,
            timeout_seconds=settings.notice_timeout_seconds,
            now=now,
        )

    @contextmanager
    def _room_for(self, notice_id: NoticeId) -> Iterator[None]:
        if self._sending[notice_id] >= self._of_one_max:
            raise Busy
        self._sending[notice_id] += 1
        try:
            yield
        finally:
            self._sending[notice_id] -= 1
            if not self._sending[notice_id]:
                del self._sending[notice_id]


async def _write_down(record: Record, lease: Lease, went: Taken | NotTaken) -> None:
    """How an attempt went."""
    async with record.database.operations() as connection:
        await outbox.end_attempt(
            connection,
            lease.org_id,
            DeliveryId(lease.subject),
            lease.token,
            delivered=isinstance(went, Taken),
            status=went.status,
            response=went.response,
            failure=str(went) if isinstance(went, NotTaken) else None,
        )


def trusted(settings: Settings) -> ssl.SSLContext:
    """Whose certificates are believed: the usual authorities, and those that the operator names."""
    context = httpx.create_ssl_context(trust_env=False)
    if settings.notice_ca_file is not None:
        context.load_verify_locations(cafile=settings.notice_ca_file)
    return context


def _pointless(found: Ready) -> str | None:
    """Why a delivery that waits is not to be sent any more; None when it is."""
    if found.notice.disabled:
        return "The notice was disabled before this was delivered. Enable it, then replay this."
    if found.delivery.recipient not in found.notice.recipients:
        return "The notice no longer goes to this address."
    return None


async def give_up(record: Record, lease: Lease, reason: str) -> None:
    """After the last attempt: the delivery says so, and a receiver that has taken nothing for days is told nothing more."""
    delivery_id = DeliveryId(lease.subject)
    moment = Moment.latest(lease.org_id, record.clock.now())
    async with record.database.connection(lease.org_id) as connection:
        await outbox.end(connection, lease.org_id, delivery_id, Outcome.GIVEN_UP, failure=reason)
        (delivery,) = await queries.deliveries_by_ids(connection, lease.org_id, [delivery_id])
        if delivery is None:
            return
        (notice,) = await queries.by_ids(connection, moment, [delivery.notice_id])
        if notice is None or notice.disabled:
            return
        health = await queries.health(connection, lease.org_id, notice)
    log.warning("a notice was given up", notice=notice.name, delivery=str(delivery_id), why=reason)
    if delivery.last_status == GONE and notice.channel is not Channel.EMAIL:
        await _disable(record, lease.org_id, notice, "The receiver answered 410: it wants nothing more.")
    elif rules.is_lost(health.failing_since, now=moment.instant):
        days = rules.FAILING_MAX.days
        await _disable(
            record, lease.org_id, notice, f"Nothing was delivered for {days} days. The last failure: {reason}"
        )


async def _disable(record: Record, org_id: OrgId, notice: Notice, reason: str) -> None:
    found = await telling.organization_name(record, org_id)
    if found is not None and await service.disable_lost(record, org_id, found, notice, reason=reason):
        log.error(
            "a notice was disabled because its receiver is lost", organization=found, notice=notice.name, why=reason
        )


class Telling:
    """The loop's memory: when it last looked for what time makes due, and last pruned."""

    def __init__(self, record: Record, work: Work) -> None:
        self._record = record
        self._work = work
        self._by_time_at = float("-inf")
        self._pruned_at = float("-inf")

    async def run(self, stop: asyncio.Event) -> None:
        """Tells and sends until `stop`."""
        while not stop.is_set():
            busy = False
            try:
                busy = await self.once()
            except AWAY as error:
                log.warning("notices wait", why=str(error))
            await self._pause(stop, busy=busy)

    async def once(self) -> bool:
        """Makes deliveries of new entries and begins those that are due. Whether there is more to do at once."""
        async with self._record.database.operations() as connection:
            organizations = await outbox.with_notices(connection)
        behind = False
        for each in organizations:
            if each.size > each.next_index:
                behind |= await self._told(each.org_id)
        now = asyncio.get_running_loop().time()
        if now - self._by_time_at >= BY_TIME_SECONDS:
            self._by_time_at = now
            for each in organizations:
                await telling.tell_by_time(self._record, each.org_id)
        if now - self._pruned_at >= PRUNING_SECONDS:
            self._pruned_at = now
            for each in organizations:
                await telling.prune(self._record, each.org_id)
        return await self._work.look() > 0 or behind

    async def _told(self, org_id: OrgId) -> bool:
        try:
            return (await telling.tell(self._record, org_id)).is_behind
        except AWAY:
            raise
        except Exception:  # one organization's trouble is not the others'
            log.exception(
                "entries could not be turned into notices; they are looked at again", organization=str(org_id)
            )
            return False

    async def _pause(self, stop: asyncio.Event, *, busy: bool) -> None:
        """Until the next look: at once while there is more and room for it, else after the interval or when a job has ended."""
        if busy and self._work.room > 0:
            await asyncio.sleep(0)
            return
        waits = [asyncio.create_task(_until(stop))]
        if self._work.running:
            waits.append(asyncio.create_task(self._work.until_roomier()))
        await asyncio.wait(waits, timeout=self._record.settings.notice_interval_seconds, return_when="FIRST_COMPLETED")
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)


async def _until(stop: asyncio.Event) -> None:
    await stop.wait()
