"""The conditions that policies write: a text in, a condition out that is true, false, or neither; or where the text is wrong.

    flow.tags.risk-level == "high" and not matches(artifact.name, "^datadog:")
    critical == 0 and high <= 2

Evaluation is three-valued. Comparing something absent, or things of different kinds (a text with a number), is neither true nor
false, and `and`, `or` and `not` carry that on as logic has it. Whoever asks decides what an undecided condition means; in a
policy it never waives anything. Texts have no escapes: a backslash is itself, and a quote goes into the other kind of quotes.
Regular expressions are RE2's (linear time whatever the text), searched for anywhere in it, and compiled when the condition is
read.
"""

import operator as operators
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final, NamedTuple, NoReturn, TypeAlias, cast

import re2
from lark import Lark, Token, Transformer, v_args
from lark.exceptions import UnexpectedCharacters, UnexpectedEOF, UnexpectedInput, UnexpectedToken, VisitError

LENGTH_MAX: Final = 1_000
PATTERN_MAX: Final = 256
PATTERN_MEMORY: Final = 1 << 20
"""How much RE2 may use for one pattern: `(a{1000}){1000}` asks for more, and is refused."""
CONTEXT: Final = ("flow.name", "flow.tags.KEY", "artifact.name", "artifact.fingerprint")

Value: TypeAlias = "str | int | float | None"
Facts: TypeAlias = Mapping[str, Value]
"""What names stand for: `flow.tags.tier` → `product`. A name that is not there is absent."""
Answer: TypeAlias = "bool | None"
"""None: neither true nor false."""
Test: TypeAlias = Callable[[Facts], Answer]
Read: TypeAlias = Callable[[Facts], Any]

_GRAMMAR: Final = r"""
    ?condition: disjunction
    ?disjunction: conjunction ("or" conjunction)*
    ?conjunction: negation ("and" negation)*
    ?negation: "not" negation -> negated
        | primary
    ?primary: "(" condition ")"
        | "true" -> certainly
        | "false" -> never
        | "exists" "(" path ")" -> exists
        | "matches" "(" value "," TEXT ")" -> matches
        | value OPERATOR value -> compared
        | value "in" list -> contained
        | value "not" "in" list -> not_contained
    list: "[" [literal ("," literal)*] "]"
    ?value: literal | path
    literal: TEXT -> text
        | NUMBER -> number
    path: PATH ("[" TEXT "]")?

    OPERATOR: "==" | "!=" | "<=" | ">=" | "<" | ">"
    TEXT: /"[^"]*"/ | /'[^']*'/
    NUMBER: /-?[0-9]{1,15}(\.[0-9]{1,15})?(?![A-Za-z_])/
    PATH: /[A-Za-z_][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*/
    %import common.WS
    %ignore WS
"""
_SAID: Final = {
    "LPAR": "(",
    "RPAR": ")",
    "LSQB": "[",
    "RSQB": "]",
    "COMMA": ",",
    "TEXT": "a text in quotes",
    "NUMBER": "a number",
    "PATH": "a name",
    "OPERATOR": "a comparison",
    "$END": "the end",
}


class NotACondition(ValueError):  # noqa: N818 (a fault of the text, which the caller turns into a refusal)
    """What is wrong with the text, and where: characters from its beginning, lines from 1, columns from 1."""

    def __init__(self, sentence: str, *, line: int = 1, column: int = 1) -> None:
        super().__init__(sentence)
        self.sentence, self.line, self.column = sentence, line, column


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition as it was written. Two are equal when their texts are."""

    text: str
    test: Test = field(compare=False, repr=False)
    names: tuple[str, ...] = field(compare=False)
    """Every name that it compares, in the order of the text; a name that only stands in `exists()` is not among them."""
    is_of_artifact: bool = field(init=False, compare=False, repr=False)
    """Whether it surely looks at nothing of a flow: then it is the same in all trails of an artifact."""
    is_of_flow: bool = field(init=False, compare=False, repr=False)
    """Whether it surely looks at nothing of an artifact: then it is the same in all trails of a flow."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "is_of_artifact", "flow" not in self.text)
        object.__setattr__(self, "is_of_flow", "artifact" not in self.text)

    def undecided_because(self, facts: Facts) -> str:
        """Why the condition is neither true nor false of these facts, as the end of a sentence."""
        absent = list(dict.fromkeys(name for name in self.names if facts.get(name) is None))
        if absent:
            return f"there is no {' and no '.join(absent)}"
        return "it compares a text with a number"


class _Operand(NamedTuple):
    """A value that a comparison reads, and the name it comes by (None for what is written there)."""

    read: Read
    name: str | None
    written: Value = None


class _Piece(NamedTuple):
    test: Test
    names: tuple[str, ...]


def condition(text: str) -> Condition:
    """A condition on a flow and an artifact; `${{ … }}` around it is accepted. Raises `NotACondition`."""
    return _condition(text, findings=False)


def condition_on_findings(text: str) -> Condition:
    """A condition on the whole numbers in an attestation's summary: `critical == 0`. Raises `NotACondition`."""
    return _condition(text, findings=True)


@lru_cache(maxsize=4096)
def _condition(text: str, *, findings: bool) -> Condition:
    if len(text) > LENGTH_MAX:
        raise NotACondition(f"This condition has {len(text)} characters. Use at most {LENGTH_MAX}.")
    if not text.isprintable() and any(not c.isprintable() and c not in "\t\r\n" for c in text):
        raise NotACondition("This condition holds a character that cannot be seen. Remove it.")
    bare = _unwrapped(text)
    try:
        piece = cast("_Piece", (_FINDINGS if findings else _FACTS).parse(bare))
    except UnexpectedInput as fault:
        raise _not_a_condition(fault, bare) from None
    except VisitError as fault:
        if isinstance(fault.orig_exc, NotACondition):
            raise fault.orig_exc from None
        raise
    return Condition(text.strip(), piece.test, piece.names)


def _unwrapped(text: str) -> str:
    """The text without `${{ … }}`, blanks in its place: what is wrong keeps its line and column."""
    stripped = text.strip()
    if not stripped.startswith("${{"):
        return text
    if not stripped.endswith("}}"):
        raise NotACondition("`${{` is not closed. Write `}}` at the end.")
    begin, end = text.index("${{"), text.rindex("}}")
    return f"{text[:begin]}   {text[begin + 3 : end]}"


def _not_a_condition(fault: UnexpectedInput, text: str) -> NotACondition:
    if isinstance(fault, UnexpectedEOF) or (isinstance(fault, UnexpectedToken) and fault.token.type == "$END"):
        found, line, column = "ends too early", text.count("\n") + 1, len(text) - (text.rfind("\n") + 1) + 1
    elif isinstance(fault, UnexpectedCharacters):
        assert fault.pos_in_stream is not None  # it says so of this class
        found, line, column = f"has {text[fault.pos_in_stream]!r} where nothing can begin so", fault.line, fault.column
    else:
        assert isinstance(fault, UnexpectedToken)
        found, line, column = f"has `{fault.token[:40]}` where it cannot stand", fault.line, fault.column
    names = getattr(fault, "accepts", None) or getattr(fault, "expected", None) or getattr(fault, "allowed", None) or ()
    expected = ", ".join(sorted({_SAID.get(name, name.lower()) for name in names}))
    remedy = f"Expected here: {expected}." if expected else "Correct it."
    return NotACondition(f"The condition {found}. {remedy}", line=line, column=column)


# --- what the grammar's pieces mean


@v_args(inline=True)
class _Meaning(Transformer[Token, _Piece]):
    """Makes a condition's parts into functions of the facts, while it is parsed."""

    def __init__(self, *, findings: bool) -> None:
        super().__init__()
        self._findings = findings

    def path(self, written: Token, key: Token | None = None) -> _Operand:
        name = str(written) if key is None else f"{written}.{_inside(key)}"
        if self._findings:
            if key is not None or "." in written:
                _wrong(written, f"`{name}` is not a count. Name a number of the summary, such as critical.")
        elif not _is_known(name) or (key is not None and written != "flow.tags"):
            _wrong(written, f"`{name}` is not known here. Known: {', '.join(CONTEXT)}.")
        return _Operand(lambda facts: facts.get(name), name)

    def text(self, token: Token) -> _Operand:
        inside = _inside(token)
        if self._findings:
            _wrong(token, "Counts are compared with whole numbers. Write the number without quotes.")
        return _Operand(lambda facts: inside, None, inside)

    def number(self, token: Token) -> _Operand:
        value = float(token) if "." in token else int(token)
        return _Operand(lambda facts: value, None, value)

    def list(self, *items: _Operand | None) -> tuple[Value, ...]:
        return tuple(item.written for item in items if item is not None)

    def certainly(self) -> _Piece:
        return _Piece(lambda facts: True, ())

    def never(self) -> _Piece:
        return _Piece(lambda facts: False, ())

    def exists(self, operand: _Operand) -> _Piece:
        read = operand.read
        return _Piece(lambda facts: read(facts) is not None, ())

    def matches(self, operand: _Operand, pattern: Token) -> _Piece:
        if self._findings:
            _wrong(pattern, "`matches` reads texts, and counts are numbers. Compare them instead.")
        read, search = operand.read, _search(pattern)

        if operand.name is not None:
            return _Piece(_matched_by(search, operand.name), _named(operand))

        def matched(facts: Facts) -> Answer:
            value = read(facts)
            return search(value) if isinstance(value, str) else None

        return _Piece(matched, _named(operand))

    def compared(self, left: _Operand, operator: Token, right: _Operand) -> _Piece:
        compare = _COMPARISONS[operator]
        if left.name is not None and right.name is None:
            return _Piece(_compared_with(compare, left.name, right.written), _named(left))
        first, second = left.read, right.read

        def answered(facts: Facts) -> Answer:
            a, b = first(facts), second(facts)
            return compare(a, b) if _comparable(a, b) else None

        return _Piece(answered, _named(left, right))

    def contained(self, operand: _Operand, values: tuple[Value, ...]) -> _Piece:
        read = operand.read

        def answered(facts: Facts) -> Answer:
            value = read(facts)
            alike = [_comparable(value, other) for other in values]
            if value is not None and any(same and value == other for same, other in zip(alike, values, strict=True)):
                return True
            return False if value is not None and all(alike) else None

        return _Piece(answered, _named(operand))

    def not_contained(self, operand: _Operand, values: tuple[Value, ...]) -> _Piece:
        return self.negated(self.contained(operand, values))

    def negated(self, piece: _Piece) -> _Piece:
        test = piece.test

        def answered(facts: Facts) -> Answer:
            answer = test(facts)
            return None if answer is None else not answer

        return _Piece(answered, piece.names)

    def conjunction(self, *pieces: _Piece) -> _Piece:
        return _joined(pieces, decides=False)

    def disjunction(self, *pieces: _Piece) -> _Piece:
        return _joined(pieces, decides=True)


def _compared_with(compare: Callable[[Any, Any], bool], name: str, written: Value) -> Test:
    """A name compared with what is written there, which is what most conditions are."""
    is_text = isinstance(written, str)

    def answered(facts: Facts) -> Answer:
        value = facts.get(name)
        return None if value is None or isinstance(value, str) is not is_text else compare(value, written)

    return answered


def _matched_by(search: Callable[[str], bool], name: str) -> Test:
    def matched(facts: Facts) -> Answer:
        value = facts.get(name)
        return search(value) if isinstance(value, str) else None

    return matched


def _joined(pieces: tuple[_Piece, ...], *, decides: bool) -> _Piece:
    """`and` (decided by a false) or `or` (decided by a true); otherwise undecided if any of them is."""
    tests = tuple(piece.test for piece in pieces)

    def answered(facts: Facts) -> Answer:
        answer: Answer = not decides
        for test in tests:
            given = test(facts)
            if given is decides:
                return decides
            if given is None:
                answer = None
        return answer

    return _Piece(answered, tuple(name for piece in pieces for name in piece.names))


_COMPARISONS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "==": operators.eq,
    "!=": operators.ne,
    "<": operators.lt,
    "<=": operators.le,
    ">": operators.gt,
    ">=": operators.ge,
}


def _comparable(a: Value, b: Value) -> bool:
    """Whether both are there and of one kind."""
    return a is not None and b is not None and isinstance(a, str) is isinstance(b, str)


def _is_known(name: str) -> bool:
    return name in ("flow.name", "artifact.name", "artifact.fingerprint") or (
        name.startswith("flow.tags.") and len(name) > len("flow.tags.")
    )


def _named(*operands: _Operand) -> tuple[str, ...]:
    return tuple(operand.name for operand in operands if operand.name is not None)


def _inside(token: Token) -> str:
    return str(token)[1:-1]


def _wrong(token: Token, sentence: str) -> NoReturn:
    raise NotACondition(sentence, line=token.line or 1, column=token.column or 1)


def _search(token: Token) -> Callable[[str], bool]:
    """Whether the pattern is found in a text. The last answers are kept: an artifact's name is asked about once for each trail."""
    pattern = _inside(token)
    if len(pattern) > PATTERN_MAX:
        _wrong(token, f"This pattern has {len(pattern)} characters. Use at most {PATTERN_MAX}.")
    options = re2.Options()
    options.log_errors = False
    options.max_mem = PATTERN_MEMORY
    try:
        compiled = re2.compile(pattern, options)
    except (re2.error, UnicodeError) as fault:
        said = fault.args[0] if fault.args else fault
        why = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
        _wrong(token, f"This is not a pattern that RE2 reads: {why[:120]}. Correct it.")
    return lru_cache(maxsize=64)(lambda text: compiled.search(text) is not None)


def _parser(*, findings: bool) -> Lark:
    return Lark(_GRAMMAR, start="condition", parser="lalr", transformer=_Meaning(findings=findings))


_FACTS: Final = _parser(findings=False)
_FINDINGS: Final = _parser(findings=True)


def known_of(*, flow: str | None, tags: Mapping[str, str], artifact: str | None, fingerprint: str) -> dict[str, Value]:
    """What the names of a condition stand for. Without a flow, everything about flows is absent."""
    facts: dict[str, Value] = {f"flow.tags.{key}": value for key, value in tags.items()}
    facts["flow.name"], facts["artifact.name"], facts["artifact.fingerprint"] = flow, artifact, fingerprint
    return facts
