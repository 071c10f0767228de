"""Small archives made from a known seed, whole or partial, and ways to write them with something wrong.

An archive is a list of (name, bytes) here, so that a test can change what it likes and `zipped` it again. `relisted` makes
the manifest agree with changed files, which is what an attacker would do who may change everything but the log's key.
"""

import base64
import io
import json
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from muniment.proof.bundle import TlogProof, format_proof
from muniment.proof.canonical import encode
from muniment.proof.merkle import inclusion_proof, leaf_hash, root_of, subtrees_of
from muniment.proof.policy import format_policy
from muniment.proof.signing import Signer

ORIGIN = "muniment.example/log/acme"
ORGANIZATION_ID = "0192d3c4-0000-7000-8000-00000000acbe"
SIGNER = Signer(ORIGIN, bytes(range(32)))
EVIDENCE = {"evidence/v1/unit-tests/junit.xml": b"<testsuites/>\n", "evidence/v1/scan/report.json": b'{"findings":[]}'}

Members = list[tuple[str, bytes]]


@dataclass
class Ledger:
    """Entries of an organization, and what the log says about them."""

    entries: list[bytes] = field(default_factory=list)

    @property
    def leaves(self) -> list[bytes]:
        return [leaf_hash(entry) for entry in self.entries]

    @property
    def root(self) -> bytes:
        return root_of(self.leaves)

    def checkpoint(self, signer: Signer = SIGNER) -> str:
        return signer.sign_checkpoint(len(self.entries), self.root)


def entry(number: int, *, organization_id: str = ORGANIZATION_ID, **body: Any) -> bytes:
    """The bytes of one entry."""
    return encode(
        {
            "v": 1,
            "org": organization_id,
            "id": f"0192d3c4-0000-7000-8000-{number:012x}",
            "kind": "attestation.recorded",
            "at": f"2026-11-22T08:30:{number % 60:02}.000000Z",
            "by": {"principal": "ci@acme"},
            "body": {"name": f"check-{number}", **body},
        }
    )


def small_ledger(size: int = 7) -> Ledger:
    """Entries 2 and 5 name the two files of EVIDENCE."""
    digests = [sha256(data).hexdigest() for data in EVIDENCE.values()]
    named = {2: digests[0], 5: digests[1]}
    return Ledger([entry(n, evidence=[named[n]]) if n in named else entry(n) for n in range(size)])


def archive_members(ledger: Ledger, indices: Sequence[int] | None = None, *, signer: Signer = SIGNER) -> Members:
    """A valid archive of these entries, or of the whole ledger."""
    checkpoint = ledger.checkpoint(signer)
    kept = list(range(len(ledger.entries))) if indices is None else list(indices)
    members: Members = [
        ("README.txt", b"What this is.\n"),
        ("index.html", b"<!doctype html><title>acme</title>\n"),
        ("verify.py", b"print('see muniment.proof.standalone')\n"),
        ("policy", format_policy(signer.key).encode()),
        ("checkpoint", checkpoint.encode()),
        ("entries.jsonl", b"".join(ledger.entries[index] + b"\n" for index in kept)),
    ]
    if indices is not None:
        subtree = subtrees_of(ledger.leaves)
        for index in kept:
            hashes = tuple(inclusion_proof(index, len(ledger.entries), subtree))
            members.append((f"proofs/{index}.tlog-proof", format_proof(TlogProof(index, hashes, checkpoint)).encode()))
    owners = dict(zip(EVIDENCE, (2, 5), strict=True))
    members += [(path, data) for path, data in EVIDENCE.items() if owners[path] in kept]
    manifest = {
        "v": 1,
        "organization": "acme",
        "ledger": {
            "origin": signer.key.name,
            "organization_id": ORGANIZATION_ID,
            "size": len(ledger.entries),
            "root": base64.b64encode(ledger.root).decode(),
        },
        "question": {
            "kind": "flow",
            "name": "app",
            "size": len(ledger.entries),
            "instant": "2026-11-22T08:31:00.000000Z",
        },
        "entries": {"from": 0, "to": len(ledger.entries)}
        if indices is None
        else [[index, ledger.leaves[index].hex()] for index in kept],
        "files": [],
        "evidence": [
            {"path": path, "sha256": sha256(data).hexdigest(), "size": len(data), "entry": owners[path]}
            for path, data in members
            if path in EVIDENCE
        ],
    }
    return relisted([*members, ("manifest.json", encode(manifest))])


def relisted(members: Members, change: Callable[[dict[str, Any]], None] | None = None) -> Members:
    """The archive with a manifest that lists its files as they are, after `change` has had its way with it."""
    manifest = json.loads(dict(members)["manifest.json"])
    files = [member for member in members if member[0] != "manifest.json"]
    manifest["files"] = [{"path": path, "size": len(data), "sha256": sha256(data).hexdigest()} for path, data in files]
    if change:
        change(manifest)
    return [*files, ("manifest.json", encode(manifest))]


def replaced(members: Members, name: str, data: bytes) -> Members:
    """The archive with one member's bytes exchanged, and the manifest left alone."""
    return [(path, data if path == name else held) for path, held in members]


def zipped(members: Members, *, compression: int = zipfile.ZIP_STORED) -> bytes:
    """The members as a ZIP file, the same bytes each time."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, data in members:
            member = zipfile.ZipInfo(name, (2026, 11, 22, 8, 30, 0))
            member.external_attr = 0o100644 << 16
            archive.writestr(member, data, compression)
    return buffer.getvalue()


def unpacked(members: Members, folder: Path) -> Path:
    """The members as files below `folder`."""
    for name, data in members:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder
