"""schema.graphql is what the server serves, and every part of it says what it is."""

import os
from pathlib import Path

import pytest
from graphql import GraphQLInputObjectType, GraphQLInterfaceType, GraphQLObjectType, build_schema

from api.graphql.schema import SCHEMA

FILE = Path(__file__).resolve().parents[2] / "schema.graphql"

TYPES = build_schema(SCHEMA.as_str()).type_map


def test_the_committed_schema_is_the_served_one() -> None:
    served = SCHEMA.as_str().rstrip() + "\n"
    if os.environ.get("UPDATE"):
        FILE.write_text(served)

    assert served == FILE.read_text(), "schema.graphql is stale. Run `make schema` and look at what changed."


@pytest.mark.parametrize("name", sorted(name for name in TYPES if not name.startswith("__")))
def test_every_type_and_field_is_described(name: str) -> None:
    kind = TYPES[name]
    if not isinstance(kind, (GraphQLObjectType, GraphQLInterfaceType, GraphQLInputObjectType)):
        return

    undescribed = [field for field, definition in kind.fields.items() if not definition.description]

    assert kind.description, f"The type {name} has no description."
    assert not undescribed, f"{name} does not describe {', '.join(undescribed)}."
