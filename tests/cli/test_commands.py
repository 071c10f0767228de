"""The command `muniment` as a pipeline runs it: what goes to stdout, which exit code comes back, and what it loads."""

import json
import os
import subprocess
import sys
import tomllib
from hashlib import sha256
from pathlib import Path

import pytest

import muniment
from muniment.commands.index import COMMANDS
from muniment.exits import ExitCode
from tests.cli.archives_for_tests import SIGNER, archive_members, replaced, small_ledger, unpacked, zipped

ROOT = Path(__file__).resolve().parents[2]
CLI = ROOT / "cli"
REFERENCE = ROOT / "docs" / "client-commands.md"


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "muniment", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(CLI / "src"), **environment},
    )


def loaded_by(*arguments: str) -> set[str]:
    code = (
        "import io, sys\nfrom contextlib import redirect_stdout\nfrom muniment.cli import main\n"
        "with redirect_stdout(io.StringIO()): main(sys.argv[1:])\nprint(*sys.modules)"
    )
    command = [sys.executable, "-S", "-c", code, *arguments]
    environment = {"PYTHONPATH": str(CLI / "src"), "PATH": os.environ["PATH"], "HOME": "/nowhere"}
    return set(subprocess.check_output(command, text=True, env=environment, stderr=subprocess.DEVNULL, cwd="/").split())


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "archive.zip"
    path.write_bytes(zipped(archive_members(small_ledger())))
    return path


def test_the_version_is_the_wheels() -> None:
    project = tomllib.loads((CLI / "pyproject.toml").read_text())["project"]

    assert project["version"] == muniment.__version__
    assert run("--version").stdout == f"muniment {muniment.__version__}\n"


def test_the_wheel_needs_no_other_package() -> None:
    project = tomllib.loads((CLI / "pyproject.toml").read_text())["project"]

    assert project["dependencies"] == []
    assert project["requires-python"] == ">=3.9"


def test_the_version_is_told_without_loading_what_it_does_not_need() -> None:
    assert not {"argparse", "json", "re", "muniment.parsing", "muniment.proof"} & loaded_by("--version")


def test_a_dry_report_loads_neither_the_network_nor_the_proofs() -> None:
    loaded = loaded_by(
        "report", "artifact", str(CLI / "pyproject.toml"), "--flow", "f", "--commit", "c0ffee1", "--dry-run"
    )

    heavy = {
        "socket",
        "ssl",
        "http.client",
        "urllib.request",
        "pathlib",
        "dataclasses",
        "typing",
        "tomllib",
        "zipfile",
        "shutil",
    }
    assert not heavy & loaded
    assert not {name for name in loaded if name.startswith(("muniment.proof", "muniment.snapshots", "muniment.images"))}


def test_the_readme_shows_the_help_text() -> None:
    readme = (CLI / "README.md").read_text()

    for arguments in ([], ["verify"], ["fingerprint"]):
        told = run(*arguments, "--help", COLUMNS="100").stdout
        assert f"```\n$ {' '.join(['muniment', *arguments])} --help\n{told}```" in readme


def test_the_reference_shows_what_every_verb_tells_of_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """UPDATE=1 writes it anew."""
    from muniment import telling
    from muniment.parsing import load

    monkeypatch.setenv("COLUMNS", "110")
    written = (
        "# Commands of the client\n\nWhat `muniment VERB --help` tells, for every verb. Options of every verb, and the exit codes, "
        "are in [cli/README.md](../cli/README.md).\n"
    )
    for verb in COMMANDS:
        written += f"\n## {verb}\n\n```\n{telling.of_command(load(verb))}```\n"
    if os.environ.get("UPDATE"):
        REFERENCE.write_text(written)

    assert REFERENCE.read_text() == written, "Write it anew: UPDATE=1 pytest tests/cli/test_commands.py -k reference"


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


def test_a_reader_that_goes_away_is_no_fault() -> None:
    command = f"{sys.executable} -W error -m muniment completion bash | head -1"

    ran = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(CLI / "src")},
    )

    assert (ran.returncode, ran.stderr) == (0, "")


def test_a_files_fingerprint_is_its_sha256(archive: Path) -> None:
    assert run("fingerprint", str(archive)).stdout == sha256(archive.read_bytes()).hexdigest() + "\n"


def test_a_directorys_fingerprint_is_told_and_links_are_mentioned(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a")
    (tmp_path / "link").symlink_to("a")
    line = f"{sha256(b'a').hexdigest()}  a\n"

    finished = run("fingerprint", str(tmp_path))

    assert finished.stdout == sha256(line.encode()).hexdigest() + "\n"
    assert "1 symbolic link" in finished.stderr
