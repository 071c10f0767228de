"""Approvals: ask for one, give it, report one that was given elsewhere, and see who is waiting."""

from __future__ import annotations

from muniment.command import Argument, Command, Option
from muniment.commands import queues, shared, subjects
from muniment.documents import Mutation, Query
from muniment.exits import BadUsage, Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from muniment.context import Context
    from muniment.exits import ExitCode
    from muniment.output import Output

APPROVAL = """id state environmentName fingerprint name description requestedBy requestedFor requestedAt reported
  expiresAt approvedBy reviews { decision by comment counts givenAt url }"""
_DONE = "approval { " + APPROVAL + " }"
REQUEST = Mutation("requestApproval", "RequestApprovalInput", "ApprovalRecorded", _DONE, noted="description")
REVIEW = Mutation("reviewApproval", "ReviewApprovalInput", "ApprovalRecorded", _DONE, noted="comment")
WITHDRAW = Mutation("withdrawApproval", "WithdrawApprovalInput", "ApprovalRecorded", _DONE, noted="comment")
REPORT = Mutation("reportApproval", "ReportApprovalInput", "ApprovalRecorded", _DONE, noted="comment")
GET = Query(
    "query($id: ID!) { record { ledger { origin } approval(id: $id) { "
    + APPROVAL
    + " withdrawal { by comment at } commits { isRollBack omitted authors commits { sha author message } } } } }"
)

EXPIRES = Option("--expires-at", help="when its time is over, such as 2026-12-31T00:00:00Z", value="INSTANT")
REQUESTED_FOR = Option(
    "--requested-for", "--requested-by", help="whose request it is; default: whom the CI system names"
)
APPROVED_BY = Option("--approved-by", "--approver", help="who approved it; default: you", value="WHO")
APPROVED_AT = Option("--approved-at", help="when; default: now", value="INSTANT")
COMMENT = Option("--comment", help="what there is to say", value="TEXT")
URL = Option("--url", "--approval-url", help="where it was approved: a ticket, a thread", value="URL")
OLDEST = Option(
    "--oldest-commit", help="git revision that runs there now: the commits since then are told", value="REVISION"
)
APPROVE = Option("--approve", kind="switch", help="it may be put there")
REJECT = Option("--reject", kind="switch", help="it may not; one rejection is enough")
WITHDRAW_IT = Option("--withdraw", kind="switch", help="take your own request back")
_STATE = queues.state("requested", "approved", "rejected", "withdrawn", "expired")
QUEUE = queues.Queue("approvals", "ApprovalState", APPROVAL, _STATE)
LIST = QUEUE.question  # documents stand at the top of their module, where a test holds them against the schema


def request(context: Context) -> ExitCode:
    """Asks people."""
    given, looked_up = _wish(context)
    outcome = context.record(REQUEST, given, artifact=looked_up)
    return _told(context, outcome)


def report(context: Context) -> ExitCode:
    """Reports an approval that was given elsewhere."""
    given, looked_up = _wish(context)
    given |= {
        "approvedBy": context.text(APPROVED_BY),
        "approvedAt": context.text(APPROVED_AT),
        "comment": context.text(COMMENT),
        "url": context.text(URL),
    }
    return _told(context, context.record(REPORT, given, artifact=looked_up))


def _wish(context: Context) -> tuple[dict[str, Any], dict[str, str | None] | None]:
    fingerprint, looked_up = subjects.chosen(context, context.text(shared.FLOW))
    if fingerprint is None and looked_up is None:
        raise BadUsage("Which artifact is it about? Give --name as it was reported, or --fingerprint.")
    given = {
        "environment": context.argument("ENVIRONMENT") or context.required(shared.ENVIRONMENT),
        "fingerprint": fingerprint,
        "name": looked_up["name"] if looked_up else context.text(subjects.NAME),
        "description": context.text(shared.DESCRIPTION),
        "requestedFor": context.text(REQUESTED_FOR),
        "expiresAt": context.text(EXPIRES),
        "commits": _commits(context) or None,
    }
    return given, looked_up


def _commits(context: Context) -> list[dict[str, Any]]:
    """The commits since the revision that runs there, the newest first, as git tells them."""
    from muniment import git

    oldest = context.text(OLDEST)
    if oldest is None:
        return []
    newest, folder = context.text(shared.COMMIT) or "HEAD", context.text(shared.REPO_ROOT) or "."
    found = git.commits_between(oldest, newest, folder)
    if found is None:
        raise BadUsage(f"git does not know the commits from {oldest} to {newest} here. Fetch the whole history first.")
    return found


def review(context: Context) -> ExitCode:
    """Says what a reviewer says."""
    given = {"id": context.argument("APPROVAL"), "comment": context.text(COMMENT)}
    chosen = [option for option in (APPROVE, REJECT, WITHDRAW_IT) if context.switch(option)]
    if len(chosen) > 1:
        raise BadUsage("A review says one thing. Give --approve, --reject, --withdraw, or a --comment alone.")
    if chosen == [WITHDRAW_IT]:
        return _told(context, context.record(WITHDRAW, given))
    if not chosen and given["comment"] is None:
        raise BadUsage("What does the review say? Give --approve, --reject, or a --comment.")
    decision = chosen[0].name.upper() if chosen else "COMMENT"
    return _told(context, context.record(REVIEW, {**given, "decision": decision}))


def _told(context: Context, outcome: dict[str, Any] | None) -> ExitCode:
    return context.told(outcome, lambda done: _facts(done["approval"]))


def _facts(approval: dict[str, Any]) -> list[tuple[str, object]]:
    return [
        ("approval", approval["id"]),
        ("state", approval["state"]),
        ("environment", approval["environmentName"]),
        ("artifact", approval["name"]),
        ("fingerprint", approval["fingerprint"]),
        ("requested", f"{approval['requestedAt']} by {approval['requestedFor'] or approval['requestedBy']}"),
        ("approved by", approval["approvedBy"] or None),
        ("expires", approval["expiresAt"]),
    ]


def get(context: Context) -> ExitCode:
    """A request and what people said to it."""
    record = context.ask(GET, {"id": context.argument("APPROVAL")})["record"]
    approval = record["approval"]
    if approval is None:
        raise Refused("There is no such approval, or it is not yours to see. See: muniment list approvals", "NOT_FOUND")
    return context.show(approval, lambda output: _render(output, approval))


def _render(output: Output, approval: dict[str, Any]) -> None:
    output.facts([*_facts(approval), ("description", approval["description"] or None)])
    output.heading("Reviews")
    rows = [[each["givenAt"], each["by"], each["decision"], each["comment"]] for each in approval["reviews"]]
    output.rows(["at", "by", "decision", "comment"], rows, empty="nobody said anything yet")
    commits = approval["commits"]
    if commits and commits["commits"]:
        output.heading("Commits that it takes back" if commits["isRollBack"] else "Commits that it brings")
        rows = [[each["sha"][:12], each["author"], each["message"]] for each in commits["commits"]]
        output.rows(["commit", "author", "message"], rows)


def several(context: Context) -> ExitCode:
    """Requests, the newest first."""
    return QUEUE.listed(
        context,
        ["approval", "state", "environment", "artifact", "requested", "by", "approved by"],
        lambda each: [
            each["id"],
            each["state"],
            each["environmentName"],
            each["name"],
            each["requestedAt"],
            each["requestedFor"] or each["requestedBy"],
            each["approvedBy"],
        ],
    )


_ABOUT = (
    subjects.NAME,
    shared.FLOW,
    shared.ENVIRONMENT,
    *subjects.SUBJECT,
    shared.DESCRIPTION,
    OLDEST,
    shared.COMMIT,
    shared.REPO_ROOT,
    REQUESTED_FOR,
    EXPIRES,
)
_WHERE = (
    Argument("ENVIRONMENT", help="where it is to be put", required=False),
    Argument("ARTIFACT", help="file, directory or image to read the fingerprint of", required=False),
)


def _command(words: str, run: Callable[[Context], ExitCode], more: tuple[Option, ...], example: str) -> Command:
    return Command(words, run, arguments=_WHERE, options=(*_ABOUT, *more, *shared.RECORDING), examples=(example,))


COMMANDS = (
    _command(
        "request approval",
        request,
        (),
        "muniment request approval production --name payments:v1.0 --oldest-commit deployed --description 'Refunds'",
    ),
    _command(
        "report approval",
        report,
        (APPROVED_BY, APPROVED_AT, COMMENT, URL),
        "muniment report approval production --name payments:v1.0 --approved-by ada --url https://tickets.example.com/87",
    ),
    Command(
        "review approval",
        review,
        arguments=(Argument("APPROVAL", help="its id"),),
        options=(APPROVE, REJECT, WITHDRAW_IT, COMMENT, *shared.RECORDING),
        explanation="Only people with the role approver review, and never whoever requested it.",
        examples=("muniment review approval QXBwcm92YWw6... --approve --comment 'Tried it on staging'",),
    ),
    Command(
        "get approval",
        get,
        arguments=(Argument("APPROVAL", help="its id"),),
        examples=("muniment get approval QXBwcm92YWw6...",),
    ),
    Command(
        "list approvals",
        several,
        options=QUEUE.options(),
        examples=("muniment list approvals --state requested",),
    ),
)
