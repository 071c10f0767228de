"""API keys: their rotation, so that a pipeline can do it on a schedule."""

from __future__ import annotations

from muniment.command import NUMBER, Argument, Command, Option
from muniment.commands import shared
from muniment.documents import Mutation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from muniment.context import Context
    from muniment.exits import ExitCode

ROTATE = Mutation("rotateKey", "RotateKeyInput", "KeyIssued", "token keyId expiresAt")

OVERLAP = Option(
    "--grace-period-hours",
    "--overlap-hours",
    "-g",
    kind=NUMBER,
    default=24,
    help="how long the old key still opens",
    value="N",
)
EXPIRES_IN = Option("--expires-in-days", kind=NUMBER, help="when the new one ends; default: the server's 90", value="N")


def rotate(context: Context) -> ExitCode:
    """Issues a successor. Its text goes to stdout this once, which is where it is asked for."""
    outcome = context.record(
        ROTATE,
        {
            "keyId": context.argument("KEY"),
            "overlapHours": context.number(OVERLAP),
            "expiresInDays": context.settings.value(EXPIRES_IN),
        },
    )
    if outcome is not None and outcome["token"] is None:
        context.say(
            "this was done before, and a key's text is shown only once; rotate again with another idempotency key"
        )
    return context.told(
        outcome,
        lambda done: [("key", done["token"]), ("id", done["keyId"]), ("expires", done["expiresAt"])],
    )


COMMANDS = (
    Command(
        "rotate api-key",
        rotate,
        arguments=(Argument("KEY", help="id of the key"),),
        options=(OVERLAP, EXPIRES_IN, *shared.RECORDING),
        explanation="The new key is printed this once. The old one goes on opening for the grace period.",
        examples=("muniment rotate api-key QXBpS2V5Oi... --output json | jq -r .token",),
    ),
)
