"""A request's JSON in, one question out, or a sentence about what is wrong with it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

from graphql import GraphQLError

from record.refusals import InvalidInput

_MEMBERS: Final[tuple[tuple[str, type, str], ...]] = (
    ("query", str, "a text"),
    ("operationName", str, "a text"),
    ("variables", dict, "an object"),
    ("extensions", dict, "an object"),
)


class InvalidDocument(Exception):  # noqa: N818 (an answer, not a fault)
    """The request is well-formed, but its document or its variables are not: nothing was executed."""

    def __init__(self, errors: Sequence[GraphQLError]) -> None:
        super().__init__(errors[0].message)
        self.errors = list(errors)


@dataclass(frozen=True, slots=True)
class Question:
    """What a request asks."""

    text: str
    variables: dict[str, Any]
    operation_name: str | None

    @classmethod
    def of(cls, payload: object) -> Self:
        """Refuses what is not one GraphQL request."""
        if isinstance(payload, list):
            raise InvalidInput("Batches are not served. Send one operation for each request.")
        if not isinstance(payload, dict):
            raise InvalidInput('A GraphQL request is a JSON object. Send {"query": "..."}.')
        for name, kind, called in _MEMBERS:
            if payload.get(name) is not None and not isinstance(payload[name], kind):
                raise InvalidInput(f"`{name}` is not {called}. Send {called}, or leave it out.", field=name)
        if not payload.get("query"):
            raise InvalidInput('There is no query in this request. Send {"query": "..."}.', field="query")
        return cls(payload["query"], payload.get("variables") or {}, payload.get("operationName"))
