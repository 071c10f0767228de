"""What a receiver may do to a message other than take it."""

from typing import Final

RESPONSE_SHOWN_MAX: Final = 300


class NotTaken(Exception):  # noqa: N818 (an outcome, not a fault of ours)
    """A message was not taken, or we cannot know. The text says what happened, for people.

    `for_good`: trying again cannot help. `after_seconds`: how long the receiver asked us to wait.
    """

    def __init__(
        self,
        why: str,
        *,
        status: int | None = None,
        response: str | None = None,
        for_good: bool = False,
        after_seconds: float | None = None,
    ) -> None:
        super().__init__(why)
        self.status = status
        self.response = response
        self.for_good = for_good
        self.after_seconds = after_seconds


def shown(text: str) -> str:
    """The beginning of what a receiver said, in one line that can be shown anywhere."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    return line[:RESPONSE_SHOWN_MAX]
