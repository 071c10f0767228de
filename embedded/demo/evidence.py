"""Makes the demo's evidence on the spot with real tools: a wheel, test reports, a lint report, a bill of materials."""

import hashlib
import json
import os
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from embedded.demo.client import DemoError

CHECKOUT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent

FAILING_TEST = '''"""Says no on purpose, so that the demo has a failing report."""


def test_a_release_needs_more_than_hope() -> None:
    assert "hope" == "evidence"


def test_arithmetic_still_works() -> None:
    assert 1 + 1 == 2
'''

TYPE_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["files", "pure_python", "record_complete", "bytes"],
    "properties": {
        "files": {"type": "integer", "minimum": 1},
        "bytes": {"type": "integer", "minimum": 1},
        "pure_python": {"type": "boolean"},
        "record_complete": {"type": "boolean"},
    },
}
TYPE_RULES = [".record_complete", ".pure_python", ".files > 5"]


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit of this repository."""

    sha: str
    author: str
    committed_at: str
    message: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the tools made."""

    wheel: Path
    wheel_sha256: str
    wheel_facts: dict[str, Any]
    passing_tests: Path
    failing_tests: Path
    lint: Path
    sbom: Path


def commits(count: int) -> list[Commit]:
    """This repository's latest commits, newest first."""
    told = _run(["git", "log", f"-{count}", "--format=%H%x1f%an%x1f%cI%x1f%s"], what="git log")
    return [Commit(*line.split("\x1f", 3)) for line in told.splitlines() if line]


def make(folder: Path) -> Evidence:
    """Runs the tools side by side; their files are in `folder` afterwards."""
    folder.mkdir(parents=True, exist_ok=True)
    failing = folder / "test_of_hope.py"
    failing.write_text(FAILING_TEST)
    wheel_folder, lint, sbom = folder / "dist", folder / "ruff.sarif", folder / "environment.cdx.json"
    passing_report, failing_report = folder / "proof-tests.xml", folder / "failing-tests.xml"
    pytest = [str(BIN / "pytest"), "-q", "-p", "no:cacheprovider"]
    jobs = [
        ([sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(wheel_folder), "cli"], {0}),
        ([*pytest, "tests/cli/proof/test_merkle.py", f"--junitxml={passing_report}"], {0}),
        ([*pytest, "-c", os.devnull, str(failing), f"--junitxml={failing_report}"], {1}),
        (
            [str(BIN / "ruff"), "check", "--output-format=sarif", f"--output-file={lint}", "cli"],
            {0, 1},
        ),
        ([str(BIN / "cyclonedx-py"), "environment", "--no-validate", "--output-file", str(sbom)], {0}),
    ]
    with ThreadPoolExecutor(max_workers=len(jobs)) as pool:
        list(pool.map(lambda job: _run(job[0], what=Path(job[0][0]).name, accepted=job[1]), jobs))
    wheel = next(wheel_folder.glob("*.whl"))
    return Evidence(
        wheel=wheel,
        wheel_sha256=hashlib.sha256(wheel.read_bytes()).hexdigest(),
        wheel_facts=_facts(wheel),
        passing_tests=passing_report,
        failing_tests=failing_report,
        lint=lint,
        sbom=sbom,
    )


def shell_session(folder: Path, session: str) -> dict[str, Path]:
    """The three files of a recorded shell session, as cloud automation would capture them."""
    folder.mkdir(parents=True, exist_ok=True)
    who = folder / "user-identity.json"
    who.write_text(json.dumps({"session": session, "user": "jon@example.com", "via": "SSO", "mfa": True}, indent=2))
    where = folder / "service-identity.json"
    where.write_text(json.dumps({"session": session, "service": "runner", "cluster": "beta", "task": "b1d0"}, indent=2))
    log = folder / "command-logs.txt"
    done = _run(
        [
            "/bin/sh",
            "-c",
            "echo '$ id -u'; id -u; echo '$ uname -s'; uname -s; echo '$ touch /proc/x'; touch /proc/x 2>&1; true",
        ],
        what="sh",
    )
    log.write_text(done)
    return {"user-identity": who, "service-identity": where, "command-logs": log}


def _facts(wheel: Path) -> dict[str, Any]:
    """What a careful person checks of a wheel: is every file listed in RECORD, and is it pure Python?"""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        record = next(name for name in names if name.endswith("/RECORD"))
        listed = {line.split(",")[0] for line in archive.read(record).decode().splitlines()}
        size = sum(info.file_size for info in archive.infolist())
    return {
        "files": len(names),
        "bytes": size,
        "pure_python": wheel.name.endswith("-none-any.whl"),
        "record_complete": listed == set(names),
    }


def _run(command: list[str], *, what: str, accepted: frozenset[int] | set[int] = frozenset({0})) -> str:
    result = subprocess.run(
        command, cwd=CHECKOUT, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )
    if result.returncode not in accepted:
        raise DemoError(
            f"{what} ended with status {result.returncode}:\n{result.stdout[-2000:]}{result.stderr[-2000:]}"
        )
    return result.stdout
