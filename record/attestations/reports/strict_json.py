"""Reports in JSON: bytes in, plain values out, or the line and column of what is wrong.

Two readers of one document must never see two different things, so whatever readers are known to disagree about is
refused: a key that is there twice, NaN and infinities, NUL, half of a surrogate pair, values nested deeper than 100.
Unlike the record's own canonical JSON, a tool's report may hold fractions and large integers; and a byte order mark in front is
skipped, because Windows tools write it.

The document is read once at C speed; only when something is wrong is it read again, piece by piece, to find the place.
"""

import json
import math
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final, NoReturn, TypeAlias

from record.attestations.reports.result import check_size, plain
from record.refusals import MalformedReport

Parsed: TypeAlias = "dict[str, Parsed] | list[Parsed] | str | int | float | bool | None"

DEPTH_MAX: Final = 100
LOCATED_MAX: Final = 4 * 1024 * 1024
"""In a larger document a fault is named but not located: reading it piece by piece would take many seconds."""

_LEXEME: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{},:]|[^\s\[\]{},:"]+', re.DOTALL)
_SUSPECT: Final = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")
_HALF: Final = re.compile("[\ud800-\udfff]")
_BYTE_ORDER_MARK: Final = "\ufeff"


class _Doubtful(Exception):  # noqa: N818 (carries a fact from inside the parser, never seen outside)
    """The parser met something that is refused; where it is has still to be found."""


def parse(data: bytes, *, raw_controls: bool = False) -> Parsed:
    """The value that `data` holds.

    `raw_controls` accepts unescaped control characters (other than NUL) in texts: SonarQube and others write them.
    """
    check_size(data)
    text = _decoded(data)
    try:
        value: Parsed = json.loads(
            text,
            object_pairs_hook=_object,
            parse_constant=_constant,
            parse_float=_finite,
            strict=not raw_controls,
        )
    except json.JSONDecodeError as error:
        raise MalformedReport(
            f"The report is not JSON: {error.msg} at line {error.lineno}, column {error.colno}. "
            "Send the file as the tool wrote it.",
            line=error.lineno,
            column=error.colno,
        ) from None
    except RecursionError:
        _refuse_depth(text)
    except (_Doubtful, ValueError) as doubt:
        _refuse_lexeme(text, doubt)
    if _depth_over(value):
        _refuse_depth(text)
    if _SUSPECT.search(text) and not _texts_whole(value):
        _refuse_text(text)
    return value


def check_value(value: Parsed, *, field: str) -> None:
    """Refuses a value that was read elsewhere (a GraphQL argument) and is nested deeper than a report may be."""
    if _depth_over(value):
        raise MalformedReport(f"{field} is nested deeper than {DEPTH_MAX} levels. Make it flatter.", field=field)


def _decoded(data: bytes) -> str:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line, column = _byte_place(data, error.start)
        raise MalformedReport(
            f"The report is not UTF-8: byte {data[error.start]:#04x} at line {line}, column {column}. "
            "Save it as UTF-8 and send it again.",
            line=line,
            column=column,
        ) from None
    if "\x00" in text:
        _refuse(text, text.index("\x00"), "a NUL character", "Remove it; the file is probably not UTF-8")
    return text.removeprefix(_BYTE_ORDER_MARK)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        twice = next(key for key, times in Counter(key for key, _ in pairs).items() if times > 1)
        raise _Doubtful(f'the key "{plain(twice, 60)}" twice in one object')
    return made


def _constant(name: str) -> NoReturn:
    raise _Doubtful(f"{name}, which is not a JSON number")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise _Doubtful(f"{plain(digits, 30)}, which is too large for a number")
    return number


def _depth_over(value: Parsed) -> bool:
    level: list[Any] = [value]
    for _ in range(DEPTH_MAX):
        below: list[Any] = []
        for container in level:
            if type(container) is dict:
                below.extend(container.values())
            elif type(container) is list:
                below.extend(container)
        level = [child for child in below if type(child) is dict or type(child) is list]
        if not level:
            return False
    return True


def _texts_whole(value: Parsed) -> bool:
    """Whether no text or key has a NUL or half of a surrogate pair in it."""
    waiting: list[Any] = [value]
    while waiting:
        found = waiting.pop()
        if type(found) is str:
            if "\x00" in found or (not found.isascii() and _HALF.search(found)):
                return False
        elif type(found) is dict:
            waiting += found.keys()
            waiting += found.values()
        elif type(found) is list:
            waiting += found
    return True


def _lexemes(text: str) -> Iterator[tuple[int, str]]:
    if len(text) <= LOCATED_MAX:
        for match in _LEXEME.finditer(text):
            yield match.start(), match.group()


def _refuse_depth(text: str) -> NoReturn:
    depth = 0
    for start, lexeme in _lexemes(text):
        depth += (lexeme in "[{") - (lexeme in "]}")
        if depth > DEPTH_MAX:
            _refuse(text, start, f"a value nested deeper than {DEPTH_MAX} levels", "Make the report flatter")
    raise MalformedReport(f"The report is nested deeper than {DEPTH_MAX} levels. Make it flatter.")


def _refuse_lexeme(text: str, doubt: Exception) -> NoReturn:
    """Finds the first duplicate key or impossible number, which is known to be there."""
    keys: list[set[str] | None] = []
    may_be_key = False
    for start, lexeme in _lexemes(text):
        if lexeme == "{":
            keys.append(set())
        elif lexeme == "[":
            keys.append(None)
        elif lexeme in "]}" and keys:
            keys.pop()
        elif lexeme[0] == '"' and may_be_key and keys and (known := keys[-1]) is not None:
            key = json.loads(lexeme, strict=False)
            if key in known:
                _refuse(text, start, f'the key "{plain(key, 60)}" for the second time', "Keep one of them")
            known.add(key)
        elif lexeme[0] in "-0123456789NI" and _impossible(lexeme):
            _refuse(text, start, f"{plain(lexeme, 30)}, which is not a JSON number", "Write a finite number or null")
        may_be_key = lexeme in "{,"
    raise MalformedReport(f"The report has {plain(str(doubt))}. Send the file as the tool wrote it.")


def _impossible(lexeme: str) -> bool:
    try:
        return len(lexeme) > 4000 or not math.isfinite(float(lexeme))
    except ValueError:
        return True


def _refuse_text(text: str) -> NoReturn:
    for start, lexeme in _lexemes(text):
        if lexeme[0] == '"' and "\\u" in lexeme and not _texts_whole(json.loads(lexeme, strict=False)):
            _refuse(
                text, start, "a text with a NUL or half of a surrogate pair", "Remove the \\u escape or complete it"
            )
    raise MalformedReport(
        "The report has a text with a NUL or half of a surrogate pair. Remove the \\u escape or complete it."
    )


def _refuse(text: str, offset: int, what: str, remedy: str) -> NoReturn:
    line = text.count("\n", 0, offset) + 1
    column = offset - (text.rfind("\n", 0, offset) + 1) + 1
    raise MalformedReport(f"The report has {what} at line {line}, column {column}. {remedy}.", line=line, column=column)


def _byte_place(data: bytes, offset: int) -> tuple[int, int]:
    return data.count(b"\n", 0, offset) + 1, offset - (data.rfind(b"\n", 0, offset) + 1) + 1
