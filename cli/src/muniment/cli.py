"""The command `muniment`: words in, the verb that they call, and the one door through which all verbs end.

A pipeline starts this program often, so only the module of the verb that was called is imported, and nothing before it is known
that something will be done. stdout is data, stderr is talk, and the exit codes are `muniment.exits.ExitCode`.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from muniment.command import Command
    from muniment.context import Context


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and answer with its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words in (["--version"], ["version"]):
        from muniment import __version__

        print(f"muniment {__version__}")
        return 0
    from muniment.exits import CommandError  # all of these: the version is told without them

    try:
        return _run(words)
    except CommandError as refusal:
        print(f"muniment: {refusal.message}", file=sys.stderr)
        return int(refusal.code)
    except KeyboardInterrupt:
        print("muniment: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # Whoever read stdout has gone, as `head` does. Nobody is left to be told.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _run(words: list[str]) -> int:
    from muniment import parsing

    found = parsing.find(words)
    if isinstance(found, str):
        print(found, end="")
        return 0
    command, context = found
    return _finished(command, context)


def _finished(command: Command, context: Context) -> int:
    """Runs a command whose words made sense. Best effort is about what happens from here on: files, network, server."""
    from muniment.context import is_best_effort
    from muniment.exits import CommandError, ExitCode

    try:
        return int(command.run(context))
    except CommandError as refusal:
        if refusal.code == ExitCode.DONE or not is_best_effort(context):
            raise
        return _gone_on(refusal.message)
    except Exception as fault:
        if isinstance(fault, BrokenPipeError) or not is_best_effort(context):
            raise
        return _gone_on(f"{type(fault).__name__}: {fault}")
    finally:
        context.close()


def _gone_on(why: str) -> int:
    from muniment.exits import ExitCode

    print(f"muniment: not recorded: {why}", file=sys.stderr)
    print("muniment: best effort: the pipeline goes on", file=sys.stderr)
    return int(ExitCode.DONE)
