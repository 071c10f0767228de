"""Trails: begin one, and ask about them."""

from __future__ import annotations

from muniment.command import Argument, Command, Option
from muniment.commands import reporting, shared
from muniment.commands.files import object_of, text_of
from muniment.commands.verdicts import REASONS, reasons_table
from muniment.documents import Query
from muniment.exits import Refused
from muniment.paging import limited, of
from muniment.trails import BEGIN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from muniment.context import Context
    from muniment.exits import ExitCode
    from muniment.output import Output

GET = Query(
    """
query($flow: String!, $trail: String!, $at: DateTime) { record(at: $at) { ledger { origin } trail(flow: $flow, name: $trail) {
  name flowName description originUrl begunAt begunBy templateVersion userData commit { sha message author branch url }
  verdict { status holdsUntil """
    + REASONS
    + """ }
  artifacts { name fingerprint templateName kind reportedAt verdict { status } }
  attestations { id name type compliant explanation fingerprint templateName attestedAt attestedBy expiresAt
    evidence { fileName digest size url } } } } }
"""
)
LIST = Query("""
query($flow: String!, $first: Int, $after: String) { record { flow(name: $flow) { trails(first: $first, after: $after) {
  nodes { name begunAt begunBy originUrl commit { sha branch } verdict { status } } pageInfo { hasNextPage endCursor } } } } }
""")

TEMPLATE_FILE = Option("--template-file", "-t", help="YAML file with a template for this trail alone", value="FILE")


def begin(context: Context) -> ExitCode:
    """Begins a trail; one that is there gets these details."""
    template = context.text(TEMPLATE_FILE)
    outcome = context.record(
        BEGIN,
        {
            "flow": context.required(shared.FLOW),
            "name": context.argument("TRAIL"),
            "description": context.text(shared.DESCRIPTION),
            "commit": reporting.commit_of(context),
            "originUrl": context.text(shared.ORIGIN_URL),
            "externalUrls": reporting.links_of(context) or None,
            "userData": object_of(context, shared.USER_DATA),
            "template": text_of(template) if template else None,
        },
    )
    return context.told(
        outcome,
        lambda done: [
            ("trail", done["trail"]["name"]),
            ("flow", done["trail"]["flowName"]),
            ("verdict", done["trail"]["verdict"]["status"]),
            (
                "link",
                context.link(
                    done["receipt"]["ledger"], "flows", done["trail"]["flowName"], "trails", done["trail"]["name"]
                ),
            ),
        ],
    )


def get(context: Context) -> ExitCode:
    """A trail whole."""
    flow, name = context.required(shared.FLOW), context.argument("TRAIL")
    record = context.ask(GET, {"flow": flow, "trail": name, "at": context.text(shared.AT)})["record"]
    trail = record["trail"]
    if trail is None:
        raise Refused(f"There is no trail {name} in the flow {flow}, or it is not yours to see.", "NOT_FOUND")
    trail["compliant"] = trail["verdict"]["status"] == "COMPLIANT"
    trail["link"] = context.link(record["ledger"]["origin"], "flows", flow, "trails", trail["name"])
    return context.show(trail, lambda output: _render(output, trail))


def _render(output: Output, trail: dict[str, Any]) -> None:
    commit = trail["commit"] or {}
    output.facts(
        [
            ("trail", trail["name"]),
            ("flow", trail["flowName"]),
            ("verdict", trail["verdict"]["status"]),
            ("until", trail["verdict"]["holdsUntil"]),
            ("description", trail["description"] or None),
            ("commit", commit.get("sha")),
            ("message", (commit.get("message") or "").partition("\n")[0] or None),
            ("author", commit.get("author")),
            ("begun", f"{trail['begunAt']} by {trail['begunBy']}"),
            ("origin", trail["originUrl"]),
            ("link", trail["link"]),
        ]
    )
    reasons_table(output, trail["verdict"])
    output.heading("Artifacts")
    output.rows(
        ["artifact", "fingerprint", "template", "verdict"],
        [
            [each["name"], each["fingerprint"][:12], each["templateName"], each["verdict"]["status"]]
            for each in trail["artifacts"]
        ],
        empty="no artifacts yet",
    )
    output.heading("Attestations")
    output.rows(
        ["attestation", "type", "about", "compliant", "why", "by", "at"],
        [
            [
                each["name"],
                each["type"],
                (each["fingerprint"] or "")[:12] or each["templateName"] or "trail",
                each["compliant"],
                each["explanation"],
                each["attestedBy"],
                each["attestedAt"],
            ]
            for each in trail["attestations"]
        ],
        empty="no attestations yet",
    )


def several(context: Context) -> ExitCode:
    """Trails of a flow, the newest first."""
    flow = context.required(shared.FLOW)
    missing = f"There is no flow {flow}, or it is not yours to see."
    return context.listed(
        limited(context, LIST, of("flow", "trails"), missing=missing, flow=flow),
        ["trail", "commit", "begun", "by", "verdict"],
        lambda trail: [
            trail["name"],
            (trail["commit"] or {}).get("sha", "")[:12],
            trail["begunAt"],
            trail["begunBy"],
            trail["verdict"]["status"],
        ],
    )


COMMANDS = (
    Command(
        "begin trail",
        begin,
        arguments=(Argument("TRAIL", help="its name: a commit, a pull request, a ticket"),),
        options=(
            shared.FLOW,
            TEMPLATE_FILE,
            *reporting.ORIGIN,
            shared.DESCRIPTION,
            shared.ORIGIN_URL,
            shared.EXTERNAL_URL,
            shared.EXTERNAL_FINGERPRINT,
            shared.USER_DATA,
            *shared.RECORDING,
        ),
        explanation="""
            A trail that is there already gets these details and the flow's present template. Reports by commit begin the commit's
            trail by themselves, so this is for trails with a name or a template of their own.
            """,
        examples=("muniment begin trail pull-request-87 --flow payments-api --description 'Refunds in euros'",),
    ),
    Command(
        "get trail",
        get,
        arguments=(Argument("TRAIL", help="its name"),),
        options=(shared.FLOW, shared.AT),
        examples=("muniment get trail pull-request-87 --flow payments-api --output markdown >> $GITHUB_STEP_SUMMARY",),
    ),
    Command(
        "list trails",
        several,
        options=(shared.FLOW, shared.LIMIT, shared.AFTER),
        examples=("muniment list trails --flow payments-api",),
    ),
)
