"""A flow's template: YAML in, what a trail must contain out, or a refusal that names the line and the column.

A template is written by strangers and judged by for years, so it is read strictly: one document, known keys only, no
key twice, no anchors, aliases or tags (a handful of which can stand for gigabytes), and no deeper than a template can be.
Every item keeps its line, because a verdict's reason says which line asked.

`template.schema.json` beside this file says the same for editors; a test holds the two together. It cannot say one
thing: that no name is asked for twice in one place.
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
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

from record.ids import ATTESTATION_NAME, TEMPLATE_ARTIFACT_NAME, TYPE_NAME
from record.refusals import InvalidInput, TooLarge

TEMPLATE_BYTES_MAX: Final = 64 * 1024
DEPTH_MAX: Final = 8
"""A template nests six deep; two more let a misplaced item be named instead of its brackets."""

ANY_TYPE: Final = "*"
CUSTOM: Final = "custom:"
TYPES: Final = (
    "generic",
    "junit",
    "sarif",
    "snyk",
    "trivy",
    "sbom",
    "pull_request",
    "jira",
    "ticket",
    "sonar",
    "provenance",
    "decision",
)
"""The types that a template may ask for by name; `custom:NAME` and `*` (any type) come on top."""

SCHEMA_FILE: Final = Path(__file__).with_name("template.schema.json")
"""Published at /schemas/flow-template/v1."""

STARTER_SDLC: Final = """\
# The least that a delivery should show: that it was tested, scanned, reviewed and built by a known build.
version: 1
trail:
  attestations:
    - {name: review, type: pull_request}
    - {name: build, type: generic}
  artifacts:
    - name: app
      attestations:
        - {name: tests, type: junit}
        - {name: security-scan, type: "*"}
"""


T = TypeVar("T", "Wanted", "WantedArtifact")


@dataclass(frozen=True, slots=True)
class Wanted:
    """An attestation that the template asks for, and the line which does."""

    name: str
    type: str
    line: int


@dataclass(frozen=True, slots=True)
class WantedArtifact:
    """An artifact that the template asks for, and what it asks of it."""

    name: str
    attestations: tuple[Wanted, ...]
    line: int


@dataclass(frozen=True, slots=True)
class Template:
    """What a trail must contain. An empty one asks for nothing."""

    trail: tuple[Wanted, ...] = ()
    artifacts: tuple[WantedArtifact, ...] = ()

    def artifact(self, name: str) -> WantedArtifact | None:
        """What is asked of the artifact of that name; None when the template does not know it."""
        for artifact in self.artifacts:
            if artifact.name == name:
                return artifact
        return None


def parse(text: str) -> Template:
    """The template that `text` writes down; `InvalidInput` with line and column if it does not."""
    try:
        size = len(text.encode())
    except UnicodeEncodeError as fault:
        raise InvalidInput(
            "The template holds half a character (a lone surrogate). Send it as UTF-8.", field="template"
        ) from fault
    if size > TEMPLATE_BYTES_MAX:
        raise TooLarge(f"The template has {size} bytes. Keep it to {TEMPLATE_BYTES_MAX}.")
    try:
        return _template(_document(text))
    except YAMLError as fault:
        raise _not_yaml(fault, text) from fault


def to_json(template: Template) -> dict[str, Any]:
    """`{"trail": [[name, type, line], …], "artifacts": [[name, [[name, type, line], …], line], …]}`.

    Lists instead of objects, because an entry carries this next to the text and has 65,535 bytes for both.
    """
    return {
        "trail": [[wanted.name, wanted.type, wanted.line] for wanted in template.trail],
        "artifacts": [
            [
                artifact.name,
                [[wanted.name, wanted.type, wanted.line] for wanted in artifact.attestations],
                artifact.line,
            ]
            for artifact in template.artifacts
        ],
    }


def from_json(value: dict[str, Any]) -> Template:
    """The template that `to_json` gave. Trusts it: only what `parse` accepted is ever stored."""
    return Template(
        tuple([Wanted(name, type_, line) for name, type_, line in value["trail"]]),
        tuple(
            [
                WantedArtifact(name, tuple([Wanted(*wanted) for wanted in attestations]), line)
                for name, attestations, line in value["artifacts"]
            ]
        ),
    )


def is_type(text: str) -> bool:
    """Whether this is a type that attestations have and templates ask for by name."""
    custom = text.startswith(CUSTOM) and TYPE_NAME.fullmatch(text[len(CUSTOM) :]) is not None
    return custom or text in TYPES


def missing_required_types(template: Template, required: Collection[str]) -> tuple[str, ...]:
    """Those of the organization's `required` types that the template asks for nowhere.

    `*` asks for no type in particular, so it stands for none of them.
    """
    asked = {wanted.type for wanted in template.trail}
    asked.update(wanted.type for artifact in template.artifacts for wanted in artifact.attestations)
    return tuple(type_ for type_ in required if type_ not in asked)


# --- what a template may say


def _template(document: "_Node") -> Template:
    keys = _keys_of(document, "a template", known=("version", "trail"), needed=("version",))
    version = keys["version"]
    if not isinstance(version, _Scalar) or version.kind != "int" or version.text != "1":
        _refuse(version, f"{_shown(version)} is not a version of the template language. Write `version: 1`.")
    if "trail" not in keys:
        return Template()
    trail = _keys_of(keys["trail"], "`trail`", known=("attestations", "artifacts"))
    return Template(
        _attestations(trail.get("attestations"), "`trail.attestations`"),
        _items(trail.get("artifacts"), "`trail.artifacts`", _artifact),
    )


def _artifact(item: "_Node") -> WantedArtifact:
    keys = _keys_of(item, "an artifact", known=("name", "attestations"), needed=("name",))
    name = _name(keys["name"], "artifact", TEMPLATE_ARTIFACT_NAME.pattern, TEMPLATE_ARTIFACT_NAME.fullmatch)
    return WantedArtifact(name, _attestations(keys.get("attestations"), f"`{name}.attestations`"), item.line)


def _attestations(node: "_Node | None", place: str) -> tuple[Wanted, ...]:
    return _items(node, place, _wanted)


def _wanted(item: "_Node") -> Wanted:
    keys = _keys_of(item, "an attestation", known=("name", "type"), needed=("name", "type"))
    name = _name(keys["name"], "attestation", ATTESTATION_NAME.pattern, ATTESTATION_NAME.fullmatch)
    return Wanted(name, _type(keys["type"]), item.line)


def _type(node: "_Node") -> str:
    text = _text(node, "type")
    if text != ANY_TYPE and not is_type(text):
        known = ", ".join(TYPES)
        _refuse(node, f"{_shown(node)} is not an attestation type. Use one of: {known}, custom:NAME, or '*' for any.")
    return text


def _name(node: "_Node", what: str, pattern: str, matches: Callable[[str], object]) -> str:
    text = _text(node, "name")
    if not matches(text):
        _refuse(node, f"{_shown(node)} is not a valid {what} name. Use a text that matches ^{pattern}$.")
    return text


def _text(node: "_Node", key: str) -> str:
    if not isinstance(node, _Scalar):
        _refuse(node, f"`{key}` must be a text, and this is {_shown(node)}. Write one name.")
    if node.kind == "null":
        _refuse(node, f"`{key}` is empty. Write a text.")
    if node.kind != "str":
        _refuse(node, f"`{key}` must be a text, and {_shown(node)} reads as {node.kind}. Put it in quotes.")
    return node.text


def _items(node: "_Node | None", place: str, read: Callable[["_Node"], T]) -> tuple[T, ...]:
    """The items of a list, none named twice; an absent list is an empty one."""
    if node is None:
        return ()
    if not isinstance(node, _Sequence):
        _refuse(
            node,
            f"{place} must be a list, and this is {_shown(node)}. Begin each item with `- `, or write [] for none.",
        )
    found: dict[str, T] = {}
    for item in node.items:
        read_item = read(item)
        first = found.setdefault(read_item.name, read_item)
        if first is not read_item:
            _refuse(item, f"{place} asks for `{first.name}` twice, first in line {first.line}. Keep one of them.")
    return tuple(found.values())


def _keys_of(node: "_Node", what: str, *, known: tuple[str, ...], needed: tuple[str, ...] = ()) -> "dict[str, _Node]":
    """What stands under each key; refuses keys that are unknown, doubled or absent."""
    listed = ", ".join(known)
    if not isinstance(node, _Mapping):
        _refuse(node, f"{what.capitalize()} must be a mapping, and this is {_shown(node)}. Its keys are: {listed}.")
    found: dict[str, _Node] = {}
    for key, value in node.pairs:
        if not isinstance(key, _Scalar) or key.text not in known:
            _refuse(key, f"{_shown(key)} is not a key of {what}. Known keys: {listed}.")
        if key.text in found:
            _refuse(key, f"The key `{key.text}` is there twice. Keep one of them.")
        found[key.text] = value
    for key_name in needed:
        if key_name not in found:
            _refuse(
                node, f"{what.capitalize()} needs the key `{key_name}`, and here it is missing. Known keys: {listed}."
            )
    return found


# --- YAML, strictly: from text to nodes that know their place


@dataclass(frozen=True, slots=True)
class _Scalar:
    """`kind` is what YAML 1.2 takes it for: str, int, float, bool or null (`timestamp` and the like are texts to us)."""

    text: str
    kind: str
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class _Sequence:
    items: "tuple[_Node, ...]"
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class _Mapping:
    pairs: "tuple[tuple[_Node, _Node], ...]"
    line: int
    column: int


_Node = _Scalar | _Sequence | _Mapping
_PLAIN_KINDS: Final = ("int", "float", "bool", "null")


class _ShallowScanner(Scanner):
    """Stops at too deep a nest of brackets: 64 KiB of `[` would otherwise occupy the scanner for minutes."""

    def fetch_flow_collection_start(self, token_class: Any, to_push: str) -> None:
        if self.flow_level >= DEPTH_MAX:
            raise ScannerError(None, None, "the brackets are nested deeper than any template", self.reader.get_mark())
        super().fetch_flow_collection_start(token_class, to_push)


def _document(text: str) -> _Node:
    """The one document in `text`."""
    yaml = YAML(typ="safe", pure=True)
    yaml.Scanner = _ShallowScanner
    events = yaml.parse(text)
    root: _Node | None = None
    for event in events:
        if not isinstance(event, DocumentStartEvent):
            continue
        if root is not None:
            _refuse_at(event, "A second document begins here. A template is one YAML document; remove the rest.")
        root = _node(next(events), events, yaml.resolver, depth=1)
    if root is None:
        raise InvalidInput("The template is empty. Write at least `version: 1`.", field="template", line=1, column=1)
    return root


def _node(event: Any, events: Iterator[Any], resolver: Any, *, depth: int) -> _Node:
    """The node that `event` begins, with all below it taken from `events`."""
    if isinstance(event, AliasEvent) or event.anchor is not None:
        _refuse_at(
            event,
            "Anchors (&) and aliases (*) are not accepted. Write it out; if it is the any type, write '*' in quotes.",
        )
    if event.ctag is not None:
        _refuse_at(event, "Tags (!) are not accepted. Put a text that begins with ! in quotes.")
    if depth > DEPTH_MAX:
        _refuse_at(event, "This is nested deeper than any template. Check the indentation.")
    line, column = event.start_mark.line + 1, event.start_mark.column + 1
    if isinstance(event, ScalarEvent):
        kind = str(resolver.resolve(ScalarNode, event.value, event.implicit)).rpartition(":")[2]
        return _Scalar(event.value, kind if kind in _PLAIN_KINDS else "str", line, column)
    below: list[_Node] = []
    while not isinstance(following := next(events), MappingEndEvent | SequenceEndEvent):
        below.append(_node(following, events, resolver, depth=depth + 1))
    if isinstance(event, MappingStartEvent):
        return _Mapping(tuple(zip(below[::2], below[1::2], strict=True)), line, column)
    return _Sequence(tuple(below), line, column)


def _shown(node: _Node) -> str:
    """A node as a refusal names it."""
    if isinstance(node, _Mapping):
        return "a mapping"
    if isinstance(node, _Sequence):
        return "a list"
    if node.kind == "null":
        return "an empty value"
    return f"`{node.text if len(node.text) <= 80 else node.text[:77] + '...'}`"


def _refuse(node: _Node, sentence: str) -> NoReturn:
    raise _invalid(sentence, line=node.line, column=node.column)


def _refuse_at(event: Any, sentence: str) -> NoReturn:
    raise _invalid(sentence, line=event.start_mark.line + 1, column=event.start_mark.column + 1)


def _invalid(sentence: str, *, line: int, column: int) -> InvalidInput:
    return InvalidInput(
        f"Template line {line}, column {column}: {sentence}", field="template", line=line, column=column
    )


def _not_yaml(fault: YAMLError, text: str) -> InvalidInput:
    """The library's complaint as a refusal."""
    if isinstance(fault, ReaderError):
        before = text[: fault.position]
        place = {"line": before.count("\n") + 1, "column": len(before) - (before.rfind("\n") + 1) + 1}
        return _invalid("YAML does not allow this control character. Remove it.", **place)
    if not isinstance(fault, MarkedYAMLError) or fault.problem_mark is None:
        return InvalidInput(f"The template is not YAML: {fault}. Correct it.", field="template")
    mark = fault.problem_mark
    remedy = "Put '*' in quotes" if fault.context == "while scanning an alias" else "Correct it"
    return _invalid(f"This is not YAML: {fault.problem}. {remedy}.", line=mark.line + 1, column=mark.column + 1)
