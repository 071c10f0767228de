"""How notices are changed over GraphQL. All of it is for admins, and all of it is recorded: samples and replays, too."""

import strawberry

from api.graphql.context import Info
from api.graphql.ledger import Receipt
from api.graphql.nodes import uuid_in
from api.graphql.notices import (
    ChangeNoticeInput,
    ChangeNoticeResult,
    CreateNoticeInput,
    CreateNoticeResult,
    DeliveryWanted,
    DisableNoticeInput,
    DisableNoticeResult,
    NoticeRecorded,
    ReplayDeliveryInput,
    ReplayDeliveryResult,
    RotateNoticeSecretInput,
    RotateNoticeSecretResult,
    TestNoticeInput,
    TestNoticeResult,
)
from api.graphql.writes import Showing, perform, perform_showing
from record.ids import DeliveryId
from record.notices import service


@strawberry.type
class NoticeMutations:
    @strawberry.mutation(
        description="Creates a notice. A webhook's secret is shown in the answer, once. Needs the role admin."
    )
    async def create_notice(self, info: Info, input: CreateNoticeInput) -> CreateNoticeResult:  # noqa: A002
        wish = service.CreateNotice(
            name=input.name,
            channel=input.channel,
            triggers=input.triggers,
            url=input.url,
            addresses=input.addresses,
            description=input.description,
            flows=input.flows,
            environments=input.environments,
        )
        return await _shown(
            info,
            lambda caller, once: service.create(info.context.record, caller, wish, idempotency=once),
            input,
            input.idempotency_key,
        )

    @strawberry.mutation(description="Changes a notice, or enables it again. Needs the role admin.")
    async def change_notice(self, info: Info, input: ChangeNoticeInput) -> ChangeNoticeResult:  # noqa: A002
        wish = service.ChangeNotice(
            name=input.name,
            url=input.url,
            addresses=input.addresses,
            triggers=input.triggers,
            description=input.description,
            flows=input.flows,
            environments=input.environments,
            enabled=input.enabled,
        )
        receipt = await perform(
            info,
            lambda caller, once: service.change(info.context.record, caller, wish, idempotency=once),
            input=input,
            key=input.idempotency_key,
        )
        return NoticeRecorded(receipt=Receipt.of(receipt), secret=None, name=receipt.body["name"])

    @strawberry.mutation(description="Sends nothing of a notice any more, what waits included. Needs the role admin.")
    async def disable_notice(self, info: Info, input: DisableNoticeInput) -> DisableNoticeResult:  # noqa: A002
        receipt = await perform(
            info,
            lambda caller, once: service.disable(
                info.context.record, caller, name=input.name, reason=input.reason, idempotency=once
            ),
            input=input,
            key=input.idempotency_key,
        )
        return NoticeRecorded(receipt=Receipt.of(receipt), secret=None, name=receipt.body["name"])

    @strawberry.mutation(description="Gives a webhook a new secret, shown in the answer, once. Needs the role admin.")
    async def rotate_notice_secret(
        self,
        info: Info,
        input: RotateNoticeSecretInput,  # noqa: A002
    ) -> RotateNoticeSecretResult:
        return await _shown(
            info,
            lambda caller, once: service.rotate_secret(
                info.context.record, caller, name=input.name, overlap_hours=input.overlap_hours, idempotency=once
            ),
            input,
            input.idempotency_key,
        )

    @strawberry.mutation(description="Sends a sample, once; the deliveries tell how it went. Needs the role admin.")
    async def test_notice(self, info: Info, input: TestNoticeInput) -> TestNoticeResult:  # noqa: A002
        receipt = await perform(
            info,
            lambda caller, once: service.send_sample(info.context.record, caller, name=input.name, idempotency=once),
            input=input,
            key=input.idempotency_key,
        )
        return DeliveryWanted(receipt=Receipt.of(receipt), name=receipt.body["name"])

    @strawberry.mutation(
        description="Makes a delivery again, at once, whether it ended or waits; under the same message id. Needs the role admin."
    )
    async def replay_delivery(self, info: Info, input: ReplayDeliveryInput) -> ReplayDeliveryResult:  # noqa: A002
        delivery_id = DeliveryId(uuid_in(input.delivery, "Delivery", field="delivery"))
        receipt = await perform(
            info,
            lambda caller, once: service.replay(info.context.record, caller, delivery_id=delivery_id, idempotency=once),
            input=input,
            key=input.idempotency_key,
        )
        return DeliveryWanted(receipt=Receipt.of(receipt), name=receipt.body["name"])


async def _shown(info: Info, write: Showing, input: object, key: str | None) -> NoticeRecorded:  # noqa: A002
    receipt, secret = await perform_showing(info, write, input=input, key=key)
    return NoticeRecorded(receipt=Receipt.of(receipt), secret=secret, name=receipt.body["name"])
