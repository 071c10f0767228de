"""Strict JSON in, compact JSON out.

What two readers could understand in two ways is refused before anybody reads it: names given twice, NaN, integers that share
a double, lone surrogates, NUL, nesting without end. The rules are the ledger's own, so what is let in can be recorded.
"""

import json
from typing import Any

import orjson

from muniment.proof import canonical
from record.refusals import InvalidInput


def decode(data: bytes | str) -> Any:
    """The value that `data` spells; refuses anything but strict JSON, saying what is wrong."""
    try:
        return canonical.parse(data)
    except canonical.CanonicalError as error:
        raise InvalidInput(str(error)) from None


def decode_message(data: bytes | str) -> Any:
    """As `decode`, with the exception that Strawberry's WebSocket adapter knows."""
    try:
        return canonical.parse(data)
    except canonical.CanonicalError as error:
        raise json.JSONDecodeError(str(error), "", 0) from None


def encode(value: object) -> bytes:
    """The bytes of an answer. Scalars have made plain values of everything by then.

    PostgreSQL gives a large double back with all its digits, as an integer that orjson cannot write; it is a double again here.
    """
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError:
        return orjson.dumps(_with_doubles(value))


def _with_doubles(value: object) -> object:
    if isinstance(value, dict):
        return {name: _with_doubles(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_with_doubles(each) for each in value]
    return float(value) if isinstance(value, int) and abs(value) > 2**53 else value
