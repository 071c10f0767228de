"""`muniment flush`: what is waiting in the spool goes to the server, in order."""

from __future__ import annotations

from muniment.command import Command
from muniment.commands import shared
from muniment.exits import ExitCode, Refused
from muniment.spool import Spool
from muniment.spool import flush as flushed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from muniment.context import Context


def flush(context: Context) -> ExitCode:
    """Sends what is waiting; 3 when something was refused or the server is still away."""
    spool = Spool(context.required(shared.SPOOL))
    if context.is_dry:
        waiting = [spool.read(path) for path in spool.waiting()]
        context.output.json([{"command": write.command, "at": write.at, **write.shown()} for write in waiting])
        return ExitCode.DONE
    with spool.alone():
        outcomes = flushed(context, spool)
    rows = [
        [command, "refused" if isinstance(outcome, Refused) else outcome["receipt"]["index"]]
        for command, outcome in outcomes
    ]
    data = [
        {"command": command, "refused": outcome.message}
        if isinstance(outcome, Refused)
        else {"command": command, "receipt": outcome["receipt"]}
        for command, outcome in outcomes
    ]
    context.show(data, lambda output: output.rows(["what", "entry"], rows, empty="nothing is waiting"))
    refused = any(isinstance(outcome, Refused) for _, outcome in outcomes)
    return ExitCode.UNREACHABLE if refused else ExitCode.DONE


COMMANDS = (
    Command(
        "flush",
        flush,
        options=(shared.SPOOL,),
        explanation="""
            What was reported with --spool while the server was away is sent in the order in which it was reported, and the entry
            notes when that was. What the server refuses is set aside in the spool's directory `refused`, with its reason.
            """,
        examples=("muniment flush --spool /var/spool/muniment",),
    ),
)
