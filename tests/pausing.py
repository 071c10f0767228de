"""A server that stands still: it neither answers nor refuses, as on a machine that swaps or a network that drops packets."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil


@contextmanager
def paused(pid: int | None) -> Iterator[None]:
    """A process and everything below it stand still, from the first line of the block on."""
    assert pid is not None
    parent = psutil.Process(pid)
    stopped = [parent, *parent.children(recursive=True)]
    for each in stopped:
        each.send_signal(signal.SIGSTOP)
    try:
        for each in stopped:
            _await_stillness(each.pid)
        yield
    finally:
        for each in stopped:
            with suppress(psutil.NoSuchProcess):
                each.send_signal(signal.SIGCONT)


def _await_stillness(pid: int) -> None:
    """The signal is sent to a process, and its threads stop one by one: on a busy machine one may still answer meanwhile."""
    deadline = time.monotonic() + 10
    while not all(_state(stat) == "T" for stat in Path(f"/proc/{pid}/task").glob("*/stat")):
        assert time.monotonic() < deadline, f"process {pid} does not stand still"
        time.sleep(0.005)


def _state(stat: Path) -> str:
    return stat.read_text().rpartition(")")[2].split()[0]
