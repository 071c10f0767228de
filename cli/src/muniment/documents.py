"""What is sent to the server: GraphQL documents, made from as few words as a verb needs.

Every document of the client is a `Mutation` or a `Query` at the top of some module of `muniment.commands`, which is where a test
finds them all and checks them against `schema.graphql`.
"""

from __future__ import annotations

RECEIPT = "receipt { ledger index entryId kind leafHash at replayed }"
_REFUSAL = "... on Refusal { message code }"


class Mutation:
    """One write: its name, the type of its input, the type that says it was done, and what to ask of that.

    `noted` is the field of the input that says when something was reported that could not be sent at once. A write without such a
    field is never kept for later, because it would then claim to be about another moment.
    """

    __slots__ = ("done", "input_type", "name", "noted", "selection")

    def __init__(self, name: str, input_type: str, done: str, selection: str = "", *, noted: str | None = None) -> None:
        self.name = name
        self.input_type = input_type
        self.done = done
        self.selection = selection
        self.noted = noted

    @property
    def document(self) -> str:
        """The GraphQL text."""
        return (
            f"mutation($input: {self.input_type}!) {{ answer: {self.name}(input: $input) {{ __typename "
            f"... on {self.done} {{ {RECEIPT} {self.selection} }} {_REFUSAL} }} }}"
        )


class Query:
    """One question: the GraphQL text, with its variables declared in it."""

    __slots__ = ("document",)

    def __init__(self, document: str) -> None:
        self.document = " ".join(document.split())
