"""Inputs out of what was sent, by a plan that is made once for each type.

Left to itself Strawberry works out names, types and defaults of all fields of an input anew for every request: for an attestation
that takes longer than finding its trail in the database.
"""

from collections.abc import Iterator, Mapping
from dataclasses import MISSING
from functools import partial
from typing import Any, NamedTuple

import strawberry
from strawberry.scalars import is_scalar
from strawberry.types.arguments import InputContext
from strawberry.types.base import StrawberryObjectDefinition, StrawberryOptional, StrawberryType


class _Field(NamedTuple):
    sent_as: str
    name: str
    kind: StrawberryType | type
    is_leaf: bool
    """Its value is taken as it is: the scalar has read it already."""
    has_default: bool


def plan_inputs(schema: strawberry.Schema) -> None:
    """Lets every input type of this schema be made by its plan."""
    for each in schema.schema_converter.type_map.values():
        definition = each.definition
        if isinstance(definition, StrawberryObjectDefinition) and definition.is_input:
            definition.from_input = partial(_made, tuple(_fields(definition, schema)))


def _fields(definition: StrawberryObjectDefinition, schema: strawberry.Schema) -> Iterator[_Field]:
    for field in definition.fields:
        kind = field.resolve_type(type_definition=definition)
        bare = kind.of_type if isinstance(kind, StrawberryOptional) else kind
        yield _Field(
            sent_as=schema.config.name_converter.from_field(field),
            name=field.python_name,
            kind=kind,
            is_leaf=is_scalar(bare, schema.schema_converter.scalar_registry),
            has_default=not (field.default_value is MISSING and field.default_factory is MISSING),
        )


def _made(fields: tuple[_Field, ...], kind: type, sent: Mapping[str, Any], context: InputContext) -> Any:
    values: dict[str, Any] = {}
    for sent_as, name, field_kind, is_leaf, has_default in fields:
        if sent_as in sent:
            value = sent[sent_as]
            values[name] = value if is_leaf or value is None else context.convert(value, field_kind, sent_as)
        elif not has_default:
            values[name] = None
    return kind(**values)
