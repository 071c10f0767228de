"""`verify.py` as an auditor runs it: one file, Python alone, isolated from everything that is installed."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from muniment.proof import standalone
from tests.cli.archives_for_tests import SIGNER, archive_members, relisted, replaced, small_ledger, unpacked, zipped

OLDER_PYTHONS = [path for path in os.environ.get("TEST_OTHER_PYTHONS", "").split(os.pathsep) if path]


@pytest.fixture
def verifier(tmp_path: Path) -> Path:
    path = tmp_path / "auditor" / "verify.py"
    path.parent.mkdir()
    path.write_bytes(standalone.source())
    return path


def run(verifier: Path, *arguments: str, python: str = sys.executable) -> subprocess.CompletedProcess[str]:
    command = [python, "-I", "-S", "-W", "error", str(verifier), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_the_file_is_the_same_each_time() -> None:
    standalone.source.cache_clear()
    first = standalone.source()
    standalone.source.cache_clear()

    assert standalone.source() == first


def test_the_file_needs_only_the_standard_library() -> None:
    tree = ast.parse(standalone.source())
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}

    assert {name.partition(".")[0] for name in imported} <= sys.stdlib_module_names


def test_the_file_is_written_in_the_language_of_python_3_9() -> None:
    ast.parse(standalone.source(), feature_version=(3, 9))


@pytest.mark.parametrize("python", [sys.executable, *OLDER_PYTHONS])
def test_an_honest_archive_verifies(verifier: Path, tmp_path: Path, python: str) -> None:
    archive = tmp_path / "archive.zip"
    archive.write_bytes(zipped(archive_members(small_ledger(), [2, 3])))

    finished = run(verifier, str(archive), "--key", SIGNER.verifier_key, python=python)

    assert (finished.returncode, finished.stderr) == (0, "")
    assert finished.stdout.endswith("VERIFIED\n")


@pytest.mark.parametrize("python", [sys.executable, *OLDER_PYTHONS])
def test_a_tampered_archive_does_not_and_the_file_is_named(verifier: Path, tmp_path: Path, python: str) -> None:
    archive = tmp_path / "archive.zip"
    archive.write_bytes(zipped(replaced(archive_members(small_ledger()), "README.txt", b"Wh\xa4t")))

    finished = run(verifier, str(archive), python=python)

    assert (finished.returncode, finished.stderr) == (5, "")
    assert "* README.txt: " in finished.stdout
    assert "NOT VERIFIED" in finished.stdout


def test_an_unpacked_archive_checks_itself(tmp_path: Path) -> None:
    members = relisted(replaced(archive_members(small_ledger()), "verify.py", standalone.source()))
    folder = unpacked(members, tmp_path / "unpacked")

    assert run(folder / "verify.py").returncode == 0
    assert not list(folder.rglob("__pycache__"))


def test_the_outcome_can_be_told_as_json(verifier: Path, tmp_path: Path) -> None:
    archive = tmp_path / "archive.zip"
    archive.write_bytes(zipped(archive_members(small_ledger())))

    outcome = json.loads(run(verifier, str(archive), "--json").stdout)

    assert outcome["ok"] is True
    assert outcome["facts"]["whole_ledger"] is True


@pytest.mark.parametrize("arguments", [["nowhere.zip"], ["--nonsense"], [".", "--key", "nonsense"]])
def test_a_command_that_makes_no_sense_exits_with_2(verifier: Path, arguments: list[str]) -> None:
    finished = run(verifier, *arguments)

    assert finished.returncode == 2
    assert finished.stdout == ""


def test_a_name_cannot_move_the_cursor(verifier: Path, tmp_path: Path) -> None:
    archive = tmp_path / "archive.zip"
    archive.write_bytes(zipped([("\x1b[2Jevil", b"x"), *archive_members(small_ledger())]))

    assert "\x1b" not in run(verifier, str(archive)).stdout
