"""One test for each way of tampering: the archive is refused, and the right thing is named as wrong."""

import io
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from muniment.proof.archive import verify_archive
from muniment.proof.container import unsafe_name_reason
from muniment.proof.findings import ArchiveResult
from muniment.proof.policy import format_policy
from muniment.proof.signing import Signer
from tests.cli.archives_for_tests import (
    EVIDENCE,
    SIGNER,
    Ledger,
    Members,
    archive_members,
    entry,
    relisted,
    replaced,
    small_ledger,
    unpacked,
    zipped,
)

LEDGER = small_ledger()
WHOLE = archive_members(LEDGER)
PARTIAL = archive_members(LEDGER, [2, 3, 5])
JUNIT, SCAN = EVIDENCE
STRANGER = Signer(SIGNER.key.name, b"s" * 32)

Check = Callable[[Members | bytes], ArchiveResult]


@pytest.fixture
def check(tmp_path: Path) -> Check:
    """Verifies members (as a ZIP file) or the bytes of a ZIP file."""

    def verify(archive: Members | bytes) -> ArchiveResult:
        path = tmp_path / "archive.zip"
        path.write_bytes(archive if isinstance(archive, bytes) else zipped(archive))
        return verify_archive(str(path))

    return verify


def wrong(result: ArchiveResult) -> dict[str, str]:
    assert not result.ok
    facts: dict[str, str] = {}
    for fault in result.faults:
        facts[fault.where] = f"{facts.get(fault.where, '')} {fault.fact}".strip()
    return facts


@pytest.mark.parametrize("members", [WHOLE, PARTIAL], ids=["whole", "partial"])
def test_an_honest_archive_verifies(check: Check, members: Members, tmp_path: Path) -> None:
    result = check(members)

    assert result.ok, result.faults
    assert [step.number for step in result.checks] == [1, 2, 3, 4, 5, 6, 7]
    assert verify_archive(str(unpacked(members, tmp_path / "unpacked"))).ok
    assert result.facts["keys"] == [SIGNER.verifier_key]


def test_an_archive_of_an_empty_ledger_verifies(check: Check) -> None:
    assert check(archive_members(Ledger())).ok


def test_a_key_from_elsewhere_is_held_against_the_archive(tmp_path: Path) -> None:
    (tmp_path / "archive.zip").write_bytes(zipped(WHOLE))

    assert verify_archive(str(tmp_path / "archive.zip"), SIGNER.key).ok
    assert "checkpoint" in wrong(verify_archive(str(tmp_path / "archive.zip"), STRANGER.key))


def test_without_a_key_from_elsewhere_a_note_says_so(check: Check) -> None:
    assert any("came from the archive itself" in note for note in check(WHOLE).notes)


def test_a_partial_archive_says_that_it_cannot_prove_completeness(check: Check) -> None:
    assert any("not that nothing else" in note for note in check(PARTIAL).notes)
    assert not any("not that nothing else" in note for note in check(WHOLE).notes)


@pytest.mark.parametrize("name", [name for name, _ in PARTIAL])
def test_a_missing_member_is_named(check: Check, name: str) -> None:
    assert name in wrong(check([member for member in PARTIAL if member[0] != name]))


@pytest.mark.parametrize("name", ["README.txt", "policy", "checkpoint", "entries.jsonl", JUNIT, "proofs/3.tlog-proof"])
def test_a_member_with_something_appended_is_named(check: Check, name: str) -> None:
    assert name in wrong(check(replaced(PARTIAL, name, dict(PARTIAL)[name] + b"\n")))


def test_a_member_that_the_manifest_does_not_list_is_named(check: Check) -> None:
    assert wrong(check([("evil.html", b"<script>"), *WHOLE]))["evil.html"] == "The manifest does not list it."


def test_a_file_beside_an_unpacked_archive_is_named(tmp_path: Path) -> None:
    folder = unpacked(PARTIAL, tmp_path)
    (folder / "evidence" / "extra.txt").write_text("extra")

    assert "evidence/extra.txt" in wrong(verify_archive(str(folder)))


def test_a_link_in_an_unpacked_archive_is_named(tmp_path: Path) -> None:
    folder = unpacked(PARTIAL, tmp_path / "unpacked")
    (tmp_path / "elsewhere").write_bytes(EVIDENCE[JUNIT])
    (folder / JUNIT).unlink()
    (folder / JUNIT).symlink_to(tmp_path / "elsewhere")

    assert JUNIT in wrong(verify_archive(str(folder)))


def test_a_changed_entry_is_named_though_the_manifest_was_adjusted(check: Check) -> None:
    lines = dict(PARTIAL)["entries.jsonl"].replace(b"check-3", b"check-4")

    assert "entry 3" in wrong(check(relisted(replaced(PARTIAL, "entries.jsonl", lines))))


def test_a_changed_entry_with_an_adjusted_leaf_hash_has_no_proof(check: Check) -> None:
    forged = Ledger([*LEDGER.entries[:3], entry(4), *LEDGER.entries[4:]])
    lines = dict(archive_members(forged, [2, 3, 5]))["entries.jsonl"]

    def adjust(manifest: dict[str, Any]) -> None:
        manifest["entries"][1][1] = forged.leaves[3].hex()

    assert "proofs/3.tlog-proof" in wrong(check(relisted(replaced(PARTIAL, "entries.jsonl", lines), adjust)))


def test_a_changed_entry_of_a_whole_ledger_does_not_make_the_root(check: Check) -> None:
    lines = dict(WHOLE)["entries.jsonl"].replace(b"check-3", b"check-4")

    assert "do not make" in wrong(check(relisted(replaced(WHOLE, "entries.jsonl", lines))))["entries.jsonl"]


@pytest.mark.parametrize("members", [WHOLE, PARTIAL], ids=["whole", "partial"])
def test_entries_taken_out_added_or_swapped_are_noticed(check: Check, members: Members) -> None:
    lines = dict(members)["entries.jsonl"].splitlines(keepends=True)
    for changed in ([*lines, lines[0]], lines[:-1], [lines[1], lines[0], *lines[2:]], [*lines, b"{}\n"], []):
        assert not check(relisted(replaced(members, "entries.jsonl", b"".join(changed)))).ok


def test_an_entry_left_out_of_a_whole_ledger_everywhere_does_not_make_the_root(check: Check) -> None:
    checkpoint = dict(WHOLE)["checkpoint"]
    shorter = archive_members(Ledger(LEDGER.entries[:-1]))

    assert not check(relisted(replaced(shorter, "checkpoint", checkpoint))).ok


def test_a_last_line_without_its_newline_is_noticed(check: Check) -> None:
    lines = dict(PARTIAL)["entries.jsonl"][:-1]

    assert "cut short" in wrong(check(relisted(replaced(PARTIAL, "entries.jsonl", lines))))["entries.jsonl"]


def test_an_entry_of_another_organization_is_named(check: Check) -> None:
    foreign = Ledger([entry(0), entry(1, organization_id="0192d3c4-0000-7000-8000-00000000beef")])

    assert wrong(check(archive_members(foreign)))["entry 1"] == "It belongs to another organization."


def test_an_entry_that_says_things_twice_is_named(check: Check) -> None:
    ambiguous = Ledger([entry(0)[:-1] + b',"v":1}'])

    assert "given twice" in wrong(check(archive_members(ambiguous)))["entry 0"]


def test_a_checkpoint_signed_by_a_stranger_is_refused(check: Check) -> None:
    forged = replaced(WHOLE, "checkpoint", LEDGER.checkpoint(STRANGER).encode())

    assert "No trusted key" in wrong(check(relisted(forged)))["checkpoint"]


def test_an_archive_made_whole_by_a_stranger_passes_only_without_a_key_from_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "archive.zip").write_bytes(zipped(archive_members(LEDGER, signer=STRANGER)))

    assert verify_archive(str(tmp_path / "archive.zip")).ok
    assert "checkpoint" in wrong(verify_archive(str(tmp_path / "archive.zip"), SIGNER.key))


def test_a_policy_that_trusts_a_stranger_does_not_make_the_checkpoint_the_strangers(check: Check) -> None:
    forged = replaced(WHOLE, "policy", format_policy(STRANGER.key).encode())

    assert "checkpoint" in wrong(check(relisted(forged)))


def test_a_key_is_only_told_if_it_really_signed(check: Check) -> None:
    both = format_policy(SIGNER.key, STRANGER.key).encode()

    result = check(relisted(replaced(archive_members(LEDGER, signer=STRANGER), "policy", both)))

    assert result.facts["keys"] == [STRANGER.verifier_key]


def test_an_older_checkpoint_of_the_same_log_does_not_cover_the_entries(check: Check) -> None:
    older = Ledger(LEDGER.entries[:4]).checkpoint().encode()

    faults = wrong(check(relisted(replaced(PARTIAL, "checkpoint", older))))

    assert {"manifest.json", "proofs/5.tlog-proof"} <= set(faults)


def test_a_proof_of_another_entry_is_named(check: Check) -> None:
    forged = replaced(PARTIAL, "proofs/3.tlog-proof", dict(PARTIAL)["proofs/2.tlog-proof"])

    assert "proofs/3.tlog-proof" in wrong(check(relisted(forged)))


def test_a_proof_under_another_checkpoint_is_named(check: Check) -> None:
    other = archive_members(small_ledger(8), [2, 3, 5])
    forged = replaced(PARTIAL, "proofs/3.tlog-proof", dict(other)["proofs/3.tlog-proof"])

    assert "another checkpoint" in wrong(check(relisted(forged)))["proofs/3.tlog-proof"]


def test_a_proof_that_belongs_to_no_entry_is_named(check: Check) -> None:
    added = [*PARTIAL[:-1], ("proofs/6.tlog-proof", b"x"), PARTIAL[-1]]

    assert "proves no entry" in wrong(check(relisted(added)))["proofs/6.tlog-proof"]


def test_exchanged_evidence_is_named_though_the_manifest_was_adjusted(check: Check) -> None:
    assert JUNIT in wrong(check(relisted(replaced(PARTIAL, JUNIT, b"<testsuites failures='0'/>"))))


def test_exchanged_evidence_that_the_entry_does_not_name_is_named(check: Check) -> None:
    def adjust(manifest: dict[str, Any]) -> None:
        listed = next(file for file in manifest["files"] if file["path"] == JUNIT)
        manifest["evidence"][0].update(sha256=listed["sha256"], size=listed["size"])

    forged = relisted(replaced(PARTIAL, JUNIT, b"<testsuites failures='0'/>"), adjust)

    assert wrong(check(forged)) == {JUNIT: "Entry 2 does not name its digest."}


@pytest.mark.parametrize("index", [3, 4, 99])
def test_evidence_filed_under_another_entry_is_named(check: Check, index: int) -> None:
    def adjust(manifest: dict[str, Any]) -> None:
        manifest["evidence"][0]["entry"] = index

    assert JUNIT in wrong(check(relisted(PARTIAL, adjust)))


def test_evidence_that_the_manifest_files_nowhere_is_named(check: Check) -> None:
    assert SCAN in wrong(check(relisted(PARTIAL, lambda manifest: manifest["evidence"].pop())))


@pytest.mark.parametrize(
    "change",
    [
        lambda manifest: manifest.update(v=2),
        lambda manifest: manifest.update(extra=1),
        lambda manifest: manifest.pop("organization"),
        lambda manifest: manifest["ledger"].update(size=8),
        lambda manifest: manifest["ledger"].update(origin="muniment.example/log/other"),
        lambda manifest: manifest["ledger"].update(root="AAAA"),
        lambda manifest: manifest["question"].update(size=8),
        lambda manifest: manifest["question"].update(size=5),
        lambda manifest: manifest["question"].update(instant="yesterday"),
        lambda manifest: manifest["entries"].reverse(),
        lambda manifest: manifest["entries"].pop(),
        lambda manifest: manifest["entries"].append(manifest["entries"][-1]),
        lambda manifest: manifest.update(entries={"from": 0, "to": 3}),
        lambda manifest: manifest["files"].append(manifest["files"][0]),
        lambda manifest: manifest["files"].reverse(),
        lambda manifest: manifest["files"][0].update(size=True),
    ],
)
def test_a_manifest_that_does_not_fit_is_refused(check: Check, change: Callable[[dict[str, Any]], None]) -> None:
    assert not check(relisted(PARTIAL, change)).ok


def test_a_manifest_with_a_space_more_is_refused(check: Check) -> None:
    spaced = dict(WHOLE)["manifest.json"].replace(b":", b": ", 1)

    assert "not canonical" in wrong(check(replaced(WHOLE, "manifest.json", spaced)))["manifest.json"]


@pytest.mark.parametrize(
    "name", ["../evil", "/evil", "evidence/../../evil", "C:\\evil", "a\\b", "a//b", "nul", "a.", "b\u202egpj"]
)
def test_a_name_that_leads_elsewhere_is_named(check: Check, name: str) -> None:
    result = check(relisted([(name, b"x"), *WHOLE]))

    assert not result.checks[0].ok
    assert name in wrong(result)


def test_names_of_every_language_are_fine() -> None:
    assert unsafe_name_reason("evidence/\u00fcberpr\u00fcfung/\u691c\u67fb/r\u00e9sum\u00e9 (1).pdf") is None


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_twice_is_named_even_if_only_its_case_differs(check: Check) -> None:
    assert "readme.TXT" in wrong(check([("readme.TXT", b"x"), *WHOLE]))
    assert "More than one member" in wrong(check([("policy", b"x"), *WHOLE]))["policy"]


def test_members_in_another_order_are_noticed(check: Check) -> None:
    assert "the ZIP file" in wrong(check([*WHOLE[1:], WHOLE[0]]))


def test_bytes_before_behind_and_between_members_are_noticed(check: Check) -> None:
    data = zipped(WHOLE)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        start = archive.start_dir
    between = bytearray(data[:start] + b"hidden" + data[start:])
    struct.pack_into("<L", between, len(between) - 6, start + 6)

    for changed in (b"#!/bin/sh\n" + data, data + b"\n", bytes(between)):
        result = check(changed)
        assert not result.checks[0].ok
        assert "the ZIP file" in wrong(result)


def test_a_compressed_member_is_not_unpacked(check: Check) -> None:
    result = check(zipped(WHOLE, compression=zipfile.ZIP_DEFLATED))

    assert "compressed" in wrong(result)["README.txt"]


def test_a_member_that_would_become_a_link_is_named(check: Check) -> None:
    data = bytearray(zipped(WHOLE))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        start = archive.start_dir
    struct.pack_into("<L", data, start + 38, 0o120777 << 16)

    assert "link" in wrong(check(bytes(data)))["README.txt"]


@pytest.mark.parametrize("data", [b"", b"PK", b"not a zip file", zipped(WHOLE)[:-30], zipped(WHOLE)[:200]])
def test_what_is_not_a_zip_file_is_refused(check: Check, data: bytes) -> None:
    result = check(data)

    assert "cannot be read as a ZIP file" in wrong(result)["the archive"]
    assert [step.ok for step in result.checks] == [False] * 7


def test_a_streamed_zip_file_with_descriptors_is_read(check: Check) -> None:
    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

        def tell(self) -> int:
            raise OSError

        def seek(self, *_: int) -> int:
            raise OSError

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w") as archive:
        for name, data in WHOLE:
            archive.writestr(zipfile.ZipInfo(name, (2026, 11, 22, 8, 30, 0)), data)

    assert check(pipe.getvalue()).ok
    assert not check(pipe.getvalue().replace(b"PK\x07\x08", b"PK\x07\x09", 1)).ok


def test_a_zip64_file_is_read(check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 10)
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 2)
    data = zipped(WHOLE)

    result = check(data)

    assert b"PK\x06\x06" in data
    assert result.ok, result.faults


def test_a_hundred_faults_are_told_and_the_rest_counted(check: Check) -> None:
    result = check([(f"extra-{number}", b"x") for number in range(130)] + WHOLE)

    assert len(result.faults) == 100
    assert any("more faults" in note for note in result.notes)
