"""Builders that sign: keys and DSSE envelopes made on the spot."""

import base64
import json
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

PAYLOAD_TYPE = "application/vnd.in-toto+json"


def ed25519_pem() -> tuple[Ed25519PrivateKey, str]:
    """A new key and its public half as PEM."""
    key = Ed25519PrivateKey.generate()
    return key, key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def slsa_statement(sha256: str, *, builder: str = "https://ci.invalid/builder") -> dict[str, Any]:
    """An in-toto statement of SLSA provenance about one digest."""
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "app.whl", "digest": {"sha256": sha256}}],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {"buildType": "https://ci.invalid/workflow"},
            "runDetails": {"builder": {"id": builder}},
        },
    }


def dsse(statement: dict[str, Any], key: Ed25519PrivateKey) -> bytes:
    """The statement in a DSSE envelope, signed."""
    payload = json.dumps(statement).encode()
    message = b"DSSEv1 %d %b %d %b" % (len(PAYLOAD_TYPE), PAYLOAD_TYPE.encode(), len(payload), payload)
    envelope = {
        "payloadType": PAYLOAD_TYPE,
        "payload": base64.b64encode(payload).decode(),
        "signatures": [{"keyid": "hint", "sig": base64.b64encode(key.sign(message)).decode()}],
    }
    return json.dumps(envelope).encode()
