"""Deployments: report one, and ask about them."""

from __future__ import annotations

from muniment.command import Argument, Command, Option
from muniment.commands import shared, subjects
from muniment.documents import Mutation, Query
from muniment.exits import BadUsage, Refused
from muniment.paging import limited, of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from muniment.context import Context
    from muniment.exits import ExitCode
    from muniment.output import Output

_DEPLOYMENT = """id environmentName fingerprint name buildUrl description deployedBy deployedAt reportedBy reportedAt
  flowName trailName templateName commit seen { status at snapshotNumber }"""
REPORT = Mutation(
    "reportDeployment",
    "ReportDeploymentInput",
    "DeploymentReported",
    "deployment { id environmentName fingerprint name flowName trailName deployedAt artifact { verdict { status } } }",
    noted="deployedAt",
)
GET = Query(
    "query($id: ID!) { record { ledger { origin } deployment(id: $id) { "
    + _DEPLOYMENT
    + """ artifact { verdict { status } }
  commitsSince { isRollBack commits { sha author message } trailNames } } } }"""
)
LIST = Query(
    """
query($environment: String!, $first: Int, $after: String) { record { environment(name: $environment) {
  deployments(first: $first, after: $after) { nodes { """
    + _DEPLOYMENT
    + " } pageInfo { hasNextPage endCursor } } } } }"
)

TEMPLATE_NAME = Option("--template-name", help="or the newest that the flow's template calls so", value="NAME")
DEPLOYED_BY = Option("--deployed-by", "--user", help="who did it; default: whom the CI system names", value="WHO")
DEPLOYED_AT = Option("--deployed-at", help="when, such as 2026-03-01T12:00:00Z; default: now", value="INSTANT")


def report(context: Context) -> ExitCode:
    """Reports a deployment of an artifact that is named, fingerprinted, or read here."""
    flow = context.text(shared.FLOW)
    fingerprint, looked_up, template = _meant(context, flow)
    given = {
        "environment": context.argument("ENVIRONMENT"),
        "fingerprint": fingerprint,
        "flow": flow,
        "artifact": template,
        "commit": context.text(shared.COMMIT) if template and context.settings.is_given(shared.COMMIT) else None,
        "name": looked_up["name"] if looked_up else context.text(subjects.NAME),
        "buildUrl": context.text(shared.BUILD_URL),
        "description": context.text(shared.DESCRIPTION),
        "deployedBy": context.text(DEPLOYED_BY),
        "deployedAt": context.text(DEPLOYED_AT),
    }
    outcome = context.record(REPORT, given, artifact=looked_up)
    return context.told(
        outcome,
        lambda done: [
            ("deployment", done["deployment"]["id"]),
            ("artifact", done["deployment"]["name"]),
            ("fingerprint", done["deployment"]["fingerprint"]),
            ("environment", done["deployment"]["environmentName"]),
            ("deployed", done["deployment"]["deployedAt"]),
            ("verdict", (done["deployment"]["artifact"] or {}).get("verdict", {}).get("status")),
            ("link", context.link(done["receipt"]["ledger"], "deployments", done["deployment"]["id"])),
        ],
    )


def _meant(context: Context, flow: str | None) -> tuple[str | None, dict[str, Any] | None, str | None]:
    """Its fingerprint, or the name by which to look it up, or what the template calls it."""
    fingerprint, looked_up = subjects.chosen(context, flow)
    template = context.text(TEMPLATE_NAME)
    if fingerprint is not None or looked_up is not None:
        return fingerprint, looked_up, None
    if template is not None:
        return None, None, template
    raise BadUsage("Which artifact was deployed? Give --name as it was reported, or --fingerprint.")


def get(context: Context) -> ExitCode:
    """A deployment, and what it brought."""
    record = context.ask(GET, {"id": context.argument("DEPLOYMENT")})["record"]
    deployment = record["deployment"]
    if deployment is None:
        raise Refused(
            "There is no such deployment, or it is not yours to see. See: muniment list deployments", "NOT_FOUND"
        )
    deployment["link"] = context.link(record["ledger"]["origin"], "deployments", deployment["id"])
    return context.show(deployment, lambda output: _render(output, deployment))


def _render(output: Output, deployment: dict[str, Any]) -> None:
    output.facts(
        [
            ("deployment", deployment["id"]),
            ("environment", deployment["environmentName"]),
            ("artifact", deployment["name"]),
            ("fingerprint", deployment["fingerprint"]),
            ("deployed", f"{deployment['deployedAt']} by {deployment['deployedBy']}"),
            ("reported", f"{deployment['reportedAt']} by {deployment['reportedBy']}"),
            ("seen running", deployment["seen"]["status"]),
            ("flow", deployment["flowName"]),
            ("trail", deployment["trailName"]),
            ("build", deployment["buildUrl"]),
            ("link", deployment["link"]),
        ]
    )
    since = deployment["commitsSince"]
    if since is not None:
        output.heading("Commits that it took back" if since["isRollBack"] else "Commits since the one before")
        rows = [
            [each["sha"][:12], each["author"], (each["message"] or "").partition("\n")[0]] for each in since["commits"]
        ]
        output.rows(["commit", "author", "message"], rows, empty="no commits that are known")


def several(context: Context) -> ExitCode:
    """Deployments to an environment, the newest first."""
    name = context.argument("ENVIRONMENT") or context.required(shared.ENVIRONMENT)
    missing = f"There is no environment {name}, or it is not yours to see."
    return context.listed(
        limited(context, LIST, of("environment", "deployments"), missing=missing, environment=name),
        ["deployment", "artifact", "fingerprint", "deployed", "by", "seen running"],
        lambda each: [
            each["id"],
            each["name"],
            each["fingerprint"][:12],
            each["deployedAt"],
            each["deployedBy"],
            each["seen"]["status"],
        ],
    )


COMMANDS = (
    Command(
        "report deployment",
        report,
        arguments=(
            Argument("ENVIRONMENT", help="where it was put"),
            Argument("ARTIFACT", help="file, directory or image to read the fingerprint of", required=False),
        ),
        options=(
            subjects.NAME,
            TEMPLATE_NAME,
            shared.FLOW,
            *subjects.SUBJECT,
            shared.COMMIT,
            shared.BUILD_URL,
            DEPLOYED_BY,
            DEPLOYED_AT,
            shared.DESCRIPTION,
            *shared.RECORDING,
        ),
        explanation="""
            Report a deployment when it has succeeded. --name is the exact name under which the artifact was reported; the newest of
            that name is meant, in --flow if that is given.
            """,
        examples=("muniment report deployment production --name payments:v1.0 --flow payments-api",),
    ),
    Command(
        "get deployment",
        get,
        arguments=(Argument("DEPLOYMENT", help="its id"),),
        examples=("muniment get deployment RGVwbG95bWVudDo...",),
    ),
    Command(
        "list deployments",
        several,
        arguments=(Argument("ENVIRONMENT", help="where", required=False),),
        options=(shared.ENVIRONMENT, shared.LIMIT, shared.AFTER),
        examples=("muniment list deployments production --limit 5",),
    ),
)
