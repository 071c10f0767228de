"""Gates: a question in, and an exit code out that a pipeline can stop at. What cannot be answered is never a yes."""

from __future__ import annotations

import json
import time

from muniment.command import LIST, NUMBER, Argument, Command, Option
from muniment.commands import artifacts, shared, subjects
from muniment.commands.verdicts import REASONS, reasons_table
from muniment.documents import Query
from muniment.exits import BadUsage, CommandError, ExitCode, Refused, Unreachable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from muniment.context import Context
    from muniment.output import Output

ENVIRONMENT = Query(
    "query($name: String!) { record { ledger { origin } environment(name: $name) { name stale verdict { status holdsUntil "
    + REASONS
    + " } } } }"
)
ARTIFACT = Query(
    """
query($fingerprint: Fingerprint!, $environment: String, $policies: [String!], $templates: Boolean! = false) { record {
  ledger { origin }
  assertArtifact(fingerprint: $fingerprint, environment: $environment, policies: $policies, templates: $templates) { __typename
    ... on ArtifactAsserted { fingerprint name judgedBy verdict { status holdsUntil """
    + REASONS
    + """ } }
    ... on ArtifactNotAsserted { obstacle explanation remedy } } } }
"""
)
APPROVALS = Query("""
query($fingerprint: Fingerprint!, $environment: String) { record { artifact(fingerprint: $fingerprint) { fingerprint name
  approvals(environment: $environment) { id state requestedBy requestedFor requestedAt expiresAt approvedBy
    reviews { decision by comment givenAt } } } } }
""")
SNAPSHOT = Query("""
query($expression: String!) { record { ledger { origin } snapshot(expression: $expression) {
  environmentName number at partial verdictThen { status staleSince holdsUntil reasons recordedAt } } } }
""")
JUDGED_WITHIN_SECONDS = 10.0
VIEWER = Query("query { viewer { organization principal } }")

POLICY = Option("--policy", "--policies", kind=LIST, help="by these policies", value="NAMES")
MINIMUM = Option("--min", kind=NUMBER, default=1, help="how many people must have approved", value="N")


def artifact(context: Context) -> ExitCode:
    """Whether an artifact may run: by an environment's policies, by named ones, or by its flows' templates."""
    expression, environment, policies = (
        context.argument("ARTIFACT") or "",
        context.text(shared.ENVIRONMENT),
        context.texts(POLICY),
    )
    if environment is not None and policies:
        raise BadUsage(
            "An artifact is judged by an environment's policies or by named ones. Give --environment or --policy."
        )
    if environment is None and not policies and (context.text(shared.FLOW) or context.text(shared.TRAIL)):
        found = _known(lambda: artifacts.described(context, expression))
        reasons = [reason for each in found["reports"] for reason in each["verdict"]["reasons"]]
        return _answered(context, found, {"status": found["state"], "reasons": reasons}, found["name"])
    fingerprint = _known(lambda: artifacts.meant(context, expression, None))[0]
    by: dict[str, Any] = (
        {"environment": environment} if environment else {"policies": policies} if policies else {"templates": True}
    )
    record = context.ask(ARTIFACT, {"fingerprint": fingerprint, **by})["record"]
    answer = record["assertArtifact"]
    if answer["__typename"] == "ArtifactNotAsserted":
        return _unanswered(context, fingerprint, answer)
    answer["state"] = answer["verdict"]["status"]
    answer["compliant"] = answer["state"] == "COMPLIANT"
    answer["link"] = context.link(record["ledger"]["origin"], "artifacts", answer["fingerprint"])
    del answer["__typename"]
    return _answered(context, answer, answer["verdict"], answer["name"])


def _known(find: Callable[[], Any]) -> Any:
    """What is found; what is not in the record is told by an exit code of its own."""
    try:
        return find()
    except Refused as refusal:
        if refusal.refusal == "NOT_FOUND":
            raise CommandError(refusal.message, ExitCode.NOT_KNOWN) from None
        raise


def _unanswered(context: Context, fingerprint: str, answer: dict[str, Any]) -> ExitCode:
    said = {
        "fingerprint": fingerprint,
        "compliant": False,
        "state": "UNKNOWN",
        "obstacle": answer["obstacle"],
        "explanation": answer["explanation"],
        "remedy": answer["remedy"],
    }
    context.show(
        said,
        lambda output: output.facts(
            [
                ("about", fingerprint),
                ("verdict", "none"),
                ("why", answer["explanation"]),
                ("what would help", answer["remedy"]),
            ]
        ),
    )
    return ExitCode.NOT_KNOWN if answer["obstacle"].startswith("UNKNOWN") else ExitCode.NOTHING_TO_JUDGE_BY


def approval(context: Context) -> ExitCode:
    """Whether an artifact is approved for an environment, now."""
    expression = context.argument("ARTIFACT") or ""
    environment, flow = context.required(shared.ENVIRONMENT), context.text(shared.FLOW)
    fingerprint = _known(lambda: artifacts.meant(context, expression, flow))[0]
    record = context.ask(APPROVALS, {"fingerprint": fingerprint, "environment": environment})["record"]
    if record["artifact"] is None:
        raise CommandError(f"There is no artifact {expression}, or it is not yours to see.", ExitCode.NOT_KNOWN)
    approvals = record["artifact"]["approvals"]
    approved = next((each for each in approvals if each["state"] == "APPROVED"), None)
    newest = approved or (approvals[0] if approvals else None)
    people = [] if approved is None else approved["approvedBy"]
    enough = len(people) >= max(context.number(MINIMUM), 1)
    data = {
        "fingerprint": record["artifact"]["fingerprint"],
        "name": record["artifact"]["name"],
        "environment": environment,
        "approved": enough,
        "approved_by": people,
        "approvals": approvals,
    }
    context.show(
        data,
        lambda output: output.facts(
            [
                ("artifact", data["name"]),
                ("environment", environment),
                ("approved", enough),
                ("by", people or None),
                ("state", newest["state"] if newest else "never requested"),
                ("expires", newest["expiresAt"] if newest else None),
            ]
        ),
    )
    return ExitCode.DONE if enough else ExitCode.NOT_COMPLIANT


def snapshot(context: Context) -> ExitCode:
    """Whether what runs in an environment is compliant."""
    name = context.argument("SNAPSHOT") or ""
    if any(mark in name for mark in "#~@"):
        return _snapshot_then(context, name)
    record = context.ask(ENVIRONMENT, {"name": name})["record"]
    found = record["environment"]
    if found is None:
        raise CommandError(f"There is no environment {name}, or it is not yours to see.", ExitCode.NOT_KNOWN)
    found["state"] = found["verdict"]["status"]
    found["compliant"] = found["state"] == "COMPLIANT" and found["stale"] is None
    found["link"] = context.link(record["ledger"]["origin"], "environments", found["name"])
    return _answered(context, found, found["verdict"], name)


def _snapshot_then(context: Context, expression: str) -> ExitCode:
    """By the verdict that the snapshot had on its day. Of one that was reported just now, it is there a moment later."""
    ends = time.monotonic() + JUDGED_WITHIN_SECONDS
    while True:
        found = _known(lambda: context.ask(SNAPSHOT, {"expression": expression})["record"])
        snapshot_, judgement = found["snapshot"], found["snapshot"]["verdictThen"]
        if judgement is not None or time.monotonic() > ends:
            break
        time.sleep(0.5)
    place = ("environments", snapshot_["environmentName"], "snapshots", snapshot_["number"])
    state = "UNKNOWN" if judgement is None else judgement["status"]
    data = {
        **snapshot_,
        "state": state,
        "compliant": state == "COMPLIANT",
        "link": context.link(found["ledger"]["origin"], *place),
    }
    reasons = ["nobody has judged it yet"] if judgement is None else judgement["reasons"]
    data["stale"] = None if judgement is None else judgement["staleSince"]
    data["compliant"] = data["compliant"] and data["stale"] is None
    rows: list[dict[str, Any]] = [
        {"outcome": state, "subject": expression, "explanation": each, "remedy": None, "because": []}
        for each in reasons
    ]
    return _answered(context, data, {"status": state, "reasons": rows}, expression)


def _answered(context: Context, found: dict[str, Any], verdict: dict[str, Any], name: str) -> ExitCode:
    def render(output: Output) -> None:
        output.facts(
            [("about", name), ("verdict", found["state"]), ("stale since", found.get("stale")), ("link", found["link"])]
        )
        reasons_table(output, verdict)

    context.show(found, render)
    if found["compliant"]:
        return ExitCode.DONE
    return ExitCode.NOTHING_TO_JUDGE_BY if found["state"] == "UNKNOWN" else ExitCode.NOT_COMPLIANT


def status(context: Context) -> ExitCode:
    """Whether the server answers, and knows the key."""
    client = context.client
    try:
        answer = client.patiently(lambda: client.request("GET", "/readyz"))
        ready = json.loads(answer.body)
    except ValueError:
        raise Unreachable(f"What answers at {client.host} is not Muniment. Check the host.") from None
    viewer = context.ask(VIEWER)["viewer"]
    data = {
        "host": client.host,
        "ready": True,
        "organization": viewer["organization"],
        "principal": viewer["principal"],
    }
    named = context.text(shared.ORGANIZATION)
    if named not in (None, viewer["organization"]):
        raise CommandError(
            f"The key is of the organization {viewer['organization']}, and {named} was named. Use that organization's key.",
            ExitCode.NOT_AUTHORISED,
        )
    return context.show(data, lambda output: output.facts([*data.items(), ("parts", _parts(ready))]))


def _parts(ready: Any) -> object:
    if isinstance(ready, dict) and isinstance(ready.get("checks"), dict):
        return [f"{name}: {state}" for name, state in ready["checks"].items()]
    return None


_ARTIFACT = Argument("ARTIFACT", help="as for get artifact; or a file, directory or image")

COMMANDS = (
    Command(
        "assert artifact",
        artifact,
        arguments=(_ARTIFACT,),
        options=(shared.ENVIRONMENT, POLICY, shared.FLOW, shared.TRAIL, *subjects.SUBJECT, shared.AT),
        explanation="""
            By the policies attached to an environment, in which it need not run; by named policies; or else by the templates of its
            flows, or of --flow alone. An artifact that nobody reported, one that there is nothing to judge by, and a server that
            does not answer are never compliant, and have exit codes of their own.
            """,
        examples=(
            "muniment assert artifact payments:v1.0 --environment production && kubectl apply -f k8s/",
            "muniment assert artifact build/app.jar --flow payments-api",
        ),
    ),
    Command(
        "assert snapshot",
        snapshot,
        arguments=(
            Argument(
                "SNAPSHOT",
                help="an environment, as it is judged now; or one of its snapshots, as it was judged then: production#12",
            ),
        ),
        explanation="An environment that has been silent for too long is not compliant, whatever it said last.",
        examples=("muniment assert snapshot production", "muniment assert snapshot 'production~1'"),
    ),
    Command(
        "assert approval",
        approval,
        arguments=(_ARTIFACT,),
        options=(shared.ENVIRONMENT, MINIMUM, shared.FLOW, *subjects.SUBJECT),
        examples=("muniment assert approval payments:v1.0 --environment production --min 2",),
    ),
    Command("assert status", status, examples=("muniment assert status",)),
)
