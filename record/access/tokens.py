"""API keys as texts: `mun_`, the organization, a secret of 256 bits, and a checksum, all in base 62.

The organization is in the token so that a key can be looked up inside its own organization alone. The prefix and the checksum let
secret scanners find leaked keys and not much else. The record keeps only SHA-256 of the token: the secret is random over 256
bits, so a slow password hash would protect nothing and cost every request.
"""

import hashlib
import secrets
import string
import zlib
from typing import Final
from uuid import UUID

from record.ids import OrgId
from record.refusals import Unauthenticated

PREFIX: Final = "mun_"
_ALPHABET: Final = string.digits + string.ascii_uppercase + string.ascii_lowercase
_ORG_LENGTH: Final = 22
_SECRET_LENGTH: Final = 43
_CHECKSUM_LENGTH: Final = 6
_LENGTH: Final = len(PREFIX) + _ORG_LENGTH + _SECRET_LENGTH + _CHECKSUM_LENGTH


def new_token(org_id: OrgId) -> str:
    """A new token of this organization. Shown once; nothing can bring it back."""
    body = PREFIX + _base62(org_id.int, _ORG_LENGTH) + _base62(secrets.randbits(256), _SECRET_LENGTH)
    return body + _checksum(body)


def organization_of(token: str) -> OrgId:
    """The organization that this token says it belongs to; refuses texts that are no token, without asking the database."""
    body, checksum = token[:-_CHECKSUM_LENGTH], token[-_CHECKSUM_LENGTH:]
    well_formed = len(token) == _LENGTH and token.isascii() and token.startswith(PREFIX)
    if not well_formed or checksum != _checksum(body):
        raise Unauthenticated("This is not an API key of this server. Give it whole, from mun_ to its last character.")
    number = 0
    for digit in token[len(PREFIX) : len(PREFIX) + _ORG_LENGTH]:
        number = number * 62 + _ALPHABET.index(digit) if digit in _ALPHABET else -1
    if not 0 <= number < 2**128:
        raise Unauthenticated("This is not an API key of this server. Give it whole, from mun_ to its last character.")
    return OrgId(UUID(int=number))


def token_sha256(token: str) -> bytes:
    """What the record keeps of a token."""
    return hashlib.sha256(token.encode()).digest()


def _checksum(body: str) -> str:
    return _base62(zlib.crc32(body.encode()), _CHECKSUM_LENGTH)


def _base62(number: int, length: int) -> str:
    digits = []
    for _ in range(length):
        number, digit = divmod(number, 62)
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))
