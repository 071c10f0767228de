"""The ZIP form: other people's programs read what our writer writes."""

import shutil
import subprocess
import zipfile
import zlib
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from muniment.proof.container import open_container
from record.archives.zipping import ZipLayout

STAMP = datetime(2026, 3, 1, 12, 30, 59, tzinfo=UTC)
BIG = (4 << 30) + 5


def write(path: Path, members: list[tuple[str, bytes]], stamp: datetime = STAMP) -> Path:
    layout = ZipLayout(stamp)
    with path.open("wb") as file:
        for name, data in members:
            file.write(layout.member(name, size=len(data), crc32=zlib.crc32(data)) + data)
        for piece in layout.end():
            file.write(piece)
    layout.close()
    return path


def write_sparse(path: Path) -> Path:
    """A member of more than 4 GiB of nothing, and a small one that begins behind it."""
    layout = ZipLayout(STAMP)
    with path.open("wb") as file:
        file.write(layout.member("big", size=BIG, crc32=0))
        file.seek(BIG, 1)
        file.write(layout.member("small", size=2, crc32=zlib.crc32(b"ok")) + b"ok")
        for piece in layout.end():
            file.write(piece)
    layout.close()
    return path


def run(program: str, *arguments: str) -> str:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed here, so it could not be asked what it thinks of the file")
    return subprocess.run([program, *arguments], check=True, capture_output=True, text=True).stdout


MEMBERS = [("README.txt", b"hello\n"), ("evidence/größe/a b.txt", b"\x00" * 70_000), ("empty", b"")]


def test_zipfile_reads_what_was_written(tmp_path: Path) -> None:
    with zipfile.ZipFile(write(tmp_path / "a.zip", MEMBERS)) as opened:
        assert opened.testzip() is None
        assert [(name, opened.read(name)) for name in opened.namelist()] == MEMBERS
        assert {info.date_time for info in opened.infolist()} == {(2026, 3, 1, 12, 30, 58)}


def test_unzip_finds_no_fault(tmp_path: Path) -> None:
    assert "No errors detected" in run("unzip", "-tq", str(write(tmp_path / "a.zip", MEMBERS)))


def test_bsdtar_lists_every_member(tmp_path: Path) -> None:
    assert len(run("bsdtar", "-tf", str(write(tmp_path / "a.zip", MEMBERS))).splitlines()) == len(MEMBERS)


def test_more_members_than_sixteen_bits_can_count(tmp_path: Path) -> None:
    path = write(tmp_path / "many.zip", [(f"{number}", b"") for number in range(65_536)])

    with zipfile.ZipFile(path) as opened:
        assert len(opened.namelist()) == 65_536
    with closing(open_container(str(path))) as container:
        assert container.problems == []
    assert "No errors detected" in run("unzip", "-tq", str(path))


def test_a_member_beyond_four_gigabytes_and_one_behind_it(tmp_path: Path) -> None:
    path = write_sparse(tmp_path / "big.zip")

    with zipfile.ZipFile(path) as opened:
        assert [info.file_size for info in opened.infolist()] == [BIG, 2]
        assert opened.read("small") == b"ok"
    with closing(open_container(str(path))) as container:
        assert container.problems == []
    assert run("bsdtar", "-tf", str(path)).split() == ["big", "small"]


def test_the_same_members_give_the_same_bytes(tmp_path: Path) -> None:
    assert write(tmp_path / "a.zip", MEMBERS).read_bytes() == write(tmp_path / "b.zip", MEMBERS).read_bytes()


def test_an_instant_that_zip_cannot_say_becomes_its_first_one(tmp_path: Path) -> None:
    path = write(tmp_path / "a.zip", MEMBERS, datetime(1970, 1, 1, tzinfo=UTC))

    with zipfile.ZipFile(path) as opened:
        assert opened.infolist()[0].date_time == (1980, 1, 1, 0, 0, 0)
