"""The demo's runtime: what may run in production, who said so, what runs there, and what becomes of the answer past a gate."""

import time
from typing import Any

from embedded.demo.chapters import Delivery, failing_wheel
from embedded.demo.client import Client, DemoError
from embedded.demo.evidence import Commit, Evidence
from embedded.demo.telling import Teller

STAGING = "staging"
PRODUCTION = "production"
POLICY = "production-requirements"
JUDGED_PATIENCE_SECONDS = 15

DOCUMENT = """\
version: 1
artifacts:
  provenance: {required: true}
  trail-compliance: {required: true}
  attestations:
    - {name: unit-tests, type: junit, max-age: 30d}
  approvals: {min: 1, not-author: true}
"""

GATE = """
query Gate($fingerprint: Fingerprint!, $environment: String!) {
  record {
    assertArtifact(fingerprint: $fingerprint, environment: $environment) {
      ... on ArtifactAsserted {
        verdict {
          status
          reasons { explanation remedy outcome because { explanation remedy outcome because { explanation outcome } } }
        }
      }
      ... on ArtifactNotAsserted { obstacle explanation }
    }
  }
}"""

PRODUCTION_AT = """
query Production($name: String!, $size: LedgerSize) {
  record(size: $size) {
    size
    environment(name: $name) {
      running(first: 10) { nodes { name fingerprint since isKnown } }
      verdict { status reasons { explanation remedy outcome because { explanation remedy outcome } } }
      drift { kind name explanation }
      deployments(first: 1) { nodes { deployedBy approvals { approvedBy } commitsSince { commits { sha } } } }
    }
  }
}"""

JUDGEMENTS = """
query Judgements($name: String!) {
  record { environment(name: $name) { judgements(first: 10) { nodes { status latencySeconds reasons } } } }
}"""


def run(
    admin: Client, pipeline: Client, delivery: Delivery, made: Evidence, commits: list[Commit], tell: Teller
) -> None:
    """Two environments, a policy, an approval, deployments, a shadow change; fails unless each answer is as it should be."""
    cluster = _worker_of(admin, "cluster", "SNAPSHOTTER", "addServiceAccount")
    grace = _worker_of(admin, "grace", "APPROVER", "addPerson")
    _prepare(admin, tell)
    wheel = {"fingerprint": made.wheel_sha256, "name": made.wheel.name}
    _deploy(pipeline, cluster, STAGING, [wheel], tell)
    _expect_gate(pipeline, delivery.fingerprint, "INCOMPLETE", tell)
    _approve(pipeline, grace, wheel, commits[0], tell)
    _expect_gate(pipeline, delivery.fingerprint, "COMPLIANT", tell)
    _deploy(pipeline, cluster, PRODUCTION, [wheel], tell)
    size_before = _size(pipeline)
    failing = {"fingerprint": failing_wheel(delivery.failing), "name": f"{made.wheel.name} of {delivery.failing[:12]}"}
    _snapshot(cluster, PRODUCTION, [wheel, failing])
    tell.line("\n  Somebody starts the build with the failing test in production, past every gate:")
    _ask(pipeline, size_before, tell)
    _await_judgements(pipeline, tell)
    for each in (cluster, grace):
        each.close()


def _worker_of(admin: Client, name: str, role: str, mutation: str) -> Client:
    admin.write(mutation, "AddPrincipalInput", {"name": name, "grants": [{"role": role}]})
    issued = admin.write("issueKey", "IssueKeyInput", {"principal": name, "description": "the demo"}, returning="token")
    return admin.with_key(issued["token"])


def _prepare(admin: Client, tell: Teller) -> None:
    for name in (STAGING, PRODUCTION):
        at_once = {"name": name, "type": "SERVER", "graceSeconds": 0}
        admin.write("createEnvironment", "CreateEnvironmentInput", at_once)
    admin.write("createPolicy", "CreatePolicyInput", {"name": POLICY, "document": DOCUMENT})
    admin.write("attachPolicy", "PolicyAttachmentInput", {"policy": POLICY, "environment": PRODUCTION})
    tell.fact(f"environments `{STAGING}` and `{PRODUCTION}`, and a policy on the latter", detail=POLICY)


def _deploy(pipeline: Client, cluster: Client, environment: str, members: list[dict[str, str]], tell: Teller) -> None:
    """A pipeline says what it does, and the environment's own reporter says what runs there afterwards."""
    newest = members[-1]
    pipeline.write(
        "reportDeployment",
        "ReportDeploymentInput",
        {"environment": environment, "fingerprint": newest["fingerprint"], "name": newest["name"]},
    )
    number = _snapshot(cluster, environment, members)
    tell.fact(f"{newest['name']} is deployed to {environment}", detail=f"seen in {environment}#{number}")


def _snapshot(cluster: Client, environment: str, members: list[dict[str, str]]) -> int:
    reported = cluster.write(
        "reportSnapshot", "ReportSnapshotInput", {"environment": environment, "members": members}, returning="number"
    )
    number: int = reported["number"]
    return number


def _approve(pipeline: Client, grace: Client, wheel: dict[str, str], commit: Commit, tell: Teller) -> None:
    asked = pipeline.write(
        "requestApproval",
        "RequestApprovalInput",
        wheel
        | {
            "environment": PRODUCTION,
            "description": "Release it",
            "requestedFor": "ada",
            "commits": [{"sha": commit.sha, "author": commit.author, "message": commit.message}],
        },
        returning="approval { id }",
    )
    grace.write(
        "reviewApproval",
        "ReviewApprovalInput",
        {"id": asked["approval"]["id"], "decision": "APPROVE", "comment": "Looked at the changes; go ahead."},
    )
    tell.fact("grace approves what the pipeline asked for", detail="never the one who asks")


def _expect_gate(pipeline: Client, fingerprint: str, status: str, tell: Teller) -> None:
    answer = pipeline.ask(GATE, fingerprint=fingerprint, environment=PRODUCTION)["record"]["assertArtifact"]
    found = answer.get("verdict")
    if found is None:
        raise DemoError(f"The gate could not judge: {answer}")
    tell.verdict(f"may it run in {PRODUCTION}?", found["status"])
    tell.reasons(found["reasons"])
    if found["status"] != status:
        raise DemoError(f"The gate says {found['status']} and should say {status}.")


def _ask(pipeline: Client, size_before: int, tell: Teller) -> None:
    now, before = _production(pipeline, None), _production(pipeline, size_before)
    tell.verdict(PRODUCTION, now["verdict"]["status"])
    tell.reasons(now["verdict"]["reasons"])
    for drift in now["drift"]:
        tell.line(f"    {drift['kind'].replace('_', ' ').lower()}: {drift['explanation']}")
    tell.line(f"\n  The same question as of ledger size {size_before}:")
    tell.verdict(PRODUCTION, before["verdict"]["status"])
    names = [member["name"] for member in before["running"]["nodes"]]
    deployment = before["deployments"]["nodes"][0]
    approvers = sorted({who for each in deployment["approvals"] for who in each["approvedBy"]})
    tell.fact(f"what ran then: {', '.join(names)}", detail=f"approved by {', '.join(approvers)}")
    expected: tuple[Any, ...] = ("NON_COMPLIANT", "COMPLIANT", ["SHADOW_CHANGE"], [], ["grace"])
    found = (
        now["verdict"]["status"],
        before["verdict"]["status"],
        [drift["kind"] for drift in now["drift"]],
        before["drift"],
        approvers,
    )
    if found != expected:
        raise DemoError(f"Production is not as it should be: {found} instead of {expected}.")


def _production(pipeline: Client, size: int | None) -> dict[str, Any]:
    found: dict[str, Any] = pipeline.ask(PRODUCTION_AT, name=PRODUCTION, size=size)["record"]["environment"]
    return found


def _size(pipeline: Client) -> int:
    size: int = pipeline.ask("{ record { size } }")["record"]["size"]
    return size


def _await_judgements(pipeline: Client, tell: Teller) -> None:
    """The worker writes down when the verdict changed and why, without anyone asking."""
    deadline = time.monotonic() + JUDGED_PATIENCE_SECONDS
    while True:
        found = pipeline.ask(JUDGEMENTS, name=PRODUCTION)["record"]["environment"]["judgements"]["nodes"]
        if [each["status"] for each in found[:2]] == ["NON_COMPLIANT", "COMPLIANT"]:
            break
        if time.monotonic() > deadline:
            raise DemoError(f"The changes of the verdict were not recorded in {JUDGED_PATIENCE_SECONDS} s: {found}")
        time.sleep(0.1)
    tell.fact(
        "both changes are recorded as judgements", detail=f"{found[0]['latencySeconds']:.1f} s after their causes"
    )
