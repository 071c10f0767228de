"""Executes an operation: graphql-core's executor, with a short way for what is merely read off an object.

Most of an answer is that: attributes of objects that a resolver has given, in lists of such objects. For each of them graphql-core
makes a path, an info and six tests, in case a resolver, a coroutine or an error is behind it. Here the fields of a selection
are looked at once, and what is a plain attribute with a leaf type is then read and written in one step. Whatever turns out not
to be that simple (a missing attribute, a null that may not be, a value that its scalar refuses) goes graphql-core's way as if
nothing had been tried: reading an attribute twice does no harm, and its way is the one that words errors.

Incremental delivery is not served, so graphql-core's executor without it is the base.
"""

from collections.abc import Awaitable, Callable
from enum import Enum
from functools import cache
from typing import Any, Final, NamedTuple, cast

from graphql import (
    GraphQLField,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLResolveInfo,
    GraphQLScalarType,
    GraphQLSchema,
)
from graphql.execution import ExecutionResult
from graphql.execution.collect_fields import FieldDetailsList, GroupedFieldSet
from graphql.execution.executor import Executor
from graphql.pyutils import AwaitableOrValue, Path, Undefined, gather_with_cancel
from strawberry.execution import optimized_is_awaitable
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext
from strawberry.schema.schema_converter import CustomGraphQLEnumType

from api.graphql.context import Context
from api.graphql.documents import Operation

Write = Callable[[Any], Any]


class _Step(NamedTuple):
    """One field of a selection, and how to come by it."""

    response_name: str
    details: FieldDetailsList
    attribute: str | None = None
    """The attribute to read; None: graphql-core's way."""
    write: Write | None = None
    """For a leaf; None: a list, of which only the empty one is plain."""
    nullable: bool = False


class _Plan(NamedTuple):
    """The steps of a selection. The selection is held, so that no other one gets its id meanwhile."""

    selection: GroupedFieldSet
    steps: list[_Step]


class ShortExecutor(Executor[None]):
    """One operation's."""

    operation_extensions: Final = None
    build_resolve_info = StrawberryGraphQLCoreExecutionContext.build_resolve_info
    """What Strawberry's resolvers are given."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._plans: dict[int, _Plan] = {}

    def execute_fields(
        self,
        parent_type: GraphQLObjectType,
        source_value: Any,
        path: Path | None,
        grouped_field_set: GroupedFieldSet,
        position_context: None,
    ) -> AwaitableOrValue[dict[str, Any]]:
        """The selected fields of an object."""
        known = self._plans.get(id(grouped_field_set))
        if known is None:
            known = self._plans[id(grouped_field_set)] = _Plan(
                grouped_field_set, self._steps(parent_type, grouped_field_set)
            )
        results: dict[str, Any] = {}
        awaited: list[str] = []
        is_awaitable = self.is_awaitable
        try:
            for name, details, attribute, write, nullable in known.steps:
                if attribute is not None:
                    plain = _read(source_value, attribute, write, nullable)
                    if plain is not Undefined:
                        results[name] = plain
                        continue
                result = self.execute_field(
                    parent_type, source_value, details, Path(path, name, parent_type.name), position_context
                )
                if result is not Undefined:
                    results[name] = result
                    if is_awaitable(result):
                        awaited.append(name)
        except Exception:
            if awaited:
                self.settle_in_background([results[name] for name in awaited])
            raise
        return _when_all_are_there(results, awaited) if awaited else results

    def complete_iterable_value(
        self,
        item_type: GraphQLOutputType,
        field_details_list: FieldDetailsList,
        info: GraphQLResolveInfo[Any],
        path: Path,
        items: Any,
        position_context: None,
    ) -> AwaitableOrValue[list[Any]]:
        """A list. One of objects that are all what they should be is gone through without testing each again."""
        kind = item_type.of_type if isinstance(item_type, GraphQLNonNull) else item_type
        if not isinstance(kind, GraphQLObjectType) or not isinstance(items, list) or not _are_all(kind, items, info):
            return super().complete_iterable_value(item_type, field_details_list, info, path, items, position_context)
        fields = self.collect_subfields(kind, field_details_list).grouped_field_set
        completed: list[Any] = []
        awaited: list[int] = []
        for index, item in enumerate(items):
            item_path = path.add_key(index, None)
            try:
                value: Any = self.execute_fields(kind, item, item_path, fields, position_context)
            except Exception as error:  # noqa: BLE001 (told to whoever asked, or raised again below)
                try:
                    self.handle_field_error(error, item_type, field_details_list, item_path)
                except Exception:
                    if awaited:
                        self.settle_in_background([completed[place] for place in awaited])
                    raise
                value = None
            if self.is_awaitable(value):
                awaited.append(index)
                value = self._completed_item(value, item_type, field_details_list, item_path)
            completed.append(value)
        return _when_all_are_there(completed, awaited) if awaited else completed

    async def _completed_item(
        self, value: Awaitable[Any], item_type: GraphQLOutputType, details: FieldDetailsList, path: Path
    ) -> Any:
        try:
            return await value
        except Exception as error:  # noqa: BLE001 (as above)
            self.handle_field_error(error, item_type, details, path)
            return None

    def _steps(self, parent_type: GraphQLObjectType, fields: GroupedFieldSet) -> list[_Step]:
        steps = []
        for name, details in fields.items():
            field = self.schema.get_field(parent_type, details[0].node.name.value)
            steps.append(_Step(name, details, *(() if field is None else _plain(field))))
        return steps


async def execute(
    schema: GraphQLSchema, operation: Operation, context: Context, variables: dict[str, Any]
) -> ExecutionResult:
    """The result of a query or mutation whose document is valid."""
    executor = ShortExecutor.build(
        schema,
        operation.document,
        context_value=context,
        raw_variable_values=variables,
        operation_name=operation.name,
        is_awaitable=optimized_is_awaitable,  # type: ignore[arg-type]  # it is a guard, and does not say so
    )
    if isinstance(executor, list):
        return ExecutionResult(None, executor)
    result = executor.execute_operation()
    return cast("ExecutionResult", await result if executor.is_awaitable(result) else result)


@cache
def _plain_write(kind: GraphQLOutputType) -> Write | None:
    """How a leaf type writes; None for other types. There are as many as the schema has types."""
    if isinstance(kind, GraphQLScalarType):
        return kind.coerce_output_value
    if isinstance(kind, CustomGraphQLEnumType):
        # By the member: Strawberry compares the values of all members each time.
        written: dict[Enum, str] = {
            member: name
            for member in cast("type[Enum]", kind.wrapped_cls)
            for name, each in kind.values.items()
            if member.value == each.value
        }
        return written.__getitem__
    return None


def _plain(field: GraphQLField) -> tuple[str, Write | None, bool] | tuple[()]:
    """The attribute behind a field, how it is written and whether it may be null; empty when it is not that simple."""
    definition = field.extensions.get("strawberry-definition")
    if field.args or definition is None or not definition.is_basic_field or not hasattr(field.resolve, "_is_default"):
        return ()
    nullable = not isinstance(field.type, GraphQLNonNull)
    kind = field.type.of_type if isinstance(field.type, GraphQLNonNull) else field.type
    write = _plain_write(kind)
    if write is None and not isinstance(kind, GraphQLList):
        return ()
    return definition.python_name, write, nullable


def _read(source: Any, attribute: str, write: Write | None, nullable: bool) -> Any:
    """The attribute as the answer shows it; Undefined when it is not plain."""
    try:
        value = getattr(source, attribute)
        if value is None:
            return None if nullable else Undefined
        if write is None:
            return [] if value == [] else Undefined
        written = write(value)
    except Exception:  # noqa: BLE001 (graphql-core's way meets it again, and words it)
        return Undefined
    return Undefined if written is None else written


def _are_all(kind: GraphQLObjectType, items: list[Any], info: GraphQLResolveInfo[Any]) -> bool:
    """Whether every item is of this type, as far as the type can tell."""
    is_type_of = kind.is_type_of
    if is_type_of is None:
        return not any(item is None or isinstance(item, (Exception, Awaitable)) for item in items)
    return all(item is not None and is_type_of(item, info) is True for item in items)


async def _when_all_are_there(results: Any, awaited: list[Any]) -> Any:
    """`results` (by name or by index), with what is awaited put in its place."""
    if len(awaited) == 1:
        results[awaited[0]] = await results[awaited[0]]
    else:
        for place, value in zip(awaited, await gather_with_cancel(*[results[each] for each in awaited]), strict=True):
            results[place] = value
    return results
