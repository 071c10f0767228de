"""SPDX in JSON, 2.2 and 2.3 and the JSON-LD of 3.0: the shape that the text demands, then subject and size.

The subject is what the document describes: `documentDescribes` and DESCRIBES relationships in version 2, the document's
root elements in version 3. The check is our own and not `spdx-tools`', which refuses documents that syft and others really write
(fractions of a second, files without checksums).
"""

import re
from typing import Final

from record.attestations.reports.bill import Bill
from record.attestations.reports.result import plain
from record.attestations.reports.shape import a_list, a_text, an_object, maybe_list, maybe_object, maybe_text, some_text
from record.attestations.reports.strict_json import Parsed
from record.refusals import MalformedReport

_VERSIONS: Final = ("SPDX-2.2", "SPDX-2.3")
_DOCUMENT: Final = "SPDXRef-DOCUMENT"
_ELEMENT_ID: Final = re.compile(r"SPDXRef-[A-Za-z0-9.-]+")
_CONTEXT: Final = re.compile(r"https://spdx\.org/rdf/3\.0(\.[0-9]+)?/spdx-context\.jsonld")


def bill_of_version_2(document: dict[str, Parsed]) -> Bill:
    """The bill of a parsed SPDX 2 document."""
    version = a_text(document.get("spdxVersion"), "/spdxVersion")
    if version not in _VERSIONS:
        raise MalformedReport(
            f"The SBOM is {plain(version, 20)!r}. Use one of {', '.join(_VERSIONS)}, or SPDX 3.0 in JSON-LD.",
            field="/spdxVersion",
        )
    if a_text(document.get("SPDXID"), "/SPDXID") != _DOCUMENT:
        raise MalformedReport(f"/SPDXID must be {_DOCUMENT}. Have the tool write a valid document.", field="/SPDXID")
    name = a_text(document.get("name"), "/name")
    for key in ("dataLicense", "documentNamespace"):
        a_text(document.get(key), f"/{key}")
    creation = an_object(document.get("creationInfo"), "/creationInfo")
    creators = a_list(creation.get("creators"), "/creationInfo/creators")
    packages = _elements(document, "packages")
    elements = {**_elements(document, "files"), **packages}
    described = [elements[identity] for identity in _described(document) if identity in elements]
    first = described[0] if described else {}
    return Bill(
        bill_format="SPDX",
        version=version.removeprefix("SPDX-"),
        components=len(packages),
        created=a_text(creation.get("created"), "/creationInfo/created"),
        tools=tuple(creator[6:] for creator in creators if isinstance(creator, str) and creator.startswith("Tool: ")),
        subject_name=some_text(first.get("name"), first.get("fileName"), name),
        subject_version=some_text(first.get("versionInfo")),
        subject_sha256=tuple(digest for element in described for digest in _checksums(element)),
    )


def bill_of_version_3(document: dict[str, Parsed]) -> Bill:
    """The bill of a parsed SPDX 3.0 JSON-LD document. The context is recognised by name and never fetched."""
    context = maybe_text(document.get("@context"), "/@context")
    if not _CONTEXT.fullmatch(context):
        raise MalformedReport(
            f"/@context is {plain(context, 80)!r}. Send SPDX 3.0, whose context is "
            "https://spdx.org/rdf/3.0.1/spdx-context.jsonld.",
            field="/@context",
        )
    graph = [
        an_object(given, f"/@graph/{index}") for index, given in enumerate(a_list(document.get("@graph"), "/@graph"))
    ]
    by_id = {
        identity: element for element in graph if (identity := some_text(element.get("spdxId"), element.get("@id")))
    }
    documents = [element for element in graph if element.get("type") == "SpdxDocument"]
    if len(documents) != 1:
        raise MalformedReport(
            f"/@graph has {len(documents)} elements of type SpdxDocument. Send a document with exactly one.",
            field="/@graph",
        )
    roots = _roots(documents[0], by_id)
    creation = documents[0].get("creationInfo")
    creation = by_id.get(creation) if isinstance(creation, str) else creation
    first = roots[0] if roots else {}
    return Bill(
        bill_format="SPDX",
        version=some_text((maybe_object(creation, "/creationInfo")).get("specVersion"), "3.0"),
        components=sum(element.get("type") == "software_Package" for element in graph),
        created=some_text(maybe_object(creation, "/creationInfo").get("created")),
        tools=tuple(some_text(element.get("name")) for element in graph if element.get("type") == "Tool"),
        subject_name=some_text(first.get("name"), documents[0].get("name")),
        subject_version=some_text(first.get("software_packageVersion")),
        subject_sha256=tuple(digest for element in roots for digest in _verified_using(element)),
    )


def _elements(document: dict[str, Parsed], key: str) -> dict[str, dict[str, Parsed]]:
    """Packages or files by their SPDXID, which must be well-formed and unique."""
    found: dict[str, dict[str, Parsed]] = {}
    for index, value in enumerate(maybe_list(document.get(key), f"/{key}")):
        place = f"/{key}/{index}"
        element = an_object(value, place)
        identity = a_text(element.get("SPDXID"), f"{place}/SPDXID")
        a_text(element.get("name") if key == "packages" else element.get("fileName"), f"{place}/name")
        if not _ELEMENT_ID.fullmatch(identity) or identity in found:
            raise MalformedReport(
                f"{place}/SPDXID is {plain(identity, 80)!r}, which is not a new SPDXRef- identifier. "
                "Have the tool write a valid document.",
                field=f"{place}/SPDXID",
            )
        found[identity] = element
    return found


def _described(document: dict[str, Parsed]) -> list[str]:
    """Identifiers of what the document says that it describes, each once, in order."""
    found = [
        a_text(given, "/documentDescribes")
        for given in maybe_list(document.get("documentDescribes"), "/documentDescribes")
    ]
    for index, value in enumerate(maybe_list(document.get("relationships"), "/relationships")):
        place = f"/relationships/{index}"
        relationship = an_object(value, place)
        kind = a_text(relationship.get("relationshipType"), f"{place}/relationshipType")
        source = a_text(relationship.get("spdxElementId"), f"{place}/spdxElementId")
        target = a_text(relationship.get("relatedSpdxElement"), f"{place}/relatedSpdxElement")
        if kind == "DESCRIBES" and source == _DOCUMENT:
            found.append(target)
        elif kind == "DESCRIBED_BY" and target == _DOCUMENT:
            found.append(source)
    return list(dict.fromkeys(found))


def _checksums(element: dict[str, Parsed]) -> list[str]:
    given = [an_object(value, "checksums") for value in maybe_list(element.get("checksums"), "checksums")]
    return [some_text(value.get("checksumValue")).lower() for value in given if value.get("algorithm") == "SHA256"]


def _roots(document: dict[str, Parsed], by_id: dict[str, dict[str, Parsed]]) -> list[dict[str, Parsed]]:
    """The document's root elements; a root that is itself a bill of materials stands for its own roots."""
    found: list[dict[str, Parsed]] = []
    seen: set[str] = set()
    waiting = _references(document)
    while waiting:
        identity = waiting.pop(0)
        element = by_id.get(identity)
        if element is None or identity in seen:
            continue
        seen.add(identity)
        if element.get("type") in ("software_Sbom", "Bom"):
            waiting += _references(element)
        else:
            found.append(element)
    return found


def _references(element: dict[str, Parsed]) -> list[str]:
    return [a_text(value, "rootElement") for value in maybe_list(element.get("rootElement"), "rootElement")]


def _verified_using(element: dict[str, Parsed]) -> list[str]:
    methods = [an_object(value, "verifiedUsing") for value in maybe_list(element.get("verifiedUsing"), "verifiedUsing")]
    return [some_text(method.get("hashValue")).lower() for method in methods if method.get("algorithm") == "sha256"]
