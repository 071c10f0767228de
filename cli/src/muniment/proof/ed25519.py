"""A public key, a message and a signature in; yes or no out (Ed25519, RFC 8032), with the standard library alone.

Slower than a library in C by a factor of some ten, and good enough for a stranger who checks a handful of signatures
without installing anything. It handles public values only, so it need not hide its timing. Signing is not here.

Stricter than the RFC demands: the scalar lies below the group's order, points are in their one canonical encoding, and a
key of small order is refused, because such a key "signs" everything.
"""

from __future__ import annotations

from hashlib import sha512

PUBLIC_KEY_BYTES = 32
SIGNATURE_BYTES = 64

_PRIME = 2**255 - 19
_ORDER = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, _PRIME - 2, _PRIME) % _PRIME
_D2 = 2 * _D % _PRIME
_ROOT_OF_MINUS_ONE = pow(2, (_PRIME - 1) // 4, _PRIME)
_WINDOW_BITS = 4

# Points are in extended coordinates (X, Y, Z, T): x = X/Z, y = Y/Z, x*y = T/Z.
_Point = tuple[int, int, int, int]
_NEUTRAL: _Point = (0, 1, 1, 0)


def verify_ed25519(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether `signature` over `message` was made with the secret half of `public_key`."""
    if len(public_key) != PUBLIC_KEY_BYTES or len(signature) != SIGNATURE_BYTES:
        return False
    key = _decompressed(public_key)
    scalar = int.from_bytes(signature[32:], "little")
    if key is None or scalar >= _ORDER or _is_neutral(_doubled(_doubled(_doubled(key)))):
        return False
    challenge = int.from_bytes(sha512(signature[:32] + public_key + message).digest(), "little") % _ORDER
    minus_key = (-key[0] % _PRIME, key[1], key[2], -key[3] % _PRIME)
    # R = [scalar]B - [challenge]A: comparing its encoding with the given one also refuses non-canonical encodings.
    return _compressed(_combined(scalar, _BASE_MULTIPLES, challenge, _multiples(minus_key))) == signature[:32]


def _added(one: _Point, other: _Point) -> _Point:
    a = (one[1] - one[0]) * (other[1] - other[0]) % _PRIME
    b = (one[1] + one[0]) * (other[1] + other[0]) % _PRIME
    c = one[3] * _D2 % _PRIME * other[3] % _PRIME
    d = 2 * one[2] * other[2] % _PRIME
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % _PRIME, g * h % _PRIME, f * g % _PRIME, e * h % _PRIME


def _doubled(point: _Point) -> _Point:
    x, y, z, _ = point
    a = x * x % _PRIME
    b = y * y % _PRIME
    h = a + b
    e = h - (x + y) * (x + y) % _PRIME
    g = a - b
    f = 2 * z * z % _PRIME + g
    return e * f % _PRIME, g * h % _PRIME, f * g % _PRIME, e * h % _PRIME


def _is_neutral(point: _Point) -> bool:
    return point[0] % _PRIME == 0 and (point[1] - point[2]) % _PRIME == 0


def _multiples(point: _Point) -> list[_Point]:
    """0, 1, 2, … 15 times the point."""
    found = [_NEUTRAL]
    for _ in range((1 << _WINDOW_BITS) - 1):
        found.append(_added(found[-1], point))
    return found


def _combined(first: int, first_multiples: list[_Point], second: int, second_multiples: list[_Point]) -> _Point:
    """[first]P + [second]Q, four bits of both at a time."""
    mask = (1 << _WINDOW_BITS) - 1
    found = _NEUTRAL
    for shift in range(252, -1, -_WINDOW_BITS):
        for _ in range(_WINDOW_BITS):
            found = _doubled(found)
        digit = first >> shift & mask
        if digit:
            found = _added(found, first_multiples[digit])
        digit = second >> shift & mask
        if digit:
            found = _added(found, second_multiples[digit])
    return found


def _compressed(point: _Point) -> bytes:
    inverse = pow(point[2], _PRIME - 2, _PRIME)
    x, y = point[0] * inverse % _PRIME, point[1] * inverse % _PRIME
    return (y | (x & 1) << 255).to_bytes(32, "little")


def _decompressed(encoded: bytes) -> _Point | None:
    number = int.from_bytes(encoded, "little")
    sign, y = number >> 255, number & ((1 << 255) - 1)
    if y >= _PRIME:
        return None
    # x^2 = (y^2 - 1) / (d*y^2 + 1)
    numerator = (y * y - 1) % _PRIME
    denominator = (_D * y * y + 1) % _PRIME
    x = (
        numerator
        * pow(denominator, 3, _PRIME)
        * pow(numerator * pow(denominator, 7, _PRIME), (_PRIME - 5) // 8, _PRIME)
    )
    x %= _PRIME
    if denominator * x * x % _PRIME != numerator:
        x = x * _ROOT_OF_MINUS_ONE % _PRIME
    if denominator * x * x % _PRIME != numerator or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = _PRIME - x
    return x, y, 1, x * y % _PRIME


def _base_point() -> _Point:
    point = _decompressed((4 * pow(5, _PRIME - 2, _PRIME) % _PRIME).to_bytes(32, "little"))
    assert point is not None
    return point


_BASE_MULTIPLES = _multiples(_base_point())
