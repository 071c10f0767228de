"""Waivers: an artifact accepted in an environment for a time, although it is not compliant."""

from __future__ import annotations

import time

from muniment.command import NUMBER, Argument, Command, Option
from muniment.commands import shared, subjects
from muniment.documents import Mutation, Query
from muniment.exits import BadUsage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from muniment.context import Context
    from muniment.exits import ExitCode

_WAIVER = (
    "id state environmentName fingerprint name policyName rule reason requestedBy requestedFor requestedAt expiresAt"
)
_DONE = "waiver { " + _WAIVER + " acceptance { by comment at } revocation { by comment at } }"
REQUEST = Mutation("requestWaiver", "RequestWaiverInput", "WaiverRecorded", _DONE, noted="reason")
ACCEPT = Mutation("acceptWaiver", "AcceptWaiverInput", "WaiverRecorded", _DONE, noted="comment")
REVOKE = Mutation("revokeWaiver", "RevokeWaiverInput", "WaiverRecorded", _DONE, noted="reason")
LIST = Query(
    "query($state: WaiverState, $environment: String, $first: Int, $after: String) { record { "
    "waivers(state: $state, environment: $environment, first: $first, after: $after) { nodes { "
    + _WAIVER
    + " } pageInfo { hasNextPage endCursor } } } }"
)

REASON = Option("--reason", help="why it may run nevertheless", value="TEXT")
EXPIRES = Option("--expires-at", help="the instant from which it excuses nothing", value="INSTANT")
DAYS = Option("--days", kind=NUMBER, default=30, help="or for how many days from now", value="N")
POLICY = Option("--policy", help="excuse one rule: the policy that has it", value="NAME")
RULE = Option("--rule", help="and the rule, as `muniment get policy` tells it", value="RULE")
REQUESTED_FOR = Option(
    "--requested-for", "--requested-by", help="whose request it is; default: whom the CI system names"
)
COMMENT = Option("--comment", help="what there is to say", value="TEXT")
STATE = Option(
    "--state", choices=("requested", "in_force", "revoked", "expired"), help="only those that stand so", value="STATE"
)


def allow(context: Context) -> ExitCode:
    """Asks for a waiver. It excuses nothing until a second person accepts it."""
    fingerprint, looked_up = subjects.chosen(context, context.text(shared.FLOW))
    rule = context.text(RULE)
    if fingerprint is None and looked_up is None and rule is None:
        raise BadUsage("What is to be accepted? Give an artifact, --name, --fingerprint, or a --rule.")
    given = {
        "environment": context.required(shared.ENVIRONMENT),
        "reason": context.required(REASON),
        "expiresAt": context.text(EXPIRES) or _in_days(context.number(DAYS)),
        "fingerprint": fingerprint,
        "name": looked_up["name"] if looked_up else context.text(subjects.NAME),
        "policy": context.text(POLICY),
        "rule": rule,
        "requestedFor": context.text(REQUESTED_FOR),
    }
    outcome = context.record(REQUEST, given, artifact=looked_up)
    if outcome is not None and outcome["waiver"]["state"] == "REQUESTED":
        context.say(f"it is in force when a second person has said: muniment accept waiver {outcome['waiver']['id']}")
    return _told(context, outcome)


def _in_days(days: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + days * 86_400))


def accept(context: Context) -> ExitCode:
    """Puts a waiver in force."""
    return _told(context, context.record(ACCEPT, {"id": context.argument("WAIVER"), "comment": context.text(COMMENT)}))


def revoke(context: Context) -> ExitCode:
    """Declines a waiver, or ends it."""
    return _told(
        context, context.record(REVOKE, {"id": context.argument("WAIVER"), "reason": context.required(REASON)})
    )


def _told(context: Context, outcome: dict[str, Any] | None) -> ExitCode:
    return context.told(
        outcome,
        lambda done: [
            ("waiver", done["waiver"]["id"]),
            ("state", done["waiver"]["state"]),
            ("environment", done["waiver"]["environmentName"]),
            ("artifact", done["waiver"]["name"]),
            ("rule", done["waiver"]["rule"]),
            ("reason", done["waiver"]["reason"]),
            ("expires", done["waiver"]["expiresAt"]),
        ],
    )


def several(context: Context) -> ExitCode:
    """Waivers, the newest first."""
    state = context.text(STATE)
    asked = {
        "state": None if state is None else state.upper(),
        "environment": context.text(shared.ENVIRONMENT),
        "first": context.number(shared.LIMIT),
        "after": context.text(shared.AFTER),
    }
    return context.listed(
        context.ask(LIST, asked)["record"]["waivers"],
        ["waiver", "state", "environment", "artifact", "rule", "reason", "by", "expires"],
        lambda each: [
            each["id"],
            each["state"],
            each["environmentName"],
            each["name"] or "any",
            each["rule"] or "all",
            each["reason"],
            each["requestedFor"] or each["requestedBy"],
            each["expiresAt"],
        ],
    )


_WAIVER_ID = Argument("WAIVER", help="its id")

COMMANDS = (
    Command(
        "allow artifact",
        allow,
        arguments=(
            Argument("ARTIFACT", help="file, directory, image, or the name it was reported under", required=False),
        ),
        options=(
            shared.ENVIRONMENT,
            REASON,
            EXPIRES,
            DAYS,
            subjects.NAME,
            shared.FLOW,
            *subjects.SUBJECT,
            POLICY,
            RULE,
            REQUESTED_FOR,
            *shared.RECORDING,
        ),
        explanation="It is a request: a second person accepts it, and it ends on a date.",
        examples=(
            "muniment allow artifact --name legacy:v0.9 --environment production --reason 'Replaced in May' --days 60",
        ),
    ),
    Command(
        "accept waiver",
        accept,
        arguments=(_WAIVER_ID,),
        options=(COMMENT, *shared.RECORDING),
        examples=("muniment accept waiver V2FpdmVyOi... --comment 'Seen with the team'",),
    ),
    Command(
        "revoke waiver",
        revoke,
        arguments=(_WAIVER_ID,),
        options=(REASON, *shared.RECORDING),
        examples=("muniment revoke waiver V2FpdmVyOi... --reason 'It was replaced'",),
    ),
    Command(
        "list waivers",
        several,
        options=(STATE, shared.ENVIRONMENT, shared.LIMIT, shared.AFTER),
        examples=("muniment list waivers --state requested",),
    ),
)
