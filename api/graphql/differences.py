"""How two snapshots differ, as GraphQL shows it."""

import strawberry

from api.graphql.context import Info
from api.graphql.snapshots import RunningArtifact, Snapshot, snapshot_named
from record.environments import rules
from record.moment import Moment


@strawberry.type(description="An artifact that ran in both of two snapshots.")
class InBoth:
    first: RunningArtifact = strawberry.field(description="As it ran in the first.")
    second: RunningArtifact = strawberry.field(description="As it ran in the second.")


@strawberry.type(description="How two snapshots differ, of the same environment or of different ones.")
class SnapshotDifference:
    first: Snapshot = strawberry.field(description="The first snapshot.")
    second: Snapshot = strawberry.field(description="The second snapshot.")
    only_first: list[RunningArtifact] = strawberry.field(description="What ran only in the first, by name.")
    only_second: list[RunningArtifact] = strawberry.field(description="What ran only in the second, by name.")
    scaled: list[InBoth] = strawberry.field(description="What ran in both, with different counts of instances.")
    same: list[InBoth] = strawberry.field(description="What ran in both, with equal counts of instances.")


async def difference_of(info: Info, moment: Moment, first: str, second: str) -> SnapshotDifference:
    """How the snapshots of two expressions differ."""
    one, other = await snapshot_named(info, moment, first), await snapshot_named(info, moment, second)
    found = rules.difference(await one.members(info), await other.members(info))
    return SnapshotDifference(
        first=one,
        second=other,
        only_first=[one.ran(each) for each in found.only_first],
        only_second=[other.ran(each) for each in found.only_second],
        scaled=[InBoth(first=one.ran(before), second=other.ran(after)) for before, after in found.scaled],
        same=[InBoth(first=one.ran(before), second=other.ran(after)) for before, after in found.same],
    )
