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
    if core is None:
        return
    process = psutil.Process(pid)
    for each in (process, *process.children(recursive=True)):
        for thread in each.threads():
            os.sched_setaffinity(thread.id, {core})
