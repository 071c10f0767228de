"""YAML read strictly, for documents that strangers write and verdicts are reached by: templates and policies.

Text in, nodes out that know their line and column, or a refusal that names both. One document, no key twice, no anchors,
aliases or tags (a handful of which can stand for gigabytes), and no deeper than such a document can be.

    read(text, noun="template", meaning=lambda root: …)

`meaning` turns the document's root into whatever it stands for, with the functions below, and `refuse`s what it cannot.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, NoReturn, TypeVar

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
)
from ruamel.yaml.nodes import ScalarNode
from ruamel.yaml.reader import ReaderError
from ruamel.yaml.scanner import Scanner, ScannerError

from record.refusals import InvalidInput, TooLarge

BYTES_MAX: Final = 64 * 1024
DEPTH_MAX: Final = 8
"""Templates nest six deep and policies seven; the rest lets a misplaced item be named instead of its brackets."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Scalar:
    """`kind` is what YAML 1.2 takes it for: str, int, float, bool or null (`timestamp` and the like are texts to us).

    `begins` is the column at which the text itself begins: after the quote, where there is one. None when it spans several lines.
    """

    text: str
    kind: str
    line: int
    column: int
    begins: int | None


@dataclass(frozen=True, slots=True)
class Sequence:
    items: "tuple[Node, ...]"
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Mapping:
    pairs: "tuple[tuple[Node, Node], ...]"
    line: int
    column: int


Node = Scalar | Sequence | Mapping
_PLAIN_KINDS: Final = ("int", "float", "bool", "null")


class _Misplaced(Exception):  # noqa: N818 (becomes a refusal before anyone sees it)
    """What is wrong, and where."""

    def __init__(self, sentence: str, line: int, column: int) -> None:
        super().__init__(sentence)
        self.sentence, self.line, self.column = sentence, line, column


def read(text: str, *, noun: str, meaning: Callable[[Node], T]) -> T:
    """What `meaning` makes of the one document in `text`; `InvalidInput` with line and column if it is not one."""
    try:
        size = len(text.encode())
    except UnicodeEncodeError as fault:
        raise InvalidInput(
            f"The {noun} holds half a character (a lone surrogate). Send it as UTF-8.", field=noun
        ) from fault
    if size > BYTES_MAX:
        raise TooLarge(f"The {noun} has {size} bytes. Keep it to {BYTES_MAX}.")
    try:
        return meaning(_document(text, noun))
    except _Misplaced as fault:
        raise _invalid(noun, fault.sentence, line=fault.line, column=fault.column) from None
    except YAMLError as fault:
        raise _not_yaml(fault, text, noun) from fault


# --- what a meaning reads nodes with


def refuse(node: Node, sentence: str) -> NoReturn:
    """Refuses the document because of this node."""
    refuse_at(sentence, line=node.line, column=node.column)


def refuse_at(sentence: str, *, line: int, column: int) -> NoReturn:
    """Refuses the document because of what stands at this place."""
    raise _Misplaced(sentence, line, column)


def shown(node: Node) -> str:
    """A node as a refusal names it."""
    if isinstance(node, Mapping):
        return "a mapping"
    if isinstance(node, Sequence):
        return "a list"
    if node.kind == "null":
        return "an empty value"
    return f"`{node.text if len(node.text) <= 80 else node.text[:77] + '...'}`"


def text_of(node: Node, key: str) -> Scalar:
    """A text, written so that YAML takes it for one."""
    if not isinstance(node, Scalar):
        refuse(node, f"`{key}` must be a text, and this is {shown(node)}. Write one name.")
    if node.kind == "null":
        refuse(node, f"`{key}` is empty. Write a text.")
    if node.kind != "str":
        refuse(node, f"`{key}` must be a text, and {shown(node)} reads as {node.kind}. Put it in quotes.")
    return node


def items_of(node: Node, place: str) -> tuple[Node, ...]:
    """The items of a list."""
    if not isinstance(node, Sequence):
        refuse(
            node,
            f"{place} must be a list, and this is {shown(node)}. Begin each item with `- `, or write [] for none.",
        )
    return node.items


def pairs_of(node: Node, what: str, remedy: str) -> dict[str, tuple[Scalar, Node]]:
    """What stands under each key of a mapping whose keys are texts of any kind, none twice."""
    if not isinstance(node, Mapping):
        refuse(node, f"{what.capitalize()} must be a mapping, and this is {shown(node)}. {remedy}")
    found: dict[str, tuple[Scalar, Node]] = {}
    for key, value in node.pairs:
        if not isinstance(key, Scalar):
            refuse(key, f"{shown(key).capitalize()} is not a key of {what}. {remedy}")
        if key.text in found:
            refuse(key, f"The key `{key.text}` is there twice. Keep one of them.")
        found[key.text] = key, value
    return found


def keys_of(node: Node, what: str, *, known: tuple[str, ...], needed: tuple[str, ...] = ()) -> dict[str, Node]:
    """What stands under each key; refuses keys that are unknown, doubled or absent."""
    listed = ", ".join(known)
    if not isinstance(node, Mapping):
        refuse(node, f"{what.capitalize()} must be a mapping, and this is {shown(node)}. Its keys are: {listed}.")
    found: dict[str, Node] = {}
    for key, value in node.pairs:
        if not isinstance(key, Scalar) or key.text not in known:
            refuse(key, f"{shown(key)} is not a key of {what}. Known keys: {listed}.")
        if key.text in found:
            refuse(key, f"The key `{key.text}` is there twice. Keep one of them.")
        found[key.text] = value
    for key_name in needed:
        if key_name not in found:
            refuse(
                node, f"{what.capitalize()} needs the key `{key_name}`, and here it is missing. Known keys: {listed}."
            )
    return found


# --- from text to nodes


class _ShallowScanner(Scanner):
    """Stops at too deep a nest of brackets: 64 KiB of `[` would otherwise occupy the scanner for minutes."""

    noun: str = "document"

    def fetch_flow_collection_start(self, token_class: Any, to_push: str) -> None:
        if self.flow_level >= DEPTH_MAX:
            fault = f"the brackets are nested deeper than any {self.noun}"
            raise ScannerError(None, None, fault, self.reader.get_mark())
        super().fetch_flow_collection_start(token_class, to_push)


def _document(text: str, noun: str) -> Node:
    """The one document in `text`."""
    yaml = YAML(typ="safe", pure=True)
    yaml.Scanner = type("_ScannerOfOne", (_ShallowScanner,), {"noun": noun})
    events = yaml.parse(text)
    root: Node | None = None
    for event in events:
        if not isinstance(event, DocumentStartEvent):
            continue
        if root is not None:
            _refuse_event(event, f"A second document begins here. A {noun} is one YAML document; remove the rest.")
        root = _node(next(events), events, yaml.resolver, noun, depth=1)
    if root is None:
        raise InvalidInput(f"The {noun} is empty. Write at least `version: 1`.", field=noun, line=1, column=1)
    return root


def _node(event: Any, events: Iterator[Any], resolver: Any, noun: str, *, depth: int) -> Node:
    """The node that `event` begins, with all below it taken from `events`."""
    if isinstance(event, AliasEvent) or event.anchor is not None:
        _refuse_event(
            event,
            "Anchors (&) and aliases (*) are not accepted. Write it out; if it is the any type, write '*' in quotes.",
        )
    if event.ctag is not None:
        _refuse_event(event, "Tags (!) are not accepted. Put a text that begins with ! in quotes.")
    if depth > DEPTH_MAX:
        _refuse_event(event, f"This is nested deeper than any {noun}. Check the indentation.")
    line, column = event.start_mark.line + 1, event.start_mark.column + 1
    if isinstance(event, ScalarEvent):
        kind = str(resolver.resolve(ScalarNode, event.value, event.implicit)).rpartition(":")[2]
        begins = None if event.end_mark.line + 1 > line else column + 1 if event.style else column
        return Scalar(event.value, kind if kind in _PLAIN_KINDS else "str", line, column, begins)
    below: list[Node] = []
    while not isinstance(following := next(events), MappingEndEvent | SequenceEndEvent):
        below.append(_node(following, events, resolver, noun, depth=depth + 1))
    if isinstance(event, MappingStartEvent):
        return Mapping(tuple(zip(below[::2], below[1::2], strict=True)), line, column)
    return Sequence(tuple(below), line, column)


def _refuse_event(event: Any, sentence: str) -> NoReturn:
    refuse_at(sentence, line=event.start_mark.line + 1, column=event.start_mark.column + 1)


def _invalid(noun: str, sentence: str, *, line: int, column: int) -> InvalidInput:
    return InvalidInput(
        f"{noun.capitalize()} line {line}, column {column}: {sentence}", field=noun, line=line, column=column
    )


def _not_yaml(fault: YAMLError, text: str, noun: str) -> InvalidInput:
    """The library's complaint as a refusal."""
    if isinstance(fault, ReaderError):
        before = text[: fault.position]
        place = {"line": before.count("\n") + 1, "column": len(before) - (before.rfind("\n") + 1) + 1}
        return _invalid(noun, "YAML does not allow this control character. Remove it.", **place)
    if not isinstance(fault, MarkedYAMLError) or fault.problem_mark is None:
        return InvalidInput(f"The {noun} is not YAML: {fault}. Correct it.", field=noun)
    mark = fault.problem_mark
    remedy = "Put '*' in quotes" if fault.context == "while scanning an alias" else "Correct it"
    return _invalid(noun, f"This is not YAML: {fault.problem}. {remedy}.", line=mark.line + 1, column=mark.column + 1)
