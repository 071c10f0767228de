"""`python -m benchmarks.client [--rounds N] [--megabytes N] [--incumbent FILE]`: what the client costs, each beside its measure.

 * start-up of the whole process, in turns with `python -c "import argparse, json, http.client, ssl"`;
 * one large file of evidence, beside `curl -T` of the same bytes to the same route, and the memory that it takes at most;
 * 500 files of 100 KB sent 16 at a time, beside one at a time.

Pairs are measured one after the other, first one and then the other way round: what else the machine does falls on both.
Needs `curl`. The incumbent's program is the file `bin/kosli` of the npm package `@kosli/cli-linux-x64`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import psutil

from embedded.system import System

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ROOT / "cli" / "src"
BASE = "import argparse, json, http.client, ssl"
FILES, FILE_BYTES = 500, 100_000

# (figure, measured, most or least that it may be)
Row = tuple[str, float, float | None]


def main() -> int:
    """Status 1 when a figure is not met."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.client", description="Measures the client.")
    parser.add_argument("--rounds", type=int, default=20, help="pairs of starts (20)")
    parser.add_argument("--megabytes", type=int, default=1024, help="size of the large file (1024)")
    parser.add_argument("--incumbent", help="path of the program kosli, to be measured as it is")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="muniment-bench-") as name:
        folder = Path(name)
        rows = starts(folder, options.rounds, options.incumbent)
        with System(folder / "system", durable=True, patience_seconds=60) as system:
            client = Client(system, folder)
            rows += large_file(client, options.megabytes << 20)
            rows += many_files(client, system)
    met = True
    for figure, measured, most in rows:
        fits = most is None or (measured >= -most if most < 0 else measured <= most)
        met = met and fits
        wanted = (
            ""
            if most is None
            else f"  {'at least' if most < 0 else 'at most'} {abs(most):g}  {'met' if fits else 'NOT MET'}"
        )
        print(f"  {figure:64} {measured:9.2f}{wanted}", file=sys.stderr)
    print(json.dumps([{"figure": figure, "measured": round(measured, 3)} for figure, measured, _ in rows]))
    return 0 if met else 1


# --- start-up


def starts(folder: Path, rounds: int, incumbent: str | None) -> list[Row]:
    """Ratios of whole processes; the client is the built wheel in an environment of its own."""
    place = folder / "venv"
    venv.create(place, with_pip=True)
    quiet = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    wheel = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "-q",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        str(folder),
        str(ROOT / "cli"),
    ]
    subprocess.run(wheel, check=True, env=quiet)
    install = [str(place / "bin" / "pip"), "install", "-q", "--no-index", *map(str, folder.glob("*.whl"))]
    subprocess.run(install, check=True, env=quiet)
    artifact = folder / "app.jar"
    artifact.write_bytes(b"x" * 100_000)
    base = [str(place / "bin" / "python"), "-c", BASE]
    muniment = str(place / "bin" / "muniment")
    dry = [
        muniment,
        "report",
        "artifact",
        str(artifact),
        "--dry-run",
        "--flow",
        "payments",
        "--build-url",
        "https://ci/1",
    ]
    rows: list[Row] = [
        (
            "`muniment --version` / python with argparse, json, http, ssl",
            paired(folder, [muniment, "--version"], base, rounds),
            1.3,
        ),
        (
            "`muniment report artifact --dry-run` / the same, given a commit",
            paired(folder, [*dry, "--commit", "c0ffee1"], base, rounds),
            1.6,
        ),
        (
            "`muniment report artifact --dry-run` / the same, asking git",
            paired(repository(folder), dry, base, rounds),
            1.6,
        ),
    ]
    if incumbent is not None:
        rows.append(("`kosli version` / the same python", paired(folder, [incumbent, "version"], base, rounds), None))
        rows.append(
            (
                "`muniment --version` / `kosli version`",
                paired(folder, [muniment, "--version"], [incumbent, "version"], rounds),
                None,
            )
        )
    return rows


def paired(folder: Path, first: Sequence[str], second: Sequence[str], rounds: int) -> float:
    """The median over pairs of how much longer `first` takes than `second`."""
    ratios = []
    for number in range(rounds + 2):
        order = (first, second) if number % 2 else (second, first)
        seconds = {id(command): timed(partial(run, folder, command)) for command in order}
        if number >= 2:
            ratios.append(seconds[id(first)] / seconds[id(second)])
    return statistics.median(ratios)


def run(folder: Path, command: Sequence[str]) -> None:
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder)}
    subprocess.run(
        command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True
    )


def repository(folder: Path) -> Path:
    place = folder / "repository"
    place.mkdir()
    author = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
    for words in (["init", "-q"], [*author, "commit", "-q", "--allow-empty", "-m", "Begin"]):
        subprocess.run(["git", *words], cwd=place, check=True)
    return place


def timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


# --- evidence


class Client:
    """The client against a system, measured from outside."""

    def __init__(self, system: System, folder: Path) -> None:
        assert system.organization is not None
        self.folder = folder
        self.key = system.organization.key_file.read_text().strip()
        self.url = system.url
        self.memory_kib = 0
        self("create", "flow", "bench")
        self("begin", "trail", "bench")

    def __call__(self, *words: str) -> None:
        """Runs it, and notes the most memory that it took."""
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(SOURCES),
            "MUNIMENT_HOST": self.url,
            "MUNIMENT_API_KEY": self.key,
            "MUNIMENT_FLOW": "bench",
            "MUNIMENT_TRAIL": "bench",
            "MUNIMENT_DEADLINE": "600",
            "MUNIMENT_TIMEOUT": "600",
        }
        measure = (
            "import sys\nfrom muniment.cli import main\ncode = main(sys.argv[1:])\n"
            "told = open('/proc/self/status').read().partition('VmHWM:')[2].split()[0]\n"
            "print(told, file=sys.stderr)\nsys.exit(code)"
        )
        ran = subprocess.run(
            [sys.executable, "-c", measure, *words],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if ran.returncode != 0:
            raise SystemExit(ran.stderr)
        self.memory_kib = int(ran.stderr.split()[-1])

    def attest(self, path: Path, *more: str) -> None:
        """An attestation with this evidence."""
        self("attest", "generic", "--name", "bench", "--compliant", "--attachments", str(path), *more)


def large_file(client: Client, size: int) -> list[Row]:
    """The client beside curl, each with bytes of its own, because the vault takes none twice."""
    path, ratios, memory = client.folder / "large.bin", [], []
    for number in range(3):
        by_client = timed_with(path, size, lambda: client.attest(path))
        memory.append(client.memory_kib / 1024)
        by_curl = timed_with(path, size, lambda: curl(client, path))
        ratios.append(by_client / by_curl)
        print(f"  round {number + 1}: muniment {by_client:.1f} s, curl {by_curl:.1f} s", file=sys.stderr)
    path.unlink()
    return [
        (f"{size >> 20} MiB of evidence / `curl -T` of as much", statistics.median(ratios), 1.3),
        ("most memory of it, MiB", max(memory), 80),
    ]


def timed_with(path: Path, size: int, work: Callable[[], object]) -> float:
    block = os.urandom(1 << 20)
    with path.open("wb") as file:
        for number in range(size >> 20):
            file.write(number.to_bytes(8, "big") + block[8:])
    return timed(work)


def curl(client: Client, path: Path) -> None:
    """What somebody does who has only curl: the digest must be known to name the route."""
    digest = hashlib.file_digest(path.open("rb"), "sha256").hexdigest()
    words = ["curl", "--fail", "-sS", "-T", str(path), "-H", f"Authorization: Bearer {client.key}"]
    subprocess.run([*words, f"{client.url}/evidence/sha256:{digest}"], check=True, stdout=subprocess.DEVNULL)


def many_files(client: Client, system: System) -> list[Row]:
    """Files through `muniment.evidence` alone, which the limit of files of one attestation does not concern.

    Also told, on stderr: the seconds of processor time that each process took, because what is parallel shares the processors.
    """
    script = (
        "import os, sys\nfrom muniment.asking import open_client\nfrom muniment.commands.shared import DESCRIPTION\n"
        "from muniment.context import Context\nfrom muniment.evidence import Progress, Storing, gathered\n"
        "from muniment.parsing import load\nfrom muniment.settings import Settings\n"
        "context = Context(load('attest generic'), {}, Settings({}, os.environ), os.environ)\n"
        "files = gathered([sys.argv[1]])\n"
        "Storing(open_client(context), files, Progress(0, is_shown=False)).run(int(sys.argv[2]))"
    )
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(SOURCES),
        "MUNIMENT_HOST": client.url,
        "MUNIMENT_API_KEY": client.key,
    }
    ratios = []
    for number in range(3):
        seconds = {}
        for at_a_time in (16, 1) if number % 2 else (1, 16):
            place = client.folder / "many"
            place.mkdir()
            for file in range(FILES):
                (place / f"{file}.bin").write_bytes(os.urandom(FILE_BYTES))
            command = [sys.executable, "-c", script, str(place), str(at_a_time)]
            before = processor_seconds(system)
            seconds[at_a_time] = timed(partial(subprocess.run, command, env=environment, check=True))
            took = {name: each - before[name] for name, each in processor_seconds(system).items()}
            told = ", ".join(f"{name} {each:.2f}" for name, each in took.items())
            print(f"  {at_a_time} at a time: {seconds[at_a_time]:.2f} s; processor time: {told}", file=sys.stderr)
            shutil.rmtree(place)
        ratios.append(seconds[1] / seconds[16])
    return [("500 files of 100 KB: one by one / 16 at a time", statistics.median(ratios), -3)]


def processor_seconds(system: System) -> dict[str, float]:
    """What each part has used so far: the client (all that ended), and the servers with their children, in seconds."""
    assert system.api is not None
    assert system.worker is not None
    servers = {
        "api": system.api.pid,
        "worker": system.worker.pid,
        "postgres": system.stack.postgres.pid,
        "store": system.stack.seaweedfs.pid,
    }
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    found = {"client": used.ru_utime + used.ru_stime}
    for name, pid in servers.items():
        process = psutil.Process(pid)
        times = [each.cpu_times() for each in (process, *process.children(recursive=True))]
        found[name] = sum(each.user + each.system for each in times)
    return found


if __name__ == "__main__":
    sys.exit(main())
