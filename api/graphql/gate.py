"""The gate as GraphQL shows it: may this artifact run? One field for pipelines to ask and to end by."""

from enum import Enum
from typing import Annotated, Final, TypeAlias

import strawberry

from api.graphql.artifacts import whole_fingerprint
from api.graphql.context import Info
from api.graphql.verdicts import Verdict
from record.ids import Fingerprint
from record.moment import Moment
from record.policies import gate
from record.policies.gate import By, Obstacle

__all__ = ["ASSERT_ARTIFACT", "AssertArtifactResult", "By", "assert_artifact"]

ASSERT_ARTIFACT: Final = (
    "Whether an artifact satisfies exactly one of: the policies attached to an environment, in which it need not run; "
    "named policies; the templates of its flows. Records nothing. The answer is a verdict only if there was something to judge, "
    "and something to judge it by."
)


@strawberry.enum(description="Why an artifact could not be judged. None of these lets it pass.")
class AssertionObstacle(Enum):
    UNKNOWN_ARTIFACT = strawberry.enum_value(
        Obstacle.UNKNOWN_ARTIFACT.value, description="Nobody has reported this fingerprint, as far as you may see."
    )
    UNKNOWN_ENVIRONMENT = strawberry.enum_value(
        Obstacle.UNKNOWN_ENVIRONMENT.value, description="There is no environment of this name, as far as you may see."
    )
    UNKNOWN_POLICY = strawberry.enum_value(
        Obstacle.UNKNOWN_POLICY.value, description="There is no policy of one of these names."
    )
    NO_POLICY = strawberry.enum_value(
        Obstacle.NO_POLICY.value, description="No policy is attached to the environment, or none is named."
    )
    NO_TEMPLATE = strawberry.enum_value(
        Obstacle.NO_TEMPLATE.value, description="No template of its flows asks anything of it."
    )


@strawberry.type(description="The artifact was judged. It may pass if its verdict is COMPLIANT, and only then.")
class ArtifactAsserted:
    fingerprint: Fingerprint = strawberry.field(description="Its SHA-256.")
    name: str = strawberry.field(description="Its name in the newest report.")
    verdict: Verdict = strawberry.field(description="The verdict, and why.")
    judged_by: list[str] = strawberry.field(
        description="What it was judged by: policies and their versions, or trails and the versions of their templates."
    )


@strawberry.type(description="The artifact could not be judged, and may not pass.")
class ArtifactNotAsserted:
    obstacle: AssertionObstacle = strawberry.field(description="Why, for machines.")
    explanation: str = strawberry.field(description="The same in a sentence.")
    remedy: str = strawberry.field(description="What to do about it.")

    @classmethod
    def of(cls, answer: gate.NotAsserted) -> "ArtifactNotAsserted":
        obstacle = AssertionObstacle(answer.obstacle.value)
        return cls(obstacle=obstacle, explanation=answer.explanation, remedy=answer.remedy)


AssertArtifactResult: TypeAlias = Annotated[
    ArtifactAsserted | ArtifactNotAsserted,
    strawberry.union("AssertArtifactResult", description="A verdict, or why there is none."),
]


async def assert_artifact(info: Info, moment: Moment, fingerprint: Fingerprint, by: By) -> AssertArtifactResult:
    """Whether the artifact may pass. The beginning of a fingerprint will do, if no other begins so."""
    whole = await whole_fingerprint(info, moment, fingerprint) or fingerprint
    answer = await gate.assert_artifact(info.context.record, info.context.caller, moment, whole, by)
    if isinstance(answer, gate.NotAsserted):
        return ArtifactNotAsserted.of(answer)
    verdict = answer.verdict
    return ArtifactAsserted(
        fingerprint=answer.fingerprint,
        name=answer.name,
        verdict=Verdict.of(info, verdict.status, verdict.holds_until, lambda: verdict.reasons),
        judged_by=list(answer.judged_by),
    )
