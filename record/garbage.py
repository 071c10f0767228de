"""The garbage collector of a process that serves for long: it looks seldom, and never at what was built for good."""

import gc
from typing import Final

_THRESHOLD: Final = (20_000, 20, 100)
"""Seldom, because requests leave no circles behind, and looking at ten thousands of objects that are in use takes a while. Not so
seldom that a collection stops everybody for long: templates leave some.
"""


def settle() -> None:
    """Call it once, when everything that stays has been made."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLD)
