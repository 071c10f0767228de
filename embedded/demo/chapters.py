"""The demo's recording and asking: this repository's delivery, a business process, and verdicts now and then."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from embedded.demo import evidence
from embedded.demo.client import Client, DemoError
from embedded.demo.evidence import Commit, Evidence
from embedded.demo.telling import Teller

FLOW = "muniment-proof"
PROCESS = "prod-server-access"
SESSION = "ecs-execute-command-0199bb27be8f354b7"

TEMPLATE = """\
version: 1
trail:
  attestations:
    - {name: lint, type: sarif}
  artifacts:
    - name: wheel
      attestations:
        - {name: unit-tests, type: junit}
        - {name: bill-of-materials, type: sbom}
        - {name: wheel-facts, type: "custom:wheel-facts"}
"""

PROCESS_TEMPLATE = """\
version: 1
trail:
  attestations:
    - {name: user-identity, type: generic}
    - {name: service-identity, type: generic}
    - {name: command-logs, type: generic}
"""

VERDICTS = """
query Verdicts($flow: String!, $size: LedgerSize) {
  record(size: $size) {
    size
    flow(name: $flow) {
      trails(first: 10) {
        nodes {
          name
          verdict {
            status
            reasons { explanation remedy outcome because { explanation remedy outcome because { explanation remedy outcome } } }
          }
        }
      }
    }
  }
}"""


@dataclass(frozen=True, slots=True)
class Delivery:
    """What was recorded, and the ledger size before the decisive test report arrived."""

    complete: str
    failing: str
    incomplete: str
    fingerprint: str
    size_before_tests: int


def begin(admin: Client, url: str, tell: Teller) -> Client:
    """A service account with a key of its own: what a pipeline would be given."""
    admin.write(
        "addServiceAccount",
        "AddPrincipalInput",
        {"name": "pipeline", "grants": [{"role": "WRITER"}, {"role": "AUDITOR"}]},
    )
    issued = admin.write(
        "issueKey",
        "IssueKeyInput",
        {"principal": "pipeline", "description": "the demo's pipeline"},
        returning="token expiresAt",
    )
    tell.fact(
        "service account `pipeline` with a key", detail=f"{issued['token'][:8]}…, expires {issued['expiresAt'][:10]}"
    )
    return Client(url, issued["token"])


def record_delivery(pipeline: Client, made: Evidence, commits: list[Commit], tell: Teller) -> Delivery:
    """Trails for the latest commits; the newest is complete, the next has a failing report, the one before lacks most."""
    pipeline.write(
        "defineAttestationType",
        "DefineAttestationTypeInput",
        {
            "name": "wheel-facts",
            "description": "What a careful person checks of a wheel",
            "jsonSchema": evidence.TYPE_SCHEMA,
            "rules": evidence.TYPE_RULES,
        },
    )
    pipeline.write(
        "createFlow",
        "CreateFlowInput",
        {"name": FLOW, "description": "The wheel that verifies archives", "template": TEMPLATE},
    )
    tell.fact(f"flow `{FLOW}` with a template: lint; of the wheel tests, SBOM and facts")
    for commit in reversed(commits):
        pipeline.write("beginTrail", "BeginTrailInput", _trail(FLOW, commit))
    tell.fact(f"{len(commits)} trails, one for each of the latest commits")
    complete, failing, incomplete = (
        (commit.sha for commit in (commits * 3)[:3]) if len(commits) >= 3 else _names(pipeline, commits)
    )
    size_before_tests = _deliver(pipeline, made, complete, tell)
    _deliver_failing(pipeline, made, failing)
    lint = pipeline.upload(made.lint, media_type="application/sarif+json")
    pipeline.write(
        "attestSarif", "AttestScanInput", {"flow": FLOW, "trail": incomplete, "name": "lint", "report": lint}
    )
    tell.fact("a second trail with a failing report, a third that stays incomplete")
    return Delivery(complete, failing, incomplete, made.wheel_sha256, size_before_tests)


def record_process(pipeline: Client, folder: Path, tell: Teller) -> None:
    """A shell session on a production server: who, where, and what they did."""
    files = evidence.shell_session(folder, SESSION)
    pipeline.write(
        "createFlow",
        "CreateFlowInput",
        {"name": PROCESS, "description": "Shell access to production servers", "template": PROCESS_TEMPLATE},
    )
    pipeline.write(
        "beginTrail", "BeginTrailInput", {"flow": PROCESS, "name": SESSION, "description": "jon looks at runner"}
    )
    for name, file in files.items():
        pipeline.write(
            "attestGeneric",
            "AttestGenericInput",
            {"flow": PROCESS, "trail": SESSION, "name": name, "compliant": True, "evidence": [pipeline.upload(file)]},
        )
    tell.fact(f"trail `{SESSION}` in `{PROCESS}`", detail="user-identity, service-identity, command-logs")


def ask(pipeline: Client, delivery: Delivery, tell: Teller) -> int:
    """Verdicts now and as of an earlier size; fails unless they differ as they should. Returns the ledger's size."""
    now = _verdicts(pipeline, FLOW, None)
    then = _verdicts(pipeline, FLOW, delivery.size_before_tests)
    expected = {
        delivery.complete: "COMPLIANT",
        delivery.failing: "NON_COMPLIANT",
        delivery.incomplete: "INCOMPLETE",
    }
    for name, status in expected.items():
        found = now["trails"][name]
        tell.verdict(f"trail {name[:12]}", found["status"])
        tell.reasons(found["reasons"])
        if found["status"] != status:
            raise DemoError(f"The trail {name} is {found['status']} and should be {status}.")
    process = _verdicts(pipeline, PROCESS, None)["trails"][SESSION]
    tell.verdict(f"session {SESSION[-17:]}", process["status"])
    before = then["trails"][delivery.complete]
    tell.line(f"\n  The same question as of ledger size {delivery.size_before_tests} (it is {now['size']} now):")
    tell.verdict(f"trail {delivery.complete[:12]}", before["status"], detail="before its tests were attested")
    if before["status"] != "INCOMPLETE" or process["status"] != "COMPLIANT":
        raise DemoError("A verdict is not what it should be.")
    size: int = now["size"]
    return size


def _deliver(pipeline: Client, made: Evidence, trail: str, tell: Teller) -> int:
    """The whole delivery of one commit. SBOM and lint come before the artifact, which is allowed."""
    lint = pipeline.upload(made.lint, media_type="application/sarif+json")
    pipeline.write("attestSarif", "AttestScanInput", {"flow": FLOW, "trail": trail, "name": "lint", "report": lint})
    sbom = pipeline.upload(made.sbom, media_type="application/vnd.cyclonedx+json")
    pipeline.write(
        "attestSbom",
        "AttestSbomInput",
        {"flow": FLOW, "trail": trail, "name": "wheel.bill-of-materials", "report": sbom},
    )
    pipeline.write("reportArtifact", "ReportArtifactInput", _artifact(trail, made.wheel.name, made.wheel_sha256))
    tell.fact(f"artifact {made.wheel.name}", detail=f"sha256 {made.wheel_sha256[:16]}…")
    about = {"flow": FLOW, "trail": trail, "fingerprint": made.wheel_sha256}
    facts = pipeline.write(
        "attestCustom",
        "AttestCustomInput",
        about | {"name": "wheel-facts", "typeName": "wheel-facts", "data": made.wheel_facts},
        returning="explanation",
    )
    before: int = facts["receipt"]["index"] + 1
    tests = pipeline.upload(made.passing_tests, media_type="application/xml")
    attested = pipeline.write(
        "attestJunit", "AttestJunitInput", about | {"name": "unit-tests", "results": [tests]}, returning="explanation"
    )
    tell.fact("evidence by ruff, cyclonedx-py, pytest and a custom check", detail=attested["explanation"])
    return before


def failing_wheel(trail: str) -> str:
    """The fingerprint that stands for the wheel of another commit, which is not built here."""
    return hashlib.sha256(f"the wheel of {trail}".encode()).hexdigest()


def _deliver_failing(pipeline: Client, made: Evidence, trail: str) -> None:
    fingerprint = failing_wheel(trail)
    pipeline.write("reportArtifact", "ReportArtifactInput", _artifact(trail, made.wheel.name, fingerprint))
    tests = pipeline.upload(made.failing_tests, media_type="application/xml")
    pipeline.write(
        "attestJunit",
        "AttestJunitInput",
        {"flow": FLOW, "trail": trail, "fingerprint": fingerprint, "name": "unit-tests", "results": [tests]},
    )


def _names(pipeline: Client, commits: list[Commit]) -> tuple[str, str, str]:
    """A repository with fewer than three commits gets trails of other names, so that verdicts can still differ."""
    names = [commits[0].sha, "release-candidate", "hotfix"]
    for name in names[1:]:
        pipeline.write("beginTrail", "BeginTrailInput", _trail(FLOW, commits[0]) | {"name": name})
    return names[0], names[1], names[2]


def _trail(flow: str, commit: Commit) -> dict[str, Any]:
    return {
        "flow": flow,
        "name": commit.sha,
        "description": re.sub(r"\s+", " ", commit.message)[:200],
        "commit": {
            "sha": commit.sha,
            "author": commit.author,
            "message": commit.message,
            "committedAt": commit.committed_at,
        },
    }


def _artifact(trail: str, name: str, fingerprint: str) -> dict[str, Any]:
    return {"flow": FLOW, "trail": trail, "templateName": "wheel", "fingerprint": fingerprint, "name": name}


def _verdicts(pipeline: Client, flow: str, size: int | None) -> dict[str, Any]:
    answer = pipeline.ask(VERDICTS, flow=flow, size=size)["record"]
    trails = {trail["name"]: trail["verdict"] for trail in answer["flow"]["trails"]["nodes"]}
    return {"size": answer["size"], "trails": trails}
