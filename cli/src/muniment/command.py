"""How a command is declared: its words, its arguments and options, an example, and the function that does it.

A verb is a dozen lines in its noun's module under `muniment.commands`: the document that it sends (`muniment.documents`), what it
is asked with, and how the answer is shown. `muniment.commands.index` lists every verb and the module that has it, so that help is
told without importing what is not run. These classes are plain because this module is loaded by every start of the program.

An option without a default is None when nobody sets it. What sets it: the flag, its environment variables, a configuration file,
what the CI system tells, and then `default`, in this order (`muniment.settings`).
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from muniment.context import Context
    from muniment.exits import ExitCode

    Run = Callable[[Context], ExitCode]

TEXT = "text"
NUMBER = "number"
SWITCH = "switch"
"""True or false; the flag alone says true."""
LIST = "list"
"""Several texts: the flag again, or commas between them."""
TEXTS = "texts"
"""Several texts, the flag again for each; commas belong to the text."""
PAIRS = "pairs"
"""Several `name=value`: the flag again for each."""


class Option:
    """`--names` of one setting. The first long name is its name everywhere; each long name has its environment variable."""

    __slots__ = ("choices", "default", "help", "kind", "name", "names", "value")

    def __init__(
        self,
        *names: str,
        help: str,  # noqa: A002 (what argparse calls it)
        kind: str = TEXT,
        default: object = None,
        value: str | None = None,
        choices: Sequence[str] | None = None,
    ) -> None:
        self.names = names
        self.name = next(name for name in names if name.startswith("--"))[2:].replace("-", "_")
        self.help = help
        self.kind = kind
        self.default = default
        self.value = value
        self.choices = choices

    def variables(self) -> list[str]:
        """The environment variables that set it, the first that is set counts."""
        stems = [name[2:].replace("-", "_").upper() for name in self.names if name.startswith("--")]
        return [f"{prefix}_{stem}" for prefix in ("MUNIMENT", "KOSLI") for stem in stems]


class Argument:
    """A word that is not an option. At most one argument of a command takes `many`, the last one."""

    __slots__ = ("help", "many", "name", "required")

    def __init__(self, name: str, *, help: str, required: bool = True, many: bool = False) -> None:  # noqa: A002
        self.name = name
        self.help = help
        self.required = required
        self.many = many


class Command:
    """A verb: the words that call it, what it is asked with, one example at least, and `run(context)`."""

    __slots__ = ("arguments", "examples", "explanation", "options", "run", "words")

    def __init__(
        self,
        words: str,
        run: Run,
        *,
        arguments: Sequence[Argument] = (),
        options: Sequence[Option] = (),
        examples: Sequence[str],
        explanation: str = "",
    ) -> None:
        self.words = words
        self.run = run
        self.arguments = tuple(arguments)
        self.options = tuple(options)
        self.examples = tuple(examples)
        self.explanation = explanation
