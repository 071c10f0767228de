"""Canonical JSON: the RFC's own cases, another implementation's opinion, and everything that is refused."""

import json
import math
import struct
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from muniment.proof.canonical import CanonicalError, encode, number_text, parse


def has_canonical_form(number: float) -> bool:
    return abs(number) < 2**53 or abs(number) >= 1e21


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=20)
NUMBERS = st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(allow_nan=False, allow_infinity=False).filter(
    has_canonical_form
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(TEXTS, inner, max_size=5),
    max_leaves=20,
)


@given(VALUES)
def test_the_bytes_are_those_of_another_implementation(value: Any) -> None:
    assert encode(value) == rfc8785.dumps(value)


@given(VALUES)
def test_what_was_encoded_is_read_back_and_encodes_alike(value: Any) -> None:
    data = encode(value)

    assert parse(data) == value
    assert encode(parse(data)) == data


@given(VALUES)
def test_any_spelling_of_a_value_has_the_same_canonical_bytes(value: Any) -> None:
    assert encode(parse(json.dumps(value, indent=2))) == encode(value)


@given(st.integers(0, 2**64 - 1))
def test_any_finite_double_reads_back_as_itself(bits: int) -> None:
    (number,) = struct.unpack(">d", struct.pack(">Q", bits))
    if math.isfinite(number):
        assert float(number_text(number)) == number


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (4.50, "4.5"),
        (1e30, "1e+30"),
        (-0.0, "0"),
        (1e-27, "1e-27"),
        (5e-324, "5e-324"),
        (1.7976931348623157e308, "1.7976931348623157e+308"),
        (1e-6, "0.000001"),
        (1e-7, "1e-7"),
        (1e21, "1e+21"),
        (333333333.33333329, "333333333.3333333"),
        (2e-3, "0.002"),
        (100.0, "100"),
        (-1.5e-9, "-1.5e-9"),
    ],
)
def test_numbers_are_written_as_ecmascript_does(number: float, text: str) -> None:
    assert number_text(number) == text
    assert encode([number]) == f"[{text}]".encode()


def test_names_are_sorted_by_utf16_code_units() -> None:
    names = ["\u20ac", "\r", "\ufb33", "1", "\U0001f600", "\x80", "\u00f6"]

    ordered = [name for name, _ in json.loads(encode(dict.fromkeys(names, 0)), object_pairs_hook=list)]

    assert ordered == ["\r", "1", "\x80", "\u00f6", "\u20ac", "\U0001f600", "\ufb33"]


def test_only_quote_backslash_and_control_characters_are_escaped() -> None:
    assert encode('\u20ac$\x0f\nA\'B"\\\\"/\x7f\x1f\b\t\f\r') == (
        '"\u20ac$\\u000f\\nA\'B\\"\\\\\\\\\\"/\x7f\\u001f\\b\\t\\f\\r"'.encode()
    )


def test_a_backslash_before_u0000_is_not_a_nul() -> None:
    assert parse(encode(["\\u0000"])) == ["\\u0000"]


def test_64_levels_are_read_and_written() -> None:
    deep: Any = 1
    for _ in range(64):
        deep = [deep]

    assert parse(encode(deep)) == deep


@pytest.mark.parametrize(
    ("text", "fact"),
    [
        ('{"a":1,"a":2}', "given twice"),
        ('{"a":1,"\\u0061":2}', "given twice"),
        ("NaN", "not a JSON number"),
        ("[-Infinity]", "not a JSON number"),
        ("1e999", "not finite"),
        ("9007199254740992", "beyond 2^53-1"),
        ("-9007199254740992", "beyond 2^53-1"),
        ("1e20", "beyond 2^53-1"),
        ("9" * 5000, "beyond 2^53-1"),
        ('"\\ud800"', "surrogate"),
        ('{"\\udc00":1}', "surrogate"),
        ('"a\\u0000"', "NUL"),
        ('{"\\u0000":1}', "NUL"),
        ('"\x00"', "not JSON"),
        ("[" * 65 + "]" * 65, "deeper than 64"),
        ("[" * 100_000, "deeper than 64"),
        ('{"a":' * 65 + "1" + "}" * 65, "deeper than 64"),
        ("{'a':1}", "not JSON"),
        ("[1,]", "not JSON"),
        ("[1] 2", "not JSON"),
        ("", "not JSON"),
        ("\ufeff{}", "not JSON"),
        (b'"\xff"', "not valid UTF-8"),
        (b'"\xed\xa0\x80"', "not valid UTF-8"),
        ('"\ud800"', "surrogate"),
    ],
)
def test_text_that_could_be_understood_in_two_ways_is_refused(text: str | bytes, fact: str) -> None:
    with pytest.raises(CanonicalError, match=fact.replace("^", r"\^")):
        parse(text)


@pytest.mark.parametrize(
    ("value", "fact"),
    [
        (2**53, "beyond"),
        ([-(2**53)], "at '/0'"),
        (float(2**53), "beyond"),
        (math.nan, "not finite"),
        (-math.inf, "not finite"),
        ("\x00", "NUL"),
        ({"a": ["\ud800"]}, "'/a/0' holds half of a surrogate"),
        ({"\udfff": 1}, "surrogate"),
        ({1: 2}, "not a text"),
        ({None: 2}, "not a text"),
        (b"bytes", "is a bytes"),
        ({"at": object()}, "'/at' is a object"),
    ],
)
def test_a_value_without_canonical_form_is_refused(value: Any, fact: str) -> None:
    with pytest.raises(CanonicalError, match=fact):
        encode(value)


def test_a_value_that_nests_too_deep_or_in_itself_is_refused() -> None:
    circle: list[Any] = []
    circle.append(circle)

    with pytest.raises(CanonicalError, match="deeper than 64"):
        encode(circle)
