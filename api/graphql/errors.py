"""Refusals as answers: each class of `record.refusals` is a GraphQL type of the same name and a member of every mutation's result.

A mutation's resolver just lets a refusal rise; the handlers here turn it into the union member. In a query it becomes an entry in
`errors` with its code. Everything else is our own fault: it is logged whole, and shown as a sentence with a correlation id.

    CreateFlowResult: TypeAlias = Annotated[FlowCreated | Refused, strawberry.union("CreateFlowResult")]
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, Self, TypeAlias

import strawberry
import structlog
from graphql import GraphQLError
from strawberry.schema import ExceptionHandler

from record import refusals

log = structlog.get_logger(__name__)


@strawberry.interface(
    description="The record said no. Select `message` to show reasons that this client does not know yet."
)
class Refusal:
    """What all refusals have in common."""

    message: str = strawberry.field(description="The fact, then what to do, for people.")
    code: str = strawberry.field(description="The kind of refusal, for programs. Stable.")

    @classmethod
    def of(cls, refusal: refusals.Refusal) -> Self:
        """The answer that says what `refusal` says."""
        return cls(message=refusal.message, code=refusal.code)


@strawberry.type(description="Something in the input does not have the form that it must have.")
class InvalidInput(Refusal):
    field: str | None = strawberry.field(description="The field of the input that is meant, where one is.")
    line: int | None = strawberry.field(description="The line of the text that is meant, counted from 1.")
    column: int | None = strawberry.field(description="The column of the text that is meant, counted from 1.")

    @classmethod
    def of(cls, refusal: refusals.Refusal) -> Self:
        assert isinstance(refusal, refusals.InvalidInput)
        return cls(
            message=refusal.message, code=refusal.code, field=refusal.field, line=refusal.line, column=refusal.column
        )


@strawberry.type(description="A report cannot be read, or is hostile; nothing was recorded.")
class MalformedReport(InvalidInput):
    pass


@strawberry.type(description="There is no such thing in this organization, or it is not yours to see.")
class NotFound(Refusal):
    pass


@strawberry.type(description="Something of that name exists already.")
class NameTaken(Refusal):
    pass


@strawberry.type(description="A prefix names more than one thing.")
class Ambiguous(Refusal):
    pass


@strawberry.type(description="No key, or one that is unknown, expired or revoked.")
class Unauthenticated(Refusal):
    pass


@strawberry.type(description="The key is good, but its roles or scopes do not cover this.")
class NotAllowed(Refusal):
    pass


@strawberry.type(description="A digest is named that this organization has not uploaded.")
class EvidenceNotStored(Refusal):
    pass


@strawberry.type(description="The bytes that arrived are not the bytes that were named; nothing was stored.")
class WrongDigest(Refusal):
    pass


@strawberry.type(description="Larger than a stated limit.")
class TooLarge(Refusal):
    pass


@strawberry.type(description="This idempotency key was used before, with another input.")
class IdempotencyConflict(Refusal):
    pass


@strawberry.type(description="A part of the server does not answer now. Trying again may work.")
class Unavailable(Refusal):
    pass


Refused: TypeAlias = (
    InvalidInput
    | MalformedReport
    | NotFound
    | NameTaken
    | Ambiguous
    | Unauthenticated
    | NotAllowed
    | EvidenceNotStored
    | WrongDigest
    | TooLarge
    | IdempotencyConflict
    | Unavailable
)
"""Every way to be refused: the other members of a mutation's result."""

ANSWERS: Final[Mapping[type[refusals.Refusal], type[Refusal]]] = MappingProxyType(
    {
        refusals.InvalidInput: InvalidInput,
        refusals.MalformedReport: MalformedReport,
        refusals.NotFound: NotFound,
        refusals.NameTaken: NameTaken,
        refusals.Ambiguous: Ambiguous,
        refusals.Unauthenticated: Unauthenticated,
        refusals.NotAllowed: NotAllowed,
        refusals.EvidenceNotStored: EvidenceNotStored,
        refusals.WrongDigest: WrongDigest,
        refusals.TooLarge: TooLarge,
        refusals.IdempotencyConflict: IdempotencyConflict,
        refusals.Unavailable: Unavailable,
    }
)


class _Answer(ExceptionHandler):  # type: ignore[type-arg]  # its types are known at run time only
    """Turns one class of refusal into its type."""

    def __init__(self, refused: type[refusals.Refusal], answer: type[Refusal]) -> None:
        self.exception_type = refused
        self.error_type = answer

    def handle(self, exception: refusals.Refusal, *, field: object, info: object) -> Refusal:
        return self.error_type.of(exception)


HANDLERS: Final = tuple(
    _Answer(refused, answer)
    for refused, answer in sorted(ANSWERS.items(), key=lambda pair: len(pair[0].__mro__), reverse=True)
)
"""For `Schema(exception_handlers=...)`. A class comes before those that it derives from."""


def refusal_in(error: BaseException | None) -> refusals.Refusal | None:
    """The refusal that an error of the execution carries, if it carries one."""
    while isinstance(error, GraphQLError):
        error = error.original_error
    return error if isinstance(error, refusals.Refusal) else None


def shown(errors: Sequence[GraphQLError], *, request_id: str) -> list[GraphQLError]:
    """What a stranger may see of these errors: refusals and faults of the question whole, faults of ours by number."""
    answers = [_shown(error, request_id) for error in errors]
    for error in errors:
        _let_go(error)
    return answers


def _let_go(error: GraphQLError) -> None:
    """Takes from an error, and from all that led to it, the way on which it was raised: that way holds the error, in a circle."""
    met: list[BaseException | None] = [error]
    known: set[int] = set()
    while met:
        each = met.pop()
        if each is not None and id(each) not in known:
            known.add(id(each))
            each.__traceback__ = None
            met += (each.__cause__, each.__context__, getattr(each, "original_error", None))


def _shown(error: GraphQLError, request_id: str) -> GraphQLError:
    refusal = refusal_in(error)
    if refusal is not None:
        extensions: dict[str, Any] = {"code": refusal.code}
        if isinstance(refusal, refusals.InvalidInput):
            said = {"field": refusal.field, "line": refusal.line, "column": refusal.column}
            extensions |= {name: value for name, value in said.items() if value is not None}
        return GraphQLError(refusal.message, error.nodes, path=error.path, extensions=extensions)
    if _is_about_the_question(error):
        return error
    log.error("a resolver failed", request_id=request_id, path=error.path, exc_info=_innermost(error))
    return GraphQLError(
        f"Something went wrong here, and it is not your fault. Report it with the number {request_id}.",
        error.nodes,
        path=error.path,
        extensions={"code": "INTERNAL", "correlationId": request_id},
    )


def _is_about_the_question(error: GraphQLError) -> bool:
    """Errors of syntax, validation and coercion. Those that rise while executing are ours, but for missing arguments."""
    if not isinstance(_innermost(error), GraphQLError):
        return False
    return error.path is None or error.message.startswith("Argument ")


def _innermost(error: GraphQLError) -> BaseException:
    inner: BaseException = error
    while isinstance(inner, GraphQLError) and inner.original_error is not None:
        inner = inner.original_error
    return inner
