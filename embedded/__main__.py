"""`python -m embedded up` serves the whole system until Ctrl-C; `python -m embedded demo` shows what it does."""

import argparse
import ctypes
import os
import signal
import sys
import threading
from importlib import import_module
from pathlib import Path

from embedded.children import StartError
from embedded.directory import DirectoryInUseError
from embedded.system import System

STOPPING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
WATCH_SECONDS = 1
# How long a start waits for the one before it, which may still be stopping after its `make` was killed.
PATIENCE_SECONDS = 30
PR_SET_PDEATHSIG = 1


def say(line: str) -> None:
    """Talk goes to stderr; stdout is for data."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def stop_with_parent() -> None:
    """Have the kernel send SIGTERM when the process that started this one is gone, `kill -9` included. Linux only."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGTERM))


def up() -> int:
    """Serve until a signal says stop, or until a part ends by itself."""
    directory = Path(os.environ.get("MUNIMENT_DATA_DIR", ".muniment"))
    system = System(
        directory,
        http_port=int(os.environ.get("MUNIMENT_HTTP_PORT", "8000")),
        patience_seconds=PATIENCE_SECONDS,
        say=say,
        graphql_ide="true",
    )
    stopping = threading.Event()
    for number in STOPPING_SIGNALS:
        signal.signal(number, lambda *_: stopping.set())
    say(f"Muniment starts; its data is in {system.directory}.")
    with system:
        key_file = system.directory / "secrets" / "admin_key"
        say(f"\n  {system.url}/           the console: sign in with the key in {key_file}")
        say(f"  {system.url}/graphql   (key: {key_file})\n  Ctrl-C stops it.\n")
        while not stopping.wait(WATCH_SECONDS):
            trouble = system.ended()
            if trouble is not None:
                say(trouble)
                return 1
        say("Stopping.")
    say("Stopped. The data is kept.")
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m embedded", description=__doc__)
    parser.add_argument("what", choices=["up", "demo"], help="serve until Ctrl-C, or show and exit")
    parser.add_argument(
        "--stop-with-parent", action="store_true", help="stop when the process that started this one is gone"
    )
    arguments = parser.parse_args()
    if arguments.stop_with_parent:
        stop_with_parent()
    try:
        if arguments.what == "up":
            return up()
        # Only here: the demo needs tools that serving does not.
        return int(import_module("embedded.demo").main() or 0)
    except (StartError, DirectoryInUseError) as error:
        say(str(error))
        return 1


if __name__ == "__main__":
    raise SystemExit(main())
