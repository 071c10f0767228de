"""Verdicts and reasons as GraphQL shows them."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Annotated

import strawberry

from api.graphql.connections import page_size
from api.graphql.context import Info
from record import verdicts
from record.ids import EntryIndex
from record.verdicts import Status

strawberry.enum(
    Status, name="VerdictStatus", description="Wrong beats missing; nothing to judge by is UNKNOWN and never green."
)


@strawberry.type(description="One step of a judgement: a rule, what it was asked of, and how that went.")
class Reason:
    rule: str = strawberry.field(description="The rule and where it stands: template version and line.")
    subject: str = strawberry.field(description="What the rule was asked of.")
    outcome: Status = strawberry.field(description="How that went.")
    explanation: str = strawberry.field(description="The same in a sentence.")
    remedy: str | None = strawberry.field(description="What would satisfy the rule; null where it is satisfied.")
    entry_index: EntryIndex | None = strawberry.field(
        description="The ledger entry that decided; null where the evidence is absent."
    )
    because: list["Reason"] = strawberry.field(description="The steps below this one.")

    @classmethod
    def of(cls, reason: verdicts.Reason) -> "Reason":
        return cls(
            rule=reason.rule,
            subject=reason.subject,
            outcome=reason.outcome,
            explanation=reason.explanation,
            remedy=reason.remedy,
            entry_index=reason.entry_index,
            because=[cls.of(step) for step in reason.because],
        )


@strawberry.type(description="A status, why, and until when it holds if nothing is recorded. Never a bare boolean.")
class Verdict:
    status: Status = strawberry.field(description="COMPLIANT, NON_COMPLIANT, INCOMPLETE or UNKNOWN.")
    holds_until: datetime | None = strawberry.field(
        description="When time alone may change it (an override expires); null: never."
    )
    why: strawberry.Private[Callable[[], Iterable[verdicts.Reason]]]

    @strawberry.field(
        description="Why, as a tree: what was asked, of what, and what was found. With `worst`, so many of the uppermost: "
        "what is wrong before what is missing, that before what cannot be told, and what is satisfied last."
    )
    def reasons(
        self,
        info: Info,
        worst: Annotated[
            int | None, strawberry.argument(description="Only so many, the worst first; all of them when left out.")
        ] = None,
    ) -> list[Reason]:
        if worst is None:
            return [Reason.of(reason) for reason in self.why()]
        return [
            Reason.of(reason) for reason in verdicts.worst_first(self.why())[: page_size(info, worst, field="worst")]
        ]

    @strawberry.field(description="How many reasons there are uppermost: of an environment, one for each artifact.")
    def reason_count(self) -> int:
        return sum(1 for _ in self.why())

    @classmethod
    def of(
        cls, info: Info, status: Status, holds_until: datetime | None, why: Callable[[], Iterable[verdicts.Reason]]
    ) -> "Verdict":
        """As GraphQL shows it; the answer that it is part of holds no longer than it does. `why` is asked for when it is."""
        info.context.expires(holds_until)
        return cls(status=status, holds_until=holds_until, why=why)
