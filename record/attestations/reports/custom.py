"""Attestation types that an organization defines: a JSON Schema and jq rules in, and later data judged by them.

A type is checked when it is registered: the schema against its own meta-schema, references only within itself, every rule
compiled. Data is compliant when it is valid by the schema and every rule yields exactly one output, `true`. A rule that fails to
run has not said yes, so it is not compliance.

Both halves run a stranger's program (patterns may backtrack, jq may loop), so the record calls them through `sandbox` alone.
Patterns of a schema get a bounded number of backtracking steps; nothing is ever fetched.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any, Final

from jsonschema_rs import FancyRegexOptions, ReferencingError, ValidationError, Validator, meta, validator_for

from record.attestations.reports import jq_rules
from record.attestations.reports.result import JsonValue, ReportResult, counted, plain, shortened
from record.attestations.reports.strict_json import Parsed, check_value
from record.refusals import InvalidInput, MalformedReport

SCHEMA_BYTES_MAX: Final = 256 * 1024
SCHEMA_ERRORS_LISTED: Final = 10
_PATTERNS: Final = FancyRegexOptions(backtrack_limit=200_000, size_limit=2_000_000, dfa_size_limit=4_000_000)
_DRAFTS: Final = frozenset(
    {
        "https://json-schema.org/draft/2020-12/schema",
        "https://json-schema.org/draft/2019-09/schema",
        "http://json-schema.org/draft-07/schema",
        "http://json-schema.org/draft-06/schema",
        "http://json-schema.org/draft-04/schema",
    }
)

STRANGERS_PROGRAMS: Final = frozenset({"check_type", "custom"})
"""The sandbox's operations that run what a stranger wrote, and therefore get the narrowest limits."""

Progress = Callable[[str], None]


def check_type(schema: Parsed, rules: Sequence[str]) -> None:
    """Refuses a type that could not judge: a bad schema (None: no schema) or rule, or neither of the two."""
    if schema is None and not rules:
        raise InvalidInput(
            "The type has neither a schema nor a rule: it would accept anything. Give at least one.", field="rules"
        )
    if schema is not None:
        _validator(schema)
    if len(rules) > jq_rules.RULES_MAX:
        raise InvalidInput(
            f"The type has {len(rules)} rules and at most {jq_rules.RULES_MAX} are run. Join some with `and`.",
            field="rules",
        )
    for number, rule in enumerate(rules):
        jq_rules.compiled(rule, field=f"rules[{number}]")


def read_custom(
    data: Parsed, *, schema: Parsed, rules: Sequence[str], progress: Progress = lambda step: None
) -> ReportResult:
    """Compliant when `data` is valid by `schema` and every rule yields `true`. `progress` hears each step before it starts."""
    check_value(data, field="data")
    progress("the schema")
    errors = [] if schema is None else _errors(_validator(schema), data)
    outcomes: list[jq_rules.Outcome] = []
    text = _text(data)
    for number, rule in enumerate(rules):
        progress(f"rule {number + 1} ({plain(rule, 80)})")
        program = jq_rules.compiled(rule, field=f"rules[{number}]")
        outcomes.append(jq_rules.answer(program, rule, text))
    failed = [(number, outcome) for number, outcome in enumerate(outcomes, 1) if not outcome.holds]
    summary: dict[str, JsonValue] = {
        "format": "custom",
        "schema_errors": len(errors),
        "schema_error_list": [{"at": at, "message": message} for at, message in errors[:SCHEMA_ERRORS_LISTED]],
        "rules": len(outcomes),
        "rules_failed": len(failed),
        "rule_list": [{"rule": plain(outcome.rule, 120), "said": outcome.said} for outcome in outcomes],
    }
    return ReportResult.of(
        compliant=not errors and not failed, summary=summary, explanation=_explanation(errors, failed, len(outcomes))
    )


def unfinished(step: str, why: str) -> ReportResult:
    """What is recorded when judging the data took more than it may: not compliant, and the step at fault is named."""
    return ReportResult.of(
        compliant=False,
        summary={"format": "custom", "unfinished": plain(step), "why": why},
        explanation=f"{step[0].upper()}{step[1:]} did not finish: it {why}. Simplify it, or send less data.",
    )


def _text(data: Parsed) -> str:
    try:
        return json.dumps(data, allow_nan=False)
    except ValueError:
        raise MalformedReport("The data holds NaN or an infinity. Use finite numbers or null.", field="data") from None


def _validator(schema: Parsed) -> Validator:
    if not isinstance(schema, dict | bool):
        raise InvalidInput("The schema must be a JSON object. Give a JSON Schema.", field="schema")
    if len(json.dumps(schema)) > SCHEMA_BYTES_MAX:
        raise InvalidInput(f"The schema is larger than {SCHEMA_BYTES_MAX} bytes. Make it smaller.", field="schema")
    try:
        check_value(schema, field="schema")
    except MalformedReport as refusal:
        raise InvalidInput(refusal.message, field="schema") from None
    _check_draft(schema, "schema")
    try:
        meta.validate(schema)
        return validator_for(schema, offline=True, pattern_options=_PATTERNS)
    except ValidationError as error:
        place = "".join(["schema", *(f"/{step}" for step in error.instance_path)])
        raise InvalidInput(
            f"{plain(place)} is not JSON Schema: {shortened(error.message)}. Correct it; references must stay within the schema.",
            field=place,
        ) from None
    except (ReferencingError, ValueError) as error:
        raise InvalidInput(
            f"The schema cannot be used: {plain(str(error))}. References must stay within the schema.", field="schema"
        ) from None


def _check_draft(value: Parsed, place: str) -> None:
    """Refuses `$schema` of anything but the published drafts: another one would have to be fetched."""
    waiting: list[tuple[str, Any]] = [(place, value)]
    while waiting:
        where, found = waiting.pop()
        if isinstance(found, dict):
            draft = found.get("$schema")
            if isinstance(draft, str) and draft.rstrip("#") not in _DRAFTS:
                raise InvalidInput(
                    f"{where}/$schema is {plain(draft, 80)!r}. Use a published draft, such as "
                    "https://json-schema.org/draft/2020-12/schema.",
                    field=f"{where}/$schema",
                )
            waiting += [(f"{where}/{key}", child) for key, child in found.items()]
        elif isinstance(found, list):
            waiting += [(f"{where}/{index}", child) for index, child in enumerate(found)]


def _errors(validator: Validator, data: Parsed) -> list[tuple[str, str]]:
    """Where `data` fails the schema and how, at most 100 of them."""
    found = []
    for error in validator.iter_errors(data):
        found.append((plain("".join(f"/{step}" for step in error.instance_path) or "/"), shortened(error.message)))
        if len(found) == 100:
            break
    return found


def _explanation(errors: Sequence[tuple[str, str]], failed: Sequence[tuple[int, jq_rules.Outcome]], rules: int) -> str:
    if errors:
        at, message = errors[0]
        return f"The data does not match the type's schema in {counted(len(errors), 'place')}: {at}: {message}"
    if failed:
        shown = "; ".join(f"rule {number} ({plain(o.rule, 80)}) said {o.said}" for number, o in failed[:3])
        return f"{len(failed)} of {counted(rules, 'rule')} did not hold: {shown}{'; …' if len(failed) > 3 else '.'}"
    return (
        f"The data matches its schema and {counted(rules, 'rule')} held." if rules else "The data matches its schema."
    )
