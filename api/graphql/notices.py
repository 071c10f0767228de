"""Notices and what became of them, as GraphQL shows and changes them. All of it is for admins."""

from datetime import datetime
from enum import Enum
from typing import Annotated, TypeAlias
from uuid import UUID

import strawberry

from api.graphql.connections import Connection, connect, page_size, wanted
from api.graphql.context import Info
from api.graphql.errors import Refused
from api.graphql.ledger import After, Before, First, Last, Receipt
from api.graphql.nodes import Node, global_id
from api.graphql.scalars import Json
from record.access.rules import Action
from record.ids import DeliveryId, EntryIndex, NoticeId
from record.moment import Moment
from record.notices import queries, rules
from record.notices.events import Trigger
from record.notices.rules import Channel, Outcome
from record.notices.secrets import message_id

ONCE = "The same key again gives the first receipt."

strawberry.enum(Channel, name="NoticeChannel", description="How a notice travels.")
strawberry.enum(Trigger, name="NoticeTrigger", description="What a notice tells.")


@strawberry.enum(description="How far a delivery is.")
class DeliveryStatus(Enum):
    WAITING = strawberry.enum_value("WAITING", description="It is being sent, or waits for its next attempt.")
    DELIVERED = strawberry.enum_value("DELIVERED", description="The receiver took it.")
    GIVEN_UP = strawberry.enum_value("GIVEN_UP", description="No attempt succeeded. Replay it when the cause is gone.")
    CANCELLED = strawberry.enum_value("CANCELLED", description="There was no point in sending it any more.")


@strawberry.type(description="One attempt at a delivery.")
class DeliveryAttempt:
    number: int = strawberry.field(description="Grows with each attempt; numbers may be left out.")
    began_at: datetime = strawberry.field(description="When it began.")
    ended_at: datetime | None = strawberry.field(
        description="When its outcome was known; null: it goes on, or its worker died and it may have been received."
    )
    delivered: bool | None = strawberry.field(description="Whether it was taken; null: that is not known.")
    response_status: int | None = strawberry.field(description="What the receiver (HTTP) or the mail server answered.")
    response: str | None = strawberry.field(description="The beginning of what it said when it did not take it.")
    failure: str | None = strawberry.field(description="What went wrong, in a sentence.")

    @classmethod
    def of(cls, row: queries.Attempt) -> "DeliveryAttempt":
        return cls(
            number=row.number,
            began_at=row.began_at,
            ended_at=row.ended_at,
            delivered=row.delivered,
            response_status=row.response_status,
            response=row.response,
            failure=row.failure,
        )


@strawberry.type(
    description="One event for one receiver, as of now. Its history is kept for a while, beside the record."
)
class Delivery(Node):
    message_id: str = strawberry.field(
        description="How the receiver knows it (`webhook-id`): the same in each attempt."
    )
    type: str = strawberry.field(description="The type of the event, such as `environment.verdict_changed`.")
    title: str = strawberry.field(description="What happened, in a sentence.")
    recipient: str | None = strawberry.field(description="The address, of a notice by e-mail.")
    status: DeliveryStatus = strawberry.field(description="How far it is.")
    data: Json = strawberry.field(description="The facts of the event: `data` in a webhook's body.")
    cause_index: EntryIndex | None = strawberry.field(description="The entry that it tells of; null: time made it due.")
    created_at: datetime = strawberry.field(description="When it was found to be due.")
    ended_at: datetime | None = strawberry.field(description="When it was delivered, given up or cancelled.")
    next_attempt_at: datetime | None = strawberry.field(description="When it is tried next, if it waits for that.")
    attempt_count: int = strawberry.field(description="How many attempts there were.")
    response_status: int | None = strawberry.field(description="What was answered in the last attempt.")
    failure: str | None = strawberry.field(description="What went wrong last, in a sentence.")
    row: strawberry.Private[queries.Delivery]

    @strawberry.field(description="Its attempts, the last first.")
    async def attempts(self, info: Info, first: int = 20) -> list[DeliveryAttempt]:
        limit = page_size(info, first)
        org_id = info.context.caller.org_id
        async with info.context.record.database.connection(org_id) as connection:
            found = await queries.attempts(connection, org_id, self.row.delivery_id, limit=limit)
        return [DeliveryAttempt.of(row) for row in found]

    @classmethod
    def of(cls, row: queries.Delivery) -> "Delivery":
        return cls(
            id=global_id("Delivery", row.delivery_id),
            message_id=message_id(row.delivery_id),
            type=row.type,
            title=row.event["title"],
            recipient=row.recipient or None,
            status=DeliveryStatus.WAITING if row.outcome is None else DeliveryStatus[row.outcome.name],
            data=Json(row.event["data"]),
            cause_index=row.entry_index,
            created_at=row.created_at,
            ended_at=row.ended_at,
            next_attempt_at=row.next_attempt_at,
            attempt_count=row.attempts,
            response_status=row.last_status,
            failure=None if row.outcome is Outcome.DELIVERED else row.failure,
            row=row,
        )


@strawberry.type(description="How a notice fares, as of now.")
class NoticeHealth:
    delivered_at: datetime | None = strawberry.field(
        description="When something was last delivered, as far as is kept."
    )
    failing_since: datetime | None = strawberry.field(description="Since when nothing succeeds; null: all is well.")
    waiting: int = strawberry.field(description="How many deliveries wait.")


@strawberry.type(description="What is told to whom when something happens.")
class Notice(Node):
    name: str = strawberry.field(description="Its name in the organization. Names never change.")
    description: str = strawberry.field(description="What it is for.")
    channel: Channel = strawberry.field(description="How it travels.")
    targets: list[str] = strawberry.field(
        description="Where it goes: a webhook's URL, the addresses, or of a Slack URL the host, because the rest is a secret."
    )
    triggers: list[Trigger] = strawberry.field(description="What it tells.")
    flows: list[str] | None = strawberry.field(description="Of events about flows, only those about these; null: all.")
    environments: list[str] | None = strawberry.field(
        description="Of events about environments, only those about these; null: all."
    )
    disabled: bool = strawberry.field(description="Whether nothing of it is sent.")
    disabled_because: str | None = strawberry.field(description="Why it was disabled.")
    previous_secret_until: datetime | None = strawberry.field(
        description="Until when messages are signed with the last secret as well."
    )
    version: int = strawberry.field(description="Counts its changes from 1.")
    recorded_by: str = strawberry.field(
        description="Who changed it last; `muniment:worker` when its receiver was lost."
    )
    created_at: datetime = strawberry.field(description="When it was created. It is told of what came after.")
    changed_at: datetime = strawberry.field(description="When it was last changed.")
    entry_index: EntryIndex = strawberry.field(description="The entry that last changed it.")
    row: strawberry.Private[rules.Notice]

    @strawberry.field(description="How it fares, as of now.")
    async def health(self, info: Info) -> NoticeHealth:
        info.context.look_outside()
        org_id = info.context.caller.org_id
        async with info.context.record.database.connection(org_id) as connection:
            found = await queries.health(connection, org_id, self.row)
        return NoticeHealth(delivered_at=found.delivered_at, failing_since=found.failing_since, waiting=found.waiting)

    @strawberry.field(description="Its deliveries, as of now, the newest first.")
    async def deliveries(
        self,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        status: Annotated[DeliveryStatus | None, strawberry.argument(description="Only those.")] = None,
    ) -> Connection[Delivery]:
        info.context.look_outside()
        org_id = info.context.caller.org_id
        want = wanted(info, "deliveries", first=first, after=after, last=last, before=before)
        async with info.context.record.database.connection(org_id) as connection:
            rows = await queries.deliveries_page(
                connection,
                org_id,
                self.row.notice_id,
                limit=want.fetch,
                older_than=want.older_than,
                newer_than=want.newer_than,
                outcome=None if status in (None, DeliveryStatus.WAITING) else Outcome[status.name],
                waiting=status is DeliveryStatus.WAITING,
            )
        return connect(rows, want, key=lambda row: row.number, node=Delivery.of)

    @classmethod
    def of(cls, row: rules.Notice, info: Info, moment: Moment) -> "Notice":
        until = row.previous_secret_until
        info.context.expires(until if until is not None and until > moment.instant else None)
        return cls(
            id=global_id("Notice", row.notice_id),
            name=row.name,
            description=row.description,
            channel=row.channel,
            targets=list(row.targets),
            triggers=list(row.triggers),
            flows=None if row.flows is None else list(row.flows),
            environments=None if row.environments is None else list(row.environments),
            disabled=row.disabled,
            disabled_because=row.disabled_because,
            previous_secret_until=until if until is not None and until > moment.instant else None,
            version=row.version,
            recorded_by=row.recorded_by,
            created_at=row.created_at,
            changed_at=row.changed_at,
            entry_index=row.entry_index,
            row=row,
        )


async def notice_named(info: Info, moment: Moment, name: str) -> Notice | None:
    """The notice of this name."""
    info.context.caller.require(Action.ADMINISTER)
    async with info.context.record.database.connection(moment.org_id) as connection:
        row = await queries.by_name(connection, moment, name)
    return None if row is None else Notice.of(row, info, moment)


async def notice_of(info: Info, moment: Moment, notice_id: UUID) -> Notice | None:
    """The notice of this id, for admins."""
    if not info.context.caller.may(Action.ADMINISTER):
        return None
    async with info.context.record.database.connection(moment.org_id) as connection:
        (row,) = await queries.by_ids(connection, moment, [NoticeId(notice_id)])
    return None if row is None else Notice.of(row, info, moment)


async def delivery_of(info: Info, _moment: Moment, delivery_id: UUID) -> Delivery | None:
    """The delivery of this id, as of now, for admins."""
    info.context.look_outside()
    if not info.context.caller.may(Action.ADMINISTER):
        return None
    org_id = info.context.caller.org_id
    async with info.context.record.database.connection(org_id) as connection:
        (row,) = await queries.deliveries_by_ids(connection, org_id, [DeliveryId(delivery_id)])
    return None if row is None else Delivery.of(row)


async def notice_page(
    info: Info, moment: Moment, *, first: int | None, after: str | None, last: int | None, before: str | None
) -> Connection[Notice]:
    """Notices by name."""
    info.context.caller.require(Action.ADMINISTER)
    want = wanted(info, "notices", first=first, after=after, last=last, before=before)
    async with info.context.record.database.connection(moment.org_id) as connection:
        rows = await queries.page(
            connection,
            moment,
            limit=want.fetch,
            after=want.after or "",
            before=want.before if want.before is not None or not want.backward else "\U0010ffff",
        )
    return connect(rows, want, key=lambda row: row.name, node=lambda row: Notice.of(row, info, moment))


@strawberry.input(description="A notice to create.")
class CreateNoticeInput:
    name: str = strawberry.field(description="Its name: a letter or digit, then letters, digits and . _ -")
    channel: Channel = strawberry.field(description="How it travels.")
    triggers: list[Trigger] = strawberry.field(description="What it is to tell.")
    url: str | None = strawberry.field(
        default=None,
        description="WEBHOOK, SLACK: where to post. It is recorded for a webhook, so it must hold no secret.",
    )
    addresses: list[str] = strawberry.field(default_factory=list, description="EMAIL: who gets it.")
    description: str = strawberry.field(default="", description="What it is for.")
    flows: list[str] | None = strawberry.field(default=None, description="Of events about flows, only these flows.")
    environments: list[str] | None = strawberry.field(
        default=None, description="Of events about environments, only these environments."
    )
    idempotency_key: str | None = strawberry.field(default=None, description=ONCE + " The secret is not shown again.")


@strawberry.input(description="What to change about a notice. What is left out stays as it is.")
class ChangeNoticeInput:
    name: str = strawberry.field(description="The notice's name.")
    triggers: list[Trigger] | None = strawberry.field(default=None, description="All that it is to tell.")
    url: str | None = strawberry.field(default=None, description="Where to post. A webhook keeps its secret.")
    addresses: list[str] | None = strawberry.field(default=None, description="All who are to get it.")
    description: str | None = strawberry.field(default=None, description="What it is for.")
    flows: list[str] | None = strawberry.field(
        default=None, description="All flows that it is narrowed to; []: to none."
    )
    environments: list[str] | None = strawberry.field(
        default=None, description="All environments that it is narrowed to; []: to none."
    )
    enabled: bool = strawberry.field(default=False, description="Sends again, if it was disabled.")
    idempotency_key: str | None = strawberry.field(default=None, description=ONCE)


@strawberry.input(description="A notice to disable.")
class DisableNoticeInput:
    name: str = strawberry.field(description="The notice's name.")
    reason: str = strawberry.field(default="", description="Why.")
    idempotency_key: str | None = strawberry.field(default=None, description=ONCE)


@strawberry.input(description="A webhook that is to get a new secret.")
class RotateNoticeSecretInput:
    name: str = strawberry.field(description="The notice's name.")
    overlap_hours: int = strawberry.field(
        default=24, description="How long messages are signed with the old secret as well."
    )
    idempotency_key: str | None = strawberry.field(default=None, description=ONCE + " The secret is not shown again.")


@strawberry.input(description="A notice to try.")
class TestNoticeInput:
    name: str = strawberry.field(description="The notice's name.")
    idempotency_key: str | None = strawberry.field(default=None, description=ONCE)


@strawberry.input(description="A delivery to make again.")
class ReplayDeliveryInput:
    delivery: strawberry.ID = strawberry.field(description="The delivery's id.")
    idempotency_key: str | None = strawberry.field(default=None, description=ONCE)


@strawberry.type(description="The notice was recorded.")
class NoticeRecorded:
    receipt: Receipt = strawberry.field(description="Where and how it was recorded.")
    secret: str | None = strawberry.field(
        description="A webhook's secret (`whsec_...`) when it is new: shown this once. Null otherwise."
    )
    name: strawberry.Private[str]

    @strawberry.field(description="The notice as it is now.")
    async def notice(self, info: Info) -> Notice | None:
        return await notice_named(info, info.context.moment, self.name)


@strawberry.type(description="It was recorded that a delivery is wanted; a worker makes it.")
class DeliveryWanted:
    receipt: Receipt = strawberry.field(description="Where and how it was recorded.")
    name: strawberry.Private[str]

    @strawberry.field(description="The notice, whose deliveries tell how it goes.")
    async def notice(self, info: Info) -> Notice | None:
        return await notice_named(info, info.context.moment, self.name)


CreateNoticeResult: TypeAlias = Annotated[NoticeRecorded | Refused, strawberry.union("CreateNoticeResult")]
ChangeNoticeResult: TypeAlias = Annotated[NoticeRecorded | Refused, strawberry.union("ChangeNoticeResult")]
DisableNoticeResult: TypeAlias = Annotated[NoticeRecorded | Refused, strawberry.union("DisableNoticeResult")]
RotateNoticeSecretResult: TypeAlias = Annotated[NoticeRecorded | Refused, strawberry.union("RotateNoticeSecretResult")]
TestNoticeResult: TypeAlias = Annotated[DeliveryWanted | Refused, strawberry.union("TestNoticeResult")]
ReplayDeliveryResult: TypeAlias = Annotated[DeliveryWanted | Refused, strawberry.union("ReplayDeliveryResult")]
