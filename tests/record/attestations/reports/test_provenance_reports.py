"""Provenance: only a registered key's signature over a statement about this very artifact is compliant."""

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256, SHA384
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from record.attestations.reports.dsse import TrustedKey, load_key, pre_authentication_encoding
from record.attestations.reports.provenance import read_provenance
from record.ids import Fingerprint
from record.refusals import InvalidInput, MalformedReport
from tests.assets.make import ARTIFACT, BUILDER, SOMETHING_ELSE, STATEMENT, STRANGER, envelope, public_pem

THIS = Fingerprint(ARTIFACT)
KEY = TrustedKey(key_id="k1", pem=public_pem(BUILDER), name="builder")
PSS = padding.PSS(mgf=padding.MGF1(SHA256()), salt_length=padding.PSS.DIGEST_LENGTH)
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
P256 = ec.generate_private_key(ec.SECP256R1())
P384 = ec.generate_private_key(ec.SECP384R1())


def pem_of(key: Any) -> str:
    pem: bytes = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return pem.decode()


def test_the_encoding_that_is_signed_is_the_published_one() -> None:
    assert (
        pre_authentication_encoding("http://example.com/HelloWorld", b"hello world")
        == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )


@pytest.mark.parametrize("name", ["provenance_good.dsse.json", "provenance_good_url_safe.dsse.json"])
def test_a_statement_about_this_artifact_signed_by_a_trusted_key_is_compliant(
    asset: Callable[[str], bytes], name: str
) -> None:
    result = read_provenance(asset(name), fingerprint=THIS, keys=[KEY])

    assert result.compliant
    assert result.explanation == "Signed by builder, about this artifact."
    assert result.summary["builder"] == "https://build.example/runner"
    assert result.summary["predicate_type"] == "https://slsa.dev/provenance/v1"
    assert result.summary["trusted_keys"] == [{"id": "k1", "name": "builder"}]
    assert result.summary["subject_list"] == [{"name": "service.whl", "sha256": ARTIFACT}]


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("provenance_by_a_stranger.dsse.json", "No signature is by a registered key"),
        ("provenance_payload_replaced.dsse.json", "No signature is by a registered key"),
        ("provenance_of_something_else.dsse.json", f"about something else ({SOMETHING_ELSE})"),
    ],
)
def test_what_is_not_trusted_or_not_about_it_is_recorded_as_not_compliant(
    asset: Callable[[str], bytes], name: str, word: str
) -> None:
    result = read_provenance(asset(name), fingerprint=THIS, keys=[KEY])

    assert not result.compliant
    assert word in result.explanation


def test_without_registered_keys_nothing_is_believed(asset: Callable[[str], bytes]) -> None:
    result = read_provenance(asset("provenance_good.dsse.json"), fingerprint=THIS, keys=[])

    assert not result.compliant
    assert "No trusted key is registered" in result.explanation


def test_on_a_trail_provenance_is_about_no_artifact(asset: Callable[[str], bytes]) -> None:
    assert not read_provenance(asset("provenance_good.dsse.json"), fingerprint=None, keys=[KEY]).compliant


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("provenance_not_in_toto.dsse.json", "text/plain"),
        ("provenance_payload_key_twice.dsse.json", "second time"),
        ("provenance_without_signature.dsse.json", "0 signatures"),
        ("provenance_signs_a_file.sigstore.json", "no DSSE envelope"),
    ],
)
def test_what_is_no_signed_statement_is_refused(asset: Callable[[str], bytes], name: str, word: str) -> None:
    with pytest.raises(MalformedReport, match=word):
        read_provenance(asset(name), fingerprint=THIS, keys=[KEY])


@pytest.mark.parametrize(
    "change",
    [
        {"_type": "https://in-toto.io/Statement/v2"},
        {"subject": []},
        {"subject": [{"name": "x"}]},
        {"subject": [{"digest": {}}]},
        {"subject": [{"digest": {"sha256": "zz"}}]},
        {"predicateType": None},
        {"predicate": "text"},
    ],
)
def test_a_statement_of_the_wrong_shape_is_refused_by_pointer(change: dict[str, Any]) -> None:
    payload = json.dumps({**STATEMENT, **change}).encode()

    with pytest.raises(MalformedReport) as refusal:
        read_provenance(json.dumps(envelope(payload)).encode(), fingerprint=THIS, keys=[KEY])

    assert str(refusal.value.field).startswith("payload/")


@pytest.mark.parametrize("text", ["a", "!!!!", "YQ==\n", "YQ+_", "Y Q="])
def test_what_is_not_base64_is_refused(text: str) -> None:
    given = {**envelope(b"{}"), "payload": text}

    with pytest.raises(MalformedReport, match="base64"):
        read_provenance(json.dumps(given).encode(), fingerprint=THIS, keys=[KEY])


def test_flipping_any_byte_of_the_payload_undoes_the_signature() -> None:
    payload = json.dumps(STATEMENT).encode()
    good = envelope(payload)
    place = payload.index(b"service.whl")

    for offset in range(place, place + 11):
        changed = payload[:offset] + bytes([payload[offset] ^ 1]) + payload[offset + 1 :]
        forged = {**good, "payload": base64.b64encode(changed).decode()}
        assert not read_provenance(json.dumps(forged).encode(), fingerprint=THIS, keys=[KEY]).compliant


@pytest.mark.parametrize(
    ("key", "sign"),
    [
        (P256, lambda message: P256.sign(message, ec.ECDSA(SHA256()))),
        (P384, lambda message: P384.sign(message, ec.ECDSA(SHA384()))),
        (P384, lambda message: P384.sign(message, ec.ECDSA(SHA256()))),
        (RSA, lambda message: RSA.sign(message, PSS, SHA256())),
        (RSA, lambda message: RSA.sign(message, padding.PKCS1v15(), SHA256())),
    ],
    ids=["p256", "p384", "p384-sha256", "rsa-pss", "rsa-pkcs1"],
)
def test_every_accepted_kind_of_key_verifies(key: Any, sign: Callable[[bytes], bytes]) -> None:
    given = envelope(json.dumps(STATEMENT).encode())
    message = pre_authentication_encoding(given["payloadType"], base64.b64decode(given["payload"]))
    given["signatures"] = [{"sig": base64.b64encode(sign(message)).decode()}]
    keys = [TrustedKey("k0", public_pem(STRANGER), "other"), TrustedKey("k1", pem_of(key.public_key()), "builder")]

    result = read_provenance(json.dumps(given).encode(), fingerprint=THIS, keys=keys)

    assert result.compliant
    assert result.summary["trusted_keys"] == [{"id": "k1", "name": "builder"}]


def test_a_key_that_signed_twice_counts_once() -> None:
    given = envelope(json.dumps(STATEMENT).encode())
    given["signatures"] *= 2

    result = read_provenance(json.dumps(given).encode(), fingerprint=THIS, keys=[KEY])

    assert len(result.summary["trusted_keys"]) == 1  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("pem", "word"),
    [
        (RSA.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(), "private key"),
        (pem_of(rsa.generate_private_key(public_exponent=65537, key_size=1024).public_key()), "not accepted"),
        (pem_of(ec.generate_private_key(ec.SECP256K1()).public_key()), "not accepted"),
        ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "not a public key"),
        ("schlüssel", "not a public key"),
        ("x" * 10_000, "not a public key"),
    ],
    ids=["private", "rsa-1024", "secp256k1", "broken", "not-ascii", "long"],
)
def test_a_key_that_could_not_be_trusted_is_refused(pem: str, word: str) -> None:
    with pytest.raises(InvalidInput, match=word):
        load_key(pem)


def test_a_real_sigstore_bundle_counts_only_if_its_key_is_registered(corpus: Callable[[str], bytes]) -> None:
    data = corpus("provenance/slsa-provenance.sigstore.json")
    raw = json.loads(data)["verificationMaterial"]["certificate"]["rawBytes"]
    leaf = TrustedKey("leaf", pem_of(x509.load_der_x509_certificate(base64.b64decode(raw)).public_key()), "leaf")
    first = read_provenance(data, fingerprint=THIS, keys=[leaf]).summary["subject_list"]
    assert isinstance(first, list)
    assert isinstance(first[0], dict)
    about = Fingerprint(str(first[0]["sha256"]))

    assert read_provenance(data, fingerprint=about, keys=[leaf]).compliant
    assert not read_provenance(data, fingerprint=about, keys=[KEY]).compliant
    assert not read_provenance(data, fingerprint=about, keys=[]).compliant


@pytest.mark.parametrize(
    ("name", "predicate_type"),
    [
        ("oci-dsse.json", "https://slsa.dev/provenance/v0.2"),
        ("witness-build.dsse.json", "https://witness.testifysec.com/attestation-collection/v0.1"),
    ],
)
def test_real_envelopes_by_unknown_keys_are_read_and_not_believed(
    corpus: Callable[[str], bytes], name: str, predicate_type: str
) -> None:
    result = read_provenance(corpus(f"provenance/{name}"), fingerprint=THIS, keys=[KEY])

    assert not result.compliant
    assert result.summary["predicate_type"] == predicate_type


def test_a_real_envelope_with_an_empty_statement_is_refused(corpus: Callable[[str], bytes]) -> None:
    with pytest.raises(MalformedReport, match="payload/_type"):
        read_provenance(corpus("provenance/invalid-payload.dsse.json"), fingerprint=THIS, keys=[KEY])
