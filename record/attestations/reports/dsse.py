"""DSSE envelopes: which registered keys really signed which bytes.

The signed thing is the pre-authentication encoding of the payload type and the payload's bytes (DSSE 1.0.2), and what is
read afterwards are those same bytes. `keyid` is an unauthenticated hint, so it is ignored and every key is tried. A key that an
envelope or bundle brings along (a certificate, say) proves nothing by itself; only keys that the organization
registered count, and each counts once.

Accepted: Ed25519; ECDSA on P-256 and P-384 (SHA-256 or SHA-384) and P-521 (SHA-512), signatures in DER;
RSA of 2048 bits and more, PSS or PKCS#1 v1.5 with SHA-256.
"""

import base64
import binascii
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from record.attestations.reports.shape import a_list, a_text, an_object
from record.attestations.reports.strict_json import Parsed
from record.refusals import InvalidInput, MalformedReport

SIGNATURES_MAX: Final = 16
RSA_BITS_MIN: Final = 2048
PEM_CHARACTERS_MAX: Final = 8192

_BASE64: Final = re.compile(r"[A-Za-z0-9+/]*={0,2}|[A-Za-z0-9_-]*={0,2}")
_ECDSA_HASHES: Final[dict[str, tuple[type[SHA256] | type[SHA384] | type[SHA512], ...]]] = {
    "secp256r1": (SHA256,),
    "secp384r1": (SHA384, SHA256),
    "secp521r1": (SHA512,),
}
PublicKey: TypeAlias = ed25519.Ed25519PublicKey | ec.EllipticCurvePublicKey | rsa.RSAPublicKey


@dataclass(frozen=True, slots=True)
class TrustedKey:
    """A public key that an organization registered: `pem` is a SubjectPublicKeyInfo, `name` is for people."""

    key_id: str
    pem: str
    name: str


@dataclass(frozen=True, slots=True)
class Envelope:
    """What was signed, and the signatures that claim so."""

    payload_type: str
    payload: bytes
    signatures: tuple[bytes, ...]

    def signers(self, keys: Sequence[TrustedKey]) -> list[TrustedKey]:
        """The keys with which at least one of the signatures verifies."""
        message = pre_authentication_encoding(self.payload_type, self.payload)
        return [
            trusted
            for trusted in keys
            if any(
                verifies(loaded, signature, message)
                for loaded in [load_key(trusted.pem)]
                for signature in self.signatures
            )
        ]


def pre_authentication_encoding(payload_type: str, payload: bytes) -> bytes:
    """The bytes that a DSSE signature covers."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def envelope_of(value: Parsed, place: str) -> Envelope:
    """The envelope at `place` of a parsed document."""
    given = an_object(value, place)
    signatures = a_list(given.get("signatures"), f"{place}/signatures")
    if not 1 <= len(signatures) <= SIGNATURES_MAX:
        raise MalformedReport(
            f"{place}/signatures has {len(signatures)} signatures. Send an envelope with 1 to {SIGNATURES_MAX}.",
            field=f"{place}/signatures",
        )
    return Envelope(
        payload_type=a_text(given.get("payloadType"), f"{place}/payloadType"),
        payload=decoded(a_text(given.get("payload"), f"{place}/payload"), f"{place}/payload"),
        signatures=tuple(
            decoded(a_text(an_object(signature, where).get("sig"), f"{where}/sig"), f"{where}/sig")
            for index, signature in enumerate(signatures)
            for where in [f"{place}/signatures/{index}"]
        ),
    )


def decoded(text: str, place: str) -> bytes:
    """The bytes of standard or URL-safe base64, padded or not; nothing else, line breaks neither."""
    if not _BASE64.fullmatch(text):
        raise MalformedReport(f"{place} is not base64. Send the envelope as the signer wrote it.", field=place)
    bare = text.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True)
    except binascii.Error:
        raise MalformedReport(f"{place} is cut off base64. Send the whole envelope.", field=place) from None


def load_key(pem: str) -> PublicKey:
    """The public key of a PEM text; refuses private keys, certificates, and kinds and sizes that are not accepted."""
    if "PRIVATE KEY" in pem:
        raise InvalidInput(
            "This is a private key. Register the public key, and replace the private one: it has been shown to a server.",
            field="pem",
        )
    try:
        if len(pem) > PEM_CHARACTERS_MAX:
            raise ValueError
        key = load_pem_public_key(pem.encode("ascii"))
    except (ValueError, UnsupportedAlgorithm):
        raise InvalidInput(
            "This is not a public key in PEM. Give the text from BEGIN PUBLIC KEY to END PUBLIC KEY.", field="pem"
        ) from None
    if isinstance(key, ed25519.Ed25519PublicKey):
        return key
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in _ECDSA_HASHES:
        return key
    if isinstance(key, rsa.RSAPublicKey) and key.key_size >= RSA_BITS_MIN:
        return key
    raise InvalidInput(
        "This kind of key is not accepted. Use Ed25519, ECDSA on P-256, P-384 or P-521, or RSA of 2048 bits or more.",
        field="pem",
    )


def verifies(key: PublicKey, signature: bytes, message: bytes) -> bool:
    """Whether `signature` is `key`'s over `message`, in any of the accepted ways of its kind."""
    return any(_holds(attempt) for attempt in _attempts(key, signature, message))


def _attempts(key: PublicKey, signature: bytes, message: bytes) -> list[Callable[[], None]]:
    if isinstance(key, ed25519.Ed25519PublicKey):
        return [lambda: key.verify(signature, message)]
    if isinstance(key, ec.EllipticCurvePublicKey):
        hashes = _ECDSA_HASHES[key.curve.name]
        return [lambda chosen=chosen: key.verify(signature, message, ec.ECDSA(chosen())) for chosen in hashes]  # type: ignore[misc]
    pss = padding.PSS(mgf=padding.MGF1(SHA256()), salt_length=padding.PSS.AUTO)
    return [
        lambda: key.verify(signature, message, pss, SHA256()),
        lambda: key.verify(signature, message, padding.PKCS1v15(), SHA256()),
    ]


def _holds(attempt: Callable[[], None]) -> bool:
    try:
        attempt()
    except InvalidSignature:
        return False
    return True
