"""What the exit code of a command says, so that a pipeline can act without reading words."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """The exit codes of every `muniment` command."""

    DONE = 0
    """Done; or, for a question, compliant."""
    NOT_COMPLIANT = 1
    """The answer is no: not compliant."""
    BAD_USAGE = 2
    """The command makes no sense as it was given; nothing was tried."""
    UNREACHABLE = 3
    """The server could not be reached, or refused."""
    NOT_AUTHORISED = 4
    """The server does not know the key, or the key may not do this."""
    NOT_PROVEN = 5
    """A proof does not verify."""
    NOT_KNOWN = 6
    """A gate: the record does not know what was asked about."""
    NOTHING_TO_JUDGE_BY = 7
    """A gate: no policy is attached, no template asks anything, nobody attested anything."""


class CommandError(Exception):
    """A command ends here: `message` goes to stderr, `code` becomes the exit code."""

    def __init__(self, message: str, code: ExitCode) -> None:
        super().__init__(message)
        self.message = message
        self.code = code


class BadUsage(CommandError):
    """The command makes no sense as it was given."""

    def __init__(self, message: str) -> None:
        super().__init__(message, ExitCode.BAD_USAGE)


class Unreachable(CommandError):
    """The server did not answer, or not usefully, as often and as long as it was asked. It may have recorded what it was sent."""

    def __init__(self, message: str) -> None:
        super().__init__(message, ExitCode.UNREACHABLE)


class Refused(CommandError):
    """The server said no: `message` is its sentence, `refusal` its stable code (NOT_FOUND), `field` what it means, where told."""

    def __init__(self, message: str, refusal: str, field: str | None = None) -> None:
        unauthorised = refusal in ("UNAUTHENTICATED", "NOT_ALLOWED")
        super().__init__(message, ExitCode.NOT_AUTHORISED if unauthorised else ExitCode.UNREACHABLE)
        self.refusal = refusal
        self.field = field
