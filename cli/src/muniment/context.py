"""What a command runs in: what it was asked with, the server, and where its answer goes.

    run(context):
        outcome = context.record(REPORT, {"flow": context.required(FLOW), ...})
        ...
        return context.told(outcome, [("artifact", outcome["fingerprint"])])

Everything that costs time is made when it is first used: a dry run opens no socket and loads no TLS.
"""

from __future__ import annotations

from muniment.commands import shared
from muniment.exits import BadUsage, CommandError, ExitCode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from muniment.client import Client
    from muniment.command import Command, Option
    from muniment.documents import Mutation, Query
    from muniment.evidence import File
    from muniment.output import Output
    from muniment.settings import Settings

DRY_RUN_KEY = "DRY_RUN"


class Context:
    """One run of one command."""

    def __init__(
        self, command: Command, arguments: Mapping[str, Any], settings: Settings, environment: Mapping[str, str]
    ) -> None:
        self.command = command
        self.settings = settings
        self.environment = environment
        self._arguments = arguments
        self._client: Client | None = None
        self._output: Output | None = None
        self._writes = 0

    # --- what it was asked with

    def argument(self, name: str) -> str | None:
        """A word of the command line; None when it was not given."""
        word: str | None = self._arguments.get(name)
        return word

    def words(self, name: str) -> list[str]:
        """The words of an argument that takes many."""
        return list(self._arguments.get(name) or [])

    def text(self, option: Option) -> str | None:
        """A text, or None."""
        value: str | None = self.settings.value(option)
        return value

    def required(self, option: Option) -> str:
        """A text; refuses when nothing sets it."""
        value = self.text(option)
        if value is None:
            raise BadUsage(
                f"Which {option.name.replace('_', ' ')} is meant? Give --{option.name.replace('_', '-')} "
                f"or set {option.variables()[0]}."
            )
        return value

    def switch(self, option: Option) -> bool:
        """True only when something sets it to true."""
        return bool(self.settings.value(option))

    def texts(self, option: Option) -> list[str]:
        """Several texts, perhaps none."""
        return list(self.settings.value(option) or [])

    def pairs(self, option: Option) -> dict[str, str]:
        """Names and values, perhaps none."""
        return dict(self.settings.value(option) or {})

    def number(self, option: Option) -> int:
        """A whole number; the option has a default."""
        return int(self.settings.value(option))

    # --- where its answer goes

    @property
    def output(self) -> Output:
        """Where data goes, in the form that was asked for."""
        if self._output is None:
            from muniment.output import Output  # a command that fails early needs none

            form = self.settings.value(shared.OUTPUT)
            self._output = Output(form, self.environment, is_quiet=self.switch(shared.QUIET))
        return self._output

    def say(self, text: str) -> None:
        """Talk, to stderr."""
        self.output.say(text)

    def show(self, data: Any, render: Callable[[Output], None]) -> ExitCode:
        """The answer to a question."""
        self.output.show(data, render)
        return ExitCode.DONE

    def listed(
        self, page: dict[str, Any], headings: Sequence[str], row: Callable[[dict[str, Any]], Sequence[object]]
    ) -> ExitCode:
        """A page of a connection (`nodes`, `pageInfo`): as JSON the nodes; and on stderr how to go on."""
        nodes = page["nodes"]
        self.output.show(nodes, lambda output: output.rows(headings, [row(node) for node in nodes]))
        if page["pageInfo"]["hasNextPage"]:
            self.say(f"there is more: --after {page['pageInfo']['endCursor']}")
        return ExitCode.DONE

    def told(
        self, outcome: dict[str, Any] | None, facts: Callable[[dict[str, Any]], Sequence[tuple[str, object]]]
    ) -> ExitCode:
        """The outcome of a write: these facts, and the receipt. An outcome of None was told already."""
        if outcome is None:
            return ExitCode.DONE
        receipt = outcome["receipt"]
        place = f"{receipt['index']} of {receipt['ledger']}" + (", recorded before" if receipt["replayed"] else "")
        data = {name: value for name, value in outcome.items() if name != "__typename"}
        self.output.show(data, lambda output: output.facts([*facts(outcome), ("entry", place)]))
        return ExitCode.DONE

    def link(self, origin: str, *path: object) -> str:
        """Where a person sees it: a page of the console. `origin` is the ledger's, whose last part is the organization."""
        from urllib.parse import quote

        organization = origin.rstrip("/").rpartition("/")[2]
        return "/".join([self.client.host, "o", *(quote(str(part), safe="~:@") for part in (organization, *path))])

    # --- the server

    @property
    def is_dry(self) -> bool:
        """Whether nothing may be sent."""
        return self.switch(shared.DRY_RUN) or self.settings.value(shared.API_KEY) == DRY_RUN_KEY

    @property
    def client(self) -> Client:
        """The server, with this command's key."""
        if self._client is None:
            from muniment.asking import open_client  # a dry run opens none

            self._client = open_client(self)
        return self._client

    def close(self) -> None:
        """The command has ended."""
        if self._client is not None:
            self._client.connections.drop()

    def ask(self, question: Query, variables: Mapping[str, Any] | None = None) -> Any:
        """The data of the answer. In a dry run: shows the question, and ends the command."""
        if self.is_dry:
            self.output.json({"query": question.document, "variables": dict(variables or {})})
            raise CommandError("Dry run: nothing was asked, so nothing is known.", ExitCode.DONE)
        return self.client.ask(question, variables)

    def record(
        self,
        mutation: Mutation,
        given: Mapping[str, Any],
        *,
        files: Sequence[File] = (),
        trail: Mapping[str, Any] | None = None,
        artifact: Mapping[str, Any] | None = None,
    ) -> dict[str, Any] | None:
        """Records, and gives what the server gives back; None when it was not sent (dry run, spool, best effort), which is told.

        What is None in `given` is left out. `files` are stored as evidence before. `trail` is the input by which to begin the trail
        if it is not there. `artifact` (name, flow) is looked up before, and its fingerprint put into the input.
        """
        from muniment.writing import Write, send  # questions write nothing

        key = self.text(shared.IDEMPOTENCY_KEY)
        write = Write.made(
            self.command.words,
            mutation,
            given,
            key=key,
            number=self._writes,
            files=files,
            trail=trail,
            artifact=artifact,
        )
        self._writes += 1
        if self.is_dry:
            self.output.json(write.shown())
            self.say("dry run: nothing was sent")
            return None
        spool = self.text(shared.SPOOL)
        if spool is not None and write.can_wait:
            from muniment.spool import send_or_keep  # only with a spool

            return send_or_keep(self, spool, write)
        return send(self, write)


def is_best_effort(context: Context) -> bool:
    """Whether this command may not fail. Only those that record can be told so: a gate that answers yes to everything is none."""
    return shared.BEST_EFFORT in context.command.options and context.switch(shared.BEST_EFFORT)
