"""The shape of a parsed report: each function is one expectation, and refuses by the JSON pointer of what fails it.

Readers say `a_list(run.get("results"), f"{place}/results")` and carry on with a typed value; the pointer is the place
of the fault that the reporter is told, since line numbers are gone once a document is parsed.
"""

from typing import NoReturn

from record.attestations.reports.result import plain
from record.attestations.reports.strict_json import Parsed
from record.refusals import MalformedReport


def an_object(value: Parsed, place: str) -> dict[str, Parsed]:
    """The object at `place`, which must be there."""
    return value if isinstance(value, dict) else _refuse(value, place, "an object")


def a_list(value: Parsed, place: str) -> list[Parsed]:
    """The list at `place`, which must be there."""
    return value if isinstance(value, list) else _refuse(value, place, "a list")


def a_text(value: Parsed, place: str) -> str:
    """The text at `place`, which must be there."""
    return value if isinstance(value, str) else _refuse(value, place, "a text")


def maybe_object(value: Parsed, place: str) -> dict[str, Parsed]:
    """The object at `place`, or an empty one when nothing (or null) is there."""
    return {} if value is None else an_object(value, place)


def maybe_list(value: Parsed, place: str) -> list[Parsed]:
    """The list at `place`, or an empty one when nothing (or null) is there."""
    return [] if value is None else a_list(value, place)


def maybe_text(value: Parsed, place: str) -> str:
    """The text at `place`, or an empty one when nothing (or null) is there."""
    return "" if value is None else a_text(value, place)


def some_text(*values: Parsed) -> str:
    """The first of `values` that is a text with something in it. For what only people read: never refuses."""
    return next((value for value in values if isinstance(value, str) and value), "")


def _refuse(value: Parsed, place: str, wanted: str) -> NoReturn:
    where = place or "/"
    found = "missing" if value is None else f"a {_KINDS.get(type(value), type(value).__name__)}"
    raise MalformedReport(
        f"{plain(where)} must be {wanted} and is {found}. Send the file as the tool wrote it, in the format of this type.",
        field=where,
    )


_KINDS = {dict: "object", list: "list", str: "text", int: "number", float: "number", bool: "boolean"}
