"""Bytes all over a small archive are flipped, one at a time; the verifier must notice, and must never crash."""

import re
import struct
import zipfile
from io import BytesIO
from pathlib import Path

import pytest

from muniment.proof.archive import verify_archive
from tests.cli.archives_for_tests import archive_members, small_ledger, unpacked, zipped


def host_fields(data: bytes) -> set[int]:
    """Offsets of what a ZIP file says about the program and system that wrote it, not about its members."""
    allowed: set[int] = set()
    archive = zipfile.ZipFile(BytesIO(data))
    for member in archive.infolist():
        allowed |= {member.header_offset + 4, member.header_offset + 5}  # version needed to extract
    place = archive.start_dir
    for _ in archive.infolist():
        name, extra, comment = struct.unpack_from("<3H", data, place + 28)
        # version made by, system, version needed; internal attributes; permissions
        allowed |= set(range(place + 4, place + 8)) | set(range(place + 36, place + 42))
        place += 46 + name + extra + comment
    return allowed


def claims(data: bytes) -> set[int]:
    """Offsets of what only the manifest says: how the organization is called and which question was asked."""
    allowed: set[int] = set()
    for pattern in (rb'"organization":"[^"]*"', rb'"question":{[^}]*}'):
        match = re.search(pattern, data)
        assert match
        allowed |= set(range(*match.span()))
    return allowed


@pytest.mark.parametrize(("indices", "stride"), [(None, 7), ([2], 3)], ids=["whole", "partial"])
def test_any_flipped_byte_of_the_zip_file_is_noticed(tmp_path: Path, indices: list[int] | None, stride: int) -> None:
    data = zipped(archive_members(small_ledger(3), indices))
    path = tmp_path / "archive.zip"
    path.write_bytes(data)
    assert verify_archive(str(path)).ok

    unnoticed = []
    changed = bytearray(data)
    for place in range(0, len(data), stride):
        changed[place] ^= 1 << place % 8
        path.write_bytes(changed)
        if verify_archive(str(path)).ok:
            unnoticed.append(place)
        changed[place] = data[place]

    # The ZIP file's checksums cover the claims too, so a lone flip in them shows here.
    assert set(unnoticed) <= host_fields(data)


@pytest.mark.parametrize("indices", [None, [2, 3, 5]], ids=["whole", "partial"])
def test_a_flipped_byte_of_an_unpacked_file_is_noticed_and_the_file_named(
    tmp_path: Path, indices: list[int] | None
) -> None:
    members = archive_members(small_ledger(), indices)
    folder = unpacked(members, tmp_path)
    assert verify_archive(str(folder)).ok

    for name, data in members:
        ignored = claims(data) if name == "manifest.json" else set()
        for place in sorted(set(range(0, len(data), max(1, len(data) // 40))) - ignored):
            changed = bytearray(data)
            changed[place] ^= 1 << place % 8
            (folder / name).write_bytes(changed)
            result = verify_archive(str(folder))
            assert not result.ok, f"{name} at {place}"
            # A manifest that contradicts what it describes makes the described thing the one that does not fit.
            named = {fault.where for fault in result.faults}
            assert name in named or name == "manifest.json", f"{name} at {place}: {named}"
        (folder / name).write_bytes(data)
