"""The server as the client sees it: questions and bytes in, answers out, with patience but not without end.

Everything that is sent may be sent twice: questions change nothing, evidence is named by its digest, and every write has its
idempotency key. So whatever may have been lost on the way is simply tried again, after a pause that grows and is never the same for
two clients, until it was tried often enough or long enough.

The key goes into one header of requests to the one host that the user named, and nowhere else. Redirects are not followed.
"""

from __future__ import annotations

import json
import sys
import time

from muniment import __version__
from muniment.connections import FAULTS, Answer, Connections
from muniment.exits import BadUsage, CommandError, Refused, Unreachable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, TypeVar

    from muniment.documents import Mutation, Query

    Result = TypeVar("Result")

RETRIED_STATUS = (408, 429, 500, 502, 503, 504)
PAUSE_SECONDS = 0.25
PAUSE_SECONDS_MAX = 8.0


class Again(Exception):  # noqa: N818 (no fault: a reason to try once more)
    """This attempt came to nothing, and the next may not. `after`: seconds that the server asks to wait."""

    def __init__(self, why: str, after: float = 0.0) -> None:
        super().__init__(why)
        self.after = after


PASSING = (Again, *FAULTS)


class Client:
    """Asks one server with one key. Threads may share it; each gets a connection of its own."""

    def __init__(
        self,
        connections: Connections,
        authorization: str | None,
        *,
        retries: int = 5,
        deadline_seconds: float = 60.0,
        is_debugging: bool = False,
    ) -> None:
        self.connections = connections
        self._authorization = authorization
        self._retries = retries
        self._deadline_seconds = deadline_seconds
        self._is_debugging = is_debugging

    @property
    def host(self) -> str:
        """The server's address, without a slash at the end."""
        return self.connections.address

    def ask(self, question: Query, variables: Mapping[str, Any] | None = None) -> Any:
        """The data of the answer. Raises Refused with the server's sentence, or Unreachable."""
        return self.ask_text(question.document, variables)

    def ask_text(self, document: str, variables: Mapping[str, Any] | None = None) -> Any:
        """As `ask`, for any document."""
        body = json.dumps({"query": document, "variables": variables or {}}, separators=(",", ":")).encode()
        return self.patiently(lambda: self._asked(body))

    def record(self, mutation: Mutation, given: Mapping[str, Any]) -> dict[str, Any]:
        """What the write gives back. `given` holds its idempotency key, so that trying again records nothing twice."""
        body = json.dumps({"query": mutation.document, "variables": {"input": given}}, separators=(",", ":")).encode()

        def attempt() -> dict[str, Any]:
            answer: dict[str, Any] = self._asked(body)["answer"]
            if answer["__typename"] == mutation.done:
                return answer
            if answer.get("code") == "UNAVAILABLE":
                raise Again(answer["message"])
            raise Refused(answer.get("message", "The server refused."), answer.get("code", "REFUSED"))

        return self.patiently(attempt)

    def request(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> Answer:
        """One attempt at any route; raises Again when nothing useful came back, and Refused for every other refusal."""
        return self.checked(self.connections.exchange(method, path, self.headers(headers), body))

    def headers(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        """What every request says of itself."""
        said = {"User-Agent": f"muniment/{__version__}", **(more or {})}
        if self._authorization is not None:
            said["Authorization"] = self._authorization
        return said

    def checked(self, answer: Answer) -> Answer:
        """The answer, if it is one; raises what its status means otherwise."""
        self._note(f"{answer.method} {answer.path} {answer.status} in {answer.seconds * 1000:.0f} ms")
        if answer.status < 300:
            return answer
        if answer.status < 400:
            raise Unreachable(
                f"{self.host} says that it is at {answer.headers.get('location', 'another address')}. "
                "Set the host to the address of the server itself."
            )
        code, message = _said(answer)
        if answer.status in RETRIED_STATUS:
            raise Again(message, _seconds(answer.headers.get("retry-after")))
        raise Refused(message, code)

    def patiently(self, attempt: Callable[[], Result]) -> Result:
        """What `attempt` gives, tried again while it raises Again or the network fails. Raises Unreachable in the end."""
        ends = time.monotonic() + self._deadline_seconds
        tries = 0
        while True:
            tries += 1
            self.connections.within(ends - time.monotonic())
            try:
                return attempt()
            except CommandError:
                raise
            except PASSING as fault:
                why = self.connections.why(fault)
                pause = max(_pause(tries), getattr(fault, "after", 0.0))
                if self.connections.is_hopeless(fault):
                    raise Unreachable(f"{self.host} cannot be reached: {why}.") from None
                if tries > self._retries or time.monotonic() + pause > ends:
                    times = "once" if tries == 1 else f"{tries} times"
                    raise Unreachable(f"{self.host} was asked {times}, in vain: {why}") from None
                self._note(f"attempt {tries} failed ({why}); trying again in {pause:.1f} s")
                time.sleep(pause)

    def _asked(self, body: bytes) -> Any:
        answer = self.request("POST", "/graphql", headers={"Content-Type": "application/json"}, body=body)
        try:
            said = json.loads(answer.body)
            errors, data = said.get("errors"), said.get("data")
        except (ValueError, AttributeError):
            raise Unreachable(f"What answers at {self.host} is not Muniment. Check the host.") from None
        if errors:
            first = errors[0]
            told = first.get("extensions") or {}
            code = str(told.get("code", "REFUSED"))
            if code in ("UNAVAILABLE", "INTERNAL", "INTERNAL_ERROR"):
                raise Again(str(first.get("message")))
            raise Refused(str(first.get("message")), code, told.get("field"))
        return data

    def _note(self, text: str) -> None:
        if self._is_debugging:
            print(f"muniment: {text}", file=sys.stderr, flush=True)


def authorization(key: str | None, organization: str | None) -> str | None:
    """The header by which the server knows who asks; without a key, anyone who reads what an organization has opened."""
    if key:
        if not (key.isascii() and key.isprintable()) or " " in key:
            raise BadUsage("The API key holds characters that no key has. Copy it again.")
        return f"Bearer {key}"
    return f"Public {organization}" if organization else None


def _said(answer: Answer) -> tuple[str, str]:
    """Code and sentence of an answer that says no; the server's own, where it has one."""
    try:
        said = json.loads(answer.body)
        if "errors" in said:
            first = said["errors"][0]
            return str((first.get("extensions") or {}).get("code", "REFUSED")), str(first["message"])
        return str(said["error"]["code"]), str(said["error"]["message"])
    except (ValueError, LookupError, TypeError, AttributeError):
        code = {401: "UNAUTHENTICATED", 403: "NOT_ALLOWED", 404: "NOT_FOUND"}.get(answer.status, "REFUSED")
        return code, f"The server answers {answer.status} {answer.reason}.".replace(" .", ".")


def _seconds(retry_after: str | None) -> float:
    try:
        return min(max(float(retry_after or 0), 0.0), 60.0)
    except ValueError:
        return 0.0


def _pause(tries: int) -> float:
    import random  # only when something failed

    pause: float = min(PAUSE_SECONDS * 2 ** (tries - 1), PAUSE_SECONDS_MAX)
    return random.uniform(0.5, 1.0) * pause
