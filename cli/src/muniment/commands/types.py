"""Attestation types of one's own: a JSON Schema and rules, in versions."""

from __future__ import annotations

from muniment.command import TEXTS, Argument, Command, Option
from muniment.commands import shared
from muniment.commands.files import json_of
from muniment.documents import Mutation, Query
from muniment.exits import Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from muniment.context import Context
    from muniment.exits import ExitCode
    from muniment.output import Output

DEFINE = Mutation(
    "defineAttestationType",
    "DefineAttestationTypeInput",
    "AttestationTypeDefined",
    "version attestationType { name version }",
    noted="description",
)
ALL = Query("query { record { attestationTypes { name version description jsonSchema rules entryIndex } } }")

SCHEMA = Option("--schema", "-s", help="JSON Schema that the data must satisfy", value="FILE")
JQ = Option("--jq", "--rule", kind=TEXTS, help="jq expression that must yield true; again for each rule", value="RULE")


def create(context: Context) -> ExitCode:
    """Defines the type, or a new version of it."""
    schema = context.text(SCHEMA)
    given = {
        "name": context.argument("TYPE"),
        "description": context.text(shared.DESCRIPTION),
        "jsonSchema": json_of(schema) if schema else None,
        "rules": context.texts(JQ) or None,
    }
    outcome = context.record(DEFINE, given)
    return context.told(outcome, lambda done: [("type", given["name"]), ("version", done["version"])])


def get(context: Context) -> ExitCode:
    """A type whole."""
    name = context.argument("TYPE")
    found = next((each for each in _all(context) if each["name"] == name), None)
    if found is None:
        raise Refused(f"There is no attestation type {name}. See: muniment list attestation-types", "NOT_FOUND")
    return context.show(found, lambda output: _render(output, found))


def _render(output: Output, found: dict[str, Any]) -> None:
    import json

    output.facts(
        [
            ("type", found["name"]),
            ("version", found["version"]),
            ("description", found["description"] or None),
            ("rules", "\n".join(found["rules"]) or None),
            ("schema", json.dumps(found["jsonSchema"], indent=2)),
        ]
    )


def several(context: Context) -> ExitCode:
    """All types."""
    found = _all(context)
    rows = [[each["name"], each["version"], len(each["rules"]), each["description"]] for each in found]
    return context.show(found, lambda output: output.rows(["type", "version", "rules", "description"], rows))


def _all(context: Context) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = context.ask(ALL)["record"]["attestationTypes"]
    return found


_TYPE = Argument("TYPE", help="its name")

COMMANDS = (
    Command(
        "create attestation-type",
        create,
        arguments=(_TYPE,),
        options=(SCHEMA, JQ, shared.DESCRIPTION, *shared.RECORDING),
        examples=("muniment create attestation-type coverage --schema coverage.schema.json --jq '.line >= 80'",),
    ),
    Command("get attestation-type", get, arguments=(_TYPE,), examples=("muniment get attestation-type coverage",)),
    Command("list attestation-types", several, examples=("muniment list attestation-types --output json",)),
)
