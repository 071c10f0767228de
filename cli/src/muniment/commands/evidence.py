"""`report evidence`: the pipelines' older way to attest, by artifact name and kind of evidence.

An artifact's name, as it was reported and will be deployed, says what the template calls it: `payments:v1.0` is `payments`.
Evidence is bound to that name and the commit, so that it may come before the artifact and needs nobody to be asked first.
"""

from __future__ import annotations

import os

from muniment.command import Command, Option
from muniment.commands import attestations, reporting, shared, subjects
from muniment.commands.files import attached
from muniment.documents import Mutation
from muniment.exits import BadUsage
from muniment.naming import template_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from muniment.context import Context
    from muniment.evidence import File
    from muniment.exits import ExitCode

ARTIFACT_NAME = Option(
    "--name", "-n", help="the artifact that it is about, by the name it is reported under", value="ARTIFACT"
)
EVIDENCE_TYPE = Option(
    "--evidence-type", "--evidence-name", "-e", help="the attestation's name, as the template asks for it", value="NAME"
)
SNIFFED_BYTES_MAX = 64 << 20


def junit(context: Context) -> ExitCode:
    """Reports test results, under the name of their file unless another is given."""
    paths = context.texts(attestations.RESULTS)
    files = attestations.results(context, paths)
    name = context.text(EVIDENCE_TYPE) or template_name(os.path.abspath(paths[0]))
    given = {"results": [file.named() for file in files]}
    return attestations.record(
        context, attestations.JUNIT, _named(context, name), given, fingerprint=_fingerprint(context), files=files
    )


def generic(context: Context) -> ExitCode:
    """Reports evidence with the verdict that is given; without one, as the scanner's report that it is."""
    compliant = context.settings.value(attestations.COMPLIANT)
    name = _named(context, context.required(EVIDENCE_TYPE))
    if compliant is not None:
        given = {"compliant": compliant}
        return attestations.record(context, attestations.GENERIC, name, given, fingerprint=_fingerprint(context))
    files = attached(context)
    reports = [(mutation, file) for file in files for mutation in [_recognised(file)] if mutation is not None]
    if len(reports) != 1:
        raise BadUsage(
            "Is it compliant? Give --compliant=true or --compliant=false, or attach one report of a scanner (SARIF, Trivy, Snyk) "
            "or a bill of materials, which the server judges by what it says."
        )
    mutation, file = reports[0]
    context.say(f"no verdict was given; {file.name} is recorded by {mutation.name}, and judged by what it says")
    scanned = {} if mutation is attestations.SBOM else attestations.thresholds(context)
    given = {"report": file.named(), **scanned}
    others = [each for each in files if each is not file]
    return attestations.record(
        context, mutation, name, given, fingerprint=_fingerprint(context), files=[file], attachments=others
    )


def _named(context: Context, name: str) -> str:
    artifact = context.text(ARTIFACT_NAME)
    if artifact is None or "." in name or _fingerprint(context) is not None:
        return name
    return f"{template_name(artifact)}.{name}"


def _fingerprint(context: Context) -> str | None:
    return subjects.given_fingerprint(context)


def _recognised(file: File) -> Mutation | None:
    """The mutation for a scanner's report; None for what is none."""
    if file.size > SNIFFED_BYTES_MAX or os.path.splitext(file.name)[1].lower() not in (".json", ".sarif"):
        return None
    import json

    try:
        with open(file.path, encoding="utf-8-sig") as opened:
            content = json.load(opened)
    except (OSError, ValueError):
        return None
    if isinstance(content, list):
        content = content[0] if content else None
    if not isinstance(content, dict):
        return None
    if "runs" in content and ("$schema" in content or str(content.get("version", "")).startswith("2.")):
        return attestations.SARIF
    if content.get("bomFormat") == "CycloneDX" or "spdxVersion" in content:
        return attestations.SBOM
    if "SchemaVersion" in content and ("Results" in content or "ArtifactName" in content):
        return attestations.TRIVY
    return attestations.SNYK if "vulnerabilities" in content and "ok" in content else None


_COMMON = (
    ARTIFACT_NAME,
    EVIDENCE_TYPE,
    shared.FLOW,
    shared.TRAIL,
    subjects.FINGERPRINT,
    shared.COMMIT,
    reporting.COMMIT_INFO,
    shared.REPO_ROOT,
    shared.BUILD_URL,
    *reporting.ALONGSIDE,
    shared.ATTACHMENTS,
    shared.ENCRYPT_TO,
    shared.PARALLEL,
    *shared.RECORDING,
)

COMMANDS = (
    Command(
        "report evidence test junit",
        junit,
        options=(attestations.RESULTS, *_COMMON),
        explanation="""
            The server reads the results: they are compliant with at least one test, no failure and no error. Without --name they
            are about the commit's trail. Without --evidence-type they are called as their file: unit-results.xml is
            `unit-results`, so that results of several kinds stand side by side.
            """,
        examples=(
            "muniment report evidence test junit --name payments:v1.0 --results-file tests.xml --flow payments-api",
        ),
    ),
    Command(
        "report evidence generic",
        generic,
        options=(attestations.COMPLIANT, *attestations.MOST, *_COMMON),
        explanation="""
            With --compliant the verdict is yours. Without it, one attachment must be the report of a scanner or a bill of
            materials, which is attested as what it is and judged by what it says: nothing is compliant by default.
            """,
        examples=(
            "muniment report evidence generic --name payments:v1.0 --evidence-type security-scan --attachments scan.json",
            "muniment report evidence generic --evidence-type manual-test --compliant=true --attachments protocol.pdf",
        ),
    ),
)
