"""A small organization with a past, recorded through the API as pipelines would: what the console's tests look at.

Two services are delivered. One is in production and complete; the other runs there although its tests failed, which is what makes
production red. Staging runs something that nobody reported as deployed.
"""

import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

FLOW = "payment-api"
TEMPLATE = """\
version: 1
trail:
  attestations:
    - {name: pull-request, type: generic}
  artifacts:
    - name: backend
      attestations:
        - {name: unit-tests, type: junit}
        - {name: security-scan, type: sarif}
"""
POLICY = """\
version: 1
artifacts:
  provenance: {required: true}
  trail-compliance: {required: true}
  attestations:
    - {name: unit-tests, type: junit}
    - {name: security-scan, type: sarif}
"""
PASSED = b"""<?xml version="1.0"?><testsuites><testsuite name="payments">
<testcase classname="test_refunds" name="a refund is paid once" time="0.012"/>
<testcase classname="test_refunds" name="a refund names its payment" time="0.020"/>
<testcase classname="test_fees" name="fees are rounded to the cent" time="0.004"/></testsuite></testsuites>"""
FAILED = b"""<?xml version="1.0"?><testsuites><testsuite name="payments">
<testcase classname="test_refunds" name="a refund is paid once" time="0.012">
<failure message="expected 1 payment, got 2 &lt;script&gt;alert(1)&lt;/script&gt;">AssertionError</failure></testcase>
<testcase classname="test_fees" name="fees are rounded to the cent" time="0.004"/></testsuite></testsuites>"""


def sarif(*findings: tuple[str, str, str]) -> bytes:
    """A scanner's report with these findings: level, rule, message."""
    results = [
        {
            "ruleId": rule,
            "level": level,
            "message": {"text": said},
            "locations": [
                {"physicalLocation": {"artifactLocation": {"uri": "app/refunds.py"}, "region": {"startLine": 7}}}
            ],
        }
        for level, rule, said in findings
    ]
    run = {"tool": {"driver": {"name": "semgrep", "version": "1.2"}}, "results": results}
    return json.dumps({"version": "2.1.0", "runs": [run]}).encode()


class Writer:
    """Records through one key. A refusal fails the test with its sentence."""

    def __init__(self, url: str, key: str) -> None:
        self.http = httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=60)

    def ask(self, document: str, **variables: Any) -> dict[str, Any]:
        answer = self.http.post("/graphql", json={"query": document, "variables": variables}).json()
        assert "errors" not in answer, answer
        data: dict[str, Any] = answer["data"]
        return data

    def write(self, mutation: str, kind: str, /, *, returning: str = "", **given: Any) -> dict[str, Any]:
        document = (
            f"mutation($input: {kind}!) {{ answer: {mutation}(input: $input) "
            f"{{ __typename ... on Refusal {{ message }} {returning} }} }}"
        )
        answer: dict[str, Any] = self.ask(document, input=given)["answer"]
        assert "message" not in answer, f"{mutation}: {answer}"
        return answer

    def upload(self, data: bytes, name: str, media_type: str) -> dict[str, str]:
        digest = hashlib.sha256(data).hexdigest()
        stored = self.http.put(f"/evidence/sha256:{digest}", content=data, headers={"content-type": media_type})
        assert stored.status_code in (200, 201), stored.text
        return {"digest": digest, "fileName": name, "mediaType": media_type}


def fingerprint_of(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def deliver(
    writer: Writer, trail: str, message: str, *, tests: bytes | None, scan: bytes | None, pull: bool = True
) -> str:
    """One trail with its artifact and evidence; gives the artifact's fingerprint."""
    sha = hashlib.sha1(trail.encode()).hexdigest()
    commit = {"sha": sha, "message": message, "author": "Ada Lovelace <ada@acme.example>", "branch": "main"}
    writer.write(
        "beginTrail", "BeginTrailInput", flow=FLOW, name=trail, commit=commit, originUrl="https://git.example/pull/7"
    )
    fingerprint = fingerprint_of(trail)
    if pull:
        about = {"flow": FLOW, "trail": trail, "name": "pull-request"}
        review = writer.upload(
            json.dumps({"number": 7, "approvedBy": ["grace"]}).encode(), "pull-request.json", "application/json"
        )
        writer.write(
            "attestGeneric",
            "AttestGenericInput",
            **about,
            compliant=True,
            description="reviewed by grace",
            evidence=[review],
        )
    writer.write(
        "reportArtifact",
        "ReportArtifactInput",
        flow=FLOW,
        trail=trail,
        templateName="backend",
        fingerprint=fingerprint,
        name="payment-api",
        kind="oci",
        commit=commit,
        buildUrl="https://ci.example/builds/42",
    )
    about = {"flow": FLOW, "trail": trail, "fingerprint": fingerprint}
    if tests is not None:
        results = [writer.upload(tests, "junit.xml", "application/xml")]
        writer.write("attestJunit", "AttestJunitInput", **about, name="unit-tests", results=results)
    if scan is not None:
        report = writer.upload(scan, "semgrep.sarif", "application/sarif+json")
        writer.write("attestSarif", "AttestScanInput", **about, name="security-scan", report=report)
    return fingerprint


def build(writer: Writer) -> None:
    """Records all of it. Each step is a request, as it would be from a pipeline."""
    writer.write(
        "createFlow", "CreateFlowInput", name=FLOW, description="Takes payments and gives refunds", template=TEMPLATE
    )
    writer.write("createFlow", "CreateFlowInput", name="ledger-export", description="Nightly export for the bank")
    writer.write(
        "createEnvironment",
        "CreateEnvironmentInput",
        name="production",
        type="K8S",
        description="What customers meet",
        cadenceSeconds=86400,
    )
    writer.write("createEnvironment", "CreateEnvironmentInput", name="staging", type="K8S")
    writer.write("createEnvironment", "CreateEnvironmentInput", name="sandbox", type="DOCKER")
    writer.write(
        "createPolicy",
        "CreatePolicyInput",
        name="production-gate",
        document=POLICY,
        description="What may meet customers",
    )
    writer.write("attachPolicy", "PolicyAttachmentInput", policy="production-gate", environment="production")
    writer.write("addPerson", "AddPrincipalInput", name="grace", grants=[{"role": "APPROVER"}])
    good = deliver(writer, "v1.0", "Pay refunds once\n\nAnd never twice.", tests=PASSED, scan=sarif())
    low = sarif(("note", "python.style.long-line", "This line is long"))
    bad = deliver(writer, "v1.1", "Round fees to the cent", tests=FAILED, scan=low)
    next_one = deliver(writer, "v1.2", "Name the payment in each refund", tests=None, scan=None, pull=False)
    other = fingerprint_of("redis")
    snapshot(writer, "staging", (good, "payment-api", 1))
    deployed(writer, "production", good)
    snapshot(writer, "production", (good, "payment-api", 2))
    deployed(writer, "production", bad)
    snapshot(writer, "production", (good, "payment-api", 1), (bad, "payment-api", 2))
    snapshot(writer, "staging", (good, "payment-api", 1), (other, "redis", 1))
    frame(writer)
    ask_approval(writer, next_one, "Bank wants it before Friday")
    ends = (datetime.now(UTC) + timedelta(days=5)).isoformat()
    writer.write(
        "requestWaiver",
        "RequestWaiverInput",
        environment="staging",
        fingerprint=other,
        name="redis",
        reason="the cache",
        expiresAt=ends,
    )


def frame(writer: Writer) -> None:
    """A framework of two controls, one of them mapped, and a notice that nobody receives."""
    controls = [
        {"control": "CC8.1", "title": "Changes are authorized, tested and approved", "section": "Change management"},
        {"control": "CC7.1", "title": "Vulnerabilities are looked for", "section": "Operations"},
    ]
    writer.write("createFramework", "CreateFrameworkInput", name="soc2", title="SOC 2", controls=controls)
    tested = {"attestation": {"name": "unit-tests", "type": "junit"}}
    writer.write("mapControl", "MapControlInput", framework="soc2", control="CC8.1", requirements=[tested])
    writer.write(
        "createNotice",
        "CreateNoticeInput",
        name="red-production",
        channel="WEBHOOK",
        triggers=["KEY_EXPIRING"],
        url="https://hooks.example.com/muniment",
    )


def ask_approval(writer: Writer, fingerprint: str, why: str) -> str:
    """A request to put it into production; its id."""
    asked = writer.write(
        "requestApproval",
        "RequestApprovalInput",
        returning="... on ApprovalRecorded { approval { id } }",
        environment="production",
        fingerprint=fingerprint,
        name="payment-api",
        description=why,
    )
    found: str = asked["approval"]["id"]
    return found


def deployed(writer: Writer, environment: str, fingerprint: str) -> None:
    writer.write(
        "reportDeployment",
        "ReportDeploymentInput",
        environment=environment,
        fingerprint=fingerprint,
        deployedBy="grace",
    )


def snapshot(writer: Writer, environment: str, *members: tuple[str, str, int]) -> None:
    running = [{"fingerprint": fingerprint, "name": name, "instances": count} for fingerprint, name, count in members]
    writer.write("reportSnapshot", "ReportSnapshotInput", environment=environment, members=running)
