"""Starts processes that cannot outlive their usefulness, and ends them: only ever those that it started.

Three nets, because a compliance demo that leaves servers behind is a bad guest: a normal stop; on Linux a death signal
that the kernel sends when this process is gone, even by `kill -9`; and a file with the process's id and birth time, by
which the next start in the same directory recognises what an earlier one left.
"""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path

import psutil

LAUNCHER = Path(__file__).with_name("launch.py")
LOG_TAIL_LINES = 25


class StartError(RuntimeError):
    """A server or program that ended, or said nothing, before it was ready."""


class _Spawner:
    """One thread that starts every child and lives as long as this process.

    The kernel sends the death signal when the *thread* that forked ends, so a child started from a passing worker
    thread would die with it.
    """

    def __init__(self) -> None:
        self._orders: queue.SimpleQueue[tuple[Callable[[], subprocess.Popen[bytes]], Future[subprocess.Popen[bytes]]]]
        self._orders = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def start(self, order: Callable[[], subprocess.Popen[bytes]]) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._serve, name="spawner", daemon=True)
                self._thread.start()
        future: Future[subprocess.Popen[bytes]] = Future()
        self._orders.put((order, future))
        return future.result()

    def _serve(self) -> None:
        while True:
            order, future = self._orders.get()
            try:
                future.set_result(order())
            except OSError as error:
                future.set_exception(error)


_spawner = _Spawner()


def launch_command(
    command: Sequence[str | Path],
    *,
    death_signal: signal.Signals | None,
    account: str | None = None,
    reach: bool = False,
) -> list[str]:
    """The command line that becomes `command` after the preparations of `launch.py`."""
    order = {
        "parent": os.getpid(),
        "death_signal": None if death_signal is None else int(death_signal),
        "account": account,
        "reach": reach,
        "command": [str(part) for part in command],
    }
    return [sys.executable, "-I", "-S", str(LAUNCHER), json.dumps(order)]


class Child:
    """One running process, its log and the file that names it."""

    def __init__(self, name: str, process: subprocess.Popen[bytes], *, log: Path, pid_file: Path) -> None:
        self.name = name
        self.log = log
        self._process = process
        self._pid_file = pid_file

    @classmethod
    def start(
        cls,
        name: str,
        command: Sequence[str | Path],
        *,
        directory: Path,
        log: Path,
        pid_file: Path,
        environment: Mapping[str, str],
        death_signal: signal.Signals = signal.SIGTERM,
        account: str | None = None,
        reach: bool = False,
    ) -> "Child":
        """Start `command` in a session of its own, so that Ctrl-C in a terminal reaches only us and we stop in order."""
        launched = launch_command(command, death_signal=death_signal, account=account, reach=reach)

        def order() -> subprocess.Popen[bytes]:
            with log.open("ab") as output:
                return subprocess.Popen(
                    launched,
                    cwd=directory,
                    env=dict(environment),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )

        process = _spawner.start(order)
        pid_file.write_text(f"{process.pid} {_birth(process.pid)!r}\n")
        return cls(name, process, log=log, pid_file=pid_file)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """None while it runs."""
        return self._process.poll()

    def wait(self, timeout_seconds: float | None = None) -> int:
        return self._process.wait(timeout_seconds)

    def send(self, number: signal.Signals) -> None:
        if self.returncode is None:
            self._process.send_signal(number)

    def stop(self, number: signal.Signals = signal.SIGTERM, *, patience_seconds: float = 10) -> None:
        """Ask it to end; end it when it does not. Its own children go with it."""
        if self.returncode is None:
            family = _descendants(self.pid)
            self._process.send_signal(number)
            try:
                self._process.wait(patience_seconds)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            _kill_all(family, patience_seconds=2)
        self._pid_file.unlink(missing_ok=True)

    def kill(self) -> None:
        """End it and its children at once, as a power cut would end them."""
        if self.returncode is None:
            family = _descendants(self.pid)
            self._process.kill()
            self._process.wait()
            _kill_all(family, patience_seconds=0)
        self._pid_file.unlink(missing_ok=True)

    def log_tail(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:])

    def wait_until(self, ready: Callable[[], bool], *, timeout_seconds: float) -> None:
        """Return when `ready` says so. Raise `StartError`, with the end of the log, when that will not happen."""
        deadline = time.monotonic() + timeout_seconds
        while not ready():
            if self.returncode is not None:
                raise StartError(
                    f"{self.name} ended with status {self.returncode}. Its log {self.log}:\n{self.log_tail()}"
                )
            if time.monotonic() > deadline:
                raise StartError(
                    f"{self.name} was not ready after {timeout_seconds:g} s. Its log {self.log}:\n{self.log_tail()}"
                )
            time.sleep(0.02)


def end_leftover(pid_file: Path, *, number: signal.Signals = signal.SIGTERM, patience_seconds: float = 15) -> None:
    """End the process that an earlier run of ours left behind, if it is still the same process."""
    try:
        pid, birth = pid_file.read_text().split()
        process = psutil.Process(int(pid))
        if repr(process.create_time()) != birth:
            raise psutil.NoSuchProcess(int(pid))
        family = process.children(recursive=True)
        process.send_signal(number)
        _kill_all([process], patience_seconds=patience_seconds)
        _kill_all(family, patience_seconds=2)
    except (FileNotFoundError, ValueError, psutil.NoSuchProcess):
        pass  # nothing was left, or its number now belongs to somebody else
    pid_file.unlink(missing_ok=True)


def _birth(pid: int) -> float | None:
    try:
        return float(psutil.Process(pid).create_time())
    except psutil.NoSuchProcess:
        return None


def _descendants(pid: int) -> list[psutil.Process]:
    try:
        return list(psutil.Process(pid).children(recursive=True))
    except psutil.NoSuchProcess:
        return []


def _kill_all(processes: list[psutil.Process], *, patience_seconds: float) -> None:
    """Wait a while for these to end by themselves, then end them."""
    if _wait_gone(processes, patience_seconds):
        return
    for process in processes:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    _wait_gone(processes, 5)


def _wait_gone(processes: list[psutil.Process], patience_seconds: float) -> bool:
    """Whether all ended in time. One that is dead but not yet collected by its parent has ended: it holds nothing."""
    deadline = time.monotonic() + patience_seconds
    while any(_alive(process) for process in processes):
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.01)
    return True


def _alive(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
