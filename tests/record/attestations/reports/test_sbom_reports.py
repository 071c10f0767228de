"""Bills of materials: which formats are read, and that a good one of something else is not compliant."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from record.attestations.reports.sbom import read_sbom
from record.ids import Fingerprint
from record.refusals import MalformedReport
from tests.assets.make import ARTIFACT, SOMETHING_ELSE, cyclonedx

THIS = Fingerprint(ARTIFACT)
XML = (
    "<?xml version='1.0'?><bom xmlns='http://cyclonedx.org/schema/bom/1.6' version='1'><metadata>"
    "<timestamp>2026-01-02T03:04:05Z</timestamp><tools><components><component type='application'><name>t</name>"
    "</component></components></tools><component type='file'><name>service.whl</name><version>1</version><hashes>"
    "<hash alg='SHA-1'>0123456789012345678901234567890123456789</hash><hash alg='SHA-256'>{}</hash></hashes></component>"
    "</metadata><components><component type='library'><name>a</name><components><component type='library'><name>b</name>"
    "</component></components></component></components></bom>"
)


def spdx(sha256: str, **changes: Any) -> dict[str, Any]:
    return {
        "spdxVersion": "SPDX-2.3",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": "service",
        "dataLicense": "CC0-1.0",
        "documentNamespace": "https://sbom.example/1",
        "creationInfo": {"created": "2026-01-02T03:04:05Z", "creators": ["Tool: maker-1"]},
        "packages": [
            {
                "SPDXID": "SPDXRef-service",
                "name": "service",
                "downloadLocation": "NOASSERTION",
                "checksums": [{"algorithm": "SHA256", "checksumValue": sha256}],
            },
            {
                "SPDXID": "SPDXRef-part",
                "name": "part",
                "checksums": [{"algorithm": "SHA256", "checksumValue": "cc" * 32}],
            },
        ],
        "relationships": [
            {
                "spdxElementId": "SPDXRef-DOCUMENT",
                "relationshipType": "DESCRIBES",
                "relatedSpdxElement": "SPDXRef-service",
            }
        ],
        **changes,
    }


def spdx_3(sha256: str) -> dict[str, Any]:
    return {
        "@context": "https://spdx.org/rdf/3.0.1/spdx-context.jsonld",
        "@graph": [
            {"type": "CreationInfo", "@id": "_:c", "specVersion": "3.0.1", "created": "2026-01-02T03:04:05Z"},
            {"type": "SpdxDocument", "spdxId": "urn:d", "creationInfo": "_:c", "rootElement": ["urn:s"]},
            {"type": "software_Sbom", "spdxId": "urn:s", "rootElement": ["urn:p", "urn:s"]},
            {
                "type": "software_Package",
                "spdxId": "urn:p",
                "name": "service",
                "verifiedUsing": [{"type": "Hash", "algorithm": "sha256", "hashValue": sha256}],
            },
        ],
    }


FORMATS: dict[str, Callable[[str], bytes]] = {
    "cyclonedx json": lambda sha256: json.dumps(cyclonedx(sha256)).encode(),
    "cyclonedx xml": lambda sha256: XML.format(sha256).encode(),
    "spdx 2.3": lambda sha256: json.dumps(spdx(sha256)).encode(),
    "spdx 3.0": lambda sha256: json.dumps(spdx_3(sha256)).encode(),
}


@pytest.mark.parametrize("make", FORMATS.values(), ids=FORMATS.keys())
def test_an_sbom_of_this_artifact_is_compliant(make: Callable[[str], bytes]) -> None:
    result = read_sbom(make(ARTIFACT.upper()), fingerprint=THIS)

    assert result.compliant
    assert result.summary["subject_matches"] is True
    assert result.summary["subject_sha256"] == [ARTIFACT]


@pytest.mark.parametrize("make", FORMATS.values(), ids=FORMATS.keys())
def test_an_sbom_of_something_else_is_recorded_as_not_compliant(make: Callable[[str], bytes]) -> None:
    result = read_sbom(make(SOMETHING_ELSE), fingerprint=THIS)

    assert not result.compliant
    assert f"its subject has sha256 {SOMETHING_ELSE}, not {ARTIFACT}" in result.explanation


@pytest.mark.parametrize("make", FORMATS.values(), ids=FORMATS.keys())
def test_on_a_trail_there_is_nothing_to_compare(make: Callable[[str], bytes]) -> None:
    result = read_sbom(make(SOMETHING_ELSE), fingerprint=None)

    assert result.compliant
    assert result.summary["subject_matches"] is None


def test_components_inside_of_components_are_counted() -> None:
    assert read_sbom(XML.format(ARTIFACT).encode(), fingerprint=THIS).summary["components"] == 2


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("sbom_not_by_its_schema.json", "at /components/0"),
        ("sbom_of_an_unknown_version.json", "'9.9'|9.9"),
        ("sbom_external_entity.xml", "DOCTYPE"),
        ("sbom_not_by_its_schema.xml", "line 2"),
    ],
)
def test_what_fails_its_schema_is_refused_with_the_place(asset: Callable[[str], bytes], name: str, word: str) -> None:
    with pytest.raises(MalformedReport, match=word):
        read_sbom(asset(name), fingerprint=THIS)


@pytest.mark.parametrize(
    "changes",
    [
        {"spdxVersion": "SPDX-1.2"},
        {"SPDXID": "SPDXRef-other"},
        {"name": None},
        {"creationInfo": {}},
        {"packages": {}},
        {"packages": [{"SPDXID": "no", "name": "n"}]},
        {"packages": [{"SPDXID": "SPDXRef-a", "name": "n"}] * 2},
        {"relationships": [{}]},
    ],
)
def test_spdx_of_the_wrong_shape_is_refused_by_pointer(changes: dict[str, Any]) -> None:
    with pytest.raises(MalformedReport) as refusal:
        read_sbom(json.dumps(spdx(ARTIFACT, **changes)).encode(), fingerprint=THIS)

    assert str(refusal.value.field).startswith("/")


@pytest.mark.parametrize("data", [b"{}", b"[]", b"<html/>", b"SPDXVersion: SPDX-2.3", b""])
def test_what_is_no_sbom_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedReport):
        read_sbom(data, fingerprint=THIS)


@pytest.mark.parametrize(
    ("name", "components"),
    [("cyclonedx-1.5", 250), ("cyclonedx-1.6", 8), ("spdx-alpine", 3), ("spdx-container", 2)],
)
def test_real_documents_are_read(corpus: Callable[[str], bytes], name: str, components: int) -> None:
    result = read_sbom(corpus(f"sbom/{name}.json"), fingerprint=THIS)

    assert result.compliant
    assert result.summary["components"] == components
    assert result.summary["subject_matches"] is None


@pytest.mark.parametrize("name", ["csaf", "openvex"])
def test_a_real_vex_document_is_no_sbom(corpus: Callable[[str], bytes], name: str) -> None:
    with pytest.raises(MalformedReport, match="neither CycloneDX nor SPDX"):
        read_sbom(corpus(f"vex/{name}.json"), fingerprint=THIS)
