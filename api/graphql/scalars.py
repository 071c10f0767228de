"""The record's own words as GraphQL scalars, so that a client cannot pass a size where a digest is meant.

Each reads strictly and says what it wants; what it writes is one spelling: lower-case digests, instants in UTC with six digits.
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, NewType, TypeAlias

import strawberry
from graphql import GraphQLError, ValueNode
from graphql.language import FloatValueNode, IntValueNode, StringValueNode
from graphql.utilities import value_from_ast_untyped
from strawberry.types.scalar import ScalarDefinition

from muniment.proof import canonical
from record.clock import to_rfc3339
from record.ids import Digest, EntryIndex, Fingerprint, LedgerSize, checked_digest, checked_fingerprint_prefix
from record.refusals import InvalidInput

Json = NewType("Json", object)
"""Any JSON value."""

Parse: TypeAlias = Callable[[Any], Any]

COUNT_MAX: Final = 2**53 - 1
_RFC3339: Final = re.compile(
    r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?P<fraction>\.\d+)?(?P<offset>[Zz]|[+-]\d\d:\d\d)", re.ASCII
)


def parse_instant(value: object) -> datetime:
    """An instant as RFC 3339 writes it. An offset is required: a local time is not an instant."""
    matched = _RFC3339.fullmatch(value) if isinstance(value, str) else None
    try:
        if matched is None or not isinstance(value, str):
            raise ValueError
        fraction = (matched["fraction"] or ".0")[1:7].ljust(6, "0")
        offset = "+00:00" if matched["offset"] in "Zz" else matched["offset"]
        instant = datetime.fromisoformat(f"{value[:19]}.{fraction}{offset}")
        to_rfc3339(instant)  # in UTC it may fall out of the years that there are
    except (ValueError, OverflowError):
        raise GraphQLError(
            f"{_shown(value)} is not an instant. Write it as RFC 3339 does, with an offset: 2026-11-22T08:30:00Z."
        ) from None
    return instant


def parse_count(value: object) -> int:
    """A whole number from 0 to 2^53-1."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= COUNT_MAX:
        raise GraphQLError(f"{_shown(value)} is not a whole number from 0 to 2^53-1.")
    return value


def parse_json(value: object) -> object:
    """Any JSON value that can be recorded."""
    try:
        canonical.encode(value)
    except canonical.CanonicalError as error:
        raise GraphQLError(str(error)) from None
    return value


def _text_parser(check: Callable[[str], Any]) -> Parse:
    def parse(value: object) -> Any:
        if not isinstance(value, str):
            raise GraphQLError(f"{_shown(value)} is not a text.")
        try:
            return check(value)
        except InvalidInput as refusal:
            raise GraphQLError(refusal.message) from None

    return parse


def _shown(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 80 else shown[:77] + "..."


def _text_literal(parse: Parse) -> Callable[[ValueNode, dict[str, Any] | None], Any]:
    def parse_literal(node: ValueNode, _variables: dict[str, Any] | None = None) -> Any:
        if not isinstance(node, StringValueNode):
            raise GraphQLError("This is not a text. Write it in quotes.", node)
        return parse(node.value)

    return parse_literal


def _count_literal(node: ValueNode, _variables: dict[str, Any] | None = None) -> int:
    if not isinstance(node, IntValueNode) or len(node.value) > 17:
        raise GraphQLError("This is not a whole number from 0 to 2^53-1.", node)
    return parse_count(int(node.value))


def _json_literal(node: ValueNode, variables: dict[str, Any] | None = None) -> object:
    if isinstance(node, (IntValueNode, FloatValueNode)) and len(node.value) > 400:
        raise GraphQLError("This number is too long.", node)
    return parse_json(value_from_ast_untyped(node, variables))


def _written(value: object) -> object:
    return value


def _text(name: str, description: str, parse: Parse, write: Callable[[Any], Any] = _written) -> ScalarDefinition:
    return strawberry.scalar(
        name=name,
        description=description,
        serialize=write,
        parse_value=parse,
        parse_literal=_text_literal(parse),
    )


def _count(name: str, description: str) -> ScalarDefinition:
    return strawberry.scalar(
        name=name, description=description, serialize=int, parse_value=parse_count, parse_literal=_count_literal
    )


SCALARS: Final[Mapping[object, ScalarDefinition]] = MappingProxyType(
    {
        Fingerprint: _text(
            "Fingerprint",
            "SHA-256 of an artifact: 64 lower-case hexadecimal digits. `sha256:` in front is accepted and left out. "
            "When asking, its first 7 or more digits do.",
            _text_parser(checked_fingerprint_prefix),
        ),
        Digest: _text(
            "Digest",
            "SHA-256 of evidence in the vault: 64 lower-case hexadecimal digits. `sha256:` in front is accepted.",
            _text_parser(checked_digest),
        ),
        EntryIndex: _count("EntryIndex", "Place of an entry in its ledger, counted from 0."),
        LedgerSize: _count("LedgerSize", "How many entries a ledger holds: the index that its next entry will get."),
        datetime: _text(
            "DateTime",
            "An instant as RFC 3339 writes it, always in UTC and with six digits after the second.",
            parse_instant,
            to_rfc3339,
        ),
        Json: strawberry.scalar(
            name="JSON",
            description="Any JSON value: integers within 2^53-1 on both sides of zero, no NUL, at most 64 levels.",
            serialize=_written,
            parse_value=parse_json,
            parse_literal=_json_literal,
        ),
    }
)
"""For `StrawberryConfig(scalar_map=...)`."""
