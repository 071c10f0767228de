"""Queues of what people were asked for, approvals and waivers: listed by the state that each stands in, and by environment."""

from __future__ import annotations

from muniment.command import Option
from muniment.commands import shared
from muniment.documents import Query
from muniment.paging import limited, of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from muniment.context import Context
    from muniment.exits import ExitCode


def state(*states: str) -> Option:
    """The option that narrows a queue to one of its states."""
    return Option("--state", choices=states, help="only those that stand so", value="STATE")


class Queue:
    """One of the record's queues: its field, the type of its states there, and what is asked of each node."""

    __slots__ = ("field", "question", "state")

    def __init__(self, field: str, state_type: str, selection: str, state: Option) -> None:
        self.field = field
        self.state = state
        self.question = Query(
            f"query($state: {state_type}, $environment: String, $first: Int, $after: String) {{ record {{ "
            f"{field}(state: $state, environment: $environment, first: $first, after: $after) {{ nodes {{ {selection} }} "
            "pageInfo { hasNextPage endCursor } } } }"
        )

    def options(self) -> tuple[Option, ...]:
        """What it is listed with."""
        return self.state, shared.ENVIRONMENT, shared.LIMIT, shared.AFTER

    def listed(
        self, context: Context, headings: Sequence[str], row: Callable[[dict[str, Any]], Sequence[object]]
    ) -> ExitCode:
        """What was asked for, the newest first."""
        standing = context.text(self.state)
        found = limited(
            context,
            self.question,
            of(self.field),
            state=standing and standing.upper(),
            environment=context.text(shared.ENVIRONMENT),
        )
        return context.listed(found, headings, row)
