"""Flows: create them, change them, and ask about them."""

from __future__ import annotations

from muniment.command import SWITCH, Argument, Command, Option
from muniment.commands import shared
from muniment.commands.files import text_of
from muniment.documents import Mutation, Query
from muniment.exits import BadUsage, Refused
from muniment.paging import limited, of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from muniment.context import Context
    from muniment.exits import ExitCode
    from muniment.output import Output

CREATE = Mutation(
    "createFlow", "CreateFlowInput", "FlowRecorded", "flow { name version template { version } }", noted="description"
)
CHANGE = Mutation("changeFlow", "ChangeFlowInput", "FlowRecorded", "flow { name version template { version } }")
GET = Query("""
query($name: String!) { record { flow(name: $name) {
  name description tags public version createdAt changedAt template { version source }
  trails { nodes { name begunAt verdict { status }
    artifacts { name fingerprint templateName reportedAt verdict { status } attestations { name type compliant } } } } } } }
""")
LIST = Query("""
query($first: Int, $after: String) { record { flows(first: $first, after: $after) {
  nodes { name description tags public changedAt template { version } } pageInfo { hasNextPage endCursor } } } }
""")

TEMPLATE_FILE = Option("--template-file", "-t", help="YAML file that says what a trail must contain", value="FILE")
EMPTY = Option("--use-empty-template", kind=SWITCH, help="ask nothing of a trail, which is also the default")
STARTER = Option("--starter", help="begin with a template of ours", choices=("SDLC",))
PUBLIC = Option("--public", kind=SWITCH, help="open the flow to anonymous readers")


def create(context: Context) -> ExitCode:
    """Creates the flow; changes it when it is there."""
    template = context.text(TEMPLATE_FILE)
    if template and context.text(STARTER):
        raise BadUsage("A flow begins with --template-file or with --starter. Give one of them.")
    given = {
        "name": context.argument("FLOW"),
        "description": context.text(shared.DESCRIPTION),
        "template": text_of(template) if template else None,
        "tags": context.pairs(shared.TAGS) or None,
        "public": context.settings.value(PUBLIC),
    }
    try:
        outcome = context.record(CREATE, {**given, "starter": context.text(STARTER)})
    except Refused as refusal:
        if refusal.refusal != "NAME_TAKEN":
            raise
        outcome = context.record(CHANGE, given)
    return context.told(outcome, lambda done: [("flow", done["flow"]["name"]), ("version", done["flow"]["version"])])


def get(context: Context) -> ExitCode:
    """A flow, and what its latest trails made."""
    name = context.argument("FLOW")
    flow = context.ask(GET, {"name": name})["record"]["flow"]
    if flow is None:
        raise Refused(
            f"There is no flow {name}, or it is not yours to see. List them with: muniment list flows", "NOT_FOUND"
        )
    trails = flow.pop("trails")["nodes"]
    flow["trails"] = [
        {"name": each["name"], "begunAt": each["begunAt"], "state": each["verdict"]["status"]} for each in trails
    ]
    flow["artifacts"] = [_artifact(trail, artifact) for trail in trails for artifact in trail["artifacts"]]
    return context.show(flow, lambda output: _render(output, flow))


def _artifact(trail: dict[str, Any], artifact: dict[str, Any]) -> dict[str, Any]:
    status = artifact["verdict"]["status"]
    return {
        "name": artifact["name"],
        "fingerprint": artifact["fingerprint"],
        "trail": trail["name"],
        "template_name": artifact["templateName"],
        "compliant": status == "COMPLIANT",
        "state": status,
        "evidence_count": len(artifact["attestations"]),
        "reported_at": artifact["reportedAt"],
    }


def _render(output: Output, flow: dict[str, Any]) -> None:
    output.facts(
        [
            ("flow", flow["name"]),
            ("description", flow["description"] or None),
            ("template", f"version {flow['template']['version']}"),
            ("tags", [f"{name}={value}" for name, value in (flow["tags"] or {}).items()] or None),
            ("public", flow["public"]),
            ("changed", flow["changedAt"]),
        ]
    )
    output.heading("Latest trails")
    output.rows(
        ["trail", "begun", "verdict"],
        [[each["name"], each["begunAt"], each["state"]] for each in flow["trails"]],
        empty="no trails yet",
    )
    output.heading("Their artifacts")
    output.rows(
        ["artifact", "fingerprint", "trail", "evidence", "verdict"],
        [
            [each["name"], each["fingerprint"][:12], each["trail"], each["evidence_count"], each["state"]]
            for each in flow["artifacts"]
        ],
        empty="no artifacts yet",
    )


def several(context: Context) -> ExitCode:
    """Flows by name."""
    return context.listed(
        limited(context, LIST, of("flows")),
        ["flow", "template", "tags", "changed"],
        lambda flow: [
            flow["name"],
            flow["template"]["version"],
            [f"{name}={value}" for name, value in (flow["tags"] or {}).items()],
            flow["changedAt"],
        ],
    )


COMMANDS = (
    Command(
        "create flow",
        create,
        arguments=(Argument("FLOW", help="its name: one flow for each thing that is deployed by itself"),),
        options=(TEMPLATE_FILE, EMPTY, STARTER, shared.DESCRIPTION, shared.TAGS, PUBLIC, *shared.RECORDING),
        explanation="A flow that is there already gets the description, template and tags that are given, and keeps the rest.",
        examples=(
            "muniment create flow payments-api --starter SDLC --description 'The API of payments'",
            "muniment create flow payments-api --template-file template.yml",
        ),
    ),
    Command(
        "get flow",
        get,
        arguments=(Argument("FLOW", help="its name"),),
        examples=(
            "muniment get flow payments-api --output json | jq '.artifacts[] | {name, compliant, evidence_count}'",
        ),
    ),
    Command(
        "list flows", several, options=(shared.LIMIT, shared.AFTER), examples=("muniment list flows --output json",)
    ),
)
