"""Every way in which the record says no to a caller, as one small family of exceptions.

A refusal is an expected answer, not a fault of ours: sentence one is the fact, sentence two is what to do. The API turns
each class into a GraphQL type of the same name and an HTTP status; anything that is not a `Refusal` is our bug
and is masked. Not-found and not-yours are the same refusal, so that nobody learns what exists elsewhere.
"""

from typing import ClassVar


class Refusal(Exception):  # noqa: N818 (a refusal is an answer, not an error)
    """The record said no. `code` is stable for programs, `message` is for people."""

    code: ClassVar[str] = "REFUSED"
    http_status: ClassVar[int] = 400

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class InvalidInput(Refusal):
    """Something in the request does not have the form that it must have. `line` and `column` count from 1."""

    code = "INVALID_INPUT"

    def __init__(
        self, message: str, *, field: str | None = None, line: int | None = None, column: int | None = None
    ) -> None:
        super().__init__(message)
        self.field = field
        self.line = line
        self.column = column


class MalformedReport(InvalidInput):
    """A report (JUnit, SARIF, SBOM, DSSE, custom data) cannot be read, or is hostile; nothing was recorded."""

    code = "MALFORMED_REPORT"


class NotFound(Refusal):
    """There is no such thing in this organization (or it is not yours to see: the two are not told apart)."""

    code = "NOT_FOUND"
    http_status = 404


class NameTaken(Refusal):
    """Something of that name exists already."""

    code = "NAME_TAKEN"
    http_status = 409


class Ambiguous(Refusal):
    """A prefix names more than one thing."""

    code = "AMBIGUOUS"
    http_status = 409


class Unauthenticated(Refusal):
    """No key, or one that is unknown, expired or revoked."""

    code = "UNAUTHENTICATED"
    http_status = 401


class NotAllowed(Refusal):
    """The key is good, but its roles or scopes do not cover this."""

    code = "NOT_ALLOWED"
    http_status = 403


class EvidenceNotStored(Refusal):
    """A mutation names a digest that this organization has not uploaded."""

    code = "EVIDENCE_NOT_STORED"


class WrongDigest(Refusal):
    """The bytes that arrived are not the bytes that were named; nothing was stored."""

    code = "WRONG_DIGEST"
    http_status = 422


class TooLarge(Refusal):
    """Larger than a stated limit."""

    code = "TOO_LARGE"
    http_status = 413


class IdempotencyConflict(Refusal):
    """This idempotency key was used before, with another input."""

    code = "IDEMPOTENCY_CONFLICT"
    http_status = 409


class Unavailable(Refusal):
    """A part that this request needs (database, vault, queue) does not answer now. Trying again may work."""

    code = "UNAVAILABLE"
    http_status = 503
