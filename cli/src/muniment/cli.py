"""The command `muniment`: which commands there are, and the one door through which they all end.

A pipeline starts this program often, so a command's module is imported only when that command is given. stdout is data,
stderr is talk, and the exit codes are `muniment.exits.ExitCode`.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence

from muniment import __version__
from muniment.exits import CommandError

# Name: what `muniment --help` says about it. The module of the same name has `describe(parser)` and `run(options)`.
COMMANDS = {
    "verify": "check an archive: a ZIP file, an unpacked directory, or the address of one",
    "fingerprint": "print the SHA-256 fingerprint of a file or a directory",
}

_EXIT_CODES = """exit codes:
  0  done, or compliant          3  server unreachable or refusing
  1  not compliant               4  not authorised
  2  bad usage                   5  a proof does not verify
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and answer with its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    options = _parser(words).parse_args(words)
    module = importlib.import_module(f"muniment.commands.{options.command}")
    try:
        return int(module.run(options))
    except CommandError as refusal:
        print(f"muniment: {refusal.message}", file=sys.stderr)
        return int(refusal.code)
    except KeyboardInterrupt:
        print("muniment: interrupted", file=sys.stderr)
        return 130


def _parser(words: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="muniment",
        description="Proofs and archives of a Muniment compliance record.",
        epilog=_EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"muniment {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    given = next((word for word in words if not word.startswith("-")), None)
    for name, summary in COMMANDS.items():
        command = commands.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".")
        if name == given:
            importlib.import_module(f"muniment.commands.{name}").describe(command)
    return parser
