"""Whether an archive holds what it claims: a ZIP file or directory in, numbered checks and named faults out.

Nothing is believed because the archive says so. The one thing to start from is the log's verifier key; give it as
`expected_key` when you have it from somewhere else than the archive, otherwise the archive's own `policy` has to do,
and a note says so.

The steps:
 1. the container shows the same members to everyone, under names that are safe to unpack;
 2. the manifest is readable and complete;
 3. every file that it lists is there, unchanged and in order, and there is no other;
 4. the checkpoint is signed by the log that the policy names, and is the one that the manifest speaks of;
 5. every entry has the leaf hash that the manifest gives, and belongs to the organization;
 6. every entry is in the ledger under the checkpoint: by its proof, or because all entries together make the root;
 7. every file of evidence is named by the entry that it is filed under.

Files are read as streams. Memory grows with the manifest, not with entries or evidence.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from hashlib import sha256

from muniment.proof.bundle import parse_proof
from muniment.proof.canonical import CanonicalError, parse
from muniment.proof.checkpoint import Checkpoint
from muniment.proof.container import Container, ContainerError, open_container
from muniment.proof.findings import ArchiveResult, Findings
from muniment.proof.manifest import ListedEvidence, Manifest, ManifestError, parse_manifest
from muniment.proof.merkle import CompactRange, leaf_hash, verify_inclusion
from muniment.proof.notes import VerifierKey
from muniment.proof.policy import Policy, accepted_with_keys, parse_policy, trusting

MANIFEST = "manifest.json"
CHECKPOINT = "checkpoint"
POLICY = "policy"
ENTRIES = "entries.jsonl"
ENTRY_LENGTH_MAX = 65_535
SMALL_FILE_BYTES_MAX = 1_000_000
MANIFEST_BYTES_MAX = 1 << 29
_PIECE_BYTES = 1 << 20

TITLES = (
    "The container shows one set of safely named members",
    "The manifest is readable and complete",
    "Every listed file is there, unchanged, and no other",
    "The checkpoint is signed by the log",
    "The entries are the ones that are listed",
    "Every entry is in the ledger",
    "The evidence is the evidence that entries name",
)
_UNUSABLE = "Nothing in this archive is proven; get it again."


def proof_path(index: int) -> str:
    """Where an archive keeps the proof of an entry."""
    return f"proofs/{index}.tlog-proof"


def verify_archive(path: str, expected_key: VerifierKey | None = None) -> ArchiveResult:
    """Check the archive at `path`; nothing is raised for what is wrong inside it."""
    findings = Findings()
    findings.facts["archive"] = str(path)
    try:
        container = open_container(str(path))
    except ContainerError as refusal:
        with findings.step(TITLES[0]):
            findings.fault("the archive", str(refusal), _UNUSABLE)
        return _stopped(findings)
    with closing(container):
        with findings.step(TITLES[0]) as told:
            for where, fact in container.problems:
                findings.fault(where, fact, "Different programs may see different contents; get the archive again.")
            told.text = f"members: {len(container.names)}"
        manifest = _read_manifest(container, findings)
        if manifest is None:
            return _stopped(findings)
        _ArchiveReading(container, manifest, findings).check(expected_key)
    return findings.result()


def _stopped(findings: Findings) -> ArchiveResult:
    for title in TITLES[len(findings.checks) :]:
        findings.skip(title, "not reached")
    return findings.result()


def _read_manifest(container: Container, findings: Findings) -> Manifest | None:
    with findings.step(TITLES[1]) as told:
        try:
            if MANIFEST not in container.names:
                raise ManifestError("It is missing.")
            with container.open(MANIFEST) as file:
                data = file.read(MANIFEST_BYTES_MAX + 1)
            if len(data) > MANIFEST_BYTES_MAX:
                raise ManifestError(f"It has more than {MANIFEST_BYTES_MAX} bytes.")
            manifest = parse_manifest(data)
        except (ManifestError, ContainerError) as refusal:
            findings.fault(MANIFEST, str(refusal), _UNUSABLE)
            return None
        told.text = f"files: {len(manifest.files)}, evidence among them: {len(manifest.evidence)}"
        findings.facts.update(
            organization=manifest.organization,
            organization_id=manifest.organization_id,
            origin=manifest.origin,
            size=manifest.size,
            root=manifest.root.hex(),
            question=manifest.question,
            whole_ledger=manifest.entries is None,
            entries=manifest.size if manifest.entries is None else len(manifest.entries),
            evidence=len(manifest.evidence),
        )
    return manifest


class _ArchiveReading:
    """Steps 3 to 7 over one archive whose manifest could be read."""

    def __init__(self, container: Container, manifest: Manifest, findings: Findings) -> None:
        self._container = container
        self._manifest = manifest
        self._findings = findings
        self._present = set(container.names)
        self._grown: CompactRange | None = None
        self._checkpoint_bytes = b""

    def check(self, expected_key: VerifierKey | None) -> None:
        findings, manifest = self._findings, self._manifest
        with findings.step(TITLES[2]) as told:
            self._check_files()
            told.text = f"files: {len(manifest.files)}, bytes: {sum(file.size for file in manifest.files)}"
        with findings.step(TITLES[3]) as told:
            checkpoint, told.text = self._accepted(expected_key)
        unnamed: list[ListedEvidence] = []
        with findings.step(TITLES[4]) as told:
            unnamed, told.text = self._check_entries()
        if checkpoint is None:
            findings.skip(TITLES[5], "not reached: there is no checkpoint to prove them against")
        else:
            with findings.step(TITLES[5]) as told:
                told.text = self._check_proofs(checkpoint)
        with findings.step(TITLES[6]) as told:
            self._check_evidence(unnamed)
            told.text = f"files: {len(manifest.evidence)}"
        self._tell_limits(expected_key)

    def _check_files(self) -> None:
        listed = [file.path for file in self._manifest.files]
        known = {*listed, MANIFEST}
        if len(known) != len(listed) + 1:
            self._findings.fault(MANIFEST, "It lists a file twice, or itself.", "Which bytes count is unclear.")
        if self._container.ordered:
            in_place = [name for name in self._container.names if name in known]
            if in_place != [name for name in [*listed, MANIFEST] if name in self._present]:
                self._findings.fault("the ZIP file", "Its members are not in the manifest's order.", "It was repacked.")
        for name in sorted(self._present - known):
            self._findings.fault(name, "The manifest does not list it.", "It is not part of the archive; ignore it.")
        for required in (POLICY, CHECKPOINT, ENTRIES):
            if required not in known:
                self._findings.fault(required, "The manifest does not list it.", _UNUSABLE)
        for file in self._manifest.files:
            self._check_file(file.path, file.size, file.sha256)

    def _check_file(self, path: str, size: int, digest: str) -> None:
        if path not in self._present:
            self._findings.fault(path, "It is missing.", "Something was taken out of the archive.")
            return
        try:
            hasher, read = sha256(), 0
            with self._container.open(path) as file:
                for piece in iter(lambda: file.read(_PIECE_BYTES), b""):
                    hasher.update(piece)
                    read += len(piece)
        except ContainerError as refusal:
            self._findings.fault(path, str(refusal), "Its content is lost or was damaged.")
            return
        if read != size:
            self._findings.fault(path, f"It has {read} bytes; the manifest says {size}.", "It was changed.")
        elif hasher.hexdigest() != digest:
            self._findings.fault(
                path, f"Its SHA-256 is {hasher.hexdigest()}; the manifest says {digest}.", "It was changed."
            )

    def _accepted(self, expected_key: VerifierKey | None) -> tuple[Checkpoint | None, str]:
        policy_text, note = self._small(POLICY), self._small(CHECKPOINT)
        if policy_text is None or note is None:
            return None, ""
        try:
            policy: Policy = parse_policy(policy_text)
        except ValueError as refusal:
            self._findings.fault(POLICY, str(refusal), "Whom to trust is unclear.")
            return None, ""
        try:
            checkpoint, keys = accepted_with_keys(note, policy)
            if expected_key is not None:
                checkpoint, keys = accepted_with_keys(note, trusting(expected_key))
        except ValueError as refusal:
            self._findings.fault(CHECKPOINT, str(refusal), "Nothing shows that the entries are in the ledger.")
            return None, ""
        stated = (self._manifest.origin, self._manifest.size, self._manifest.root)
        if stated != (checkpoint.origin, checkpoint.size, checkpoint.root):
            self._findings.fault(
                MANIFEST,
                "Its ledger is not the one in the checkpoint.",
                "What it says about origin, size or root is wrong.",
            )
        self._checkpoint_bytes = note
        self._findings.facts["keys"] = [str(key) for key in keys]
        return checkpoint, f"{checkpoint.origin}, size {checkpoint.size}"

    def _small(self, path: str) -> bytes | None:
        """A short file's bytes; a fault and None if there is none."""
        if path not in self._present:
            self._findings.fault(path, "It is missing.", "What it proves cannot be shown.")
            return None
        try:
            with self._container.open(path) as file:
                data = file.read(SMALL_FILE_BYTES_MAX + 1)
        except ContainerError as refusal:
            self._findings.fault(path, str(refusal), "What it proves cannot be shown.")
            return None
        if len(data) > SMALL_FILE_BYTES_MAX:
            self._findings.fault(path, "It is far too long.", "What it proves cannot be shown.")
            return None
        return data

    def _check_entries(self) -> tuple[list[ListedEvidence], str]:
        """The evidence that its entry does not name, and how many entries there were."""
        listed, wanted = self._manifest.entries, self._manifest.size
        expected = None if listed is None else iter(listed)
        awaited: dict[int, list[ListedEvidence]] = {}
        for piece in self._manifest.evidence:
            awaited.setdefault(piece.entry, []).append(piece)
        unnamed: list[ListedEvidence] = []
        grown = CompactRange()
        count = 0
        try:
            for line in self._lines():
                index, leaf = (count, None) if expected is None else next(expected, (-1, None))
                count += 1
                if index < 0:
                    self._findings.fault(f"{ENTRIES} line {count}", "No entry is listed for it.", "It is not proven.")
                    break
                found = leaf_hash(line)
                if leaf is not None and found.hex() != leaf:
                    self._findings.fault(
                        f"entry {index}", f"Its leaf hash is {found.hex()}, not {leaf}.", "It was changed."
                    )
                self._check_entry(index, line)
                unnamed.extend(piece for piece in awaited.pop(index, ()) if piece.sha256.encode("ascii") not in line)
                if expected is None:
                    grown.append(found)
        except ContainerError as refusal:
            self._findings.fault(ENTRIES, str(refusal), "Entries are lost or were damaged.")
        total = wanted if listed is None else len(listed)
        if count != total:
            self._findings.fault(
                ENTRIES, f"It holds {count} entries; {total} are listed.", "Entries were added or taken out."
            )
        self._grown = grown if expected is None else None
        unnamed.extend(piece for pieces in awaited.values() for piece in pieces)
        return unnamed, f"entries: {count}"

    def _lines(self) -> Iterator[bytes]:
        if ENTRIES not in self._present:
            raise ContainerError("It is missing.")
        with self._container.open(ENTRIES) as file:
            while True:
                line = file.readline(ENTRY_LENGTH_MAX + 2)
                if not line:
                    return
                if not line.endswith(b"\n"):
                    raise ContainerError("A line is cut short, or longer than an entry can be.")
                yield line[:-1]

    def _check_entry(self, index: int, line: bytes) -> None:
        try:
            entry = parse(line)
        except CanonicalError as refusal:
            self._findings.fault(f"entry {index}", str(refusal), "What it says is unclear.")
            return
        if not isinstance(entry, dict) or type(entry.get("v")) is not int or entry["v"] != 1:
            self._findings.fault(f"entry {index}", "It is not an entry of version 1.", "What it says is unclear.")
        elif entry.get("org") != self._manifest.organization_id:
            self._findings.fault(f"entry {index}", "It belongs to another organization.", "It does not belong here.")

    def _check_proofs(self, checkpoint: Checkpoint) -> str:
        proofs = {name for name in self._present if name.startswith("proofs/")}
        if self._manifest.entries is None:
            for name in sorted(proofs):
                self._findings.fault(name, "A whole ledger needs no proof.", "It was added.")
            if self._grown is None or (self._grown.size, self._grown.root()) != (checkpoint.size, checkpoint.root):
                self._findings.fault(
                    ENTRIES,
                    "All entries together do not make the checkpoint's root.",
                    "An entry was changed, added or removed.",
                )
            return "the whole ledger makes the signed root"
        for index, leaf in self._manifest.entries:
            proofs.discard(proof_path(index))
            self._check_proof(index, bytes.fromhex(leaf), checkpoint)
        for name in sorted(proofs):
            self._findings.fault(
                name, "It proves no entry of this archive.", "It was added, or an entry was taken out."
            )
        return f"proofs that lead to the signed root: {len(self._manifest.entries)}"

    def _check_proof(self, index: int, leaf: bytes, checkpoint: Checkpoint) -> None:
        path = proof_path(index)
        data = self._small(path)
        if data is None:
            return
        try:
            proof = parse_proof(data)
            if proof.checkpoint.encode("utf-8") != self._checkpoint_bytes:
                raise ContainerError("It speaks of another checkpoint than the archive's.")
            if proof.index != index or proof.extra is not None:
                raise ContainerError(f"It is a proof for entry {proof.index}, or holds something besides the proof.")
            verify_inclusion(leaf, index, checkpoint.size, proof.hashes, checkpoint.root)
        except ValueError as refusal:
            self._findings.fault(path, str(refusal), f"Nothing shows that entry {index} is in the ledger.")

    def _check_evidence(self, unnamed: list[ListedEvidence]) -> None:
        fact = "Entry {} does not name its digest."
        for piece in unnamed:
            self._findings.fault(piece.path, fact.format(piece.entry), "Nothing shows that the ledger knows this file.")
        files = {file.path: file for file in self._manifest.files}
        for piece in self._manifest.evidence:
            file = files.pop(piece.path, None)
            if file is None or (file.sha256, file.size) != (piece.sha256, piece.size):
                self._findings.fault(
                    piece.path,
                    "The manifest lists it as evidence but not as a file with that digest.",
                    "Which counts is unclear.",
                )
        for path in files:
            if path.startswith("evidence/"):
                self._findings.fault(
                    path, "The manifest does not file it under an entry.", "The ledger does not know it."
                )

    def _tell_limits(self, expected_key: VerifierKey | None) -> None:
        note = self._findings.note
        if expected_key is None:
            note(
                "The verifier key came from the archive itself. Compare it with one that you got from somewhere else (--key)."
            )
        if self._manifest.entries is not None:
            note(
                "This is a part of the ledger: what is here is proven, but not that nothing else would answer the question."
            )
        proven = (POLICY, CHECKPOINT, ENTRIES)
        others = [
            file.path
            for file in self._manifest.files
            if file.path not in proven and not file.path.startswith(("proofs/", "evidence/"))
        ]
        told = ", ".join(["the organization's name and the question", *others[:10]]) + (
            ", ..." if len(others) > 10 else ""
        )
        note(f"Not in the ledger, so only as good as where you got the archive: {told}.")
