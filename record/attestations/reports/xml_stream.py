"""XML that a stranger sent: streamed past a target, with the line and column of whatever is refused.

Document types, and with them entities and external references, are refused (`defusedxml` over expat); so is nesting
deeper than 50. A target sees `start`, `data` and `end` and may raise `XmlRefused`; nothing is kept that it does not keep itself.
"""

from collections.abc import Mapping
from typing import Any, Final, NoReturn, Protocol
from xml.etree.ElementTree import ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

from record.attestations.reports.result import check_size
from record.refusals import MalformedReport

DEPTH_MAX: Final = 50
_CHUNK: Final = 64 * 1024


class XmlRefused(Exception):  # noqa: N818 (leaves the parser's callback; turned into a refusal with its place)
    """The document is XML, but not one that is read. The text completes `… is refused at line 1, column 2: `."""


class Target(Protocol):
    """What is called for every element. `path` holds the names from the root down, without namespaces."""

    def start(self, path: list[str], namespace: str, attributes: Mapping[str, str]) -> None: ...

    def data(self, text: str) -> None: ...

    def end(self, path: list[str]) -> None: ...


class _Walk:
    """Between expat and the target: keeps the path, and its length within the limit."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.data = target.data
        self.path: list[str] = []

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        namespace, _, name = tag.rpartition("}")
        self.path.append(name)
        if len(self.path) > DEPTH_MAX:
            raise XmlRefused(f"elements are nested deeper than {DEPTH_MAX}. Make the report flatter")
        self.target.start(self.path, namespace[1:], attributes)

    def end(self, tag: str) -> None:
        self.target.end(self.path)
        self.path.pop()

    def close(self) -> None:
        """The document is complete; the target was told everything on the way."""


def stream(data: bytes, target: Target, *, which: str = "The report") -> None:
    """Walks the whole document past `target`, or refuses it. `which` names the file in the refusal."""
    check_size(data)
    parser = DefusedXMLParser(target=_Walk(target), forbid_dtd=True)
    try:
        for offset in range(0, len(data), _CHUNK):
            parser.feed(data[offset : offset + _CHUNK])
        parser.close()
    except ParseError as error:
        line, column = error.position
        reason = str(error).partition(":")[0]
        _refuse(
            which, f"it is not well-formed XML: {reason}. Remove control characters and send it whole", line, column + 1
        )
    except DefusedXmlException:
        _refuse(which, "it declares a document type or entities. Send it without <!DOCTYPE>", *_place(parser))
    except XmlRefused as error:
        _refuse(which, str(error), *_place(parser))
    except (LookupError, ValueError):
        _refuse(which, "its text encoding is not known. Save it as UTF-8", *_place(parser))


def _place(parser: Any) -> tuple[int, int]:
    return parser.parser.CurrentLineNumber, parser.parser.CurrentColumnNumber + 1


def _refuse(which: str, what: str, line: int, column: int) -> NoReturn:
    raise MalformedReport(
        f"{which} is refused at line {line}, column {column}: {what}.", line=line, column=column
    ) from None
