"""Executes an operation: graphql-core's executor, with a short way for what is merely read off an object.

Most of an answer is that: attributes of objects that a resolver has given, in lists of such objects. For each of them graphql-core
makes a path, an info and six tests, in case a resolver, a coroutine or an error is behind it. Here what the plan calls a plain
attribute is read and written in one step. Whatever turns out not to be that simple (a missing attribute, a null that may not
be, a value that its scalar refuses) goes graphql-core's way as if nothing had been tried: reading an attribute twice does no
harm, and its way is the one that words errors. Objects that an attribute or a resolver without arguments gives go a short way
as well: straight to their own fields, without what Strawberry and graphql-core prepare for resolvers that may need it.

Incremental delivery is not served, so graphql-core's executor without it is the base.
"""

from collections.abc import Awaitable
from functools import cache, cached_property
from types import NoneType
from typing import Any, Final

import strawberry
from graphql import (
    GraphQLError,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLResolveInfo,
    GraphQLResolveInfoHelpers,
    GraphQLSchema,
    OperationType,
)
from graphql.execution import ExecutionResult, default_field_resolver, default_type_resolver
from graphql.execution.collect_fields import FieldDetailsList, GroupedFieldSet, collect_fields
from graphql.execution.executor import Executor, to_nodes
from graphql.execution.values import VariableValues, get_variable_values
from graphql.pyutils import AwaitableOrValue, Path, Undefined, gather_with_cancel
from strawberry.execution import optimized_is_awaitable
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from api.graphql import plans
from api.graphql.context import Context
from api.graphql.documents import Operation
from api.graphql.plans import Plan, Selection, Short, Write


async def execute(
    schema: GraphQLSchema, operation: Operation, context: Context, sent: dict[str, Any]
) -> ExecutionResult:
    """The result of a query or mutation whose document is valid, for these variables."""
    plan = operation.plan
    variables: VariableValues | list[GraphQLError] | None = plan.variables.values(sent)
    if variables is None:
        variables = get_variable_values(schema, plan.operation.variable_definitions or (), sent, _COERCION_ERRORS_MAX)
    if isinstance(variables, list):
        return ExecutionResult(None, variables)
    return await ShortExecutor(schema, plan, context, variables).execute()


_COERCION_ERRORS_MAX: Final = 50


class ShortExecutor(Executor[None]):
    """Executes one operation once."""

    operation_extensions: Final = None
    build_resolve_info: Final[Any] = StrawberryGraphQLCoreExecutionContext.build_resolve_info
    """What Strawberry's resolvers are given."""

    def __init__(self, schema: GraphQLSchema, plan: Plan, context: Context, variables: VariableValues) -> None:
        super().__init__(
            schema,
            plan.fragment_definitions,
            plan.fragments,
            None,
            context,
            plan.operation,
            variables,
            default_field_resolver,
            default_type_resolver,
            default_field_resolver,
            is_awaitable=optimized_is_awaitable,  # type: ignore[arg-type]  # it is a guard, and does not say so
        )
        self._root_type = plan.root_type
        self._selections = plan.selections
        self._relevant_sub_fields = self._selections.subfields

    @property
    def async_helpers(self) -> GraphQLResolveInfoHelpers:
        """Made for each info: an executor that kept them would be kept by them, and with it all that a request has read.

        What is left in circles waits for the garbage collector, which then stops everybody for most of a second.
        """
        return GraphQLResolveInfoHelpers(gather=self.gather_async_work, track=self.track_async_work)

    @async_helpers.setter
    def async_helpers(self, _: GraphQLResolveInfoHelpers) -> None:
        """graphql-core gives them once."""

    async def execute(self) -> ExecutionResult:
        """Its result, with the errors of its fields."""
        root = self._selections.root
        if root is None:
            collected = collect_fields(
                self.schema, self.fragments, self.variable_values, self._root_type, self.operation
            )
            root = self._selections.root = collected.grouped_field_set
        serially = self.operation.operation is OperationType.MUTATION
        try:
            result: Any = self.execute_root_grouped_field_set(self._root_type, None, root, serially, None)
            data = await result if self.is_awaitable(result) else result
        except GraphQLError as error:
            self.collected_errors.add(error, None)
            data = None
        return ExecutionResult(data, self.collected_errors.errors or None)

    def execute_fields(
        self,
        parent_type: GraphQLObjectType,
        source_value: Any,
        path: Path | None,
        grouped_field_set: GroupedFieldSet,
        position_context: None,
    ) -> AwaitableOrValue[dict[str, Any]]:
        """The selected fields of an object."""
        known = self._selections.by_id.get(id(grouped_field_set))
        if known is None:
            known = self._selections.by_id[id(grouped_field_set)] = Selection(
                grouped_field_set, plans.steps(self.schema, parent_type, grouped_field_set)
            )
        results: dict[str, Any] = {}
        awaited: list[str] = []
        is_awaitable = self.is_awaitable
        try:
            for name, details, attribute, write, nullable, short in known.steps:
                if write is not None and attribute is not None:
                    plain = _read(source_value, attribute, write, nullable)
                    if plain is not Undefined:
                        results[name] = plain
                        continue
                field_path = Path(path, name, parent_type.name)
                if short is not None:
                    result = self._execute_short(short, parent_type, source_value, details, field_path)
                else:
                    result = self.execute_field(parent_type, source_value, details, field_path, position_context)
                if result is not Undefined:
                    results[name] = result
                    if is_awaitable(result):
                        awaited.append(name)
        except Exception:
            if awaited:
                self.settle_in_background([results[name] for name in awaited])
            raise
        return _when_all_are_there(results, awaited) if awaited else results

    def _execute_short(
        self,
        short: Short,
        parent_type: GraphQLObjectType,
        source: Any,
        details: FieldDetailsList,
        path: Path,
    ) -> AwaitableOrValue[Any]:
        """An object, or a list of them, that an attribute or a resolver without arguments gives."""
        try:
            if short.resolver is None:
                value = getattr(source, short.definition.python_name)
            elif short.takes_info:
                value = short.resolver(source, info=_Info(self, short, parent_type, details, path))
            else:
                value = short.resolver(source)
            if value is None and short.nullable:
                return None
            if not self._is_whole(short, value):
                info = self.build_resolve_info(short.field, to_nodes(details), parent_type, path)
                if self.is_awaitable(value):
                    return self.complete_awaitable_value(short.field.type, details, info, path, value, None)
                return self.complete_value(short.field.type, details, info, path, value, None)
            completed: Any
            if short.item is None:
                fields = self.collect_subfields(short.kind, details).grouped_field_set
                completed = self.execute_fields(short.kind, value, path, fields, None)
            else:
                completed = self.complete_iterable_value(short.item, details, _NO_INFO, path, value, None)
            if self.is_awaitable(completed):
                return self._completed_item(completed, short.field.type, details, path)
        except Exception as error:  # noqa: BLE001 (told to whoever asked, or raised again for what is above)
            self.handle_field_error(error, short.field.type, details, path)
            return None
        return completed

    def _is_whole(self, short: Short, value: Any) -> bool:
        """Whether it is there, and is what it should be."""
        if short.item is not None:
            return isinstance(value, list) and _are_all(short.kind, value, _NO_INFO)
        if value is None or isinstance(value, Exception) or self.is_awaitable(value):
            return False
        is_type_of = short.kind.is_type_of
        return is_type_of is None or is_type_of(value, _NO_INFO) is True

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


_NO_INFO: Final[Any] = None
"""Strawberry's tests of types do not look at it, and graphql-core hands it on to nobody else here."""


class _Info(strawberry.Info[Context, None]):
    """What a resolver on the short way is given: the context at once, the rest when it is asked for."""

    def __init__(
        self,
        executor: ShortExecutor,
        short: Short,
        parent_type: GraphQLObjectType,
        details: FieldDetailsList,
        path: Path,
    ) -> None:
        self._field = short.definition
        self._asked = (executor, short, parent_type, details, path)

    @property
    def context(self) -> Context:
        context: Context = self._asked[0].context_value
        return context

    @cached_property
    def _raw_info(self) -> Any:  # type: ignore[override]
        executor, short, parent_type, details, path = self._asked
        return executor.build_resolve_info(short.field, to_nodes(details), parent_type, path)


def _read(source: Any, attribute: str, write: Write, nullable: bool) -> Any:
    """The attribute as the answer shows it; Undefined when it is not plain."""
    try:
        value = getattr(source, attribute)
        if value is None:
            return None if nullable else Undefined
        written = write(value)
    except Exception:  # noqa: BLE001 (graphql-core's way meets it again, and words it)
        return Undefined
    return Undefined if written is None else written


def _are_all(kind: GraphQLObjectType, items: list[Any], info: GraphQLResolveInfo[Any]) -> bool:
    """Whether every item is of this type, as far as the type can tell."""
    is_type_of = kind.is_type_of
    if is_type_of is None:
        return all(map(_may_be_shown, map(type, items)))
    return all(item is not None and is_type_of(item, info) is True for item in items)


@cache
def _may_be_shown(kind: type) -> bool:
    """Whether values of this type stand for themselves: no null, no error and nothing to wait for."""
    return not issubclass(kind, (NoneType, Exception, Awaitable))


async def _when_all_are_there(results: Any, awaited: list[Any]) -> Any:
    """`results` (by name or by index), with what is awaited put in its place."""
    if len(awaited) == 1:
        results[awaited[0]] = await results[awaited[0]]
    else:
        for place, value in zip(awaited, await gather_with_cancel(*[results[each] for each in awaited]), strict=True):
            results[place] = value
    return results
