"""The variables of an operation, read by a plan that is made once for each operation.

What comes out is what graphql-core's own coercion gives; it walks the types anew for each value of each request. Where a value does
not fit, nothing comes out, and graphql-core is asked after all: it words the errors.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

from graphql import (
    GraphQLError,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLSchema,
    OperationDefinitionNode,
    is_leaf_type,
    is_required_input_field,
)
from graphql.execution.get_variable_signature import GraphQLVariableSignature, get_variable_signature
from graphql.execution.values import VariableValues, VariableValueSource
from graphql.pyutils import Undefined
from graphql.utilities.coerce_input_value import coerce_default_value, coerce_input_value

Read: TypeAlias = Callable[[Any], Any]
"""A value as it was sent, to what resolvers are given; Undefined when it does not fit."""


class _Variable(NamedTuple):
    signature: GraphQLVariableSignature
    read: Read


class Variables:
    """What one operation declares."""

    def __init__(self, schema: GraphQLSchema, operation: OperationDefinitionNode) -> None:
        self._declared: list[_Variable] = []
        readers: dict[str, Read] = {}
        for node in operation.variable_definitions or ():
            signature = get_variable_signature(schema, node)
            assert not isinstance(signature, GraphQLError), "the document is valid"
            self._declared.append(_Variable(signature, _reader(signature.type, readers)))

    def values(self, sent: Mapping[str, Any]) -> VariableValues | None:
        """The values, if all that were sent fit and none is missing that has to be there."""
        sources: dict[str, VariableValueSource] = {}
        values: dict[str, Any] = {}
        for signature, read in self._declared:
            name = signature.name
            if name in sent:
                value = sent[name]
                sources[name] = VariableValueSource(signature, value)
                value = read(value)
                if value is Undefined:
                    return None
                values[name] = value
                continue
            sources[name] = VariableValueSource(signature)
            if signature.default is not None:
                values[name] = coerce_default_value(signature)
            elif isinstance(signature.type, GraphQLNonNull):
                return None
        return VariableValues(sources, values)


def _reader(kind: GraphQLInputType, known: dict[str, Read]) -> Read:
    """How values of this type are read; `known` holds the input objects, which may contain themselves."""
    if isinstance(kind, GraphQLNonNull):
        read = _reader(kind.of_type, known)
        return lambda value: Undefined if value is None else read(value)
    if isinstance(kind, GraphQLList):
        return _list_reader(_reader(kind.of_type, known))
    if isinstance(kind, GraphQLInputObjectType):
        if kind.is_one_of:
            return lambda value: coerce_input_value(value, kind)
        if kind.name not in known:
            known[kind.name] = lambda value: known[kind.name](value)  # until it is there, for types within themselves
            known[kind.name] = _object_reader(kind, known)
        return known[kind.name]
    assert is_leaf_type(kind)
    return _leaf_reader(kind.coerce_input_value)


def _leaf_reader(coerce: Read) -> Read:
    def read(value: Any) -> Any:
        if value is None:
            return None
        try:
            return coerce(value)
        except Exception:  # noqa: BLE001 (graphql-core meets it again, and words it)
            return Undefined

    return read


def _list_reader(read_item: Read) -> Read:
    def read(value: Any) -> Any:
        if value is None:
            return None
        items = [read_item(item) for item in (value if isinstance(value, list) else [value])]
        return Undefined if any(item is Undefined for item in items) else items

    return read


class _Field(NamedTuple):
    sent_as: str
    name: str
    read: Read
    is_required: bool
    default: Any


def _object_reader(kind: GraphQLInputObjectType, known: dict[str, Read]) -> Read:
    fields = [
        _Field(
            sent_as,
            field.out_name or sent_as,
            _reader(field.type, known),
            is_required_input_field(field),
            coerce_default_value(field),
        )
        for sent_as, field in kind.fields.items()
    ]

    def read(sent: Any) -> Any:
        if sent is None:
            return None
        if not isinstance(sent, dict):
            return Undefined
        values: dict[str, Any] = {}
        known_names = 0
        for sent_as, name, read_field, is_required, default in fields:
            if sent_as in sent:
                known_names += 1
                value = read_field(sent[sent_as])
                if value is Undefined:
                    return Undefined
                values[name] = value
            elif is_required:
                return Undefined
            elif default is not Undefined:
                values[name] = default
        return Undefined if known_names != len(sent) else kind.out_type(values)

    return read
