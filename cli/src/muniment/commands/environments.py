"""Environments: create them, and ask what runs there, what ran, and what changed."""

from __future__ import annotations

from muniment.command import LIST, NUMBER, SWITCH, Argument, Command, Option
from muniment.commands import shared
from muniment.commands.verdicts import REASONS, reasons_table
from muniment.documents import Mutation, Query
from muniment.exits import BadUsage, Refused
from muniment.paging import limited, of, whole

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from muniment.context import Context
    from muniment.exits import ExitCode
    from muniment.output import Output

TYPES = ("K8S", "DOCKER", "SERVER", "S3", "LAMBDA", "ECS", "CLOUD_RUN", "AZURE_APPS", "LOGICAL")
_RUNNING = "fingerprint name instances since flows isKnown environmentNames"
_SNAPSHOT = """environmentName number at reportedBy partial refusedCount artifactCount instanceCount started stopped
  verdictThen { status }"""
_PAGE = "pageInfo { hasNextPage endCursor }"

CREATE = Mutation(
    "createEnvironment",
    "CreateEnvironmentInput",
    "EnvironmentRecorded",
    "environment { name type version }",
    noted="description",
)
CHANGE = Mutation(
    "changeEnvironment", "ChangeEnvironmentInput", "EnvironmentRecorded", "environment { name type version }"
)
GET = Query(
    """
query($name: String!, $at: DateTime, $first: Int) { record(at: $at) { size ledger { origin } environment(name: $name) {
  name type description tags cadenceSeconds graceSeconds archived createdAt changedAt lastReportedAt stale
  included { name } policies { name version }
  verdict { status holdsUntil """
    + REASONS
    + """ }
  drift { kind name fingerprint since explanation remedy environmentName }
  running(first: $first) { nodes { """
    + _RUNNING
    + " } "
    + _PAGE
    + " } } } }"
)
RUNNING_BESIDES = Query(
    "query($name: String!, $at: DateTime, $size: LedgerSize, $first: Int, $after: String) { record(at: $at, size: $size) { size "
    "environment(name: $name) { running(first: $first, after: $after) { nodes { "
    + _RUNNING
    + " } "
    + _PAGE
    + " } } } }"
)
LIST_ALL = Query(
    """
query($first: Int, $after: String, $archived: Boolean!) { record { environments(first: $first, after: $after, archived: $archived) {
  nodes { name type description tags lastReportedAt stale verdict { status } } """
    + _PAGE
    + " } } }"
)
SNAPSHOT = Query(
    "query($expression: String!, $first: Int, $after: String, $at: DateTime) { record(at: $at) { ledger { origin } "
    "snapshot(expression: $expression) { "
    + _SNAPSHOT
    + " refused { place name why } running(first: $first, after: $after) { nodes { "
    + _RUNNING
    + " } "
    + _PAGE
    + " } } } }"
)
SNAPSHOTS = Query(
    "query($name: String!, $first: Int, $after: String) { record { environment(name: $name) { "
    "snapshots(first: $first, after: $after) { nodes { " + _SNAPSHOT + " } " + _PAGE + " } } } }"
)
LOG = Query(
    """
query($name: String!, $since: DateTime, $until: DateTime, $first: Int, $after: String) { record { environment(name: $name) {
  changes(since: $since, until: $until, first: $first, after: $after) { nodes {
    kind fingerprint name instances instancesBefore at snapshotNumber environmentName flows } """
    + _PAGE
    + " } } } }"
)
DIFF = Query(
    "query($first: String!, $second: String!) { record { diff(first: $first, second: $second) { first { "
    + _SNAPSHOT
    + " } second { "
    + _SNAPSHOT
    + " } onlyFirst { "
    + _RUNNING
    + " } onlySecond { "
    + _RUNNING
    + " } scaled { first { "
    + _RUNNING
    + " } second { "
    + _RUNNING
    + " } } same { first { "
    + _RUNNING
    + " } } } } }"
)

TYPE = Option("--type", "-t", help=", ".join(each.lower() for each in TYPES), value="TYPE")
INCLUDED = Option(
    "--included-environments", "--include", kind=LIST, help="of a logical environment: its parts", value="NAMES"
)
CADENCE = Option("--cadence", kind=NUMBER, help="seconds after which a silent environment is stale", value="SECONDS")
GRACE = Option(
    "--grace", kind=NUMBER, help="seconds that reports of deployments and snapshots may take to meet", value="SECONDS"
)
ARCHIVED = Option("--archived", kind=SWITCH, help="those out of use, too")
SINCE = Option("--since", "--start", help="from this instant on", value="INSTANT")
UNTIL = Option("--until", "--end", help="up to this instant", value="INSTANT")
UNCHANGED = Option("--show-unchanged", "-u", kind=SWITCH, help="what runs in both, too")
_NAME = Argument("ENVIRONMENT", help="its name")
_EXPRESSION = (
    "an environment's name and #12, ~2 (before the newest), @{2026-11-01T12:00:00Z}, @{2.days.ago}; alone: the newest"
)


def _type(context: Context) -> str:
    told = context.required(TYPE).upper().replace("-", "_")
    told = {"AZURE": "AZURE_APPS", "KUBERNETES": "K8S"}.get(told, told)
    if told not in TYPES:
        raise BadUsage(f"{told.lower()} is no type of environment. Choose {TYPE.help}.")
    return told


def create(context: Context) -> ExitCode:
    """Creates the environment; changes it when it is there."""
    included = context.texts(INCLUDED) or None
    given = {
        "name": context.argument("ENVIRONMENT"),
        "description": context.text(shared.DESCRIPTION),
        "tags": context.pairs(shared.TAGS) or None,
        "included": included,
        "cadenceSeconds": context.settings.value(CADENCE),
        "graceSeconds": context.settings.value(GRACE),
    }
    try:
        outcome = context.record(CREATE, {**given, "type": "LOGICAL" if included else _type(context)})
    except Refused as refusal:
        if refusal.refusal != "NAME_TAKEN":
            raise
        outcome = context.record(CHANGE, given)
    return context.told(
        outcome,
        lambda done: [
            ("environment", done["environment"]["name"]),
            ("type", done["environment"]["type"]),
            ("version", done["environment"]["version"]),
        ],
    )


def get(context: Context) -> ExitCode:
    """An environment, what runs there, and its verdict."""
    asked = {"name": context.argument("ENVIRONMENT"), "at": context.text(shared.AT)}
    running = of("environment", "running")
    record = whole(context, GET, running, more=RUNNING_BESIDES, pinned=lambda found: {"size": found["size"]}, **asked)
    environment = record["environment"]
    if environment is None:
        raise Refused(_missing(context), "NOT_FOUND")
    environment["running"] = environment["running"]["nodes"]
    environment["state"] = environment["verdict"]["status"]
    environment["compliant"] = environment["state"] == "COMPLIANT"
    environment["link"] = context.link(record["ledger"]["origin"], "environments", environment["name"])
    return context.show(environment, lambda output: _render(output, environment))


def _missing(context: Context) -> str:
    return f"There is no environment {context.argument('ENVIRONMENT')}, or it is not yours to see."


def _render(output: Output, environment: dict[str, Any]) -> None:
    output.facts(
        [
            ("environment", environment["name"]),
            ("type", environment["type"]),
            ("verdict", environment["state"]),
            ("until", environment["verdict"]["holdsUntil"]),
            ("stale since", environment["stale"]),
            ("last reported", environment["lastReportedAt"] or "never"),
            ("description", environment["description"] or None),
            ("policies", [policy["name"] for policy in environment["policies"]] or "none"),
            ("parts", [part["name"] for part in environment["included"]] or None),
            ("link", environment["link"]),
        ]
    )
    output.heading("Running")
    _running_table(output, environment["running"])
    if environment["drift"]:
        output.heading("Drift")
        output.rows(
            ["kind", "artifact", "since", "why", "what would help"],
            [
                [each["kind"], each["name"], each["since"], each["explanation"], each["remedy"]]
                for each in environment["drift"]
            ],
        )
    reasons_table(output, environment["verdict"])


def _running_table(output: Output, running: list[dict[str, Any]]) -> None:
    output.rows(
        ["artifact", "fingerprint", "instances", "since", "flows"],
        [
            [each["name"], each["fingerprint"][:12], each["instances"], each["since"], each["flows"] or "unknown"]
            for each in running
        ],
        empty="nothing runs",
    )


def several(context: Context) -> ExitCode:
    """Environments by name."""
    return context.listed(
        limited(context, LIST_ALL, of("environments"), archived=context.switch(ARCHIVED)),
        ["environment", "type", "verdict", "last reported", "stale since", "description"],
        lambda each: [
            each["name"],
            each["type"],
            each["verdict"]["status"],
            each["lastReportedAt"] or "never",
            each["stale"],
            each["description"],
        ],
    )


def snapshot(context: Context) -> ExitCode:
    """What ran in an environment at a snapshot."""
    asked = {"expression": context.argument("SNAPSHOT"), "at": context.text(shared.AT)}
    record = whole(context, SNAPSHOT, of("snapshot", "running"), more=SNAPSHOT, pinned=_exactly, **asked)
    found = record["snapshot"]
    found["running"] = found["running"]["nodes"]
    found["link"] = context.link(
        record["ledger"]["origin"],
        "environments",
        found["environmentName"],
        *(("snapshots", found["number"]) if found["number"] else ()),
    )
    return context.show(found, lambda output: _render_snapshot(output, found))


def _exactly(record: dict[str, Any]) -> dict[str, Any]:
    """The expression of the snapshot that was found, whatever is the newest by the time of the next page."""
    found = record["snapshot"]
    return {"expression": f"{found['environmentName']}#{found['number']}"} if found["number"] else {}


def _render_snapshot(output: Output, found: dict[str, Any]) -> None:
    output.facts(
        [
            ("environment", found["environmentName"]),
            ("snapshot", found["number"]),
            ("taken", found["at"]),
            ("by", found["reportedBy"]),
            ("verdict then", (found["verdictThen"] or {}).get("status")),
            ("partial", "yes" if found["partial"] else None),
            ("link", found["link"]),
        ]
    )
    output.heading("Running")
    _running_table(output, found["running"])


def snapshots(context: Context) -> ExitCode:
    """Snapshots of an environment, the newest first."""
    snapshots_of, name = of("environment", "snapshots"), context.argument("ENVIRONMENT")
    return context.listed(
        limited(context, SNAPSHOTS, snapshots_of, missing=_missing(context), name=name),
        ["snapshot", "taken", "by", "artifacts", "started", "stopped", "verdict then"],
        lambda each: [
            each["number"],
            each["at"],
            each["reportedBy"],
            each["artifactCount"],
            each["started"],
            each["stopped"],
            (each["verdictThen"] or {}).get("status"),
        ],
    )


def log(context: Context) -> ExitCode:
    """What happened in an environment, the newest first."""
    asked = {"name": context.argument("ENVIRONMENT"), "since": context.text(SINCE), "until": context.text(UNTIL)}
    return context.listed(
        limited(context, LOG, of("environment", "changes"), missing=_missing(context), **asked),
        ["at", "what", "artifact", "fingerprint", "instances", "snapshot"],
        lambda each: [
            each["at"],
            each["kind"],
            each["name"],
            each["fingerprint"][:12],
            f"{each['instancesBefore']} -> {each['instances']}" if each["kind"] == "SCALED" else each["instances"],
            each["snapshotNumber"],
        ],
    )


def diff(context: Context) -> ExitCode:
    """How two snapshots differ."""
    asked = {"first": context.argument("FIRST"), "second": context.argument("SECOND")}
    found = context.ask(DIFF, asked)["record"]["diff"]
    rows = [["only in the first", each, each["instances"], None] for each in found["onlyFirst"]]
    rows += [["only in the second", each, None, each["instances"]] for each in found["onlySecond"]]
    rows += [
        ["scaled", each["second"], each["first"]["instances"], each["second"]["instances"]] for each in found["scaled"]
    ]
    if context.switch(UNCHANGED):
        rows += [
            ["in both", each["first"], each["first"]["instances"], each["first"]["instances"]] for each in found["same"]
        ]
    else:
        del found["same"]
    return context.show(
        found,
        lambda output: output.rows(
            ["where", "artifact", "fingerprint", "first", "second", "flows"],
            [
                [where, each["name"], each["fingerprint"][:12], before, after, each["flows"] or "unknown"]
                for where, each, before, after in rows
            ],
            empty="they do not differ",
        ),
    )


COMMANDS = (
    Command(
        "create environment",
        create,
        arguments=(_NAME,),
        options=(TYPE, shared.DESCRIPTION, INCLUDED, CADENCE, GRACE, shared.TAGS, *shared.RECORDING),
        explanation="An environment that is there already gets what is given, and keeps the rest, its type above all.",
        examples=("muniment create environment production --type k8s --cadence 1800",),
    ),
    Command(
        "get environment",
        get,
        arguments=(_NAME,),
        options=(shared.AT,),
        examples=("muniment get environment production",),
    ),
    Command(
        "list environments",
        several,
        options=(ARCHIVED, shared.LIMIT, shared.AFTER),
        examples=("muniment list environments",),
    ),
    Command(
        "get snapshot",
        snapshot,
        arguments=(Argument("SNAPSHOT", help=_EXPRESSION),),
        options=(shared.AT,),
        examples=("muniment get snapshot production", "muniment get snapshot 'production@{2.days.ago}' --output json"),
    ),
    Command(
        "list snapshots",
        snapshots,
        arguments=(_NAME,),
        options=(shared.LIMIT, shared.AFTER),
        examples=("muniment list snapshots production",),
    ),
    Command(
        "log environment",
        log,
        arguments=(_NAME,),
        options=(SINCE, UNTIL, shared.LIMIT, shared.AFTER),
        examples=("muniment log environment production --since 2026-11-01T00:00:00Z",),
    ),
    Command(
        "diff snapshots",
        diff,
        arguments=(Argument("FIRST", help=_EXPRESSION), Argument("SECOND", help="likewise")),
        options=(UNCHANGED,),
        examples=("muniment diff snapshots staging production", "muniment diff snapshots production~1 production"),
    ),
)
