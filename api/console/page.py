"""What a page is: an address, a named GraphQL document (two at most) and a template, all found by the page's name.

A document's variables say what the page takes: each is looked for in the address, then in the query string, and read as its type
in the schema says. Four names are special: `at` and `size` are the moment that the visitor looks at, kept in every link; `first`,
`after`, `last`, `before` turn pages; `may...` tells the document what its visitor may do (`mayArchive`), so that it does not
ask for what would be refused; `derived` adds what only the page can work out.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from graphql import DocumentNode, ListTypeNode, NamedTypeNode, NonNullTypeNode, OperationDefinitionNode, TypeNode, parse
from starlette.datastructures import QueryParams

from api.graphql.nodes import global_id
from record.access.rules import Action, Caller
from record.refusals import InvalidInput

PAGES: Final = Path(__file__).parent / "pages"
DOCUMENTS_MAX: Final = 2
MOMENT: Final = ("at", "size")
"""Parameters that say as of when the visitor looks. Every link of a page carries them on."""
_TURNING: Final = ("first", "after", "last", "before")
_WHOLE_NUMBERS: Final = frozenset({"Int", "LedgerSize", "EntryIndex"})
_TRUE: Final = frozenset({"1", "true", "on", "yes"})
_RIGHTS: Final[Mapping[str, Action]] = {f"may{action.name.capitalize()}": action for action in Action}

Derived = Callable[[Mapping[str, str]], dict[str, Any]]
Follows = Callable[[Mapping[str, Any], Mapping[str, str]], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Document:
    """One named question, as it stands in its file, and the type of each of its variables."""

    name: str
    text: str
    variables: Mapping[str, tuple[str, bool]]
    """By name: the named type, and whether it is a list."""

    @classmethod
    def read(cls, path: Path) -> "Document":
        text = path.read_text()
        operation = _operation(parse(text), path)
        declared = operation.variable_definitions or ()
        return cls(path.stem, text, {each.variable.name.value: _named(each.type) for each in declared})


@dataclass(frozen=True, slots=True)
class Page:
    """A page of an organization. `path` is below `/o/<organization>`."""

    name: str
    path: str
    title: str
    """With names of the address in braces."""
    section: str = ""
    """The part of the navigation that it belongs to."""
    subject: str | None = None
    """The field of `record` without which there is no such page, with dots on the way to it."""
    otherwise: str | None = None
    """Another field of `record` that is enough for the page when its subject is not there."""
    rows: int = 50
    """How many a turn of the page shows."""
    newest_last: bool = False
    """Whether the end of the list is what is looked at first."""
    derived: Derived = lambda given: {}
    follows: Follows | None = None
    """What the second document is asked, once the first is answered. Without it both are asked at once."""
    documents: tuple[Document, ...] = field(init=False)

    def __post_init__(self) -> None:
        files = sorted((PAGES / self.name).glob("*.graphql"), key=lambda path: (path.stem != self.name, path.stem))
        assert 1 <= len(files) <= DOCUMENTS_MAX, f"{self.name} has {len(files)} documents; one or two make a page"
        object.__setattr__(self, "documents", tuple(Document.read(path) for path in files))

    @property
    def template(self) -> str:
        return f"{self.name}/{self.name}.html"

    @property
    def has_moment(self) -> bool:
        """Whether it can be looked at as it stood."""
        return all(name in self.documents[0].variables for name in MOMENT)

    def variables(
        self,
        document: Document,
        address: Mapping[str, str],
        query: QueryParams,
        caller: Caller,
        answered: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """The document's variables for this address and this visitor. Refuses texts that are not what they should be.

        `answered`: what the first document's answer was, for the second that follows it.
        """
        given = {**dict(query), **address}
        derived = {"me": global_id("Principal", caller.principal_id), **self.derived(given)}
        if self.follows is not None and answered is not None:
            derived |= self.follows(answered, given)
        found: dict[str, Any] = {}
        for name, (kind, is_list) in document.variables.items():
            if name in _TURNING:
                continue
            if name in derived:
                found[name] = derived[name]
            elif name in _RIGHTS:
                found[name] = caller.may(_RIGHTS[name])
            elif is_list:
                if texts := [text for text in query.getlist(name) if text]:
                    found[name] = texts
            elif given.get(name):
                found[name] = _value(name, kind, given[name])
        return found | self._turn(document, query)

    def _turn(self, document: Document, query: QueryParams) -> dict[str, Any]:
        if "first" not in document.variables:
            return {}
        if before := query.get("before"):
            return {"last": self.rows, "before": before}
        after = query.get("after")
        if self.newest_last and not after:
            return {"last": self.rows}
        return {"first": self.rows} | ({"after": after} if after else {})


def moment_in(query: QueryParams) -> dict[str, str]:
    """As of when the visitor looks, as links carry it on. An instant without a zone is one in UTC: browsers' fields have none."""
    found = {name: query[name].strip() for name in MOMENT if query.get(name, "").strip()}
    if "at" in found:
        found["at"] = instant_from(found["at"])
    return found


def instant_from(text: str) -> str:
    """An instant as a person or a browser's field writes it, as RFC 3339."""
    text = text.strip().replace(" ", "T")
    if text.endswith("Z") or "+" in text or text.count("-") > 2:
        return text
    if len(text) == len("2026-11-22"):
        text += "T00:00"
    return text + (":00Z" if text.count(":") == 1 else "Z")


def _value(name: str, kind: str, text: str) -> Any:
    if kind in _WHOLE_NUMBERS:
        if not (text.isascii() and text.isdecimal() and len(text) <= 16):
            raise InvalidInput(f"{text[:40]!r} is not a whole number. Give {name} in decimal digits.", field=name)
        return int(text)
    if kind == "Boolean":
        return text.lower() in _TRUE
    if kind == "DateTime":
        return instant_from(text)
    return text


def _operation(document: DocumentNode, path: Path) -> OperationDefinitionNode:
    operations = [each for each in document.definitions if isinstance(each, OperationDefinitionNode)]
    assert len(operations) == 1, f"{path} holds {len(operations)} operations; a document is one"
    assert operations[0].name is not None, f"{path} has no name"
    return operations[0]


def _named(kind: TypeNode) -> tuple[str, bool]:
    is_list = False
    while not isinstance(kind, NamedTypeNode):
        is_list |= isinstance(kind, ListTypeNode)
        assert isinstance(kind, (ListTypeNode, NonNullTypeNode))
        kind = kind.type
    return kind.name.value, is_list
