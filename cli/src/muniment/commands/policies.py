"""Policies: what may run in the environments that they are attached to."""

from __future__ import annotations

from muniment.command import LIST, Argument, Command, Option
from muniment.commands import shared
from muniment.commands.files import text_of
from muniment.commands.verdicts import REASONS, reasons_table
from muniment.documents import Mutation, Query
from muniment.exits import BadUsage, ExitCode, Refused
from muniment.paging import limited, of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from muniment.context import Context
    from muniment.output import Output

_DONE = "policy { name version environments }"
CREATE = Mutation("createPolicy", "CreatePolicyInput", "PolicyRecorded", _DONE, noted="comment")
CHANGE = Mutation("changePolicy", "ChangePolicyInput", "PolicyRecorded", _DONE, noted="comment")
ATTACH = Mutation("attachPolicy", "PolicyAttachmentInput", "PolicyRecorded", _DONE)
DETACH = Mutation("detachPolicy", "PolicyAttachmentInput", "PolicyRecorded", _DONE)
GET = Query("""
query($name: String!) { record { ledger { origin } policy(name: $name) {
  name description version document rules environments createdAt changedAt versions { version comment recordedBy recordedAt } } } }
""")
LIST_ALL = Query("""
query($first: Int, $after: String) { record { policies(first: $first, after: $after) {
  nodes { name description version environments changedAt } pageInfo { hasNextPage endCursor } } } }
""")
TRY = Query(
    "query($document: String!, $environment: String!) { record { tryPolicy(document: $document, environment: $environment) { "
    "status holdsUntil " + REASONS + " } } }"
)

COMMENT = Option("--comment", help="what is new in this version", value="TEXT")
TRY_IN = Option("--try-in", help="record nothing; tell what it would say of this environment", value="ENVIRONMENT")
ENVIRONMENTS = Option("--environment", "-e", kind=LIST, help="the environments", value="NAMES")


def create(context: Context) -> ExitCode:
    """Creates the policy; records a new version when it is there."""
    document = text_of(context.argument("FILE") or "-")
    environment = context.text(TRY_IN)
    if environment is not None:
        return _tried(context, document, environment)
    given = {
        "name": context.argument("POLICY"),
        "document": document,
        "description": context.text(shared.DESCRIPTION),
        "comment": context.text(COMMENT),
    }
    try:
        outcome = context.record(CREATE, given)
    except Refused as refusal:
        if refusal.refusal != "NAME_TAKEN":
            raise
        outcome = context.record(CHANGE, given)
    return context.told(outcome, _facts)


def _facts(done: dict[str, Any]) -> list[tuple[str, object]]:
    policy = done["policy"]
    return [
        ("policy", policy["name"]),
        ("version", policy["version"]),
        ("attached to", policy["environments"] or "no environment"),
    ]


def _tried(context: Context, document: str, environment: str) -> ExitCode:
    verdict = context.ask(TRY, {"document": document, "environment": environment})["record"]["tryPolicy"]

    def render(output: Output) -> None:
        output.facts([("environment", environment), ("verdict would be", verdict["status"])])
        reasons_table(output, verdict)

    context.show(verdict, render)
    return ExitCode.DONE if verdict["status"] == "COMPLIANT" else ExitCode.NOT_COMPLIANT


def _moving(mutation: Mutation) -> Callable[[Context], ExitCode]:
    def run(context: Context) -> ExitCode:
        environments = context.texts(ENVIRONMENTS)
        if not environments:
            raise BadUsage("Which environments are meant? Give --environment.")
        for environment in environments:
            outcome = context.record(mutation, {"policy": context.argument("POLICY"), "environment": environment})
            context.told(outcome, _facts)
        return ExitCode.DONE

    return run


def get(context: Context) -> ExitCode:
    """A policy whole."""
    name = context.argument("POLICY")
    record = context.ask(GET, {"name": name})["record"]
    policy = record["policy"]
    if policy is None:
        raise Refused(f"There is no policy {name}, or it is not yours to see.", "NOT_FOUND")
    policy["link"] = context.link(record["ledger"]["origin"], "policies", policy["name"])
    return context.show(policy, lambda output: _render(output, policy))


def _render(output: Output, policy: dict[str, Any]) -> None:
    output.facts(
        [
            ("policy", policy["name"]),
            ("version", policy["version"]),
            ("description", policy["description"] or None),
            ("attached to", policy["environments"] or "no environment"),
            ("changed", policy["changedAt"]),
            ("rules", "\n".join(policy["rules"])),
            ("link", policy["link"]),
        ]
    )
    output.heading("Document")
    output.line(
        f"```yaml\n{policy['document'].rstrip()}\n```" if output.form == "markdown" else policy["document"].rstrip()
    )


def several(context: Context) -> ExitCode:
    """Policies by name."""
    return context.listed(
        limited(context, LIST_ALL, of("policies")),
        ["policy", "version", "attached to", "changed", "description"],
        lambda each: [each["name"], each["version"], each["environments"], each["changedAt"], each["description"]],
    )


_POLICY = Argument("POLICY", help="its name")

COMMANDS = (
    Command(
        "create policy",
        create,
        arguments=(_POLICY, Argument("FILE", help="the policy as YAML; - is stdin")),
        options=(shared.DESCRIPTION, COMMENT, TRY_IN, *shared.RECORDING),
        explanation="""
            It decides nothing until it is attached to an environment. A policy that is there gets a new version, in force at once
            wherever it is attached: try it first.
            """,
        examples=(
            "muniment create policy production-requirements policy.yml --try-in production",
            "muniment create policy production-requirements policy.yml --comment 'approvals, too'",
        ),
    ),
    Command(
        "attach-policy",
        _moving(ATTACH),
        arguments=(_POLICY,),
        options=(ENVIRONMENTS, *shared.RECORDING),
        examples=("muniment attach-policy production-requirements --environment production",),
    ),
    Command(
        "detach-policy",
        _moving(DETACH),
        arguments=(_POLICY,),
        options=(ENVIRONMENTS, *shared.RECORDING),
        examples=("muniment detach-policy production-requirements --environment staging",),
    ),
    Command("get policy", get, arguments=(_POLICY,), examples=("muniment get policy production-requirements",)),
    Command("list policies", several, options=(shared.LIMIT, shared.AFTER), examples=("muniment list policies",)),
)
