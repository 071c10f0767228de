"""The words of the command line in, a command and its context out; or the help that was asked for.

Words that are not options may stand anywhere. A switch is true by itself, and may be told: `--compliant`, `--compliant=false`,
`--compliant false`. An option that is given empty is refused, because a script with an unset variable would otherwise record
something else than it meant.
"""

from __future__ import annotations

import argparse
import importlib
import os

from muniment.command import LIST, PAIRS, SWITCH, TEXTS, Argument, Command, Option
from muniment.commands.index import COMMANDS, beginning
from muniment.commands.shared import EVERYWHERE
from muniment.exits import BadUsage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from muniment.context import Context

_LONGEST = 4
_TRUTHS = ("true", "false", "1", "0", "yes", "no", "on", "off")


def find(words: list[str]) -> tuple[Command, Context] | str:
    """The command that these words call, and its context; or a text to print instead. Raises BadUsage for anything else."""
    before, rest = _split(words)
    verb = _verb(rest)
    if verb is None:
        return _no_verb(before, rest)
    command = load(verb)
    given = before + rest[len(verb.split()) :]
    if "--help" in given or "-h" in given:
        from muniment import telling  # help only

        return telling.of_command(command)
    from muniment.context import Context
    from muniment.settings import Settings

    flags, arguments = parse(command, given)
    return command, Context(command, arguments, Settings(flags, os.environ), os.environ)


def load(verb: str) -> Command:
    """The declaration of a verb of the index."""
    module = importlib.import_module(f"muniment.commands.{COMMANDS[verb][0]}")
    command: Command = next(command for command in module.COMMANDS if command.words == verb)
    return command


def parse(command: Command, words: Sequence[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Flags by their option's name, and arguments by theirs."""
    taken = {name for option in command.options for name in option.names}
    options = [*command.options]
    parser = _Parser(prog=f"muniment {command.words}", add_help=False, allow_abbrev=False, formatter_class=_formatter)
    # A command's own meaning of a flag goes before the one that it has everywhere.
    everywhere = [(option, [name for name in option.names if name not in taken]) for option in EVERYWHERE]
    options += [option for option, names in everywhere if names]
    for option, names in [*((option, option.names) for option in command.options), *everywhere]:
        if not names:
            continue
        parser.add_argument(
            *names,
            dest=option.name,
            action="append" if option.kind in (LIST, TEXTS, PAIRS) else "store",
        )
    flags, loose = parser.parse_known_args(_told_switches(words, options))
    return vars(flags), _arguments(command, loose)


def switches(options: Sequence[Option]) -> set[str]:
    """All names of the options that are true or false."""
    return {name for option in options if option.kind == SWITCH for name in option.names}


def _formatter(prog: str) -> argparse.HelpFormatter:
    """Help is written elsewhere. Asking the terminal's width for each option would cost a tenth of a start-up."""
    return argparse.HelpFormatter(prog, width=100)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> Any:
        raise BadUsage(f"{message[0].upper()}{message[1:]}. See: {self.prog} --help")


def _told_switches(words: Sequence[str], options: Sequence[Option]) -> list[str]:
    """The words, with each switch saying what it says."""
    names = switches(options)
    told: list[str] = []
    at = 0
    while at < len(words):
        word = words[at]
        if word == "--":
            return [*told, *words[at:]]
        if word in names:
            following = words[at + 1].lower() if at + 1 < len(words) else ""
            if following in _TRUTHS:
                at += 1
            word += f"={following if following in _TRUTHS else 'true'}" if word.startswith("--") else ""
            if not word.startswith("--"):
                told.append(word)
                word = following if following in _TRUTHS else "true"
        told.append(word)
        at += 1
    return told


def _arguments(command: Command, loose: list[str]) -> dict[str, Any]:
    words: list[str] = []
    while loose:
        word = loose.pop(0)
        if word == "--":
            words += loose
            break
        if word.startswith("-") and word != "-":
            raise BadUsage(f"{word.partition('=')[0]} is no option of this. See: muniment {command.words} --help")
        words.append(word)
    found: dict[str, Any] = {}
    for argument in command.arguments:
        if argument.many:
            found[argument.name], words = list(words), []
        elif words:
            found[argument.name] = words.pop(0)
        if argument.required and not found.get(argument.name):
            raise BadUsage(f"Which {_said(argument)}? See: muniment {command.words} --help")
    if words:
        raise BadUsage(f"What is {words[0]!r}? It is one word too many. See: muniment {command.words} --help")
    return found


def _said(argument: Argument) -> str:
    return argument.name.replace("_", " ").lower()


def _split(words: list[str]) -> tuple[list[str], list[str]]:
    """What stands before the verb, and the rest."""
    beginnings = {verb.split()[0] for verb in COMMANDS}
    for at, word in enumerate(words):
        if word in beginnings:
            return words[:at], words[at:]
        if not word.startswith("-") and (at == 0 or not words[at - 1].startswith("-")):
            return words[:at], words[at:]
    return words, []


def _verb(words: list[str]) -> str | None:
    for length in range(min(_LONGEST, len(words)), 0, -1):
        verb = " ".join(words[:length])
        if verb in COMMANDS:
            return verb
    return None


def _no_verb(before: list[str], rest: list[str]) -> str:
    from muniment import telling  # help only

    asked = {"--help", "-h", "help"} & {*before, *rest}
    words = [word for word in rest if not word.startswith("-")]
    if words[:1] == ["help"]:
        words = words[1:]
        verb = _verb(words)
        if verb is not None:
            return telling.of_command(load(verb))
    if asked and (not words or beginning(words)):
        return telling.of_verbs(words)
    if not words:
        raise BadUsage(telling.of_nothing())
    raise BadUsage(telling.of_unknown(words))
