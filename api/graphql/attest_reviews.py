"""Attesting what another system decided: reviews of pull requests, tickets, and Sonar's quality gate, told as data."""

from enum import Enum
from typing import Annotated, TypeAlias

import strawberry

from api.graphql.attest import AboutInput, AttestationRecorded, about_of, attest_with
from api.graphql.context import Info
from api.graphql.errors import Refused
from api.graphql.scalars import Json
from record.attestations.service import reviews


@strawberry.enum(description="Where a pull request stands.")
class PullRequestState(Enum):
    MERGED = strawberry.enum_value("merged", description="It was merged.")
    OPEN = strawberry.enum_value("open", description="It is open.")
    CLOSED = strawberry.enum_value("closed", description="It was closed without being merged.")
    DRAFT = strawberry.enum_value("draft", description="It is not meant to be merged yet.")


@strawberry.enum(
    description="What an attestation about tickets is called. A template that asks for one accepts the other."
)
class TicketType(Enum):
    TICKET = strawberry.enum_value("ticket", description="Tickets of any system.")
    JIRA = strawberry.enum_value("jira", description="Tickets of Jira.")


@strawberry.input(
    description="A pull request: compliant in an accepted state, with enough approvals by people who wrote none of its commits."
)
class AttestPullRequestInput(AboutInput):
    data: Json = strawberry.field(
        description="An object: provider, state, author, reviewers (each name and state, oldest first), commits (each sha and "
        "author or authors); and if you like url, number, base, head."
    )
    minimum_approvals: int = strawberry.field(
        default=1, description="How many others must have approved it; at least 1."
    )
    accepted_states: list[PullRequestState] = strawberry.field(
        default_factory=lambda: [PullRequestState.MERGED, PullRequestState.OPEN],
        description="The states that are accepted; merged and open unless you say otherwise.",
    )


@strawberry.input(description="Tickets: compliant when at least one is referred to and all exist.")
class AttestTicketInput(AboutInput):
    type: TicketType = strawberry.field(default=TicketType.TICKET, description="The attestation's type.")
    data: Json = strawberry.field(description="An object: references, a list of objects with reference and exists.")


@strawberry.input(description="Sonar's quality gate: compliant when it is OK.")
class AttestSonarInput(AboutInput):
    data: Json = strawberry.field(
        description="What Sonar's webhook sends (with qualityGate), or what its API answers (with projectStatus)."
    )


AttestPullRequestResult: TypeAlias = Annotated[
    AttestationRecorded | Refused, strawberry.union("AttestPullRequestResult")
]
AttestTicketResult: TypeAlias = Annotated[AttestationRecorded | Refused, strawberry.union("AttestTicketResult")]
AttestSonarResult: TypeAlias = Annotated[AttestationRecorded | Refused, strawberry.union("AttestSonarResult")]


@strawberry.type
class ReviewAttestationMutations:
    @strawberry.mutation(description="Attests that a pull request was reviewed, by what you say of it.")
    async def attest_pull_request(
        self,
        info: Info,
        input: AttestPullRequestInput,  # noqa: A002
    ) -> AttestPullRequestResult:
        about, states = about_of(input), [str(state.value) for state in input.accepted_states]
        return await attest_with(
            info,
            input,
            lambda caller, once: reviews.pull_request(
                info.context.record,
                caller,
                about,
                data=input.data,
                minimum_approvals=input.minimum_approvals,
                accepted_states=states,
                idempotency=once,
            ),
        )

    @strawberry.mutation(description="Attests that tickets are referred to and exist, by what you say of them.")
    async def attest_ticket(self, info: Info, input: AttestTicketInput) -> AttestTicketResult:  # noqa: A002
        about = about_of(input)
        return await attest_with(
            info,
            input,
            lambda caller, once: reviews.tickets(
                info.context.record,
                caller,
                about,
                data=input.data,
                jira=input.type is TicketType.JIRA,
                idempotency=once,
            ),
        )

    @strawberry.mutation(description="Attests with Sonar's quality gate.")
    async def attest_sonar(self, info: Info, input: AttestSonarInput) -> AttestSonarResult:  # noqa: A002
        about = about_of(input)
        return await attest_with(
            info,
            input,
            lambda caller, once: reviews.sonar(info.context.record, caller, about, data=input.data, idempotency=once),
        )
