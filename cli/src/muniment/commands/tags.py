"""Tags: words of one's own on flows and environments, by which policies and people choose them."""

from __future__ import annotations

from muniment.command import LIST, Argument, Command, Option
from muniment.commands import shared
from muniment.commands.environments import CHANGE as CHANGE_ENVIRONMENT
from muniment.commands.flows import CHANGE as CHANGE_FLOW
from muniment.documents import Query
from muniment.exits import BadUsage, Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from muniment.context import Context
    from muniment.exits import ExitCode

FLOW_TAGS = Query("query($name: String!) { record { found: flow(name: $name) { tags } } }")
ENVIRONMENT_TAGS = Query("query($name: String!) { record { found: environment(name: $name) { tags } } }")

UNSET = Option("--unset", "-u", kind=LIST, help="tags to remove", value="NAMES")


def tag(context: Context) -> ExitCode:
    """Sets and removes tags, and leaves the others."""
    what, name = (context.argument("WHAT") or "").lower(), context.argument("NAME") or ""
    questions = {
        "flow": (FLOW_TAGS, CHANGE_FLOW),
        "environment": (ENVIRONMENT_TAGS, CHANGE_ENVIRONMENT),
        "env": (ENVIRONMENT_TAGS, CHANGE_ENVIRONMENT),
    }
    if what not in questions:
        raise BadUsage(f"{what!r} has no tags. Name flow or environment.")
    question, change = questions[what]
    set_tags, unset = context.pairs(shared.TAGS), context.texts(UNSET)
    if not set_tags and not unset:
        raise BadUsage("What is to be changed? Give --set name=value or --unset name.")
    tags = {}
    if not context.is_dry:
        found = context.ask(question, {"name": name})["record"]["found"]
        if found is None:
            raise Refused(f"There is no {what} {name}, or it is not yours to see.", "NOT_FOUND")
        tags = {key: value for key, value in found["tags"].items() if key not in unset}
    tags.update(set_tags)
    outcome = context.record(change, {"name": name, "tags": tags})
    return context.told(
        outcome, lambda done: [(what, name), ("tags", [f"{key}={value}" for key, value in tags.items()] or "none")]
    )


COMMANDS = (
    Command(
        "tag",
        tag,
        arguments=(Argument("WHAT", help="flow or environment"), Argument("NAME", help="its name")),
        options=(shared.TAGS, UNSET, *shared.RECORDING),
        examples=("muniment tag flow payments-api --set tier=product --unset legacy",),
    ),
)
