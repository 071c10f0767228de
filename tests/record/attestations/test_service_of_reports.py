"""Reports over a real record: files from the vault, read by the server, judged, refused whole where they cannot be read."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from record.access.rules import Role
from record.artifacts import service as artifacts
from record.artifacts.service import ReportArtifact
from record.attestations import queries
from record.attestations.service import attest, signing_keys
from record.attestations.service.attest import About, File
from record.evidence import service as evidence
from record.ids import Digest
from record.ledger.entries import Receipt
from record.refusals import EvidenceNotStored, InvalidInput, MalformedReport, NotAllowed, NotFound
from tests.record.organizations import FINGERPRINT, Organization
from tests.record.signing import dsse, ed25519_pem, slsa_statement

ASSETS = Path(__file__).parents[2] / "assets"
CORPUS = Path(__file__).parents[4] / "shared" / "corpus"
ON_TRAIL = About("delivery", "t1", "tests")
ON_ARTIFACT = About("delivery", "t1", "tests", fingerprint=FINGERPRINT)


def asset(name: str) -> bytes:
    return (ASSETS / name).read_bytes()


def corpus(name: str) -> bytes:
    """A real report from another project."""
    if not (CORPUS / name).exists():
        pytest.skip(f"{CORPUS / name} is absent: this test of a real report did not run")
    return (CORPUS / name).read_bytes()


@pytest.fixture
async def ready(acme: Organization) -> Organization:
    """A trail with an artifact in it."""
    await acme.flow(acme.operator)
    await acme.trail(acme.operator)
    wish = ReportArtifact("delivery", "t1", "app", FINGERPRINT, "app.whl")
    await artifacts.report(acme.record, acme.operator, wish)
    return acme


async def junit(ready: Organization, *reports: bytes) -> Receipt:
    files = [await ready.file(ready.operator, data, f"r{place}.xml") for place, data in enumerate(reports)]
    return await attest.junit_results(ready.record, ready.operator, ON_TRAIL, reports=files)


async def scan(ready: Organization, tool: str, data: bytes, **more: Any) -> Receipt:
    file = await ready.file(ready.operator, data, "report.json")
    return await attest.scan(ready.record, ready.operator, ON_TRAIL, tool=tool, report=file, **more)


async def sbom(ready: Organization, data: bytes, *, about: About = ON_ARTIFACT) -> Receipt:
    file = await ready.file(ready.operator, data, "bom.json")
    return await attest.bill_of_materials(ready.record, ready.operator, about, report=file)


async def provenance(ready: Organization, envelope: bytes, *, about: About = ON_ARTIFACT) -> Receipt:
    file = await ready.file(ready.operator, envelope, "provenance.json")
    return await attest.provenance_statement(ready.record, ready.operator, about, envelope=file)


def result(receipt: Receipt) -> tuple[bool, str]:
    return receipt.body["result"]["compliant"], receipt.body["result"]["explanation"]


# --- test results


async def test_several_junit_reports_count_as_one(ready: Organization) -> None:
    one, two = corpus("junit/junit-passing.xml"), corpus("junit/pytest-report.xml")

    alone = [(await junit(ready, report)).body["result"]["summary"]["tests"] for report in (one, two)]
    receipt = await junit(ready, one, two)

    assert receipt.body["type"] == "junit"
    assert receipt.body["result"]["summary"]["tests"] == sum(alone)
    assert [file["name"] for file in receipt.body["evidence"]] == ["r0.xml", "r1.xml"]


@pytest.mark.parametrize("name", ["junit-passing", "pytest-report", "surefire-ancient", "delta-timestamp"])
async def test_real_junit_reports_are_read(ready: Organization, name: str) -> None:
    receipt = await junit(ready, corpus(f"junit/{name}.xml"))

    summary = receipt.body["result"]["summary"]
    assert summary["tests"] > 0
    assert result(receipt)[0] is (summary["failures"] == summary["errors"] == 0)


@pytest.mark.parametrize(
    "name", ["junit_entity_bomb.xml", "junit_external_entity.xml", "junit_cut_off.xml", "junit_nested_too_deep.xml"]
)
async def test_a_report_that_cannot_be_read_is_refused_and_its_evidence_stays(ready: Organization, name: str) -> None:
    file = await ready.file(ready.operator, asset(name), name)
    size = await ready.size()

    with pytest.raises(MalformedReport):
        await attest.junit_results(ready.record, ready.operator, ON_TRAIL, reports=[file])

    assert await ready.size() == size
    assert await evidence.find(ready.record, ready.operator, Digest(file.digest)) is not None


async def test_one_bad_report_among_good_ones_refuses_all(ready: Organization) -> None:
    with pytest.raises(MalformedReport):
        await junit(ready, corpus("junit/junit-passing.xml"), corpus("junit/invalid.xml"))


async def test_no_report_is_no_test_result(ready: Organization) -> None:
    with pytest.raises(InvalidInput, match="no JUnit report") as refused:
        await attest.junit_results(ready.record, ready.operator, ON_TRAIL, reports=[])

    assert refused.value.field == "results"


async def test_a_report_that_was_not_uploaded_is_refused(ready: Organization) -> None:
    with pytest.raises(EvidenceNotStored):
        await attest.junit_results(ready.record, ready.operator, ON_TRAIL, reports=[File("a" * 64, "x.xml")])


async def test_other_evidence_goes_along_with_the_report_and_is_not_read(ready: Organization) -> None:
    report = await ready.file(ready.operator, corpus("junit/junit-passing.xml"), "report.xml")
    log = await ready.file(ready.operator, b"\x00 no XML at all", "log.bin")

    receipt = await attest.junit_results(
        ready.record, ready.operator, replace(ON_TRAIL, evidence=(log, report)), reports=[report]
    )

    assert [file["name"] for file in receipt.body["evidence"]] == ["report.xml", "log.bin"]


# --- scans


@pytest.mark.parametrize(
    "name", ["sarif/report.sarif", "sarif/checkmarx.sarif", "sarif/control-chars.sarif", "snyk/snyk.sarif.json"]
)
async def test_real_sarif_reports_are_read(ready: Organization, name: str) -> None:
    receipt = await scan(ready, "sarif", corpus(name))

    assert receipt.body["type"] == "sarif"
    assert receipt.body["result"]["summary"]
    assert result(receipt)[1]


async def test_thresholds_decide_what_a_scan_may_find(ready: Organization) -> None:
    data = corpus("snyk/snyk-test.json")
    found = (await scan(ready, "snyk", data)).body["result"]["summary"]
    counts = {name: found[name] for name in ("critical", "high", "medium", "low")}
    anything = dict.fromkeys(counts)

    strict = await scan(ready, "snyk", data, thresholds=dict.fromkeys(counts, 0))
    exact = await scan(ready, "snyk", data, thresholds=counts)
    lax = await scan(ready, "snyk", data, thresholds=anything)

    assert sum(counts.values()) > 0
    assert [result(receipt)[0] for receipt in (strict, exact, lax)] == [False, True, True]


@pytest.mark.parametrize(
    "name", ["sarif_nan.sarif", "sarif_key_twice.sarif", "sarif_cut_off.sarif", "sarif_half_a_surrogate.sarif"]
)
async def test_a_scan_that_cannot_be_read_is_refused_with_its_place(ready: Organization, name: str) -> None:
    with pytest.raises(MalformedReport) as refused:
        await scan(ready, "sarif", asset(name))

    assert refused.value.line is not None


# --- bills of materials


@pytest.mark.parametrize(
    "name", ["cyclonedx-1.5.json", "cyclonedx-1.6.json", "spdx-alpine.json", "spdx-container.json"]
)
async def test_real_bills_of_materials_are_read(ready: Organization, name: str) -> None:
    receipt = await sbom(ready, corpus(f"sbom/{name}"), about=ON_TRAIL)

    assert receipt.body["type"] == "sbom"
    assert receipt.body["result"]["summary"]


async def test_a_bill_of_another_artifact_is_not_compliant(ready: Organization) -> None:
    compliant, explanation = result(await sbom(ready, asset("sbom_of_something_else.json")))

    assert not compliant
    assert explanation


# --- provenance


async def test_provenance_by_a_trusted_builder_about_the_artifact_is_compliant(ready: Organization) -> None:
    key, pem = ed25519_pem()
    await signing_keys.trust(ready.record, ready.operator, name="builder", pem=pem)

    receipt = await provenance(ready, dsse(slsa_statement(FINGERPRINT), key))

    assert result(receipt) == (True, "Signed by builder, about this artifact.")
    assert receipt.body["result"]["summary"]["trusted_keys"][0]["name"] == "builder"
    assert receipt.body["subject"]["fingerprint"] == FINGERPRINT


async def test_provenance_is_not_compliant_when_anything_is_amiss(ready: Organization) -> None:
    trusted, pem = ed25519_pem()
    stranger, _ = ed25519_pem()
    about_it = slsa_statement(FINGERPRINT)
    unregistered = await provenance(ready, dsse(about_it, trusted))
    await signing_keys.trust(ready.record, ready.operator, name="builder", pem=pem)

    by_a_stranger = await provenance(ready, dsse(about_it, stranger))
    about_another = await provenance(ready, dsse(slsa_statement("a" * 64), trusted))

    for receipt, told in (
        (unregistered, "No trusted key is registered"),
        (by_a_stranger, "No signature is by a registered key"),
        (about_another, "but about something else"),
    ):
        compliant, explanation = result(receipt)
        assert not compliant
        assert told in explanation


async def test_a_retired_key_signs_nothing_that_counts_and_what_it_signed_stays(ready: Organization) -> None:
    key, pem = ed25519_pem()
    envelope = dsse(slsa_statement(FINGERPRINT), key)
    await signing_keys.trust(ready.record, ready.operator, name="builder", pem=pem)
    before = await provenance(ready, envelope)
    await signing_keys.retire(ready.record, ready.operator, name="builder")

    after = await provenance(ready, envelope)
    await signing_keys.trust(ready.record, ready.operator, name="builder", pem=pem)
    again = await provenance(ready, envelope)

    assert [result(receipt)[0] for receipt in (before, after, again)] == [True, False, True]
    async with ready.record.database.connection(ready.org_id) as connection:
        seen = [
            [key.trusted for key in await queries.signing_keys(connection, await ready.moment(size))]
            for size in (before.index, after.index, again.index)
        ]
    assert seen == [[True], [False], [True]]


async def test_provenance_needs_an_artifact(ready: Organization) -> None:
    key, _ = ed25519_pem()

    with pytest.raises(InvalidInput, match="checked against an artifact's digest"):
        await provenance(ready, dsse(slsa_statement(FINGERPRINT), key), about=ON_TRAIL)


@pytest.mark.parametrize("name", ["oci-dsse.json", "slsa-provenance.sigstore.json", "witness-build.dsse.json"])
async def test_real_provenance_by_strangers_is_recorded_as_not_compliant(ready: Organization, name: str) -> None:
    receipt = await provenance(ready, corpus(f"provenance/{name}"))

    assert result(receipt)[0] is False


async def test_only_admins_say_whose_signature_counts(ready: Organization) -> None:
    will = await ready.hired("will", Role.WRITER)
    _, pem = ed25519_pem()

    with pytest.raises(NotAllowed):
        await signing_keys.trust(ready.record, will, name="builder", pem=pem)
    with pytest.raises(NotAllowed):
        await signing_keys.retire(ready.record, will, name="builder")


@pytest.mark.parametrize("pem", ["", "x", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "\ud83d"])
async def test_what_is_no_key_is_not_trusted(ready: Organization, pem: str) -> None:
    size = await ready.size()

    with pytest.raises(InvalidInput):
        await signing_keys.trust(ready.record, ready.operator, name="builder", pem=pem)
    with pytest.raises(NotFound):
        await signing_keys.retire(ready.record, ready.operator, name="builder")

    assert await ready.size() == size
