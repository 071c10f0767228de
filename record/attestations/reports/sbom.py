"""A bill of materials in, whether it can be read and is about this artifact out.

CycloneDX (JSON 1.2 to 1.7, XML 1.0 to 1.7) is checked by its published schema, SPDX (JSON 2.2, 2.3 and JSON-LD 3.0) by the
shape that its text demands; one that fails is refused. A document that names a SHA-256 of its subject must name the artifact's:
otherwise it is a good SBOM of something else, recorded as not compliant. Nothing is fetched from anywhere.
"""

from record.attestations.reports import cyclonedx, spdx
from record.attestations.reports.bill import Bill
from record.attestations.reports.result import JsonValue, ReportResult, check_size, counted, plain
from record.attestations.reports.strict_json import parse
from record.ids import Fingerprint
from record.refusals import MalformedReport

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def read_sbom(data: bytes, *, fingerprint: Fingerprint | None) -> ReportResult:
    """Compliant when the document is valid and, if it names a SHA-256 of its subject, that is `fingerprint`.

    On a trail there is no fingerprint (None) and nothing to compare.
    """
    bill = _bill(data)
    named = bill.subject_sha256
    matches = fingerprint in named if named and fingerprint is not None else None
    summary: dict[str, JsonValue] = {
        "format": bill.bill_format,
        "spec_version": bill.version,
        "components": bill.components,
        "created": plain(bill.created, 40),
        "tools": [plain(tool, 80) for tool in bill.tools[:10]],
        "subject": {"name": plain(bill.subject_name), "version": plain(bill.subject_version)},
        "subject_sha256": [plain(digest, 64) for digest in named[:10]],
        "subject_matches": matches,
    }
    return ReportResult.of(
        compliant=matches is not False, summary=summary, explanation=_explanation(bill, fingerprint, matches)
    )


def _bill(data: bytes) -> Bill:
    check_size(data)
    if data.removeprefix(_BYTE_ORDER_MARK).lstrip()[:1] == b"<":
        return cyclonedx.bill_of_xml(data)
    document = parse(data)
    if isinstance(document, dict):
        if document.get("bomFormat") == "CycloneDX":
            return cyclonedx.bill_of_json(document)
        if "spdxVersion" in document:
            return spdx.bill_of_version_2(document)
        if "@graph" in document:
            return spdx.bill_of_version_3(document)
    raise MalformedReport(
        "The document is neither CycloneDX nor SPDX: it has no bomFormat, spdxVersion or @graph. "
        "Send CycloneDX (JSON or XML) or SPDX (JSON)."
    )


def _explanation(bill: Bill, fingerprint: Fingerprint | None, matches: bool | None) -> str:
    what = f"{bill.bill_format} {bill.version} with {counted(bill.components, 'component')}"
    if matches:
        return f"{what}, about this artifact."
    if matches is False:
        return f"{what}, but about something else: its subject has sha256 {bill.subject_sha256[0]}, not {fingerprint}."
    if bill.subject_sha256:
        return f"{what}, about sha256 {bill.subject_sha256[0]}; attested on no artifact, so nothing was compared."
    return f"{what}; it names no sha256 of its subject."
