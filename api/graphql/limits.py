"""What one question may ask for: how long, how deep, how often the same thing, how many nodes.

Everything here is linear in the document's length, whatever its fragments look like: each fragment is measured once and
counted as often as it is spread. The shape (depth, aliases, duplicates, directives) is measured before validation, whose rules
can be made to work hard; the cost afterwards, when every field is known to exist.

Cost is the number of nodes that an answer may hold: a field that pages counts its page size times what is selected below it.
What does not depend on variables is computed once for each document; the rest once for each request.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self, TypeAlias

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLField,
    GraphQLNamedType,
    GraphQLSchema,
    OperationDefinitionNode,
    SelectionSetNode,
    get_named_type,
    is_composite_type,
)
from graphql.language import IntValueNode, VariableNode
from graphql.type import GraphQLList, GraphQLNonNull

from record.settings import Settings

Size: TypeAlias = int | str
"""A page size: a number, or the name of the variable that holds it."""

DIRECTIVES_MAX: Final = 30
DIRECTIVES_AT_ONE_PLACE_MAX: Final = 4
DUPLICATES_MAX: Final = 20
SPREADS_DEEP_MAX: Final = 40
LIST_LENGTH: Final = 10
"""What a list without pages is taken to hold."""
PAGE_SIZE_DEFAULT: Final = 20
_PAGE_ARGUMENTS: Final = ("first", "last")


@dataclass(frozen=True, slots=True)
class Limits:
    """Numbers that an operator may set."""

    tokens: int
    depth: int
    aliases: int
    cost: int
    page_size: int

    @classmethod
    def of(cls, settings: Settings) -> Self:
        return cls(
            tokens=settings.graphql_tokens_max,
            depth=settings.graphql_depth_max,
            aliases=settings.graphql_aliases_max,
            cost=settings.graphql_cost_max,
            page_size=min(PAGE_SIZE_DEFAULT, settings.page_size_max),
        )


@dataclass(slots=True)
class _Shape:
    depth: int = 0
    aliases: int = 0
    directives: int = 0
    duplicates: int = 0


class _Shapes:
    """Measures selection sets, each fragment once."""

    def __init__(self, fragments: Mapping[str, FragmentDefinitionNode]) -> None:
        self._fragments = fragments
        self._known: dict[str, _Shape] = {}
        self._on_the_way: list[str] = []

    def of(self, selections: SelectionSetNode) -> _Shape:
        shape = _Shape(depth=1)
        seen: set[str] = set()
        for selection in selections.selections:
            if len(selection.directives or ()) > DIRECTIVES_AT_ONE_PLACE_MAX:
                raise GraphQLError(
                    f"At most {DIRECTIVES_AT_ONE_PLACE_MAX} directives may stand at one place.", selection
                )
            shape.directives += len(selection.directives or ())
            if isinstance(selection, FragmentSpreadNode):
                inner, deeper = self._fragment(selection.name.value), 0
            elif selection.selection_set is not None:  # type: ignore[attr-defined]  # fields and inline fragments have one
                inner, deeper = self.of(selection.selection_set), int(isinstance(selection, FieldNode))  # type: ignore[attr-defined]
            else:
                inner, deeper = _Shape(), 0
            if isinstance(selection, FieldNode):
                name = (selection.alias or selection.name).value
                shape.duplicates += name in seen
                seen.add(name)
                shape.aliases += selection.alias is not None
            shape.depth = max(shape.depth, inner.depth + deeper)
            shape.aliases += inner.aliases
            shape.directives += inner.directives
            shape.duplicates += inner.duplicates
        return shape

    def _fragment(self, name: str) -> _Shape:
        known = self._known.get(name)
        if known is not None:
            return known
        fragment = self._fragments.get(name)
        if fragment is None or name in self._on_the_way:
            return _Shape()  # validation says that it is unknown, or spreads itself
        if len(self._on_the_way) >= SPREADS_DEEP_MAX:
            raise GraphQLError(f"Fragments spread more than {SPREADS_DEEP_MAX} deep. Use fewer.", fragment)
        self._on_the_way.append(name)
        shape = self._known[name] = self.of(fragment.selection_set)
        self._on_the_way.pop()
        return shape


def check_shape(document: DocumentNode, limits: Limits) -> None:
    """Refuses a document that is too deep, or says the same thing too often."""
    fragments = _fragments(document)
    shapes = _Shapes(fragments)
    for definition in document.definitions:
        if not isinstance(definition, (OperationDefinitionNode, FragmentDefinitionNode)):
            continue
        shape = shapes.of(definition.selection_set)
        for what, measured, most in (
            ("nests fields {} deep", shape.depth, limits.depth),
            ("has {} aliases, with its fragments", shape.aliases, limits.aliases),
            ("repeats {} fields", shape.duplicates, DUPLICATES_MAX),
            ("has {} directives", shape.directives, DIRECTIVES_MAX),
        ):
            if measured > most:
                raise GraphQLError(
                    f"This document {what.format(measured)}, and {most} is the most. Ask for less at a time."
                )


@dataclass(frozen=True, slots=True)
class Cost:
    """How many nodes a selection may give: `nodes`, and for each part its size times what is below."""

    nodes: int = 0
    parts: tuple[tuple[Size, "Cost"], ...] = ()

    def at(self, variables: Mapping[str, Any], *, page_size: int) -> int:
        """The number for these variables."""
        return self._at(variables, page_size, {})

    def _at(self, variables: Mapping[str, Any], page_size: int, known: dict[int, int]) -> int:
        if not self.parts:
            return self.nodes
        if id(self) not in known:
            known[id(self)] = self.nodes + sum(
                _number(size, variables, page_size) * part._at(variables, page_size, known) for size, part in self.parts
            )
        return known[id(self)]


def _number(size: Size, variables: Mapping[str, Any], page_size: int) -> int:
    value = variables.get(size) if isinstance(size, str) else size
    return value if isinstance(value, int) and value >= 0 else page_size


class _Costs:
    """Computes the cost of a valid document, each fragment once for each page size that it meets."""

    def __init__(self, schema: GraphQLSchema, document: DocumentNode, page_size: int) -> None:
        self._schema = schema
        self._fragments = _fragments(document)
        self._page_size = page_size
        self._known: dict[tuple[str, Size], Cost] = {}

    def of(self, selections: SelectionSetNode, parent: GraphQLNamedType, page: Size) -> Cost:
        """`page`: how long lists directly below are taken to be."""
        nodes, parts = 0, []
        for selection in selections.selections:
            if isinstance(selection, FieldNode):
                factor, below = self._field(selection, parent, page)
            else:
                factor, below = 1, self._condition(selection, parent, page)
            if isinstance(factor, int) and not below.parts:
                nodes += factor * below.nodes
            else:
                parts.append((factor, below))
        return Cost(nodes, tuple(parts))

    def _field(self, selection: FieldNode, parent: GraphQLNamedType, page: Size) -> tuple[Size, Cost]:
        name = selection.name.value
        field = getattr(parent, "fields", {}).get(name)
        if field is None or selection.selection_set is None or name.startswith("__"):
            return 1, Cost()
        named = get_named_type(field.type)
        if not is_composite_type(named):
            return 1, Cost()
        asked = self._page_asked(selection, field)
        listed = _is_list(field)
        below = self.of(selection.selection_set, named, LIST_LENGTH if listed or asked is None else asked)
        with_itself = Cost(below.nodes + 1, below.parts)
        if not listed:
            return 1, with_itself
        return (page if asked is None else asked), with_itself

    def _condition(self, selection: Any, parent: GraphQLNamedType, page: Size) -> Cost:
        if not isinstance(selection, FragmentSpreadNode):
            condition = selection.type_condition
            return self.of(selection.selection_set, self._type(condition, parent), page)
        key = (selection.name.value, page)
        if key not in self._known:
            fragment = self._fragments[selection.name.value]
            self._known[key] = self.of(fragment.selection_set, self._type(fragment.type_condition, parent), page)
        return self._known[key]

    def _type(self, condition: Any, parent: GraphQLNamedType) -> GraphQLNamedType:
        return parent if condition is None else self._schema.type_map[condition.name.value]

    def _page_asked(self, selection: FieldNode, field: GraphQLField) -> Size | None:
        """The page size that a field is given, or would take by itself; None for a field without pages."""
        sizes = [
            name
            for name in _PAGE_ARGUMENTS
            if name in field.args and get_named_type(field.args[name].type).name == "Int"
        ]
        if not sizes:
            return None
        for argument in selection.arguments or ():
            if argument.name.value in sizes:
                if isinstance(argument.value, VariableNode):
                    return argument.value.name.value
                if isinstance(argument.value, IntValueNode):
                    return min(int(argument.value.value), 10**9)
        defaults = [field.args[name].default_value for name in sizes]
        return next((each for each in defaults if isinstance(each, int)), self._page_size)


def cost_of(schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode, limits: Limits) -> Cost:
    """The cost of one operation of a valid document. Variables that have defaults are still variables."""
    root = schema.get_root_type(operation.operation)
    assert root is not None, "a valid operation has a type"
    return _Costs(schema, document, limits.page_size).of(operation.selection_set, root, LIST_LENGTH)


def root_field_count(document: DocumentNode, operation: OperationDefinitionNode) -> int:
    """How many fields the answer's data has at most, but for `__typename`."""
    fragments = _fragments(document)
    names: set[str] = set()
    waiting, seen = [operation.selection_set], set()
    while waiting:
        for selection in waiting.pop().selections:
            if isinstance(selection, FieldNode):
                if selection.name.value != "__typename":
                    names.add((selection.alias or selection.name).value)
            elif not isinstance(selection, FragmentSpreadNode):
                waiting.append(selection.selection_set)  # type: ignore[attr-defined]  # an inline fragment has one
            elif selection.name.value not in seen:
                seen.add(selection.name.value)
                waiting.append(fragments[selection.name.value].selection_set)
    return len(names)


def _fragments(document: DocumentNode) -> dict[str, FragmentDefinitionNode]:
    return {each.name.value: each for each in document.definitions if isinstance(each, FragmentDefinitionNode)}


def _is_list(field: GraphQLField) -> bool:
    kind = field.type.of_type if isinstance(field.type, GraphQLNonNull) else field.type
    return isinstance(kind, GraphQLList)
