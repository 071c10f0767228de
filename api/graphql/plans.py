"""What every execution of an operation begins with, found out once: its fragments, its variables, what it selects where.

A selection's steps say how to come by each of its fields. What is a plain attribute, or a resolver that takes no arguments and
waits for nothing, is told apart here, so that `api.graphql.execution` can go a short way with it. In a document without
directives nothing about selections depends on variables, so they are worked out for the first request and used for all.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from functools import cache
from typing import Any, NamedTuple, Self, TypeAlias, cast

from graphql import (
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLField,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLScalarType,
    GraphQLSchema,
    OperationDefinitionNode,
)
from graphql.execution.collect_fields import CollectedFields, FieldDetailsList, FragmentDetails, GroupedFieldSet
from strawberry.schema.schema_converter import CustomGraphQLEnumType
from strawberry.types.field import StrawberryField

from api.graphql.variables import Variables

Write: TypeAlias = Callable[[Any], Any]


class Step(NamedTuple):
    """One field of a selection, and how to come by it."""

    response_name: str
    details: FieldDetailsList
    attribute: str | None = None
    """The attribute of a leaf type that it is."""
    write: Write | None = None
    """How that is written."""
    nullable: bool = False
    short: "Short | None" = None
    """Without any of this: graphql-core's way."""


class Short(NamedTuple):
    """A field that gives an object or a list of objects, and gets it from an attribute or from a resolver without arguments."""

    field: GraphQLField
    definition: StrawberryField
    resolver: Callable[..., Any] | None
    takes_info: bool
    nullable: bool
    kind: GraphQLObjectType
    item: GraphQLOutputType | None
    """For a list of `kind`: the type of its items. None: it is one object."""


class Selection(NamedTuple):
    """The steps of a selection. Its fields are held, so that no other ones get their id meanwhile."""

    fields: GroupedFieldSet
    steps: list[Step]


@dataclass(slots=True)
class Selections:
    """All that were met so far. `subfields` is graphql-core's own memory of them, by type and by the id of a list of fields."""

    root: GroupedFieldSet | None = None
    subfields: dict[tuple[GraphQLObjectType, int], tuple[FieldDetailsList, CollectedFields]] = field(
        default_factory=dict
    )
    by_id: dict[int, Selection] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Plan:
    """One operation's."""

    operation: OperationDefinitionNode
    root_type: GraphQLObjectType
    fragment_definitions: dict[str, FragmentDefinitionNode]
    fragments: dict[str, FragmentDetails]
    variables: Variables
    kept: Selections | None
    """None: directives make it depend on variables what is selected."""

    @classmethod
    def of(
        cls,
        schema: GraphQLSchema,
        document: DocumentNode,
        operation: OperationDefinitionNode,
        *,
        has_directives: bool,
    ) -> Self:
        """The plan of an operation of a valid document."""
        root_type = schema.get_root_type(operation.operation)
        assert root_type is not None, "the document is valid"
        fragments = {each.name.value: each for each in document.definitions if isinstance(each, FragmentDefinitionNode)}
        return cls(
            operation=operation,
            root_type=root_type,
            fragment_definitions=fragments,
            fragments={name: FragmentDetails(each) for name, each in fragments.items()},
            variables=Variables(schema, operation),
            kept=None if has_directives else Selections(),
        )

    @property
    def selections(self) -> Selections:
        """For one execution."""
        return Selections() if self.kept is None else self.kept


def steps(schema: GraphQLSchema, parent_type: GraphQLObjectType, fields: GroupedFieldSet) -> list[Step]:
    """How to come by each field of a selection on this type."""
    found = []
    for name, details in fields.items():
        definition = schema.get_field(parent_type, details[0].node.name.value)
        found.append(Step(name, details) if definition is None else _step(name, details, definition))
    return found


def _step(name: str, details: FieldDetailsList, field: GraphQLField) -> Step:
    definition = field.extensions.get("strawberry-definition")
    if field.args or not isinstance(definition, StrawberryField) or definition.extensions or definition.is_async:
        return Step(name, details)
    kind, nullable = _bare(field.type)
    write = _plain_write(kind)
    if write is not None and definition.is_basic_field:
        return Step(name, details, definition.python_name, write, nullable)
    return Step(name, details, short=_short(field, definition, kind, nullable=nullable))


def _short(
    field: GraphQLField, definition: StrawberryField, kind: GraphQLOutputType, *, nullable: bool
) -> Short | None:
    item = None
    if isinstance(kind, GraphQLList):
        item = kind.of_type
        kind, _ = _bare(item)
    if not isinstance(kind, GraphQLObjectType) or kind.name.startswith("__"):
        return None
    resolver = definition.base_resolver
    if resolver is None:
        return Short(field, definition, None, False, nullable, kind, item)
    if resolver.self_parameter is None or isinstance(resolver.wrapped_func, (staticmethod, classmethod)):
        return None
    takes_info = resolver.info_parameter is not None
    return Short(field, definition, resolver.wrapped_func, takes_info, nullable, kind, item)


def _bare(kind: GraphQLOutputType) -> tuple[GraphQLOutputType, bool]:
    """A type without its exclamation mark, and whether it had none."""
    return (kind.of_type, False) if isinstance(kind, GraphQLNonNull) else (kind, True)


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
