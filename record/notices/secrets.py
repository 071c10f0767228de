"""Secrets of notices: made, sealed for keeping, and signed with (Standard Webhooks 1.0, symmetric scheme).

A webhook's secret is needed in clear by whoever signs, so unlike an API key it cannot be kept as a digest. It is sealed with
AES-256-GCM under a key that HKDF derives from the operator's; what it belongs to is authenticated with it, so that a row that is
moved to another notice does not open.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from record.ids import DeliveryId, NoticeId, OrgId

PREFIX: Final = "whsec_"
_SECRET_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_PURPOSE: Final = b"muniment.notices.seal.v1"


def new_secret() -> str:
    """A new webhook secret, as receivers keep it: `whsec_` and 32 random bytes in base64."""
    return PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


class Seal:
    """Keeps texts from whoever reads the database. The first key seals; each opens what it sealed."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._boxes = [AESGCM(HKDF(SHA256(), 32, salt=None, info=_PURPOSE).derive(key)) for key in keys]

    def __bool__(self) -> bool:
        return bool(self._boxes)

    def seal(self, text: str, org_id: OrgId, notice_id: NoticeId, secret_id: UUID) -> bytes:
        """`text` as it may be kept. There must be a key."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._boxes[0].encrypt(nonce, text.encode(), _belongs(org_id, notice_id, secret_id))

    def open(self, sealed: bytes, org_id: OrgId, notice_id: NoticeId, secret_id: UUID) -> str | None:
        """What was sealed; None when no key opens it, or it belongs elsewhere."""
        nonce, box = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        for key in self._boxes:
            try:
                return key.decrypt(nonce, box, _belongs(org_id, notice_id, secret_id)).decode()
            except (InvalidTag, ValueError):
                continue
        return None


def _belongs(org_id: OrgId, notice_id: NoticeId, secret_id: UUID) -> bytes:
    return org_id.bytes + notice_id.bytes + secret_id.bytes


def message_id(delivery_id: DeliveryId) -> str:
    """How receivers know a delivery: the same in every attempt."""
    return f"msg_{delivery_id.hex}"


def signed_headers(keys: Sequence[str], delivery_id: DeliveryId, at: datetime, body: bytes) -> dict[str, str]:
    """The three headers of Standard Webhooks, with a signature for each secret that counts."""
    stamp = str(int(at.timestamp()))
    to_sign = f"{message_id(delivery_id)}.{stamp}.".encode() + body
    signatures = [
        base64.b64encode(hmac.digest(base64.b64decode(key.removeprefix(PREFIX)), to_sign, hashlib.sha256)).decode()
        for key in keys
    ]
    return {
        "webhook-id": message_id(delivery_id),
        "webhook-timestamp": stamp,
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }
