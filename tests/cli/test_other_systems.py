"""The client where Python lacks what Linux has: it is imported, helps and reads files there, and knows their paths."""

import subprocess
import sys
from pathlib import Path

import pytest

from muniment.commands.subjects import looks_like_image
from muniment.naming import template_name
from tests.cli.running import SOURCES

# What Python on Windows has not, as far as a module of ours could have used it.
LACKING = """
import os, socket, sys
import http.client, pathlib, shutil, subprocess, tempfile, urllib.request  # these know what system they are on
for name in ("fcntl", "termios", "tty", "pty", "pwd", "grp", "resource", "readline", "syslog", "spwd"):
    sys.modules[name] = None
for name in ("fork", "forkpty", "getuid", "geteuid", "getgid", "getegid", "getpgid", "setsid", "killpg", "chown", "fchown",
             "fchmod", "lchown", "mkfifo", "mknod", "uname", "sched_getaffinity", "openpty", "setuid", "initgroups",
             "O_NOFOLLOW", "O_DIRECTORY", "O_CLOEXEC", "O_NONBLOCK", "pread", "pwrite", "sendfile", "statvfs"):
    if hasattr(os, name):
        delattr(os, name)
for name in ("AF_UNIX", "SO_REUSEPORT", "socketpair"):
    if hasattr(socket, name):
        delattr(socket, name)
"""
EVERY_MODULE = """
import importlib, pkgutil
import muniment
for module in pkgutil.walk_packages(muniment.__path__, "muniment."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
        print(module.name)
"""


def run(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """A process of its own, in which what Windows lacks is hidden first."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", LACKING + code],
        cwd=folder,
        env={"PYTHONPATH": str(SOURCES), "PATH": "", "HOME": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_module_is_imported_without_what_windows_lacks(tmp_path: Path) -> None:
    told = run(EVERY_MODULE, tmp_path)

    assert told.returncode == 0, told.stderr
    imported = set(told.stdout.split())
    assert {"muniment.spool", "muniment.images.daemon", "muniment.snapshots.paths", "muniment.evidence"} <= imported
    assert len(imported) == sum(path.stem != "__main__" for path in (SOURCES / "muniment").rglob("*.py")) - 1  # itself


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--help"], 0),
        (["fingerprint", "a.txt"], 0),
        (["fingerprint", "."], 0),
        (["attest", "generic", "--name", "x", "--compliant", "--flow", "f", "--trail", "t", "--dry-run"], 0),
        (["snapshot", "docker", "prod"], 3),
    ],
)
def test_verbs_run_without_what_windows_lacks(words: list[str], code: int, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a")

    told = run(f"from muniment.cli import main\nsys.exit(main({words!r}))", tmp_path)

    assert told.returncode == code, told.stderr
    assert "Traceback" not in told.stderr


@pytest.mark.parametrize("path", ["C:\\build\\app.jar", "C:/build/app.jar", ".\\app.jar", "\\\\server\\share\\app.jar"])
def test_a_path_of_windows_is_no_image(path: str) -> None:
    assert not looks_like_image(path)
    assert template_name(path) == "app"


@pytest.mark.parametrize("name", ["a:1", "payments:v1.0", "registry.example.com:5000/team/payments:v1.0"])
def test_an_image_is_no_path_of_windows(name: str) -> None:
    assert looks_like_image(name)
