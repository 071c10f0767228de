"""Which core does what: one for the server under test, another for PostgreSQL, the load and everything else."""

import os
from typing import Final

import psutil

_CORES: Final = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
SERVER_CORE: Final = _CORES[0] if len(_CORES) > 1 else None
OTHER_CORE: Final = _CORES[1] if len(_CORES) > 1 else None
"""None on a machine with one core, or where processes cannot be pinned."""


def pin(pid: int, core: int | None) -> None:
    """Keeps a process, its threads and its children on one core."""
    process = psutil.Process(pid)
    for each in (process, *process.children(recursive=True)):
        _keep(each, core)


def pin_this_process(core: int | None) -> None:
    """Keeps this process and its threads on one core, but not its children, which are the servers."""
    _keep(psutil.Process(), core)


def _keep(process: psutil.Process, core: int | None) -> None:
    if core is None:
        return
    for thread in process.threads():
        os.sched_setaffinity(thread.id, {core})
