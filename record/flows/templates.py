"""A flow's template: YAML in, what a trail must contain out, or a refusal that names the line and the column.

A template is written by strangers and judged by for years, so it is read strictly (`record.strict_yaml`), known keys only.
Every item keeps its line, because a verdict's reason says which line asked.

`template.schema.json` beside this file says the same for editors; a test holds the two together. It cannot say one
thing: that no name is asked for twice in one place.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from record.ids import ATTESTATION_NAME, TEMPLATE_ARTIFACT_NAME, TYPE_NAME
from record.strict_yaml import Node, Scalar, items_of, keys_of, read, refuse, shown, text_of

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
    return read(text, noun="template", meaning=_template)


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


def _template(document: Node) -> Template:
    keys = keys_of(document, "a template", known=("version", "trail"), needed=("version",))
    version = keys["version"]
    if not isinstance(version, Scalar) or version.kind != "int" or version.text != "1":
        refuse(version, f"{shown(version)} is not a version of the template language. Write `version: 1`.")
    if "trail" not in keys:
        return Template()
    trail = keys_of(keys["trail"], "`trail`", known=("attestations", "artifacts"))
    return Template(
        _attestations(trail.get("attestations"), "`trail.attestations`"),
        _items(trail.get("artifacts"), "`trail.artifacts`", _artifact),
    )


def _artifact(item: Node) -> WantedArtifact:
    keys = keys_of(item, "an artifact", known=("name", "attestations"), needed=("name",))
    name = _name(keys["name"], "artifact", TEMPLATE_ARTIFACT_NAME.pattern, TEMPLATE_ARTIFACT_NAME.fullmatch)
    return WantedArtifact(name, _attestations(keys.get("attestations"), f"`{name}.attestations`"), item.line)


def _attestations(node: Node | None, place: str) -> tuple[Wanted, ...]:
    return _items(node, place, _wanted)


def _wanted(item: Node) -> Wanted:
    keys = keys_of(item, "an attestation", known=("name", "type"), needed=("name", "type"))
    name = _name(keys["name"], "attestation", ATTESTATION_NAME.pattern, ATTESTATION_NAME.fullmatch)
    return Wanted(name, _type(keys["type"]), item.line)


def _type(node: Node) -> str:
    text = text_of(node, "type").text
    if text != ANY_TYPE and not is_type(text):
        known = ", ".join(TYPES)
        refuse(node, f"{shown(node)} is not an attestation type. Use one of: {known}, custom:NAME, or '*' for any.")
    return text


def _name(node: Node, what: str, pattern: str, matches: Callable[[str], object]) -> str:
    text = text_of(node, "name").text
    if not matches(text):
        refuse(node, f"{shown(node)} is not a valid {what} name. Use a text that matches ^{pattern}$.")
    return text


def _items(node: Node | None, place: str, meaning: Callable[[Node], T]) -> tuple[T, ...]:
    """The items of a list, none named twice; an absent list is an empty one."""
    if node is None:
        return ()
    found: dict[str, T] = {}
    for item in items_of(node, place):
        read_item = meaning(item)
        first = found.setdefault(read_item.name, read_item)
        if first is not read_item:
            refuse(item, f"{place} asks for `{first.name}` twice, first in line {first.line}. Keep one of them.")
    return tuple(found.values())
