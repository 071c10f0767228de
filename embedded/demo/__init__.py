"""`make demo`: records this repository's own delivery, asks about it, takes an archive away, and checks it like a stranger.

The system runs as real processes; everything after the organization's first key happens over HTTP alone. Talk goes to stderr and
stdout's last line is one JSON object for programs.
"""

from embedded.demo.tour import main

__all__ = ["main"]
