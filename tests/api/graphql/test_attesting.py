"""Attesting: one mutation for each type, each with its verdict and receipt; what cannot be read or named is refused whole."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from record.access.rules import Grant, Role
from record.clock import to_rfc3339
from tests.api.graphql.house import FINGERPRINT, Client, House
from tests.assets.make import ARTIFACT, BUILDER, public_pem

ASSETS: Final = Path(__file__).parents[2] / "assets"
PASSING: Final = b'<testsuite name="all" tests="2"><testcase name="one"/><testcase name="two"/></testsuite>'
FAILING: Final = b'<testsuite name="all" tests="1" failures="1"><testcase name="one"><failure/></testcase></testsuite>'
CLEAN: Final = b'{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"ruff"}},"results":[]}]}'
SNYK: Final = b'{"vulnerabilities":[{"id":"S","severity":"high"}],"ok":false}'
TRIVY: Final = (
    b'{"SchemaVersion":2,"Results":[{"Target":"x","Vulnerabilities":[{"VulnerabilityID":"C","Severity":"LOW"}]}]}'
)
ABOUT: Final[dict[str, Any]] = {"flow": "delivery", "trail": "build-1", "name": "check"}
SHOWN: Final = """id compliant explanation attestation { id name type typeVersion compliant explanation flowName
  trailName fingerprint templateName commit overrides expiresAt description originUrl attestedBy attestedAt
  entryIndex summary annotations userData externalUrls { label } evidence { digest fileName mediaType size url } }"""


@pytest.fixture
async def ready(house: House) -> House:
    """A trail with an artifact."""
    await house.delivery()
    await house.artifact(fingerprint=ARTIFACT)
    return house


async def file(client: Client, content: bytes, name: str = "report") -> dict[str, Any]:
    return {"digest": await client.upload(content), "fileName": name}


async def test_a_generic_attestation_comes_back_whole(ready: House) -> None:
    evidence = await file(ready.ada, b"a log", "log.txt")
    about = {"description": "Looked at.", "originUrl": "https://example.com/1", "annotations": {"a": "b"}}

    recorded = await ready.ada.done(
        "attestGeneric",
        SHOWN,
        **ABOUT,
        **about,
        userData={"n": 1},
        compliant=True,
        evidence=[evidence],
        fingerprint=ARTIFACT,
    )

    shown = recorded["attestation"]
    assert recorded["receipt"]["kind"] == "attestation.recorded"
    assert (recorded["compliant"], shown["compliant"], shown["type"]) == (True, True, "generic")
    assert (recorded["id"], recorded["receipt"]["index"]) == (shown["id"], shown["entryIndex"])
    assert {name: shown[name] for name in about} == about
    assert (shown["fingerprint"], shown["attestedBy"], shown["userData"]) == (ARTIFACT, "ada", {"n": 1})
    (shown_file,) = shown["evidence"]
    assert shown_file == evidence | {
        "mediaType": "text/plain",
        "size": 5,
        "url": f"/evidence/sha256:{evidence['digest']}",
    }
    assert (await ready.ada.get(shown_file["url"])).content == b"a log"


async def test_there_is_no_default_verdict(ready: House) -> None:
    async with ready.nothing_recorded():
        refused = await ready.ada.refused(
            'mutation { attestGeneric(input: {flow: "delivery", trail: "build-1", name: "x"}) { __typename } }'
        )

    assert "compliant" in refused["message"]


@pytest.mark.parametrize(
    ("mutation", "argument", "content", "compliant"),
    [
        ("attestJunit", "results", PASSING, True),
        ("attestJunit", "results", FAILING, False),
        ("attestSarif", "report", CLEAN, True),
        ("attestSnyk", "report", SNYK, False),
        ("attestTrivy", "report", TRIVY, True),
        ("attestSbom", "report", (ASSETS / "sbom_of_this_artifact.json").read_bytes(), True),
        ("attestSbom", "report", (ASSETS / "sbom_of_something_else.json").read_bytes(), False),
    ],
)
async def test_a_report_is_read_and_judged(
    ready: House, mutation: str, argument: str, content: bytes, compliant: bool
) -> None:
    report: Any = await file(ready.ada, content)

    recorded = await ready.ada.done(
        mutation, SHOWN, **ABOUT, fingerprint=ARTIFACT, **{argument: [report] if argument == "results" else report}
    )

    assert recorded["compliant"] is compliant, recorded["explanation"]
    assert recorded["attestation"]["type"] == mutation.removeprefix("attest").lower()
    assert recorded["attestation"]["summary"]
    assert [each["digest"] for each in recorded["attestation"]["evidence"]] == [report["digest"]]


async def test_thresholds_say_how_much_is_accepted(ready: House) -> None:
    report = await file(ready.ada, SNYK)

    lenient = await ready.ada.done("attestSnyk", SHOWN, **ABOUT, report=report, thresholds={"high": 1})
    strict = await ready.ada.done("attestSnyk", SHOWN, **ABOUT, report=report, thresholds={"high": 0})
    async with ready.nothing_recorded():
        refused = await ready.ada.do("attestSnyk", **ABOUT, report=report, thresholds={"high": -1})

    assert (lenient["compliant"], strict["compliant"], refused["code"]) == (True, False, "INVALID_INPUT")


async def test_provenance_counts_when_a_trusted_key_signed_it(ready: House) -> None:
    envelope = await file(ready.ada, (ASSETS / "provenance_good.dsse.json").read_bytes())
    about = {**ABOUT, "fingerprint": ARTIFACT, "envelope": envelope}

    before = await ready.ada.done("attestProvenance", SHOWN, **about)
    trusted = await ready.ada.done("trustSigningKey", "name keyId trusted", name="builder", pem=public_pem(BUILDER))
    signed = await ready.ada.done("attestProvenance", SHOWN, **about)
    retired = await ready.ada.done("retireSigningKey", "name keyId trusted", name="builder")
    after = await ready.ada.done("attestProvenance", SHOWN, **about)

    assert [each["compliant"] for each in (before, signed, after)] == [False, True, False]
    assert (trusted["trusted"], retired["trusted"], trusted["keyId"]) == (True, False, retired["keyId"])
    listed = await ready.ada.ask("{ record { signingKeys { name keyId trusted } } }")
    assert listed["record"]["signingKeys"] == [{"name": "builder", "keyId": trusted["keyId"], "trusted": False}]


async def test_a_custom_type_judges_by_its_schema_and_rules(ready: House) -> None:
    first = await ready.ada.done(
        "defineAttestationType",
        "version attestationType { name version rules jsonSchema }",
        name="coverage",
        jsonSchema={"type": "object", "required": ["lines"]},
        rules=[".lines >= 80"],
    )
    seen = [
        (await ready.ada.done("attestCustom", SHOWN, **ABOUT, typeName="coverage", data=data))["compliant"]
        for data in ({"lines": 80}, {"lines": 79}, {"rows": 1})
    ]
    second = await ready.ada.done("defineAttestationType", "version", name="coverage", rules=[".lines >= 90"])
    last = await ready.ada.done("attestCustom", SHOWN, **ABOUT, typeName="coverage", data={"lines": 85})

    assert first["attestationType"]["jsonSchema"] == {"type": "object", "required": ["lines"]}
    assert (first["version"], second["version"]) == (1, 2)
    assert (seen, last["compliant"]) == ([True, False, False], False)
    assert (last["attestation"]["type"], last["attestation"]["typeVersion"]) == ("custom:coverage", 2)


async def test_an_override_replaces_a_verdict_and_says_until_when(ready: House) -> None:
    await ready.attest("check", compliant=False)
    amy = await ready.hire("amy", Role.APPROVER)
    until = to_rfc3339(datetime.now(UTC) + timedelta(days=1))
    wish: dict[str, Any] = {
        **ABOUT,
        "name": "waiver",
        "overrides": "check",
        "compliant": True,
        "reason": "Known.",
        "expiresAt": until,
    }

    recorded = await amy.done("override", SHOWN, **wish)
    async with ready.nothing_recorded():
        not_hers = await ready.ada.do("override", **wish)
        past = await amy.do("override", **{**wish, "expiresAt": "2001-01-01T00:00:00Z"})
        silent = await amy.do("override", **{**wish, "reason": " "})

    shown = recorded["attestation"]
    assert (shown["type"], shown["overrides"], shown["expiresAt"]) == ("override", "check", until)
    assert not_hers["__typename"] == "NotAllowed"
    assert "approver" in not_hers["message"]
    assert [(each["code"], each["field"]) for each in (past, silent)] == [
        ("INVALID_INPUT", "expiresAt"),
        ("INVALID_INPUT", "reason"),
    ]


@pytest.mark.parametrize(
    ("mutation", "argument", "asset"),
    [
        ("attestJunit", "results", "junit_entity_bomb.xml"),
        ("attestJunit", "results", "junit_external_entity.xml"),
        ("attestJunit", "results", "junit_cut_off.xml"),
        ("attestSarif", "report", "sarif_nan.sarif"),
        ("attestSarif", "report", "sarif_key_twice.sarif"),
        ("attestSbom", "report", "sbom_external_entity.xml"),
        ("attestProvenance", "envelope", "provenance_payload_key_twice.dsse.json"),
    ],
)
async def test_a_report_that_cannot_be_read_is_refused_with_its_place(
    ready: House, mutation: str, argument: str, asset: str
) -> None:
    await ready.ada.done("trustSigningKey", name="builder", pem=public_pem(BUILDER))
    report: Any = await file(ready.ada, (ASSETS / asset).read_bytes())

    async with ready.nothing_recorded():
        refused = await ready.ada.do(
            mutation, **{**ABOUT, "fingerprint": ARTIFACT, argument: [report] if argument == "results" else report}
        )

    assert (refused["__typename"], refused["code"]) == ("MalformedReport", "MALFORMED_REPORT")
    assert refused["message"].endswith(".")


@pytest.mark.parametrize(
    ("wish", "kind"),
    [
        ({"flow": "nowhere"}, "NotFound"),
        ({"trail": "nothing"}, "NotFound"),
        ({"fingerprint": FINGERPRINT}, "NotFound"),
        ({"name": "a b"}, "InvalidInput"),
        ({"name": "a.b.c"}, "InvalidInput"),
        ({"commit": "nope"}, "InvalidInput"),
        ({"annotations": []}, "InvalidInput"),
        ({"originUrl": "x"}, "InvalidInput"),
        ({"evidence": [{"digest": "ab" * 32, "fileName": "x"}]}, "EvidenceNotStored"),
        ({"evidence": [{"digest": "ab" * 32, "fileName": ""}]}, "InvalidInput"),
        (
            {"evidence": [{"digest": "ab" * 32, "fileName": "x"}, {"digest": "cd" * 32, "fileName": "x"}]},
            "InvalidInput",
        ),
    ],
    ids=str,
)
async def test_an_attestation_that_may_not_be_is_refused(ready: House, wish: dict[str, Any], kind: str) -> None:
    async with ready.nothing_recorded():
        refused = await ready.ada.do("attestGeneric", **{**ABOUT, "compliant": True, **wish})

    assert refused["__typename"] == kind, refused


@pytest.mark.parametrize(
    ("mutation", "wish", "code"),
    [
        ("attestJunit", {**ABOUT, "results": []}, "INVALID_INPUT"),
        ("attestCustom", {**ABOUT, "typeName": "unknown", "data": {}}, "NOT_FOUND"),
        ("attestProvenance", {**ABOUT, "envelope": {"digest": "ab" * 32, "fileName": "x"}}, "INVALID_INPUT"),
        ("defineAttestationType", {"name": "a b", "rules": [".x"]}, "INVALID_INPUT"),
        ("defineAttestationType", {"name": "x"}, "INVALID_INPUT"),
        ("defineAttestationType", {"name": "x", "rules": [".[[["]}, "INVALID_INPUT"),
        ("defineAttestationType", {"name": "x", "jsonSchema": {"type": "nonsense"}}, "INVALID_INPUT"),
        ("trustSigningKey", {"name": "k", "pem": "nonsense"}, "INVALID_INPUT"),
        ("retireSigningKey", {"name": "unknown"}, "NOT_FOUND"),
    ],
)
async def test_what_cannot_be_used_is_refused(ready: House, mutation: str, wish: dict[str, Any], code: str) -> None:
    async with ready.nothing_recorded():
        refused = await ready.ada.do(mutation, **wish)

    assert refused["code"] == code, refused


async def test_evidence_of_another_organization_is_not_there(ready: House) -> None:
    stranger = await House.begin(ready.served, f"stranger-of-{ready.people.name}")
    theirs = await file(stranger.ada, b"secret of a stranger")

    async with ready.nothing_recorded():
        refused = await ready.ada.do("attestGeneric", **ABOUT, compliant=True, evidence=[theirs])

    assert refused["__typename"] == "EvidenceNotStored"


async def test_a_writer_of_another_flow_attests_nothing_here(ready: House) -> None:
    bob = await ready.hire("bob", Grant(Role.WRITER, flows=frozenset({"other"})))

    async with ready.nothing_recorded():
        refused = await bob.do("attestGeneric", **ABOUT, compliant=True)

    assert refused["__typename"] == "NotAllowed"
