"""What is refused of JSON, and where the refusal says that it is."""

import contextlib
import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from record.attestations.reports import strict_json
from record.attestations.reports.result import REPORT_BYTES_MAX
from record.refusals import MalformedReport, TooLarge

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@pytest.mark.parametrize(
    ("name", "line", "column", "word"),
    [
        ("sarif_key_twice.sarif", 2, 14, "version"),
        ("sarif_nan.sarif", 1, 31, "NaN"),
        ("sarif_infinite_by_exponent.sarif", 1, 31, "1e999"),
        ("sarif_nested_too_deep.sarif", 1, 129, "deeper"),
        ("sarif_nul_in_text.sarif", 1, 31, "NUL"),
        ("sarif_half_a_surrogate.sarif", 1, 31, "surrogate"),
        ("sarif_cut_off.sarif", 1, 31, "not JSON"),
    ],
)
def test_a_bad_document_is_refused_with_its_place(
    asset: Callable[[str], bytes], name: str, line: int, column: int, word: str
) -> None:
    with pytest.raises(MalformedReport, match=word) as refusal:
        strict_json.parse(asset(name))

    assert (refusal.value.line, refusal.value.column) == (line, column)


@pytest.mark.parametrize("data", [b"\xff", b'{"a": "\xc3("}', b"\x00", b'{"a"\x00: 1}', "{}".encode("utf-16")])
def test_bytes_that_are_not_text_are_refused(data: bytes) -> None:
    with pytest.raises(MalformedReport) as refusal:
        strict_json.parse(data)

    assert refusal.value.line == 1


def test_a_byte_order_mark_is_skipped() -> None:
    assert strict_json.parse(b'\xef\xbb\xbf{"a": 1}') == {"a": 1}


def test_fractions_and_large_integers_of_tools_are_read() -> None:
    assert strict_json.parse(b'{"a": 0.25, "b": 123456789012345678901234567890}') == {
        "a": 0.25,
        "b": 123456789012345678901234567890,
    }


def test_an_integer_of_five_thousand_digits_is_refused() -> None:
    with pytest.raises(MalformedReport, match="not a JSON number"):
        strict_json.parse(b"[" + b"9" * 5000 + b"]")


def test_raw_control_characters_are_read_only_where_the_format_allows_them() -> None:
    data = b'{"a": "x\r\ny"}'

    assert strict_json.parse(data, raw_controls=True) == {"a": "x\r\ny"}
    with pytest.raises(MalformedReport):
        strict_json.parse(data)


def test_a_whole_surrogate_pair_is_a_character() -> None:
    assert strict_json.parse(b'"\\ud83d\\ude00"') == "\U0001f600"


def test_an_escaped_backslash_before_u0000_is_no_nul() -> None:
    assert strict_json.parse(b'["\\\\u0000"]') == ["\\u0000"]


def test_a_hundred_levels_are_read_and_one_more_is_not() -> None:
    strict_json.parse(b"[" * 100 + b"]" * 100)

    with pytest.raises(MalformedReport) as refusal:
        strict_json.parse(b"[" * 101 + b"]" * 101)
    assert refusal.value.column == 101


def test_a_key_twice_in_a_large_document_is_named_though_not_located() -> None:
    data = b'{"first": "' + b"x" * strict_json.LOCATED_MAX + b'", "again": 1, "again": 2}'

    with pytest.raises(MalformedReport, match='the key "again" twice'):
        strict_json.parse(data)


def test_a_document_over_the_limit_is_not_read() -> None:
    with pytest.raises(TooLarge, match="33554432"):
        strict_json.parse(b" " * (REPORT_BYTES_MAX + 1))


@given(VALUES)
def test_whatever_json_writes_is_read_back_the_same(value: strict_json.Parsed) -> None:
    text = json.dumps(value, ensure_ascii=False)
    if "\\u0000" in text or "\x00" in text:
        return

    assert strict_json.parse(text.encode()) == value


@given(st.binary(max_size=60) | st.text(alphabet='{}[]":,\\u0d8fNI1e9 ', max_size=60).map(str.encode))
def test_any_bytes_are_a_value_or_a_refusal(data: bytes) -> None:
    with contextlib.suppress(MalformedReport):
        strict_json.parse(data)
