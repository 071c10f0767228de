"""The command `muniment` as a pipeline runs it: what goes to stdout, and which exit code comes back."""

import json
import os
import subprocess
import sys
import tomllib
from hashlib import sha256
from pathlib import Path

import pytest

import muniment
from muniment.exits import ExitCode
from tests.cli.archives_for_tests import SIGNER, archive_members, replaced, small_ledger, unpacked, zipped

CLI = Path(__file__).resolve().parents[2] / "cli"


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "muniment", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(CLI / "src"), **environment},
    )


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "archive.zip"
    path.write_bytes(zipped(archive_members(small_ledger())))
    return path


def test_the_version_is_the_wheels() -> None:
    project = tomllib.loads((CLI / "pyproject.toml").read_text())["project"]

    assert project["version"] == muniment.__version__
    assert run("--version").stdout == f"muniment {muniment.__version__}\n"


def test_the_version_is_told_without_loading_what_it_does_not_need() -> None:
    code = (
        "import sys, muniment.cli\ntry: muniment.cli.main(['--version'])\nexcept SystemExit: pass\nprint(*sys.modules)"
    )
    command = [sys.executable, "-c", code]

    loaded = subprocess.check_output(command, text=True, env={**os.environ, "PYTHONPATH": str(CLI / "src")}).split()

    assert not {"muniment.proof", "urllib.request", "zipfile", "cryptography", "json"} & set(loaded)


def test_the_readme_shows_the_help_text() -> None:
    readme = (CLI / "README.md").read_text()

    for arguments in ([], ["verify"], ["fingerprint"]):
        told = run(*arguments, "--help", COLUMNS="100").stdout
        assert f"```\n$ {' '.join(['muniment', *arguments])} --help\n{told}```" in readme


def test_the_help_text_tells_every_exit_code() -> None:
    told = run("--help").stdout

    assert all(f"{code.value}  " in told for code in ExitCode)


def test_an_honest_archive_exits_with_0(archive: Path, tmp_path: Path) -> None:
    assert run("verify", str(archive), "--key", SIGNER.verifier_key).returncode == ExitCode.DONE
    folder = unpacked(archive_members(small_ledger()), tmp_path / "unpacked")
    assert run("verify", str(folder)).returncode == ExitCode.DONE


def test_a_tampered_archive_exits_with_5(archive: Path) -> None:
    archive.write_bytes(zipped(replaced(archive_members(small_ledger()), "index.html", b"forged")))

    finished = run("verify", str(archive), "--json")

    assert finished.returncode == ExitCode.NOT_PROVEN
    assert [fault["where"] for fault in json.loads(finished.stdout)["faults"]] == ["index.html"]


@pytest.mark.parametrize(
    "arguments",
    [[], ["nonsense"], ["verify"], ["verify", "nowhere.zip"], ["fingerprint", "nowhere"], ["verify", "--frobnicate"]],
)
def test_bad_usage_exits_with_2_and_says_why_on_stderr(arguments: list[str]) -> None:
    finished = run(*arguments)

    assert finished.returncode == ExitCode.BAD_USAGE
    assert finished.stdout == ""
    assert finished.stderr


def test_a_files_fingerprint_is_its_sha256(archive: Path) -> None:
    assert run("fingerprint", str(archive)).stdout == sha256(archive.read_bytes()).hexdigest() + "\n"


def test_a_directorys_fingerprint_is_told_and_links_are_mentioned(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a")
    (tmp_path / "link").symlink_to("a")
    line = f"{sha256(b'a').hexdigest()}  a\n"

    finished = run("fingerprint", str(tmp_path))

    assert finished.stdout == sha256(line.encode()).hexdigest() + "\n"
    assert "1 symbolic link" in finished.stderr
