"""What is known of a fingerprint without any flow: where it ran, where it was deployed, who asked to put it where.

`Artifact` is what flows reported, and is null for all else. But much of what runs was built by nobody here, and somebody who sees
it run wants to know since when and by whose hand.
"""

from datetime import datetime

import strawberry

from api.graphql.approvals import Approval, approvals_of_artifact
from api.graphql.artifacts import whole_fingerprint
from api.graphql.context import Info
from api.graphql.deployments import Deployment, deployments_of_artifact
from api.graphql.runs import Run, runs_of_artifact
from record.ids import Fingerprint
from record.moment import Moment

ABOUT_WHEREABOUTS = (
    "What environments know of a fingerprint, whether or not a flow reported it; null when none that you may read does. The "
    "beginning of a fingerprint is enough when a flow reported it."
)


@strawberry.type(description="What snapshots, deployments and requests for approval say of one artifact.")
class Whereabouts:
    fingerprint: Fingerprint = strawberry.field(description="Its SHA-256.")
    name: str = strawberry.field(description="What it was called last, by whoever saw, deployed or requested it.")
    runs: list[Run] = strawberry.field(description="When it ran, oldest first.")
    deployments: list[Deployment] = strawberry.field(description="Reports that it was deployed, the last one first.")
    approvals: list[Approval] = strawberry.field(description="Requests to put it somewhere, the last one first.")


async def whereabouts_of(info: Info, moment: Moment, fingerprint: Fingerprint) -> Whereabouts | None:
    """What environments that the caller may read know of it; None when none does."""
    whole = await whole_fingerprint(info, moment, fingerprint)
    if whole is None:
        return None
    runs = await runs_of_artifact(info, moment, whole)
    deployments = await deployments_of_artifact(info, moment, whole)
    approvals = await approvals_of_artifact(info, moment, whole)
    named = [
        *[(each.since, each.name) for each in runs],
        *[(each.reported_at, each.name) for each in deployments],
        *[(each.requested_at, each.name) for each in approvals],
    ]
    if not named:
        return None
    return Whereabouts(
        fingerprint=whole, name=_newest(named, whole), runs=runs, deployments=deployments, approvals=approvals
    )


def _newest(named: list[tuple[datetime, str]], fingerprint: Fingerprint) -> str:
    """The last of these names; the fingerprint itself, which stands where nobody gave a name, only if there is no other."""
    return max(named, key=lambda each: (each[1] != fingerprint, each[0]))[1]
