"""A real container engine: Podman, which serves Docker's API on a socket, with one small program of ours to run.

Containers here share the machine's limits and need no network. Podman runs in a mount namespace of its own, in which a machine
with both kinds of control groups looks as if it had one: its runtime knows how to go on from there.
"""

import io
import os
import platform
import shutil
import struct
import subprocess
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

START_SECONDS = 30.0
IMAGE = "localhost/shop/pause:1"
_WHATEVER_THE_MACHINE_ALLOWS = (
    "--network=none",
    "--cgroups=disabled",
    "--ulimit=nofile=256:256",
    "--ulimit=nproc=256:256",
    "--security-opt=seccomp=unconfined",
    "--security-opt=apparmor=unconfined",
)


def _missing() -> str | None:
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        return "the program that containers run here is for Linux on x86_64"
    if os.geteuid() != 0:
        return "Podman is run as root here"
    programs = [name for name in ("podman", "crun", "unshare") if shutil.which(name) is None]
    return f"needs {' and '.join(programs)}: apt-get install podman crun" if programs else None


needs_engine = pytest.mark.skipif(_missing() is not None, reason=_missing() or "")


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine that is served on this socket."""

    socket: Path

    def podman(self, *words: str) -> str:
        """What `podman` answers."""
        command = ["podman", "--remote", "--url", f"unix://{self.socket}", *words]
        ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        assert ran.returncode == 0, ran.stderr
        return ran.stdout.strip()

    def load(self, name: str = IMAGE, mark: str = "") -> str:
        """An image that was built here, with nothing but a program that waits. Gives its id."""
        with _layer(mark) as layer:
            return self.podman("import", "--change", 'CMD ["/pause"]', str(layer), name).splitlines()[-1]

    def start(self, name: str, image: str = IMAGE) -> None:
        """A container that runs until it is removed."""
        self.podman("run", "--detach", "--name", name, *_WHATEVER_THE_MACHINE_ALLOWS, image)


@contextmanager
def engine(folder: Path) -> Iterator[Engine]:
    """An engine that keeps everything in this folder."""
    home = folder / "home" / ".config" / "containers"
    home.mkdir(parents=True)
    (home / "policy.json").write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
    socket = folder / "podman.sock"
    serve = [
        *("podman", "--root", str(folder / "root"), "--runroot", str(folder / "run"), "--tmpdir", str(folder / "tmp")),
        *("--storage-driver=vfs", "--cgroup-manager=cgroupfs", "--events-backend=file"),
        *("system", "service", "--time=0", f"unix://{socket}"),
    ]
    one_kind = "if [ -d /sys/fs/cgroup/unified ]; then umount /sys/fs/cgroup/unified; fi"
    command = ["unshare", "--mount", "sh", "-c", f'{one_kind}; exec "$@"', "sh", *serve]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, "HOME": str(folder / "home")})
        served = Engine(socket)
        try:
            until = time.monotonic() + START_SECONDS
            while not socket.is_socket():
                assert server.poll() is None, (folder / "log").read_text()
                assert time.monotonic() < until, (folder / "log").read_text()
                time.sleep(0.05)
            yield served
            served.podman("rm", "--all", "--force", "--time=0")
        finally:
            server.terminate()
            server.wait(20)


@contextmanager
def _layer(mark: str) -> Iterator[Path]:
    """A file system with the program in it, as a tar file."""
    file = Path(f"/tmp/muniment-tests-{os.getpid()}-{time.monotonic_ns()}.tar")
    with tarfile.open(file, "w") as archive:
        for name, mode, content in (("pause", 0o755, _program()), ("mark", 0o644, mark.encode())):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), mode
            archive.addfile(entry, io.BytesIO(content))
    try:
        yield file
    finally:
        file.unlink()


def _program() -> bytes:
    """An executable that waits for a signal, over and over: pause() and a jump back."""
    code = b"\xb8\x22\x00\x00\x00\x0f\x05\xeb\xf7"
    base, headers = 0x400000, 64 + 56
    size = headers + len(code)
    identity = b"\x7fELF\x02\x01\x01" + bytes(9)
    header = struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, base + headers, 64, 0, 0, 64, 56, 1, 64, 0, 0)
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, base, base, size, size, 0x1000)
    return identity + header + segment + code
