"""jq rules of custom types: compiled, and kept away from everything but the data that they judge.

A rule must give the same answer whenever and wherever it is asked, so the parts of jq that see more than the rule's input are
refused when the type is registered: the environment (`env`, `$ENV`), other inputs and files (`input`, `import`, …), the clock and
time zone (`now`, `localtime`, …), and those that talk or stop (`debug`, `halt`, …). Names are found by reading the rule as jq
does: texts with their interpolations, comments, `.env` and `{env: …}` (fields of the data, which are fine).

That is the first fence. The second is `sandbox`: rules run in a process that has no environment, no files and little time.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import jq

from record.attestations.reports.result import plain
from record.attestations.reports.strict_json import Parsed
from record.refusals import InvalidInput

RULES_MAX: Final = 64
RULE_CHARACTERS_MAX: Final = 4096

FORBIDDEN: Final = {
    **dict.fromkeys(("env", "$ENV"), "reads the server's environment"),
    **dict.fromkeys(("input", "inputs", "input_filename", "input_line_number"), "reads other inputs than the data"),
    **dict.fromkeys(("import", "include", "modulemeta", "get_search_list"), "reads files"),
    **dict.fromkeys(("now", "localtime", "strflocaltime"), "depends on where and when it runs"),
    **dict.fromkeys(("debug", "stderr", "halt", "halt_error"), "acts on the process that runs it"),
}

_KEYWORDS: Final = frozenset(
    {"as", "def", "elif", "else", "end", "foreach", "if", "label", "reduce", "then", "try", "catch", "and", "or"}
)
_LEXEME: Final = re.compile(
    r"""(?P<space>\s+|\#[^\n]*)
      | (?P<field>\.[A-Za-z_]\w*)
      | (?P<name>\$?[A-Za-z_]\w*(?:::[A-Za-z_]\w*)*)
      | (?P<format>@[A-Za-z0-9_]+)
      | (?P<quote>")
      | (?P<number>[0-9][0-9.eE]*)
      | (?P<mark>.)""",
    re.VERBOSE | re.DOTALL | re.ASCII,
)
_TEXT: Final = re.compile(r'(?:[^"\\]|\\[^(])*')
_PLACE: Final = re.compile(r" at <[^>]*>, line (\d+), column (\d+)")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one rule said: `said` is `true` when the rule holds, else what it said instead, for people."""

    rule: str
    holds: bool
    said: str


def compiled(rule: str, *, field: str) -> Any:
    """The rule as a program; refuses one that is not jq, is too long, or reaches for more than its input."""
    if not rule.strip() or len(rule) > RULE_CHARACTERS_MAX or "\x00" in rule:
        raise InvalidInput(
            f"{field} must be a jq expression of 1 to {RULE_CHARACTERS_MAX} characters.", field=field, line=1, column=1
        )
    for offset, name in _names(rule):
        if (why := FORBIDDEN.get(name)) is not None:
            line, column = _line_and_column(rule, offset)
            raise InvalidInput(
                f"{field} uses {name} at line {line}, column {column}, which {why}. A rule may use only the data it is given.",
                field=field,
                line=line,
                column=column,
            )
    try:
        return _program(rule)
    except ValueError as error:
        found = _PLACE.search(str(error))
        line, column = (int(found[1]), int(found[2])) if found else (1, 1)
        said = _PLACE.sub("", str(error).partition("\n")[0]).removeprefix("jq: error: ").rstrip(":")
        raise InvalidInput(
            f"{field} is not jq: {plain(said)} at line {line}, column {column}. Correct the expression.",
            field=field,
            line=line,
            column=column,
        ) from None


def answer(program: Any, rule: str, text: str) -> Outcome:
    """Whether the program yields exactly one output for the JSON `text`, and that is `true`."""
    try:
        outputs: list[Parsed] = []
        for output in program.input_text(text):
            outputs.append(output)
            if len(outputs) == 2:
                break
    except ValueError as error:
        return Outcome(rule, holds=False, said=f"error: {plain(str(error), 120)}")
    if len(outputs) != 1:
        return Outcome(rule, holds=False, said="several outputs" if outputs else "no output")
    if outputs[0] is True:
        return Outcome(rule, holds=True, said="true")
    return Outcome(rule, holds=False, said="false" if outputs[0] is False else "something other than true or false")


@lru_cache(maxsize=256)
def _program(rule: str) -> Any:
    """Compiling costs a millisecond or two (jq links its own library every time), running a few microseconds."""
    return jq.compile(rule)


def _names(rule: str) -> Iterator[tuple[int, str]]:
    """Every name in the rule that is a call, a variable or a keyword, with its offset.

    `open_marks` holds the brackets around the present place; an interpolation is a `\\(` there, and its `)` leads back
    into its text.
    """
    open_marks: list[str] = []
    before, offset = "", 0
    while offset < len(rule):
        match = _LEXEME.match(rule, offset)
        assert match is not None  # `mark` matches anything
        start, offset, lexeme, kind = offset, match.end(), match.group(), match.lastgroup
        if kind == "space":
            continue
        if kind == "quote" or (lexeme == ")" and open_marks[-1:] == ["\\("]):
            if lexeme == ")":
                open_marks.pop()
            offset = _through_text(rule, offset, open_marks)
        elif lexeme in ("(", "[", "{"):
            open_marks.append(lexeme)
        elif lexeme in (")", "]", "}") and open_marks:
            open_marks.pop()
        elif kind == "name" and not _is_key(lexeme, before, open_marks):
            if lexeme in _KEYWORDS and open_marks[-1:] == ["{"]:
                open_marks[-1] = "{ with keywords"
            yield start, lexeme
        before = lexeme


def _through_text(rule: str, offset: int, open_marks: list[str]) -> int:
    """The offset after a text, or after the `\\(` that interrupts it."""
    found = _TEXT.match(rule, offset)
    assert found is not None  # it matches nothing at least
    if rule.startswith("\\(", found.end()):
        open_marks.append("\\(")
        return found.end() + 2
    return found.end() + 1


def _is_key(lexeme: str, before: str, open_marks: list[str]) -> bool:
    """Whether a plain name stands where an object's key does: right after `{` or `,` of an object itself.

    Inside of an `if` and its like a comma may also join two expressions; an object with such a keyword has no plain keys
    any more, and whoever needs one of the forbidden names as a key there writes it in quotes.
    """
    return not lexeme.startswith("$") and open_marks[-1:] == ["{"] and before in ("{", ",")


def _line_and_column(rule: str, offset: int) -> tuple[int, int]:
    return rule.count("\n", 0, offset) + 1, offset - (rule.rfind("\n", 0, offset) + 1) + 1
