"""CycloneDX, JSON and XML: checked by the schemas that `cyclonedx-python-lib` carries, then read for subject and size.

The schemas come from that package's files and refer only to one another, so validation never touches a network. JSON is checked by
`jsonschema-rs` and XML by lxml's XSD, after the same bytes went through `xml_stream`, which refuses what is hostile.
Texts like URLs are not checked for their inner format: real tools write odd ones, and no verdict hangs on them.
"""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from cyclonedx.schema import SchemaVersion
from cyclonedx.schema._res import BOM_JSON, BOM_XML, CRYPTOGRAPHY_DEFS, JSF, SPDX_JSON
from jsonschema_rs import Registry, Validator, validator_for
from lxml import etree  # type: ignore[import-untyped]

from record.attestations.reports.bill import Bill
from record.attestations.reports.result import plain, shortened
from record.attestations.reports.shape import an_object, maybe_list, maybe_object, maybe_text, some_text
from record.attestations.reports.strict_json import Parsed
from record.attestations.reports.xml_stream import XmlRefused, stream
from record.refusals import MalformedReport

_SCHEMAS: Final = "http://cyclonedx.org/schema/"
_NAMESPACE: Final = "http://cyclonedx.org/schema/bom/"
_SUBJECT: Final = ["bom", "metadata", "component"]
_TOOLS: Final = ["bom", "metadata", "tools"]


def bill_of_json(document: dict[str, Parsed]) -> Bill:
    """The bill of a parsed CycloneDX document, valid by its version's schema."""
    version = some_text(document.get("specVersion"))
    error = next(_json_validator(_known(version, BOM_JSON)).iter_errors(document), None)
    if error is not None:
        place = "".join(f"/{step}" for step in error.instance_path) or "/"
        raise MalformedReport(
            f"The SBOM is not valid CycloneDX {version} at {plain(place)}: {shortened(error.message)}. "
            "Have the tool write a valid document.",
            field=place,
        )
    metadata = maybe_object(document.get("metadata"), "/metadata")
    subject = maybe_object(metadata.get("component"), "/metadata/component")
    hashes = [
        an_object(given, "/metadata/component/hashes") for given in maybe_list(subject.get("hashes"), "/metadata")
    ]
    return Bill(
        bill_format="CycloneDX",
        version=version,
        components=_count(document),
        created=some_text(metadata.get("timestamp")),
        tools=_json_tools(metadata.get("tools")),
        subject_name=some_text(subject.get("name")),
        subject_version=some_text(subject.get("version")),
        subject_sha256=tuple(
            maybe_text(given.get("content"), "/metadata/component/hashes").lower()
            for given in hashes
            if given.get("alg") == "SHA-256"
        ),
    )


def bill_of_xml(data: bytes) -> Bill:
    """The bill of a CycloneDX XML file, valid by its version's schema."""
    reading = _XmlReading()
    stream(data, reading, which="The SBOM")
    schema = _xml_schema(_known(reading.version, BOM_XML))
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        valid = schema.validate(etree.fromstring(data, parser))
        fault = None if valid else schema.error_log[0]
    except etree.XMLSyntaxError as error:
        fault = error.error_log[0] if error.error_log else None
        valid = False
    if not valid:
        line, said = (fault.line, fault.message) if fault else (1, "it cannot be read")
        raise MalformedReport(
            f"The SBOM is not valid CycloneDX {reading.version} at line {line}: {plain(said)}. "
            "Have the tool write a valid document.",
            line=line,
        )
    return Bill(
        bill_format="CycloneDX",
        version=reading.version,
        components=reading.components,
        created=reading.texts.get("timestamp", ""),
        tools=tuple(reading.tools),
        subject_name=reading.texts.get("name", ""),
        subject_version=reading.texts.get("version", ""),
        subject_sha256=tuple(reading.sha256),
    )


class _XmlReading:
    """Picks the subject and the count of components out of the stream."""

    def __init__(self) -> None:
        self.version = ""
        self.components = 0
        self.texts: dict[str, str] = {}
        self.tools: list[str] = []
        self.sha256: list[str] = []
        self.heard = ""
        self.hash_is_sha256 = False

    def start(self, path: list[str], namespace: str, attributes: Mapping[str, str]) -> None:
        if len(path) == 1:
            if path[0] != "bom" or not namespace.startswith(_NAMESPACE):
                raise XmlRefused(f"the root element is <{plain(path[0], 40)}>. Send CycloneDX, whose root is <bom>")
            self.version = namespace.removeprefix(_NAMESPACE)
        self.heard = ""
        self.hash_is_sha256 = attributes.get("alg") == "SHA-256"
        self.components += path[-1] == "component" and path[:2] == ["bom", "components"]

    def data(self, text: str) -> None:
        if len(self.heard) < 400:
            self.heard += text[:400]

    def end(self, path: list[str]) -> None:
        heard, self.heard = self.heard.strip(), ""
        if path[:3] == _SUBJECT:
            if path[3:] in (["name"], ["version"]):
                self.texts[path[3]] = heard
            elif path[3:] == ["hashes", "hash"] and self.hash_is_sha256:
                self.sha256.append(heard.lower())
        elif path == ["bom", "metadata", "timestamp"]:
            self.texts["timestamp"] = heard
        elif path[:3] == _TOOLS and path[-1] == "name" and path[-2] in ("tool", "component") and heard:
            self.tools.append(heard)


def _known(version: str, schemas: Mapping[SchemaVersion, str | None]) -> Path:
    path = {known.to_version(): file for known, file in schemas.items() if file}.get(version)
    if path is None:
        known = ", ".join(sorted(schema.to_version() for schema, file in schemas.items() if file))
        raise MalformedReport(
            f"The SBOM is CycloneDX {plain(version, 20) or 'without a version'}, which is not read here. Use one of {known}.",
            field="/specVersion",
        )
    return Path(path)


@cache
def _json_validator(path: Path) -> Validator:
    referenced = [
        (Path(str(file)), json.loads(Path(str(file)).read_bytes())) for file in (SPDX_JSON, JSF, CRYPTOGRAPHY_DEFS)
    ]
    resources = [(uri, schema) for file, schema in referenced for uri in {schema["$id"], _SCHEMAS + file.name}]
    schema = json.loads(path.read_bytes())
    return validator_for(schema, registry=Registry(resources), offline=True, validate_formats=False)


@cache
def _xml_schema(path: Path) -> Any:
    return etree.XMLSchema(etree.parse(path))


def _count(document: dict[str, Parsed]) -> int:
    """Components at every level. The schema has said that they are lists of objects."""
    total = 0
    waiting: list[Parsed] = [*maybe_list(document.get("components"), "/components")]
    while waiting:
        component = waiting.pop()
        total += 1
        if isinstance(component, dict):
            waiting += maybe_list(component.get("components"), "/components")
    return total


def _json_tools(tools: Parsed) -> tuple[str, ...]:
    """Names of the tools: a list up to 1.4, lists of components and services since."""
    if isinstance(tools, dict):
        given = maybe_list(tools.get("components"), "/metadata/tools") + maybe_list(
            tools.get("services"), "/metadata/tools"
        )
    else:
        given = maybe_list(tools, "/metadata/tools")
    described = [an_object(tool, "/metadata/tools") for tool in given]
    return tuple(f"{some_text(tool.get('name'))} {some_text(tool.get('version'))}".strip() for tool in described)
