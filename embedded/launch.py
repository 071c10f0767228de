"""Becomes another program: run as a script by `children.py`, never imported.

What must happen between fork and exec happens here, in a fresh interpreter, because Python code between fork and exec
in a process with threads can deadlock. The order matters: a change of user clears the death signal, so that is set last.
"""

import ctypes
import json
import os
import pwd
import sys
from typing import Any, NoReturn

PR_SET_PDEATHSIG, PR_SET_KEEPCAPS, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE = 1, 8, 47, 2
CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 1, 2
CAPABILITIES_VERSION_3 = 0x20080522
WORDS = 2  # capability sets are two 32-bit words; the two capabilities used here are in the first


def give_up(reason: str) -> NoReturn:
    """Say why on stderr, which is the server's log."""
    sys.stderr.write(f"{reason}\n")
    sys.exit(71)


def prctl(*arguments: int) -> None:
    """Linux's prctl, with an error instead of a return value."""
    library = ctypes.CDLL(None, use_errno=True)
    padded = [ctypes.c_ulong(argument) for argument in (*arguments, 0, 0, 0, 0)[1:5]]
    if library.prctl(arguments[0], *padded) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def held_capabilities(library: Any, header: Any) -> int:
    """The first word of the capabilities that this process may use."""
    words = (ctypes.c_uint32 * (3 * WORDS))()
    library.capget(header, words)
    return int(words[1])


def change_user(account: str, *, reach: bool) -> None:
    """Become `account`; with `reach`, stay able to walk through directories that `account` may not enter.

    A checkout under /root is such a place. The alternative would be to open those directories to everybody.
    """
    library = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(CAPABILITIES_VERSION_3, 0)
    held = held_capabilities(library, header)
    candidates = [number for number in (CAP_DAC_READ_SEARCH, CAP_DAC_OVERRIDE) if held & (1 << number)]
    if reach and not candidates:
        give_up(f"{account} may not enter the directories above the data. Run this as a user other than root.")
    entry = pwd.getpwnam(account)
    if reach:
        prctl(PR_SET_KEEPCAPS, 1)
    os.setgroups([])
    os.setresgid(entry.pw_gid, entry.pw_gid, entry.pw_gid)
    os.setresuid(entry.pw_uid, entry.pw_uid, entry.pw_uid)
    if reach:
        bit = 1 << candidates[0]
        words = (ctypes.c_uint32 * (3 * WORDS))(bit, bit, bit, 0, 0, 0)
        if library.capset(header, words) != 0:
            give_up(f"{account} could not keep the right to enter directories. Run this as a user other than root.")
        prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, candidates[0])


def main() -> None:
    """Read the order (one JSON argument), prepare, and become the program."""
    order = json.loads(sys.argv[1])
    if order["account"] is not None:
        change_user(order["account"], reach=order["reach"])
    if sys.platform == "linux" and order["death_signal"] is not None:
        prctl(PR_SET_PDEATHSIG, order["death_signal"])
    # From here on the parent's death reaches us as a signal. A parent that died before is noticed by who our parent is.
    if os.getppid() != order["parent"]:
        give_up("The process that asked for this one is gone.")
    command = order["command"]
    os.execve(command[0], command, os.environ)  # noqa: S606


main()
