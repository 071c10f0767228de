"""Ed25519 verification against the RFC's vectors, against a C library, and against malleable and weak inputs."""

import time

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from muniment.proof.ed25519 import verify_ed25519

ORDER = 2**252 + 27742317777372353535851937790883648493
PRIME = 2**255 - 19
SECRET = Ed25519PrivateKey.from_private_bytes(bytes(32))
PUBLIC = SECRET.public_key().public_bytes_raw()
SMALL_ORDER_POINTS = [
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
]


@pytest.mark.parametrize(
    ("public_key", "message", "signature"),
    [
        (
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            "",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595b"
            "be24655141438e7a100b",
        ),
        (
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            "72",
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb430"
            "2aeeb00d291612bb0c00",
        ),
        (
            "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
            "af82",
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716e"
            "d28dc027beceea1ec40a",
        ),
    ],
)
def test_the_published_signatures_verify(public_key: str, message: str, signature: str) -> None:
    assert verify_ed25519(bytes.fromhex(public_key), bytes.fromhex(message), bytes.fromhex(signature))


@given(st.binary(min_size=32, max_size=32), st.binary(max_size=200))
@settings(deadline=None, max_examples=50)
def test_a_signature_of_a_c_library_verifies(seed: bytes, message: bytes) -> None:
    secret = Ed25519PrivateKey.from_private_bytes(seed)

    assert verify_ed25519(secret.public_key().public_bytes_raw(), message, secret.sign(message))


@given(st.integers(0, 64 * 8 - 1))
@settings(deadline=None, max_examples=50)
def test_a_signature_with_a_flipped_bit_does_not_verify(bit: int) -> None:
    signature = bytearray(SECRET.sign(b"message"))
    signature[bit // 8] ^= 1 << bit % 8

    assert not verify_ed25519(PUBLIC, b"message", bytes(signature))


def test_another_message_or_key_does_not_verify() -> None:
    other = Ed25519PrivateKey.from_private_bytes(bytes(31) + b"\x01").public_key().public_bytes_raw()

    assert not verify_ed25519(PUBLIC, b"massage", SECRET.sign(b"message"))
    assert not verify_ed25519(other, b"message", SECRET.sign(b"message"))


def test_the_same_signature_with_a_larger_scalar_is_refused() -> None:
    signature = SECRET.sign(b"message")
    scalar = int.from_bytes(signature[32:], "little") + ORDER

    assert not verify_ed25519(PUBLIC, b"message", signature[:32] + scalar.to_bytes(32, "little"))


@pytest.mark.parametrize("point", SMALL_ORDER_POINTS)
def test_a_key_of_small_order_signs_nothing(point: str) -> None:
    assert not verify_ed25519(bytes.fromhex(point), b"anything", bytes.fromhex(point) + bytes(32))
    assert not verify_ed25519(bytes.fromhex(point), b"anything", bytes.fromhex(SMALL_ORDER_POINTS[0]) + bytes(32))


@pytest.mark.parametrize("y", [PRIME, PRIME + 1, 2**255 - 1, 2])
def test_a_key_that_is_no_canonical_point_signs_nothing(y: int) -> None:
    assert not verify_ed25519(y.to_bytes(32, "little"), b"message", SECRET.sign(b"message"))


@pytest.mark.parametrize(("key_bytes", "signature_bytes"), [(31, 64), (33, 64), (32, 63), (32, 65), (0, 0)])
def test_inputs_of_another_length_do_not_verify(key_bytes: int, signature_bytes: int) -> None:
    assert not verify_ed25519(bytes(key_bytes), b"message", bytes(signature_bytes))


def test_a_verification_takes_milliseconds() -> None:
    signature = SECRET.sign(b"message")
    started = time.process_time()
    for _ in range(20):
        verify_ed25519(PUBLIC, b"message", signature)

    assert (time.process_time() - started) / 20 < 0.05
