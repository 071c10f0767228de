"""Artifacts: report what was built, and ask about it."""

from __future__ import annotations

import os

from muniment.command import Argument, Command, Option
from muniment.commands import reporting, shared, subjects
from muniment.commands.files import object_of
from muniment.commands.known_by import ARTIFACT_TYPE
from muniment.commands.verdicts import REASONS, reasons_table, worst
from muniment.documents import Mutation, Query
from muniment.exits import Refused
from muniment.naming import bare, found, is_prefix, template_name
from muniment.paging import limited, of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from muniment.context import Context
    from muniment.exits import ExitCode
    from muniment.output import Output

REPORT = Mutation(
    "reportArtifact",
    "ReportArtifactInput",
    "ArtifactReported",
    "fingerprint artifact { name verdict { status } }",
    noted="annotations",
)
GET = Query(
    """
query($fingerprint: Fingerprint!, $at: DateTime) { record(at: $at) { ledger { origin } artifact(fingerprint: $fingerprint) {
  fingerprint name verdict { status holdsUntil }
  reports { flowName trailName templateName name kind buildUrl commitUrl reportedAt reportedBy commit { sha message author branch }
    verdict { status """
    + REASONS
    + """ }
    attestations { name type compliant explanation attestedAt attestedBy evidence { fileName digest size url } } }
  runs { environmentName since until } deployments { environmentName deployedAt deployedBy } } } }
"""
)
LIST = Query("""
query($flow: String!, $first: Int, $after: String) { record { flow(name: $flow) { trails(first: $first, after: $after) {
  nodes { name artifacts { name fingerprint templateName kind reportedAt verdict { status } } }
  pageInfo { hasNextPage endCursor } } } } }
""")

NAME = Option("--name", "-n", help="what the flow's template calls it; default: from the artifact's name", value="NAME")
DISPLAY_NAME = Option("--display-name", "-N", help="what people call it; default: the name it was given here by")


def report(context: Context) -> ExitCode:
    """Reports an artifact into its commit's trail, which it begins if nobody did."""
    name = context.argument("ARTIFACT") or ""
    place = reporting.place_of(context)
    fingerprint, kind = subjects.given_fingerprint(context), context.text(ARTIFACT_TYPE)
    if fingerprint is None:
        fingerprint, kind = subjects.fingerprint_here(context, name)
    elif kind is None and subjects.looks_like_image(name):
        kind = "docker"
    given = {
        "flow": place.flow,
        "trail": place.trail,
        "templateName": context.text(NAME) or template_name(name),
        "fingerprint": fingerprint,
        "name": context.text(DISPLAY_NAME) or _display_name(name, kind),
        "kind": kind,
        "commit": place.commit,
        "commitUrl": context.text(shared.COMMIT_URL),
        "buildUrl": context.text(shared.BUILD_URL),
        "repositoryUrl": context.text(shared.REPOSITORY_URL),
        "externalUrls": reporting.links_of(context) or None,
        "annotations": context.pairs(shared.ANNOTATE) or None,
        "userData": object_of(context, shared.USER_DATA),
    }
    outcome = context.record(REPORT, given, trail=reporting.beginning_of(context, place))
    return context.told(
        outcome,
        lambda done: [
            ("artifact", given["name"]),
            ("fingerprint", done["fingerprint"]),
            ("verdict", done["artifact"] and done["artifact"]["verdict"]["status"]),
            ("link", context.link(done["receipt"]["ledger"], "artifacts", done["fingerprint"])),
        ],
    )


def _display_name(name: str, kind: str | None) -> str:
    """An image keeps its whole name, by which it is deployed; a path is only known here."""
    if kind in ("docker", "oci"):
        return name
    return os.path.basename(os.path.abspath(name))


def get(context: Context) -> ExitCode:
    """An artifact whole; within one flow when that is asked for."""
    artifact = described(context, context.argument("ARTIFACT") or "")
    return context.show(artifact, lambda output: _render(output, artifact))


def described(context: Context, expression: str) -> dict[str, Any]:
    """The artifact that an expression names, as `get artifact` shows it. Refuses when there is none."""
    flow, trail = context.text(shared.FLOW), context.text(shared.TRAIL)
    fingerprint, flow = meant(context, expression, flow)
    record = context.ask(GET, {"fingerprint": fingerprint, "at": context.text(shared.AT)})["record"]
    artifact: dict[str, Any] | None = record["artifact"]
    reports = [
        each
        for each in (artifact or {"reports": []})["reports"]
        if (flow is None or each["flowName"] == flow) and (trail is None or each["trailName"] == trail)
    ]
    if artifact is None or not reports:
        place = "".join(f" in the {what} {name}" for what, name in (("trail", trail), ("flow", flow)) if name)
        raise Refused(f"There is no artifact {expression}{place}, or it is not yours to see.", "NOT_FOUND")
    if flow or trail:
        artifact["verdict"] = {**artifact["verdict"], "status": worst([each["verdict"]["status"] for each in reports])}
    artifact["reports"] = reports
    artifact["state"] = artifact["verdict"]["status"]
    artifact["compliant"] = artifact["state"] == "COMPLIANT"
    artifact["evidence_count"] = sum(len(each["attestations"]) for each in reports)
    artifact["link"] = context.link(record["ledger"]["origin"], "artifacts", artifact["fingerprint"])
    return artifact


def meant(context: Context, expression: str, flow: str | None) -> tuple[str, str | None]:
    """Fingerprint and flow that an expression means."""
    given = subjects.given_fingerprint(context)
    if given is not None:
        return given, flow
    if context.text(ARTIFACT_TYPE) is not None or os.path.exists(expression):
        return subjects.fingerprint_here(context, expression)[0], flow
    before, at, after = expression.partition("@")
    if at and is_prefix(after):
        return bare(after), flow or (before if "/" not in before and ":" not in before else None)
    if is_prefix(expression):
        return bare(expression), flow
    if context.is_dry:
        return expression, flow
    return _named(context, expression, flow)


def _named(context: Context, expression: str, flow: str | None) -> tuple[str, str | None]:
    """By its exact name, or as `flow:commit`."""
    for artifact in found(context.client, expression):
        if any(each["name"] == expression and flow in (None, each["flowName"]) for each in artifact["reports"]):
            return artifact["fingerprint"], flow
    of_flow, colon, commit = expression.rpartition(":")
    if colon and is_prefix(commit):
        for artifact in found(context.client, commit):
            for each in artifact["reports"]:
                sha = (each["commit"] or {}).get("sha", "")
                if sha.startswith(commit) and each["flowName"] == (flow or of_flow):
                    return artifact["fingerprint"], flow or of_flow
    place = "" if flow is None else f" in the flow {flow}"
    raise Refused(
        f"No artifact was reported as {expression}{place}. Name it by its fingerprint, by flow@fingerprint, by flow:commit, "
        "or exactly as it was reported.",
        "NOT_FOUND",
    )


def _render(output: Output, artifact: dict[str, Any]) -> None:
    output.facts(
        [
            ("artifact", artifact["name"]),
            ("fingerprint", artifact["fingerprint"]),
            ("verdict", artifact["state"]),
            ("until", artifact["verdict"]["holdsUntil"]),
            ("running in", [run["environmentName"] for run in artifact["runs"] if run["until"] is None] or None),
            ("link", artifact["link"]),
        ]
    )
    for report_ in artifact["reports"]:
        output.heading(f"{report_['flowName']} / {report_['trailName']}")
        output.facts(
            [
                ("verdict", report_["verdict"]["status"]),
                ("built", f"{report_['reportedAt']} by {report_['reportedBy']}"),
                ("build", report_["buildUrl"]),
                ("commit", (report_["commit"] or {}).get("sha")),
            ]
        )
        if report_["attestations"]:
            output.heading("Evidence")
            output.rows(
                ["attestation", "type", "compliant", "why", "at"],
                [
                    [each["name"], each["type"], each["compliant"], each["explanation"], each["attestedAt"]]
                    for each in report_["attestations"]
                ],
            )
        reasons_table(output, report_["verdict"])


def several(context: Context) -> ExitCode:
    """The artifacts of a flow's latest trails."""
    flow = context.required(shared.FLOW)
    missing = f"There is no flow {flow}, or it is not yours to see."
    page = limited(context, LIST, of("flow", "trails"), missing=missing, flow=flow)
    artifacts = [
        {
            **artifact,
            "trail": trail["name"],
            "state": artifact["verdict"]["status"],
            "compliant": artifact["verdict"]["status"] == "COMPLIANT",
        }
        for trail in page["nodes"]
        for artifact in trail["artifacts"]
    ]
    return context.listed(
        {"nodes": artifacts, "pageInfo": page["pageInfo"]},
        ["artifact", "fingerprint", "template", "trail", "reported", "verdict"],
        lambda each: [
            each["name"],
            each["fingerprint"][:12],
            each["templateName"],
            each["trail"],
            each["reportedAt"],
            each["state"],
        ],
    )


COMMANDS = (
    Command(
        "report artifact",
        report,
        arguments=(subjects.ARTIFACT,),
        options=(
            shared.FLOW,
            shared.TRAIL,
            NAME,
            DISPLAY_NAME,
            *subjects.SUBJECT,
            *reporting.ORIGIN,
            shared.BUILD_URL,
            shared.REPOSITORY_URL,
            shared.ORIGIN_URL,
            shared.EXTERNAL_URL,
            shared.EXTERNAL_FINGERPRINT,
            shared.ANNOTATE,
            shared.USER_DATA,
            *shared.RECORDING,
        ),
        explanation="""
            An artifact is known by its fingerprint: the SHA-256 of a file, in-toto's dirHash1 of a directory, the digest of an
            image. It belongs to its commit's trail, which is begun if it is not there, unless --trail names another.

            What a template calls it is taken from its name, without registry, directories, tag and extension:
            registry.example.com/team/payments:v1 is `payments`.
            """,
        examples=(
            "muniment report artifact payments:v1.0 --artifact-type docker --flow payments-api",
            "muniment report artifact build/app.jar --flow payments-api --name app --build-url $CI_JOB_URL",
        ),
    ),
    Command(
        "get artifact",
        get,
        arguments=(
            Argument(
                "ARTIFACT", help="fingerprint (7 digits will do), flow@fingerprint, flow:commit, or its exact name"
            ),
        ),
        options=(shared.FLOW, shared.TRAIL, *subjects.SUBJECT, shared.AT),
        examples=("muniment get artifact payments:v1.0 --flow payments-api --output json | jq -r .compliant",),
    ),
    Command(
        "list artifacts",
        several,
        options=(shared.FLOW, shared.LIMIT, shared.AFTER),
        examples=("muniment list artifacts --flow payments-api --limit 5",),
    ),
)
