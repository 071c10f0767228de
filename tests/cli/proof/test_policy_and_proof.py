"""Checkpoints, trust policies and proofs in a file: who is believed, and when that is not enough."""

import base64
import struct

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from muniment.proof.bundle import TlogProof, format_proof, parse_proof, verify_proof
from muniment.proof.checkpoint import Checkpoint, format_checkpoint, open_checkpoint, parse_checkpoint
from muniment.proof.merkle import EMPTY_ROOT, ProofError, inclusion_proof, leaf_hash, root_of, subtrees_of
from muniment.proof.notes import ED25519_COSIGNATURE, NoteError, SignatureLine, VerifierKey, verifier_key
from muniment.proof.policy import PolicyError, accepted_checkpoint, format_policy, parse_policy, trusting
from muniment.proof.signing import Signer

LOG = Signer("log.example/acme", b"l" * 32)
LEAVES = [leaf_hash(bytes([number])) for number in range(5)]
ROOT = base64.b64encode(root_of(LEAVES)).decode()
NOTE = LOG.sign_checkpoint(5, root_of(LEAVES))
TEXT = f"log.example/acme\n5\n{ROOT}\n"


class Witness:
    """A cosigner, as C2SP tlog-cosignature describes it."""

    def __init__(self, name: str) -> None:
        self._secret = Ed25519PrivateKey.from_private_bytes(name.encode().ljust(32, b"."))
        self.key: VerifierKey = verifier_key(name, self._secret.public_key().public_bytes_raw(), ED25519_COSIGNATURE)

    def line(self, text: str = TEXT, timestamp: int = 1_700_000_000) -> str:
        signature = self._secret.sign(f"cosignature/v1\ntime {timestamp}\n{text}".encode())
        return str(SignatureLine(self.key.name, self.key.key_id, struct.pack(">Q", timestamp) + signature))


X1, X2, X3, Y1, Y2 = (Witness(name) for name in ("x1", "x2", "x3", "y1", "y2"))
POLICY = f"""
# The example of the specification: two of X, and any of Y.
log {LOG.verifier_key} https://log.example/acme
witness X1 {X1.key}
witness\tX2\t{X2.key} https://x2.example
witness X3 {X3.key}
group X-witnesses 2 X1 X2 X3
  witness Y1 {Y1.key}
witness Y2 {Y2.key}
group Y-witnesses any Y1 Y2
group X-and-Y all X-witnesses Y-witnesses
quorum X-and-Y
"""


def test_a_signed_checkpoint_opens_with_its_logs_key() -> None:
    assert open_checkpoint(NOTE, LOG.key) == Checkpoint("log.example/acme", 5, root_of(LEAVES))


def test_extension_lines_are_kept() -> None:
    checkpoint = Checkpoint("log.example/acme", 0, EMPTY_ROOT, ("more", "and more"))

    assert parse_checkpoint(format_checkpoint(checkpoint)) == checkpoint


def test_a_checkpoint_of_another_log_is_refused_though_the_key_signed_it() -> None:
    note = LOG.sign(TEXT.replace("acme", "umbrella"))

    with pytest.raises(NoteError, match=r"is of log\.example/umbrella"):
        open_checkpoint(note, LOG.key)
    with pytest.raises(NoteError, match="does not list the log"):
        accepted_checkpoint(note, trusting(LOG.key))


@pytest.mark.parametrize(
    "text",
    [
        "log.example/acme\n5\n",
        f"log.example/acme\n05\n{ROOT}\n",
        f"log.example/acme\n-5\n{ROOT}\n",
        f"log.example/acme\n5 \n{ROOT}\n",
        f"log.example/acme\n\u0665\n{ROOT}\n",
        f"log.example/acme\n{'9' * 20}\n{ROOT}\n",
        f"\n5\n{ROOT}\n",
        f"log.example/acme\n5\n{ROOT[:-1]}\n",
        "log.example/acme\n5\nAAAA\n",
        f"log.example/acme\n5\n{ROOT}",
        f"log.example/acme\n5\n{ROOT}\n\nextension\n",
        f"log.example/acme\n0\n{ROOT}\n",
    ],
)
def test_a_malformed_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(NoteError):
        parse_checkpoint(text)


@pytest.mark.parametrize("cosigners", [(X1, X2, Y1), (X1, X3, Y2), (X1, X2, X3, Y1, Y2)])
def test_a_checkpoint_that_a_quorum_cosigned_is_accepted(cosigners: tuple[Witness, ...]) -> None:
    note = NOTE + "".join(witness.line() for witness in cosigners)

    assert accepted_checkpoint(note, parse_policy(POLICY)).size == 5


@pytest.mark.parametrize("cosigners", [(), (X1, Y1), (X1, X2, X3), (Y1, Y2)])
def test_a_checkpoint_without_a_quorum_is_refused(cosigners: tuple[Witness, ...]) -> None:
    note = NOTE + "".join(witness.line() for witness in cosigners)

    with pytest.raises(NoteError, match="Too few witnesses"):
        accepted_checkpoint(note, parse_policy(POLICY))


def test_one_witness_twice_counts_once() -> None:
    with pytest.raises(NoteError, match="Too few witnesses"):
        accepted_checkpoint(NOTE + X1.line() + X1.line(timestamp=7) + Y1.line(), parse_policy(POLICY))


def test_a_cosignature_of_another_text_or_time_is_refused() -> None:
    later = X1.line().replace(X1.line().split(" ")[2][:16], X1.line(timestamp=1_700_000_001).split(" ")[2][:16])
    for line in (X1.line(TEXT.replace("5", "6")), later, X1.line(timestamp=2**63)):
        with pytest.raises(NoteError, match="x1 does not belong"):
            accepted_checkpoint(NOTE + X2.line() + Y1.line() + line, parse_policy(POLICY))


def test_witnesses_do_not_replace_the_log() -> None:
    unsigned = TEXT + "\n" + X1.line() + X2.line() + Y1.line()

    with pytest.raises(NoteError, match="No trusted key"):
        accepted_checkpoint(unsigned, parse_policy(POLICY))


def test_a_policy_without_quorum_needs_no_witness() -> None:
    assert accepted_checkpoint(NOTE, parse_policy(format_policy(LOG.key))).size == 5


def test_a_single_witness_can_be_the_quorum() -> None:
    policy = parse_policy(f"log {LOG.verifier_key}\nwitness W {X1.key}\nquorum W\n")

    assert accepted_checkpoint(NOTE + X1.line(), policy).size == 5
    with pytest.raises(NoteError, match="Too few"):
        accepted_checkpoint(NOTE, policy)


W1, W2 = f"witness A {X1.key}\n", f"witness B {X2.key}\n"


@pytest.mark.parametrize(
    ("policy", "fact"),
    [
        ("", "no quorum"),
        ("quorum none\nquorum none\n", "second quorum"),
        ("quorum A\n" + W1, "not defined above"),
        (W1 + f"witness A {X2.key}\nquorum none\n", "is taken"),
        (W1 + f"witness B {X1.key}\nquorum none\n", "listed twice"),
        (f"log {LOG.key}\nlog {LOG.key}\nquorum none\n", "listed twice"),
        (f"log {X1.key}\nquorum none\n", "must be 0x01"),
        (f"witness A {LOG.key}\nquorum none\n", "must be 0x04"),
        (f"witness none {X1.key}\nquorum none\n", "is taken"),
        (W1 + "group G any A A\nquorum G\n", "already a member"),
        (W1 + W2 + "group G any A\ngroup H any A B\nquorum H\n", "already a member"),
        (W1 + "group G any G\nquorum G\n", "not defined above"),
        (W1 + "group G any none\nquorum G\n", "not defined above"),
        (W1 + "group G 2 A\nquorum G\n", "no threshold"),
        (W1 + "group G 0 A\nquorum G\n", "no threshold"),
        (W1 + "group G 01 A\nquorum G\n", "no threshold"),
        (W1 + "group G any\nquorum G\n", "unknown"),
        ("trust everybody\nquorum none\n", "Line 1.*unknown"),
        ("log nonsense\nquorum none\n", "not a verifier key"),
        ("quorum none\r\n", "control character"),
        ("# \x7f\nquorum none\n", "control character"),
    ],
)
def test_an_unclear_policy_is_refused(policy: str, fact: str) -> None:
    with pytest.raises(PolicyError, match=fact):
        parse_policy(policy)


def test_names_in_a_policy_are_compared_as_bytes() -> None:
    lines = [
        b"witness K\xff " + str(X1.key).encode(),
        b"witness \xe2\x84\xaa " + str(X2.key).encode(),
        b"quorum K\xff\n",
    ]

    policy = parse_policy(b"\n".join(lines))

    assert policy.has_quorum([X1.key])
    assert not policy.has_quorum([X2.key])


def proof_of(index: int) -> TlogProof:
    return TlogProof(index, tuple(inclusion_proof(index, 5, subtrees_of(LEAVES))), NOTE)


@pytest.mark.parametrize("index", range(5))
def test_a_proof_in_a_file_proves_its_entry(index: int) -> None:
    proof = parse_proof(format_proof(proof_of(index)).encode())

    assert proof == proof_of(index)
    assert verify_proof(proof, LEAVES[index], trusting(LOG.key)).size == 5


def test_a_proof_proves_no_other_entry() -> None:
    with pytest.raises(ProofError):
        verify_proof(proof_of(1), LEAVES[2], trusting(LOG.key))


def test_a_proof_under_a_checkpoint_of_an_untrusted_key_proves_nothing() -> None:
    with pytest.raises(NoteError, match="No trusted key"):
        verify_proof(proof_of(1), LEAVES[1], trusting(Signer("log.example/acme", b"m" * 32).key))


def test_extra_data_travels_with_a_proof() -> None:
    proof = TlogProof(0, (), LOG.sign_checkpoint(1, LEAVES[0]), extra=b"context")

    assert parse_proof(format_proof(proof)) == proof


@pytest.mark.parametrize(
    "text",
    [
        "",
        "c2sp.org/tlog-proof@v2\nindex 0\n\n" + NOTE,
        "c2sp.org/tlog-proof@v1\n\n" + NOTE,
        "c2sp.org/tlog-proof@v1\nindex 00\n\n" + NOTE,
        "c2sp.org/tlog-proof@v1\nindex 0\nextra AAAA\n\n" + NOTE,
        "c2sp.org/tlog-proof@v1\nindex 0\nAAAA\n\n" + NOTE,
        "c2sp.org/tlog-proof@v1\nindex 0\n" + f"{ROOT}\n" * 64 + "\n" + NOTE,
        "c2sp.org/tlog-proof@v1\nindex 0\n" + ROOT,
        b"\xff",
    ],
)
def test_what_is_not_a_proof_is_refused(text: str | bytes) -> None:
    with pytest.raises(NoteError):
        parse_proof(text)
