"""Help that teaches: what there is, how one verb is called, an example of it, and what was probably meant."""

from __future__ import annotations

import os
import shutil
import textwrap

from muniment.command import LIST, NUMBER, PAIRS, SWITCH, Command, Option
from muniment.commands import shared
from muniment.commands.index import COMMANDS, beginning

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_EXIT_CODES = """\
exit codes:
  0  done, or compliant                4  not authorised
  1  not compliant                     5  a proof does not verify
  2  bad usage                         6  assert: the record does not know it
  3  server unreachable or refusing    7  assert: there is nothing to judge it by
"""

_GROUPS = (
    ("record", ("begin", "report", "attest")),
    ("environments", ("snapshot",)),
    ("decide", ("request", "review", "allow", "accept", "revoke", "assert")),
    ("ask", ("get", "list", "log", "diff", "search", "query")),
    ("arrange", ("create", "attach-policy", "detach-policy", "tag", "rotate")),
    ("audit", ("archive", "verify")),
    ("on this machine", ("fingerprint", "flush", "completion")),
)

_FIRST_STEPS = """\
examples:
  export MUNIMENT_HOST=https://muniment.example.com MUNIMENT_API_KEY=mun_... MUNIMENT_FLOW=payments
  muniment report artifact build/app.jar
  muniment report evidence test junit --results-file tests.xml
  muniment assert artifact build/app.jar --environment production

Every option is also an environment variable (--build-url is MUNIMENT_BUILD_URL; KOSLI_BUILD_URL is read when that
is unset) and a line of muniment.toml (build-url = "..."), which is looked for here and in the directories above.
"""


def of_verbs(words: Sequence[str]) -> str:
    """All verbs that begin with these words; with none, all there are, in groups."""
    if words:
        verbs = beginning(list(words))
        width = max(len(verb) for verb in verbs)
        lines = [f"usage: muniment {' '.join(words)} ...", ""]
        lines += [f"  {verb:<{width}}  {COMMANDS[verb][1]}" for verb in verbs]
        return "\n".join([*lines, "", f"muniment {verbs[0]} --help tells more of one, with an example.", ""])
    lines = ["usage: muniment VERB ... [OPTIONS]", "", "The client of Muniment, a compliance system of record.", ""]
    width = max(map(len, COMMANDS))
    for group, first_words in _GROUPS:
        lines.append(f"{group}:")
        for verb in (verb for verb in COMMANDS if verb.split()[0] in first_words):
            lines += _entry(verb, COMMANDS[verb][1], width)
        lines.append("")
    lines.append("options of every verb:")
    lines += _options([*shared.EVERYWHERE])
    lines += _entry("--version", "print the version", 27)
    return "\n".join([*lines, "", _EXIT_CODES, _FIRST_STEPS])


def of_command(command: Command) -> str:
    """One verb: how it is called, what it takes, and an example."""
    summary = COMMANDS[command.words][1]
    usage = " ".join(
        ["usage: muniment", command.words, *(_place(argument) for argument in command.arguments), "[OPTIONS]"]
    )
    lines = [usage, "", f"{summary[0].upper()}{summary[1:]}{'' if summary.endswith('?') else '.'}"]
    if command.explanation:
        for paragraph in command.explanation.strip().split("\n\n"):
            lines += ["", *textwrap.wrap(" ".join(paragraph.split()), _columns(), break_on_hyphens=False)]
    if command.arguments:
        lines += ["", "arguments:"]
        for argument in command.arguments:
            lines += _entry(argument.name, argument.help, 27)
    own = [option for option in command.options if option not in shared.RECORDING]
    if own:
        lines += ["", "options:", *_options(own)]
    if any(option in shared.RECORDING for option in command.options):
        lines += ["", "when the server is away:", *_options([shared.DRY_RUN, *shared.RECORDING])]
    lines += ["", "example:" if len(command.examples) == 1 else "examples:"]
    lines += [f"  {example}" for example in command.examples]
    return "\n".join([*lines, "", "Options of every verb: muniment --help", ""])


def of_nothing() -> str:
    """No verb at all."""
    return "What is to be done? Start with: muniment --help"


def of_unknown(words: Sequence[str]) -> str:
    """A verb that there is not: what was probably meant, or what goes on from there."""
    for length in range(min(len(words), 3), 0, -1):
        verbs = beginning(list(words[:length]))
        if verbs:
            more = sorted({verb.split()[length] for verb in verbs})
            asked = f"muniment {' '.join(words[:length])}"
            if len(words) > length:
                near = _near(words[length], more)
                return f"There is no `{asked} {words[length]}`.{near} There is: {', '.join(more)}."
            return f"`{asked}` goes on: {', '.join(more)}. See: {asked} --help"
    near = _near(words[0], sorted({verb.split()[0] for verb in COMMANDS}))
    return f"There is no verb {words[0]!r}.{near} See: muniment --help"


def _near(word: str, known: Iterable[str]) -> str:
    import difflib  # only for what is misspelt

    near = difflib.get_close_matches(word, list(known), n=1)
    return f" Did you mean {near[0]!r}?" if near else ""


def _place(argument: object) -> str:
    from muniment.command import Argument

    assert isinstance(argument, Argument)
    name = argument.name + ("..." if argument.many else "")
    return name if argument.required else f"[{name}]"


def _options(options: Sequence[Option]) -> list[str]:
    lines: list[str] = []
    for option in options:
        short = [name for name in option.names if not name.startswith("--")]
        long = next(name for name in option.names if name.startswith("--"))
        value = "" if option.kind == SWITCH else f" {option.value or _VALUES.get(option.kind, 'TEXT')}"
        text = option.help
        if option.default not in (None, ".") and "default" not in text:
            text += f"; default: {option.default}"
        others = [name for name in option.names if name.startswith("--") and name != long]
        if others:
            text += f" (also {', '.join(others)})"
        lines += _entry(", ".join([*short, long]) + value, text, 27)
    return lines


_VALUES = {LIST: "A,B", NUMBER: "N", PAIRS: "NAME=VALUE"}


def _entry(name: str, text: str, width: int) -> list[str]:
    room = max(_columns() - width - 4, 30)
    wrapped = textwrap.wrap(text, room, break_on_hyphens=False)
    if len(name) > width:
        return [f"  {name}", *(f"  {'':<{width}}  {line}" for line in wrapped)]
    return [
        f"  {name:<{width}}  {wrapped[0]}",
        *(f"  {'':<{width}}  {line}" for line in wrapped[1:]),
    ]


def _columns() -> int:
    return (
        min(shutil.get_terminal_size((100, 24)).columns, 120)
        if "COLUMNS" not in os.environ
        else int(os.environ["COLUMNS"])
    )
