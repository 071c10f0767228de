"""`muniment query`: any GraphQL document, for what no verb asks."""

from __future__ import annotations

import json

from muniment.command import PAIRS, Argument, Command, Option
from muniment.commands.files import text_of
from muniment.exits import CommandError, ExitCode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from muniment.context import Context

VARIABLE = Option(
    "--variable",
    "-v",
    kind=PAIRS,
    help="a variable: JSON where it is JSON, else text; @FILE reads a file",
    value="NAME=VALUE",
)


def query(context: Context) -> ExitCode:
    """Asks, and prints the data as JSON."""
    document = text_of(context.argument("FILE") or "-")
    variables = {name: _value(text) for name, text in context.pairs(VARIABLE).items()}
    if context.is_dry:
        context.output.json({"query": document, "variables": variables})
        raise CommandError("Dry run: nothing was asked, so nothing is known.", ExitCode.DONE)
    context.output.json(context.client.ask_text(document, variables))
    return ExitCode.DONE


def _value(text: str) -> Any:
    if text.startswith("@"):
        return text_of(text[1:])
    try:
        return json.loads(text)
    except ValueError:
        return text


COMMANDS = (
    Command(
        "query",
        query,
        arguments=(Argument("FILE", help="the document; - is stdin"),),
        options=(VARIABLE,),
        explanation="""
            A document may write, too. Give it an idempotencyKey in its input then: what may be lost on the way is sent again.
            """,
        examples=("muniment query running.graphql -v environment=production | jq .record",),
    ),
)
