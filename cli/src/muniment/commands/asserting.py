"""Gates: a question in, and an exit code out that a pipeline can stop at. What cannot be answered is never a yes."""

from __future__ import annotations

import json

from muniment.command import Argument, Command
from muniment.commands import artifacts, shared, subjects
from muniment.commands.verdicts import REASONS, reasons_table
from muniment.documents import Query
from muniment.exits import CommandError, ExitCode, Refused, Unreachable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from muniment.context import Context
    from muniment.output import Output

ENVIRONMENT = Query(
    "query($name: String!) { record { ledger { origin } environment(name: $name) { name stale verdict { status holdsUntil "
    + REASONS
    + " } } } }"
)
VIEWER = Query("query { viewer { organization principal } }")


def artifact(context: Context) -> ExitCode:
    """Whether an artifact is compliant."""
    found = artifacts.described(context, context.argument("ARTIFACT") or "")
    reasons = [reason for each in found["reports"] for reason in each["verdict"]["reasons"]]
    return _answered(context, found, {"status": found["state"], "reasons": reasons}, found["name"])


def snapshot(context: Context) -> ExitCode:
    """Whether what runs in an environment is compliant."""
    name = context.argument("SNAPSHOT") or ""
    record = context.ask(ENVIRONMENT, {"name": name})["record"]
    found = record["environment"]
    if found is None:
        raise Refused(f"There is no environment {name}, or it is not yours to see.", "NOT_FOUND")
    found["state"] = found["verdict"]["status"]
    found["compliant"] = found["state"] == "COMPLIANT" and found["stale"] is None
    found["link"] = context.link(record["ledger"]["origin"], "environments", found["name"])
    return _answered(context, found, found["verdict"], name)


def _answered(context: Context, found: dict[str, Any], verdict: dict[str, Any], name: str) -> ExitCode:
    def render(output: Output) -> None:
        output.facts(
            [("about", name), ("verdict", found["state"]), ("stale since", found.get("stale")), ("link", found["link"])]
        )
        reasons_table(output, verdict)

    context.show(found, render)
    return ExitCode.DONE if found["compliant"] else ExitCode.NOT_COMPLIANT


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


COMMANDS = (
    Command(
        "assert artifact",
        artifact,
        arguments=(Argument("ARTIFACT", help="as for get artifact; or a file, directory or image"),),
        options=(shared.FLOW, shared.TRAIL, *subjects.SUBJECT, shared.AT),
        examples=("muniment assert artifact payments:v1.0 --flow payments-api && kubectl apply -f k8s/",),
    ),
    Command(
        "assert snapshot",
        snapshot,
        arguments=(Argument("SNAPSHOT", help="the environment"),),
        explanation="An environment that has been silent for too long is not compliant, whatever it said last.",
        examples=("muniment assert snapshot production",),
    ),
    Command("assert status", status, examples=("muniment assert status",)),
)
