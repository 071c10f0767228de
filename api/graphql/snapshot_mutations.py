"""Reports of what runs, as GraphQL takes them: members in, the number of the snapshot and what could not be read out."""

from typing import Annotated, TypeAlias

import strawberry

from api.graphql.context import Info
from api.graphql.errors import Refused
from api.graphql.ledger import Receipt
from api.graphql.runs import environment_row
from api.graphql.scalars import Json
from api.graphql.snapshots import RefusedMember, Snapshot, snapshot_at
from api.graphql.writes import perform
from record.access.rules import Caller
from record.environments import reporting
from record.environments.members import Reported
from record.ledger import entries


@strawberry.input(description="A member of a report: something that runs. What is wrong with one concerns no other.")
class SnapshotMemberInput:
    fingerprint: str | None = strawberry.field(
        default=None, description="SHA-256 of the image or file: 64 hexadecimal digits, `sha256:` in front or not."
    )
    name: str | None = strawberry.field(default=None, description="What runs: an image, a file, a function.")
    instances: int | None = strawberry.field(
        default=None,
        description="How many instances of it run; without it, as many as have an instant of creation, or 1.",
    )
    created_at: list[str] = strawberry.field(
        default_factory=list, description="When its instances were created, such as 2026-03-01T00:00:00Z."
    )
    facts: Json | None = strawberry.field(
        default=None, description="What else is known of it, a JSON object: pod and owners, task and service, path."
    )


@strawberry.input(description="Everything that runs in an environment. An empty list says that nothing does.")
class ReportSnapshotInput:
    environment: str = strawberry.field(description="The environment's name. It is not a logical one.")
    members: list[SnapshotMemberInput] = strawberry.field(description="What runs there, all of it.")
    idempotency_key: str | None = strawberry.field(
        default=None, description="The same key again gives the first receipt."
    )


@strawberry.type(description="The report was taken.")
class SnapshotReported:
    number: int = strawberry.field(description="The number of the snapshot that says what runs now.")
    is_new: bool = strawberry.field(
        description="Whether this report made that snapshot. If not, nothing changed, and nothing was recorded."
    )
    refused: list[RefusedMember] = strawberry.field(
        description="Members that were left out, because they cannot be read."
    )
    receipt: Receipt = strawberry.field(description="Where that snapshot is recorded.")
    environment_name: strawberry.Private[str]

    @strawberry.field(description="That snapshot.")
    async def snapshot(self, info: Info) -> Snapshot | None:
        moment = info.context.moment
        environment = await environment_row(info, moment, self.environment_name)
        return None if environment is None else await snapshot_at(info, moment, environment, f"#{self.number}")


ReportSnapshotResult: TypeAlias = Annotated[SnapshotReported | Refused, strawberry.union("ReportSnapshotResult")]


@strawberry.type
class SnapshotMutations:
    @strawberry.mutation(
        description="Reports everything that runs in an environment. A new snapshot is numbered when the set of digests "
        "changed, or what is known of where one came from; otherwise only the instant of the last report moves. "
        "Needs the role snapshotter."
    )
    async def report_snapshot(self, info: Info, input: ReportSnapshotInput) -> ReportSnapshotResult:  # noqa: A002
        said = [
            Reported(each.fingerprint, each.name, each.instances, each.created_at, each.facts) for each in input.members
        ]
        wish = reporting.ReportSnapshot(input.environment, said)
        outcomes: list[reporting.SnapshotReported] = []

        async def act(caller: Caller, once: entries.Idempotency | None) -> entries.Receipt:
            outcomes.append(await reporting.report(info.context.record, caller, wish, idempotency=once))
            return outcomes[-1].receipt

        receipt = await perform(info, act, input=input, key=input.idempotency_key)
        if outcomes:
            refused = [RefusedMember.of(each) for each in outcomes[-1].refused]
        else:
            refused = [RefusedMember(**each) for each in receipt.body["refused"]]
        return SnapshotReported(
            number=receipt.body["number"],
            is_new=not outcomes or outcomes[-1].is_new,
            refused=refused,
            receipt=Receipt.of(receipt),
            environment_name=receipt.body["environment"],
        )
