"""Makes the hostile and broken reports beside this file: `python tests/assets/make.py`. A test compares them with this page.

Each file is named for what is wrong with it. Nothing here is random, so making them again changes nothing.
"""

import base64
import json
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

HERE = Path(__file__).parent
ARTIFACT = "aa" * 32
SOMETHING_ELSE = "bb" * 32
BUILDER = Ed25519PrivateKey.from_private_bytes(b"\x01" * 32)
STRANGER = Ed25519PrivateKey.from_private_bytes(b"\x02" * 32)
STATEMENT = {
    "_type": "https://in-toto.io/Statement/v1",
    "subject": [{"name": "service.whl", "digest": {"sha256": ARTIFACT}}],
    "predicateType": "https://slsa.dev/provenance/v1",
    "predicate": {
        "buildDefinition": {"buildType": "https://build.example/make/v1", "externalParameters": {}},
        "runDetails": {"builder": {"id": "https://build.example/runner"}},
    },
}


def public_pem(key: Ed25519PrivateKey) -> str:
    """The public half, as an organization registers it."""
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def envelope(
    payload: bytes,
    *,
    key: Ed25519PrivateKey = BUILDER,
    payload_type: str = "application/vnd.in-toto+json",
    signed: bytes | None = None,
    url_safe: bool = False,
) -> dict[str, Any]:
    """A DSSE envelope of `payload`, signed over `signed` (the payload itself, unless a test wants a forgery)."""
    covered = payload if signed is None else signed
    message = b"DSSEv1 %d %s %d %s" % (len(payload_type), payload_type.encode(), len(covered), covered)
    encode = base64.urlsafe_b64encode if url_safe else base64.b64encode
    return {
        "payloadType": payload_type,
        "payload": encode(payload).decode(),
        "signatures": [{"keyid": "", "sig": encode(key.sign(message)).decode()}],
    }


def sarif(*results: dict[str, Any], **run: Any) -> dict[str, Any]:
    """A SARIF log of one run."""
    return {"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "scanner"}}, "results": list(results), **run}]}


def cyclonedx(sha256: str) -> dict[str, Any]:
    """A small valid bill of materials of the thing with that digest."""
    component = {"type": "file", "name": "service.whl", "hashes": [{"alg": "SHA-256", "content": sha256}]}
    return {"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1, "metadata": {"component": component}}


def build() -> dict[str, bytes]:
    """Every file by its name."""
    return {**_junit(), **_sarif(), **_sbom(), **_provenance()}


def _junit() -> dict[str, bytes]:
    suite = "<testsuite name='s' tests='1'><testcase name='t'/></testsuite>"
    levels = "".join(f"<!ENTITY e{n} '{f'&e{n - 1};' * 10}'>" for n in range(1, 10))
    texts = {
        "junit_entity_bomb.xml": f"<!DOCTYPE x [<!ENTITY e0 'boom'>{levels}]><testsuite name='&e9;'/>",
        "junit_external_entity.xml": "<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><testsuite name='&e;'/>",
        "junit_remote_doctype.xml": f"<!DOCTYPE testsuite SYSTEM 'http://127.0.0.1:9/junit.dtd'>{suite}",
        "junit_nested_too_deep.xml": "<testsuite>" * 60 + "</testsuite>" * 60,
        "junit_raw_escape_character.xml": "<testsuite>\n<testcase name='\x1b[31mred'/></testsuite>",
        "junit_cut_off.xml": "<testsuite tests='2'><testcase name='a'/>\n<testcase name='b'",
        "junit_claims_failures_without_cases.xml": "<testsuites><testsuite name='s' tests='3' failures='2'/>"
        + suite
        + "</testsuites>",
        "junit_totals_hide_a_failure.xml": "<testsuite name='s' tests='9' failures='0'>"
        "<testcase classname='pkg' name='t'><failure message='broken'/></testcase></testsuite>",
        "junit_error_outside_of_cases.xml": "<testsuite name='s'><testcase name='t'/><error message='set-up'/></testsuite>",
        "junit_no_tests.xml": "<testsuites tests='0'/>",
        "junit_all_skipped.xml": "<testsuite><testcase name='t'><skipped/></testcase></testsuite>",
        "junit_line_turned_around.xml": "<testsuite><testcase name='a\u202eb'><failure message='c\u2028d'/></testcase></testsuite>",
    }
    return {name: text.encode() for name, text in texts.items()}


def _sarif() -> dict[str, bytes]:
    error = {"ruleId": "R1", "level": "error", "message": {"text": "bad"}}
    waved = [{"kind": "external", "justification": "agreed"}]
    texts = {
        "sarif_key_twice.sarif": '{"version": "2.1.0",\n "runs": [], "version": "2.1.0"}',
        "sarif_nan.sarif": '{"version": "2.1.0", "runs": [NaN]}',
        "sarif_infinite_by_exponent.sarif": '{"version": "2.1.0", "runs": [1e999]}',
        "sarif_nested_too_deep.sarif": '{"version": "2.1.0", "runs": ' + "[" * 5000 + "]" * 5000 + "}",
        "sarif_nul_in_text.sarif": '{"version": "2.1.0", "runs": ["a\\u0000b"]}',
        "sarif_half_a_surrogate.sarif": '{"version": "2.1.0", "runs": ["a\\ud800b"]}',
        "sarif_cut_off.sarif": '{"version": "2.1.0", "runs": [',
    }
    logs = {
        "sarif_run_failed.sarif": sarif(invocations=[{"executionSuccessful": False}]),
        "sarif_did_not_scan.sarif": {"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "scanner"}}}]},
        "sarif_no_runs.sarif": {"version": "2.1.0", "runs": []},
        "sarif_results_elsewhere.sarif": sarif(
            externalPropertyFileReferences={"results": [{"location": {"uri": "r.json"}}]}
        ),
        "sarif_suppression_under_review.sarif": sarif(
            {**error, "suppressions": [{"kind": "external", "status": "underReview"}]}
        ),
        "sarif_suppressed.sarif": sarif({**error, "suppressions": waved}),
        "sarif_level_unknown.sarif": sarif({**error, "level": "catastrophe"}),
        "sarif_old_version.sarif": {"version": "1.0.0", "runs": []},
    }
    return {name: text.encode() for name, text in texts.items()} | {name: _json(log) for name, log in logs.items()}


def _sbom() -> dict[str, bytes]:
    xml = "<bom xmlns='http://cyclonedx.org/schema/bom/1.6' version='1'>"
    return {
        "sbom_of_this_artifact.json": _json(cyclonedx(ARTIFACT)),
        "sbom_of_something_else.json": _json(cyclonedx(SOMETHING_ELSE)),
        "sbom_not_by_its_schema.json": _json({**cyclonedx(ARTIFACT), "components": [{"type": "library"}]}),
        "sbom_of_an_unknown_version.json": _json({**cyclonedx(ARTIFACT), "specVersion": "9.9"}),
        "sbom_external_entity.xml": (
            "<!DOCTYPE bom [<!ENTITY e SYSTEM 'file:///etc/passwd'>]>" + xml + "<components>&e;</components></bom>"
        ).encode(),
        "sbom_not_by_its_schema.xml": (xml + "\n<component/></bom>").encode(),
    }


def _provenance() -> dict[str, bytes]:
    payload = _json(STATEMENT)
    other = _json({**STATEMENT, "subject": [{"name": "other", "digest": {"sha256": SOMETHING_ELSE}}]})
    twice = payload.replace(b'"_type"', b'"subject": [], "_type"', 1)
    return {
        "provenance_good.dsse.json": _json(envelope(payload)),
        "provenance_good_url_safe.dsse.json": _json(envelope(payload, url_safe=True)),
        "provenance_by_a_stranger.dsse.json": _json(envelope(payload, key=STRANGER)),
        "provenance_of_something_else.dsse.json": _json(envelope(other)),
        "provenance_payload_replaced.dsse.json": _json(envelope(payload, signed=other)),
        "provenance_not_in_toto.dsse.json": _json(envelope(payload, payload_type="text/plain")),
        "provenance_payload_key_twice.dsse.json": _json(envelope(twice)),
        "provenance_without_signature.dsse.json": _json({**envelope(payload), "signatures": []}),
        "provenance_signs_a_file.sigstore.json": _json(
            {"mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json", "messageSignature": {}}
        ),
    }


def _json(value: Any) -> bytes:
    return json.dumps(value, indent=1).encode() + b"\n"


if __name__ == "__main__":
    for name, data in build().items():
        (HERE / name).write_bytes(data)
