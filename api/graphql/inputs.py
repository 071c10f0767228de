"""Inputs out of what was sent, by a plan that is made once for each type.

Left to itself Strawberry works out names, types and defaults of all fields of an input anew for every request: for an attestation
that takes longer than finding its trail in the database.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING
from functools import partial
from typing import Any, NamedTuple, TypeAlias

import strawberry
from strawberry.scalars import is_scalar
from strawberry.types.arguments import InputContext
from strawberry.types.base import StrawberryList, StrawberryObjectDefinition, StrawberryOptional, StrawberryType

_Make: TypeAlias = Callable[[Any, InputContext], Any]


class _Field(NamedTuple):
    sent_as: str
    name: str
    make: _Make | None
    """None: its value is taken as it is, the scalar has read it already."""
    has_default: bool


def plan_inputs(schema: strawberry.Schema) -> None:
    """Lets every input type of this schema be made by its plan."""
    for each in schema.schema_converter.type_map.values():
        definition = each.definition
        if isinstance(definition, StrawberryObjectDefinition) and definition.is_input:
            definition.from_input = partial(_made, tuple(_fields(definition, schema)))


def _fields(definition: StrawberryObjectDefinition, schema: strawberry.Schema) -> Iterator[_Field]:
    for field in definition.fields:
        sent_as = schema.config.name_converter.from_field(field)
        yield _Field(
            sent_as=sent_as,
            name=field.python_name,
            make=_maker(field.resolve_type(type_definition=definition), sent_as, schema),
            has_default=not (field.default_value is MISSING and field.default_factory is MISSING),
        )


def _maker(kind: StrawberryType | type, sent_as: str, schema: strawberry.Schema) -> _Make | None:
    bare = kind.of_type if isinstance(kind, StrawberryOptional) else kind
    if is_scalar(bare, schema.schema_converter.scalar_registry):
        return None
    if isinstance(bare, StrawberryList):
        make = _maker(bare.of_type, sent_as, schema)
        if make is None:
            return lambda sent, context: list(sent)  # graphql-core gives the same default to every request
        return lambda sent, context: [None if each is None else make(each, context) for each in sent]
    return lambda sent, context: context.convert(sent, kind, sent_as)


def _made(fields: tuple[_Field, ...], kind: type, sent: Mapping[str, Any], context: InputContext) -> Any:
    values: dict[str, Any] = {}
    for sent_as, name, make, has_default in fields:
        if sent_as in sent:
            value = sent[sent_as]
            values[name] = value if make is None or value is None else make(value, context)
        elif not has_default:
            values[name] = None
    return kind(**values)
