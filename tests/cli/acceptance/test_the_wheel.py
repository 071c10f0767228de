"""The client as it is installed: the built wheel alone, in an environment of its own."""

import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from tests.cli.deliveries import PASSED
from tests.cli.running import SOURCES, Muniment


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The client built and installed alone, with nothing from an index."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "cli"
    subprocess.run(["cp", "-r", str(SOURCES.parent), str(source)], check=True)
    build = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        str(folder),
        str(source),
    ]
    subprocess.run(build, check=True, env={**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"})
    venv.create(folder / "venv", with_pip=True)
    python = folder / "venv" / "bin" / "python"
    install = [str(python), "-m", "pip", "install", "--quiet", "--no-index", *map(str, folder.glob("*.whl"))]
    subprocess.run(install, check=True, env={**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"})
    return folder / "venv" / "bin" / "muniment"


def test_the_wheel_alone_records_and_asks(wheel: Path, delivery: Muniment) -> None:
    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(wheel), *words],
            cwd=delivery.folder,
            env=delivery.environment,
            capture_output=True,
            text=True,
            check=False,
        )

    assert run("--version").stdout.startswith("muniment ")
    results = delivery.file("tests.xml", PASSED)
    told = run(
        "report",
        "evidence",
        "test",
        "junit",
        "--name",
        "app.jar",
        "--evidence-type",
        "unit-tests",
        "--results-file",
        results,
    )
    assert told.returncode == 0, told.stderr
    assert run("assert", "artifact", "app.jar").returncode == 0
    assert run("snapshot", "path", delivery.environment["PRODUCTION"], "--path", "app.jar").returncode == 0
    assert run("archive", "request", "--wait", "--output", "audit.zip").returncode == 0
    assert run("verify", "audit.zip").returncode == 0
