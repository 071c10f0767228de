"""JSON in, the one byte string that stands for it out (RFC 8785).

Two programs that hash the same facts must hash the same bytes, so the record knows a single spelling of every value.
What could be spelled or understood in two ways is refused at the door rather than repaired.

Rules kept here:
 * names are unique, and sorted by UTF-16 code units (RFC 8785, section 3.2.3);
 * whole numbers stay within 2^53-1 on both sides of zero: beyond, two of them share one double, hence one signature;
 * other numbers are finite doubles, written as ECMAScript does;
 * texts hold no NUL and no half of a surrogate pair; nothing nests deeper than 64.

A double that is whole and lies between 2^53 and 10^21 would be written as an integer that `parse` refuses, so it is
refused here too: whatever `encode` writes, `parse` reads.
"""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

DEPTH_MAX = 64
INTEGER_MAX = 2**53 - 1
_EXPONENT_FROM = 1e21


class CanonicalError(ValueError):
    """This value has no canonical form, or the text is not strict JSON."""


def parse(text: bytes | str) -> Any:
    """The value that strict JSON spells. Refuses what `encode` refuses, and names given twice."""
    characters = _decoded(text)
    try:
        value = _DECODER.decode(characters)
    except json.JSONDecodeError as error:
        raise CanonicalError(
            f"This is not JSON: {error.msg} at line {error.lineno}, column {error.colno}. Send one JSON value."
        ) from None
    except RecursionError:
        raise _too_deep() from None
    if characters.count("[") + characters.count("{") > DEPTH_MAX:
        _refuse_depth(value)
    if "\\u" in characters:
        _refuse_texts(value)
    return value


def encode(value: Any) -> bytes:
    """The canonical bytes of `value`."""
    if _is_plain(value, DEPTH_MAX):
        # json's C encoder writes plain values as RFC 8785 does, except for the few that are told apart below.
        text = _PLAIN_ENCODER.encode(value)
        if text.isascii():
            if "\\u0000" not in text:
                return text.encode("ascii")
        elif "\\u0000" not in text:
            data = text.encode("utf-8", "surrogatepass")
            if not any(mark in data for mark in _ORDER_OR_SURROGATE_MARKS):
                return data
    pieces: list[str] = []
    _write(value, pieces, DEPTH_MAX, "")
    return "".join(pieces).encode("utf-8")


def number_text(number: float) -> str:
    """A finite double as ECMAScript's Number::toString writes it."""
    if number == 0:
        return "0"
    sign = "-" if number < 0 else ""
    mantissa, _, exponent = repr(abs(number)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    if fraction == "0":
        fraction = ""
    digits = (whole + fraction).lstrip("0")
    point = len(whole) + int(exponent or 0) - (len(whole + fraction) - len(digits))
    digits = digits.rstrip("0")
    count = len(digits)
    if count <= point <= 21:
        return sign + digits + "0" * (point - count)
    if 0 < point <= 21:
        return sign + digits[:point] + "." + digits[point:]
    if -6 < point <= 0:
        return sign + "0." + "0" * -point + digits
    tail = ("." + digits[1:]) if count > 1 else ""
    return f"{sign}{digits[0]}{tail}e{'+' if point > 0 else '-'}{abs(point - 1)}"


# Lead bytes of characters beyond U+FFFF (their place among names differs between code points and UTF-16), and of
# surrogates (ED A0..BF; ED 80..9F is Hangul, which then merely takes the slower way).
_ORDER_OR_SURROGATE_MARKS = (b"\xf0", b"\xf1", b"\xf2", b"\xf3", b"\xf4", b"\xed")
_PLAIN_ENCODER = json.JSONEncoder(
    ensure_ascii=False, check_circular=False, allow_nan=False, sort_keys=True, separators=(",", ":")
)
_TEXT_ENCODER = json.JSONEncoder(ensure_ascii=False)


def _is_plain(value: Any, room: int) -> bool:
    """Whether `value` is made only of what json's C encoder writes canonically: exact types, small integers, no floats."""
    kind = type(value)
    if kind is dict:
        if room == 0:
            return False
        for name, item in value.items():
            if type(name) is not str:
                return False
            if type(item) is not str and not _is_plain(item, room - 1):
                return False
        return True
    if kind is list:
        if room == 0:
            return False
        for item in value:  # noqa: SIM110 (a generator costs twice the time here)
            if type(item) is not str and not _is_plain(item, room - 1):
                return False
        return True
    if kind is int:
        return -INTEGER_MAX <= value <= INTEGER_MAX  # type: ignore[no-any-return]
    return kind is str or kind is bool or value is None


def _write(value: Any, pieces: list[str], room: int, path: str) -> None:
    if value is None or value is True or value is False:
        pieces.append("null" if value is None else "true" if value else "false")
    elif isinstance(value, str):
        _refuse_text(value, path)
        pieces.append(_TEXT_ENCODER.encode(str(value)))
    elif isinstance(value, int):
        _refuse_integer(value, path)
        pieces.append(int.__repr__(value))
    elif isinstance(value, float):
        _refuse_double(value, path)
        pieces.append(number_text(value))
    elif isinstance(value, dict):
        _write_object(value, pieces, room, path)
    elif isinstance(value, (list, tuple)):
        if room == 0:
            raise _too_deep()
        pieces.append("[")
        for place, item in enumerate(value):
            if place:
                pieces.append(",")
            _write(item, pieces, room - 1, f"{path}/{place}")
        pieces.append("]")
    else:
        raise CanonicalError(
            f"{_at(path)} is a {type(value).__name__}, which JSON does not know. "
            "Use an object, a list, a text, a number, true, false or null."
        )


def _write_object(value: dict[Any, Any], pieces: list[str], room: int, path: str) -> None:
    if room == 0:
        raise _too_deep()
    for name in value:
        if not isinstance(name, str):
            raise CanonicalError(f"The name {name!r} in {_at(path)} is not a text. Names of members must be texts.")
        _refuse_text(name, f"{path}/{name}")
    pieces.append("{")
    for place, name in enumerate(sorted(value, key=lambda each: each.encode("utf-16-be"))):
        pieces.append(("," if place else "") + _TEXT_ENCODER.encode(str(name)) + ":")
        _write(value[name], pieces, room - 1, f"{path}/{name}")
    pieces.append("}")


def _decoded(text: bytes | str) -> str:
    if isinstance(text, str):
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:
            raise CanonicalError("This text holds half of a surrogate pair. Send well-formed Unicode.") from None
        return text
    try:
        return bytes(text).decode("utf-8")
    except UnicodeDecodeError as error:
        raise CanonicalError(f"Byte {error.start} is not valid UTF-8. Send JSON encoded as UTF-8.") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise CanonicalError(f"The name {_short(name)} is given twice in one object. Give each name once.")
            seen.add(name)
    return members


def _integer(digits: str) -> int:
    if len(digits) > 17:
        raise _integer_too_large(digits, "")
    number = int(digits)
    _refuse_integer(number, "")
    return number


def _double(digits: str) -> float:
    number = float(digits)
    _refuse_double(number, "", digits)
    return number


def _constant(name: str) -> NoReturn:
    raise CanonicalError(f"{name} is not a JSON number. Send a finite number, or null.")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique, parse_int=_integer, parse_float=_double, parse_constant=_constant
)


def _refuse_integer(number: int, path: str) -> None:
    if not -INTEGER_MAX <= number <= INTEGER_MAX:
        raise _integer_too_large(str(number) if number.bit_length() < 1000 else "an enormous one", path)


def _refuse_double(number: float, path: str, digits: str = "") -> None:
    if not math.isfinite(number):
        raise CanonicalError(
            f"The number {_short(digits or repr(number))} is not finite. Send a finite number, or null."
        )
    if INTEGER_MAX < abs(number) < _EXPONENT_FROM:
        raise _integer_too_large(digits or repr(number), path)


def _refuse_text(text: str, path: str) -> None:
    if "\x00" in text:
        raise CanonicalError(f"{_at(path)} holds a NUL character, which databases cannot keep. Leave it out.")
    if not text.isascii():
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:
            raise CanonicalError(f"{_at(path)} holds half of a surrogate pair. Send well-formed Unicode.") from None


def _refuse_texts(value: Any) -> None:
    waiting: list[tuple[Any, str]] = [(value, "")]
    while waiting:
        item, path = waiting.pop()
        if isinstance(item, str):
            _refuse_text(item, path)
        elif isinstance(item, dict):
            for name, member in item.items():
                _refuse_text(name, f"{path}/{name}")
                waiting.append((member, f"{path}/{name}"))
        elif isinstance(item, list):
            waiting.extend((member, f"{path}/{place}") for place, member in enumerate(item))


def _refuse_depth(value: Any) -> None:
    level = [value]
    for _ in range(DEPTH_MAX + 1):
        containers = [item for item in level if isinstance(item, (dict, list))]
        if not containers:
            return
        level = [item for each in containers for item in (each.values() if isinstance(each, dict) else each)]
    raise _too_deep()


def _too_deep() -> CanonicalError:
    return CanonicalError(f"This value nests deeper than {DEPTH_MAX} levels. Send a flatter one.")


def _integer_too_large(digits: str, path: str) -> CanonicalError:
    where = f" at {_short(path)}" if path else ""
    return CanonicalError(f"The number {_short(digits)}{where} lies beyond 2^53-1. Send it as a text.")


def _at(path: str) -> str:
    return f"The value at {_short(path)}" if path else "The value"


def _short(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:77] + "...")
