"""Signed notes: the reference implementation's example, and what may not pass as a note or as its signature."""

import base64

import pytest

from muniment.proof.notes import (
    ED25519_COSIGNATURE,
    Note,
    NoteError,
    SignatureLine,
    VerifierKey,
    key_id_of,
    parse_note,
    parse_verifier_key,
    verifier_key,
    verify_note,
)
from muniment.proof.signing import Signer

SPECIFICATION_KEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
REFERENCE_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
REFERENCE_SEED = base64.b64decode("AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz")[1:]
REFERENCE_TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
REFERENCE_NOTE = (
    REFERENCE_TEXT
    + "\n\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpR"
    "Zb6KE6RyyBwJnAM=\n"
)
ANN, BOB = Signer("ann.example", b"a" * 32), Signer("bob.example", b"b" * 32)


def signature_line(signer: Signer, text: str) -> str:
    return signer.sign(text).split("\n\n")[-1]


def test_the_key_in_the_specification_reads_and_writes_alike() -> None:
    key = parse_verifier_key(SPECIFICATION_KEY)

    assert (key.name, key.key_id, key.algorithm) == ("example.com/foo", 0x530D903A, 1)
    assert str(key) == SPECIFICATION_KEY


def test_the_reference_note_verifies_and_is_signed_the_same_here() -> None:
    note = parse_note(REFERENCE_NOTE.encode())

    assert verify_note(note, [parse_verifier_key(REFERENCE_KEY)]) == (parse_verifier_key(REFERENCE_KEY),)
    assert note.text == REFERENCE_TEXT
    assert Signer("PeterNeumann", REFERENCE_SEED).sign(REFERENCE_TEXT) == REFERENCE_NOTE
    assert Signer("PeterNeumann", REFERENCE_SEED).verifier_key == REFERENCE_KEY


def test_every_mangled_verifier_key_is_refused() -> None:
    for start in range(len(REFERENCE_KEY)):
        for end in range(start + 1, len(REFERENCE_KEY) + 1):
            if (start, end) != (0, len(REFERENCE_KEY)):
                with pytest.raises(NoteError):
                    parse_verifier_key(REFERENCE_KEY[start:end])
    for place, character in enumerate(REFERENCE_KEY):
        with pytest.raises(NoteError):
            parse_verifier_key(REFERENCE_KEY[:place] + chr(ord(character) + 1) + REFERENCE_KEY[place + 1 :])


def test_the_text_ends_at_the_last_blank_line() -> None:
    text = "one\n\ntwo\n\n\u2014 ann.example looks like a signature\n"

    note = parse_note(ANN.sign(text))

    assert note.text == text
    assert verify_note(note, [ANN.key]) == (ANN.key,)


def test_lines_of_unknown_keys_are_ignored() -> None:
    note = parse_note(ANN.sign("text\n") + signature_line(BOB, "another text\n"))

    assert verify_note(note, [ANN.key]) == (ANN.key,)


def test_every_trusted_signer_is_told_once() -> None:
    line = signature_line(BOB, "text\n")

    assert verify_note(parse_note(ANN.sign("text\n") + line + line), [ANN.key, BOB.key]) == (ANN.key, BOB.key)


def test_a_bad_signature_of_a_trusted_key_spoils_the_note() -> None:
    note = parse_note(ANN.sign("text\n") + signature_line(BOB, "another text\n"))

    with pytest.raises(NoteError, match=r"bob\.example does not belong to this text"):
        verify_note(note, [ANN.key, BOB.key])


def test_a_note_that_no_trusted_key_signed_is_refused() -> None:
    with pytest.raises(NoteError, match="No trusted key"):
        verify_note(parse_note(ANN.sign("text\n")), [BOB.key])
    with pytest.raises(NoteError, match="No trusted key"):
        verify_note(parse_note(ANN.sign("text\n")), [])


def test_a_key_with_the_same_name_but_another_id_is_another_key() -> None:
    namesake = Signer("ann.example", b"x" * 32)

    with pytest.raises(NoteError, match="No trusted key"):
        verify_note(parse_note(ANN.sign("text\n")), [namesake.key])


def test_a_forged_line_with_the_key_id_of_a_trusted_key_is_refused() -> None:
    forged = SignatureLine("ann.example", ANN.key.key_id, parse_note(BOB.sign("text\n")).signatures[0].signature)

    with pytest.raises(NoteError, match="does not belong to this text"):
        verify_note(Note("text\n", (forged,)), [ANN.key])


def test_a_key_of_an_algorithm_that_cannot_be_checked_verifies_nothing() -> None:
    material = bytes(1312)
    key = VerifierKey("ann.example", key_id_of("ann.example", 0x06, material), 0x06, material)
    note = Note("text\n", (SignatureLine("ann.example", key.key_id, bytes(2428)),))

    assert str(parse_verifier_key(str(key))) == str(key)
    with pytest.raises(NoteError, match="No trusted key"):
        verify_note(note, [key])


def test_a_log_key_is_not_a_witness_key() -> None:
    assert verifier_key("ann.example", ANN.key.public_key, ED25519_COSIGNATURE).key_id != ANN.key.key_id


LINE = signature_line(ANN, "text\n").rstrip("\n")


@pytest.mark.parametrize(
    "note",
    [
        "",
        "text\n",
        "text\n\n",
        "text\n" + LINE + "\n",
        "text\n\n" + LINE,
        "text\n\n" + LINE + "\n\n",
        "text\r\n\n" + LINE + "\n",
        "te\x00xt\n\n" + LINE + "\n",
        "text\n\n" + LINE.replace("\u2014", "-") + "\n",
        "text\n\n" + LINE.replace("\u2014 ", "\u2014  ") + "\n",
        "text\n\n" + LINE.replace("ann.example", "ann+example") + "\n",
        "text\n\n" + LINE.replace("ann.example", "ann\u00a0example") + "\n",
        "text\n\n" + LINE[:-2] + "\n",
        "text\n\n" + LINE.replace("=", "") + "\n",
        "text\n\n\u2014 ann.example AAAA\n",
        "text\n\n\u2014 ann.example AAAAAB==\n",
        "text\n\n" + (LINE + "\n") * 101,
        "text" * 300_000 + "\n\n" + LINE + "\n",
        b"te\xfft\n\n" + LINE.encode() + b"\n",
    ],
)
def test_what_is_not_a_note_is_refused(note: str | bytes) -> None:
    with pytest.raises(NoteError):
        verify_note(parse_note(note), [ANN.key])


def test_sixteen_signatures_and_more_are_read() -> None:
    assert len(parse_note("text\n\n" + (LINE + "\n") * 100).signatures) == 100


def test_a_signer_shows_its_public_half_only() -> None:
    assert repr(ANN) == f"Signer({ANN.verifier_key})"


def test_text_without_a_final_newline_is_not_signed() -> None:
    with pytest.raises(NoteError, match="newline"):
        ANN.sign("text")


@pytest.mark.parametrize("name", ["", "two words", "a+b", "tab\tbed", "line\nfeed"])
def test_a_name_that_no_key_can_have_is_refused(name: str) -> None:
    with pytest.raises(NoteError, match="cannot name a key"):
        Signer(name, bytes(32))


def test_a_seed_of_the_wrong_length_is_refused_without_showing_it() -> None:
    with pytest.raises(NoteError, match="The seed has 5 bytes") as refusal:
        Signer("ann.example", b"sesam")
    assert "sesam" not in str(refusal.value)
