"""From a question to its results, whatever carries them: HTTP, server-sent events or a WebSocket.

Reads the document within the limits, gives each operation a context pinned to the moment when its caller was recognised,
executes it within its time, and lets out only errors that a stranger may see.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import TypeAlias

import strawberry
from graphql import GraphQLError, OperationType
from strawberry.types import ExecutionResult

from api.graphql import errors, execution
from api.graphql.context import Context
from api.graphql.documents import Documents, Operation, PreparedDocument
from api.graphql.limits import Limits
from api.graphql.questions import InvalidDocument, Question
from api.graphql.streams import Subscriptions, while_open
from api.identity import Identity, Recognised
from api.wakes import Wakes
from record.record import Record
from record.refusals import Refusal, TooLarge, Unavailable

Again: TypeAlias = Callable[[], Awaitable[Recognised]]


class Asking:
    """One schema over one record."""

    def __init__(
        self, schema: strawberry.Schema, *, record: Record, identity: Identity, wakes: Wakes, stopping: asyncio.Event
    ) -> None:
        settings = record.settings
        if PreparedDocument not in schema.extensions:
            schema.extensions = (*schema.extensions, PreparedDocument)
        self.schema = schema
        self.record = record
        self.identity = identity
        self.wakes = wakes
        self.stopping = stopping
        self.subscriptions = Subscriptions(settings.subscriptions_per_key_max, settings.subscriptions_anonymous_max)
        self.documents = Documents(
            schema._schema,
            Limits.of(settings),
            kept_max=settings.graphql_cached_documents,
            introspection=settings.graphql_introspection,
        )

    def read(self, payload: object) -> tuple[Question, Operation]:
        """What is asked and the operation that is meant.

        Raises refusals for what is no GraphQL request, `InvalidDocument` for one that does not validate or keep the limits.
        """
        question = Question.of(payload)
        document = self.documents.read(question.text)
        if document.errors:
            raise InvalidDocument(document.errors)
        operation = document.operation(question.operation_name)
        try:
            self.documents.check_cost(operation, question.variables)
        except TooLarge as refusal:
            raise InvalidDocument([as_error(refusal)]) from None
        return question, operation

    def context(self, operation: Operation, recognised: Recognised, again: Again, request_id: str) -> Context:
        """What this operation's resolvers are given. `again` recognises the same caller anew, if it still may be."""
        return Context(
            record=self.record,
            wakes=self.wakes,
            caller=recognised.caller,
            head=recognised.head,
            instant=max(self.record.clock.now(), recognised.head.at),
            request_id=request_id,
            operation=operation,
            recognise_again=again,
        )

    async def execute(self, question: Question, operation: Operation, context: Context) -> ExecutionResult:
        """The result of a query or mutation, unless it takes too long; its errors as they may be shown."""
        seconds = self.record.settings.graphql_timeout_seconds
        try:
            async with asyncio.timeout(seconds):
                done = await execution.execute(self.schema._schema, operation, context, question.variables)
        except TimeoutError:
            also = (
                " It is not known whether it was recorded: repeat it with the same idempotency key."
                if operation.kind is OperationType.MUTATION
                else " Ask for less at a time."
            )
            raise Unavailable(f"This took longer than {seconds:g} seconds and was stopped.{also}") from None
        return _presentable(ExecutionResult(data=done.data, errors=done.errors), context)

    async def results(
        self, question: Question, operation: Operation, context: Context, *, address: str
    ) -> AsyncGenerator[ExecutionResult | None, None]:
        """Every result of any operation, and None every few seconds in between. Ends with a result that says why.

        `address` is where it is asked from.
        """
        try:
            if operation.kind is not OperationType.SUBSCRIPTION:
                yield await self.execute(question, operation, context)
                return
            with self.subscriptions.held(context.caller.key_id, address):
                source = await self.schema.stream(
                    question.text,
                    variable_values=question.variables,
                    context_value=context,
                    operation_name=operation.name,
                )
                async with aclosing(while_open(source, context, self.stopping)) as watched:
                    async for result in watched:
                        yield None if result is None else _presentable(result, context)
        except Refusal as refusal:
            yield ExecutionResult(data=None, errors=[as_error(refusal)])


def as_error(refusal: Refusal) -> GraphQLError:
    """A refusal as an entry in `errors`."""
    return errors.shown([GraphQLError(refusal.message, original_error=refusal)], request_id="none")[0]


def _presentable(result: ExecutionResult, context: Context) -> ExecutionResult:
    if result.errors:
        result.errors = errors.shown(result.errors, request_id=context.request_id)
    return result
