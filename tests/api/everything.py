"""A question that asks everything: the schema is walked, and every field that is reached is selected, with what is known given.

A field that the server refuses to this caller is left out and the rest is asked again, so that what comes back is all that the
caller can be told below one field of the record.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from graphql import (
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLUnionType,
    get_named_type,
    is_leaf_type,
    print_ast,
)
from graphql.utilities import ast_from_value

from api.graphql.schema import SCHEMA

Arguments = Mapping[tuple[str, str], list[dict[str, Any]]]
"""By type and field, what it is asked with: each of these, apart."""
LEVELS_MAX: Final = 9
PLUMBING: Final = frozenset({"pageInfo", "cursor", "edges"})


@dataclass
class Walk:
    """One walk of the schema for one caller. `left_out` are paths of answers that were refused."""

    arguments: Arguments
    left_out: set[tuple[str, ...]] = field(default_factory=set)

    def below_record(self, name: str) -> list[str]:
        """Questions about this field of the record: one for each set of arguments."""
        record = SCHEMA._schema.type_map["Record"]
        assert isinstance(record, GraphQLObjectType)
        return [f"{{ record {{ {asked} }} }}" for asked in self._field(record, name, ("record",), ())]

    def _field(
        self, owner: GraphQLObjectType, name: str, path: tuple[str, ...], seen: tuple[str, ...], called: str = ""
    ) -> list[str]:
        made: GraphQLField = owner.fields[name]
        given = self.arguments.get((owner.name, name), [{}])
        needed = {
            key for key, each in made.args.items() if isinstance(each.type, GraphQLNonNull) and not _has_default(each)
        }
        asked = []
        for place, arguments in enumerate(given):
            if needed - set(arguments):
                continue
            alias = f"{called}{name}{place or ''}"
            here = (*path, alias)
            below = self._below(get_named_type(made.type), here, seen)
            if here in self.left_out or below is None:
                continue
            asked.append(f"{alias}: {name}{_written(made, arguments)}{below}")
        return asked

    def _below(self, kind: Any, path: tuple[str, ...], seen: tuple[str, ...], called: str = "") -> str | None:
        """The selection of a type; None when it was passed on the way here, or lies too deep.

        Members of a union may have fields of one name and different types, so theirs are `called` by their type.
        """
        if is_leaf_type(kind):
            return ""
        if isinstance(kind, GraphQLUnionType | GraphQLInterfaceType):
            members = SCHEMA._schema.get_possible_types(kind)
            parts = [(each.name, self._below(each, path, seen, f"{each.name}_")) for each in members]
            return " { " + " ".join(f"... on {name}{said}" for name, said in parts if said) + " }"
        if kind.name in seen or len(seen) > LEVELS_MAX:
            return None
        names = [name for name in kind.fields if name not in PLUMBING]
        told = [each for name in names for each in self._field(kind, name, path, (*seen, kind.name), called)]
        return " { " + " ".join(told) + " }" if told else None


def _has_default(argument: Any) -> bool:
    return argument.default_value is not None and repr(argument.default_value) != "Undefined"


def _written(made: GraphQLField, arguments: Mapping[str, Any]) -> str:
    if not arguments:
        return ""
    written = []
    for key, value in arguments.items():
        literal = ast_from_value(value, made.args[key].type)
        assert literal is not None
        written.append(f"{key}: {print_ast(literal)}")
    return f"({', '.join(written)})"


def paths_of(errors: list[dict[str, Any]]) -> set[tuple[str, ...]]:
    """Where an answer was refused, without places in lists."""
    return {tuple(each for each in error.get("path", ()) if isinstance(each, str)) for error in errors}


def naming(answer: Any, names: tuple[str, ...], path: str = "") -> list[str]:
    """The places of an answer at which one of these names stands, with what stands there."""
    if isinstance(answer, dict):
        return [each for key, value in answer.items() for each in naming(value, names, f"{path}.{key}")]
    if isinstance(answer, list):
        return [each for value in answer for each in naming(value, names, f"{path}[]")]
    return [f"{path}: {answer}"] if isinstance(answer, str) and any(name in answer for name in names) else []
