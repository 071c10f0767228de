"""An environment's policy: YAML in, its rules out, or a refusal that names the line and the column.

Two languages are read into one form: our own (`version: 1`), and the incumbent's (`_schema: https://…/policy/v1`), so that nobody
must rewrite what they have. Read strictly (`record.strict_yaml`), known keys only; conditions are parsed here, once.

`policy.schema.json` beside this file says the same for editors; a test holds the two together. It cannot say what a condition
means.
"""

import re
from collections.abc import Callable
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import Final, TypeVar

from record.flows.templates import ANY_TYPE, TYPES, is_type
from record.ids import ATTESTATION_NAME, ENVIRONMENT_NAME, FLOW_NAME
from record.policies.expressions import Condition, NotACondition, condition, condition_on_findings
from record.policies.forms import (
    AnyOf,
    Approved,
    Attested,
    DeployedTo,
    Policy,
    Provenance,
    Rule,
    Scope,
    TrailCompliance,
)
from record.strict_yaml import (
    Mapping,
    Node,
    Scalar,
    Sequence,
    items_of,
    keys_of,
    pairs_of,
    read,
    refuse,
    refuse_at,
    shown,
    text_of,
)

SCHEMA_FILE: Final = Path(__file__).with_name("policy.schema.json")
"""Published at /schemas/environment-policy/v1."""

FOREIGN: Final = re.compile(r"https://\S*policy/(?:environment/)?v1")
"""How the incumbent's documents name their language."""
DURATION: Final = re.compile(r"([1-9][0-9]{0,4})([smhdw])")
APPROVALS_MAX: Final = 20
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_ATTESTED: Final = ("name", "type", "max-age", "where", "if")
_RULES: Final = ("provenance", "trail-compliance", "attestations", "approvals", "deployed-to")

E = TypeVar("E")


def parse(text: str, *, name: str, version: int) -> Policy:
    """The policy that `text` writes down, under its name and number; `InvalidInput` with line and column if it does not."""
    scope, rules = read(text, noun="policy", meaning=_policy)
    return Policy(name, version, scope, rules)


@lru_cache(maxsize=1024)
def understood(name: str, version: int, source: str) -> Policy:
    """The same for a text that was accepted once: a version of a policy never changes."""
    return parse(source, name=name, version=version)


# --- the two languages


def _policy(document: Node) -> tuple[Scope | None, tuple[Rule, ...]]:
    if isinstance(document, Mapping) and any(
        isinstance(key, Scalar) and key.text == "_schema" for key, _ in document.pairs
    ):
        return None, _foreign(document)
    keys = keys_of(document, "a policy", known=("version", "flows", "artifacts"), needed=("version",))
    version = keys["version"]
    if not isinstance(version, Scalar) or version.kind != "int" or version.text != "1":
        refuse(version, f"{shown(version)} is not a version of the policy language. Write `version: 1`.")
    scope = _scope(keys["flows"]) if "flows" in keys else None
    if "artifacts" not in keys:
        return scope, ()
    asked = keys_of(keys["artifacts"], "`artifacts`", known=_RULES)
    rules = _provenance_and_trails(asked)
    if "attestations" in asked:
        rules += [_attestation(item) for item in items_of(asked["attestations"], "`attestations`")]
    if "approvals" in asked:
        rules.append(_approvals(asked["approvals"]))
    if "deployed-to" in asked:
        rules.append(_deployed_to(asked["deployed-to"]))
    return scope, tuple(rules)


def _foreign(document: Node) -> tuple[Rule, ...]:
    keys = keys_of(document, "a policy with `_schema`", known=("_schema", "artifacts"))
    if not FOREIGN.fullmatch(text_of(keys["_schema"], "_schema").text):
        refuse(keys["_schema"], f"{shown(keys['_schema'])} names no policy language. It ends in /policy/v1.")
    if "artifacts" not in keys:
        return ()
    asked = keys_of(keys["artifacts"], "`artifacts`", known=("provenance", "trail-compliance", "attestations"))
    rules = _provenance_and_trails(asked)
    if "attestations" in asked:
        rules += [_foreign_attestation(item) for item in items_of(asked["attestations"], "`attestations`")]
    return tuple(rules)


def _foreign_attestation(item: Node) -> Attested:
    if isinstance(item, Mapping):
        for key, _ in item.pairs:
            if isinstance(key, Scalar) and key.text == "for_control":
                refuse(
                    key,
                    "`for_control` is not judged here, because no attestation names a control. Ask for the decision by its name.",
                )
    keys = keys_of(item, "an attestation", known=("name", "type", "if", "must_be_compliant"), needed=("type",))
    lenient = "must_be_compliant" in keys and not _truth(keys["must_be_compliant"], "must_be_compliant")
    return Attested(
        line=item.line,
        name=_name(keys["name"]) if "name" in keys else None,
        type=_type(keys["type"]),
        must_be_compliant=not lenient,
        applies=_if(keys),
    ).checked(lambda sentence: refuse(item, sentence))


# --- the parts


def _scope(node: Node) -> Scope:
    if isinstance(node, Sequence):
        if not node.items:
            refuse(node, "An empty list covers no flow at all. Name flows, or leave `flows` out to cover all of them.")
        return Scope(node.line, flows=frozenset(_flow_name(item) for item in node.items))
    keys = keys_of(node, "`flows`", known=("tags", "if"))
    if not keys:
        refuse(node, "`flows` says nothing. Write a list of names, `tags`, or `if`.")
    tags: dict[str, str] = {}
    if "tags" in keys:
        for key, (_, value) in pairs_of(keys["tags"], "`tags`", "Write each tag as `key: value`.").items():
            tags[key] = text_of(value, key).text
        if not tags:
            refuse(keys["tags"], "`tags` names no tag. Write each as `key: value`, or leave it out.")
    return Scope(node.line, tags=tuple(tags.items()), applies=_if(keys))


def _provenance_and_trails(asked: dict[str, Node]) -> list[Rule]:
    rules: list[Rule] = []
    if "provenance" in asked:
        required, exceptions = _required(asked["provenance"], "`provenance`")
        if required:
            rules.append(Provenance(asked["provenance"].line, exceptions))
    if "trail-compliance" in asked:
        required, exceptions = _required(asked["trail-compliance"], "`trail-compliance`")
        if required:
            rules.append(TrailCompliance(asked["trail-compliance"].line, exceptions))
    return rules


def _required(node: Node, what: str) -> tuple[bool, tuple[Condition, ...]]:
    keys = keys_of(node, what, known=("required", "exceptions"))
    exceptions = []
    for item in items_of(keys["exceptions"], "`exceptions`") if "exceptions" in keys else ():
        written = keys_of(item, "an exception", known=("if",), needed=("if",))
        exceptions.append(_condition(written["if"], "if", condition))
    return "required" in keys and _truth(keys["required"], "required"), tuple(exceptions)


def _attestation(item: Node) -> Attested | AnyOf:
    if isinstance(item, Mapping) and any(isinstance(key, Scalar) and key.text == "any-of" for key, _ in item.pairs):
        keys = keys_of(item, "a choice", known=("any-of", "if"))
        alternatives = tuple([_attested(each) for each in items_of(keys["any-of"], "`any-of`")])
        if not alternatives:
            refuse(keys["any-of"], "A choice of none can never be met. Name at least one attestation.")
        return AnyOf(item.line, alternatives, _if(keys))
    return _attested(item)


def _attested(item: Node) -> Attested:
    keys = keys_of(item, "an attestation", known=_ATTESTED)
    return Attested(
        line=item.line,
        name=_name(keys["name"]) if "name" in keys else None,
        type=_type(keys["type"]) if "type" in keys else None,
        max_age=_duration(keys["max-age"], "max-age") if "max-age" in keys else None,
        where=_condition(keys["where"], "where", condition_on_findings) if "where" in keys else None,
        applies=_if(keys),
    ).checked(lambda sentence: refuse(item, sentence))


def _approvals(node: Node) -> Approved:
    keys = keys_of(node, "`approvals`", known=("min", "not-author", "max-age"), needed=("min",))
    least = keys["min"]
    if not isinstance(least, Scalar) or least.kind != "int" or not re.fullmatch("[1-9][0-9]?", least.text):
        refuse(least, f"{shown(least)} is not a number of approvals. Write a whole number from 1 to {APPROVALS_MAX}.")
    if int(least.text) > APPROVALS_MAX:
        refuse(least, f"{least.text} approvals are more than anyone gives. Write at most {APPROVALS_MAX}.")
    return Approved(
        line=node.line,
        least=int(least.text),
        not_author="not-author" in keys and _truth(keys["not-author"], "not-author"),
        max_age=_duration(keys["max-age"], "max-age") if "max-age" in keys else None,
    )


def _deployed_to(node: Node) -> DeployedTo:
    keys = keys_of(node, "`deployed-to`", known=("environment", "for"), needed=("environment",))
    name = text_of(keys["environment"], "environment").text
    if not ENVIRONMENT_NAME.fullmatch(name):
        refuse(keys["environment"], f"{shown(keys['environment'])} is not the name of an environment. Correct it.")
    lasting = _duration(keys["for"], "for") if "for" in keys else timedelta()
    return DeployedTo(node.line, name, lasting)


# --- single values


def _flow_name(node: Node) -> str:
    name = text_of(node, "flow").text
    if not FLOW_NAME.fullmatch(name):
        refuse(node, f"{shown(node)} is not the name of a flow. Use a text that matches ^{FLOW_NAME.pattern}$.")
    return name


def _name(node: Node) -> str | None:
    """A name, or None for any."""
    name = text_of(node, "name").text
    if name == "*":
        return None
    if not ATTESTATION_NAME.fullmatch(name):
        refuse(
            node,
            f"{shown(node)} is not a valid attestation name. Use a text that matches ^{ATTESTATION_NAME.pattern}$.",
        )
    return name


def _type(node: Node) -> str | None:
    """A type, or None for any."""
    name = text_of(node, "type").text
    if name == ANY_TYPE:
        return None
    if not is_type(name):
        known = ", ".join(TYPES)
        refuse(node, f"{shown(node)} is not an attestation type. Use one of: {known}, custom:NAME, or '*' for any.")
    return name


def _truth(node: Node, key: str) -> bool:
    if not isinstance(node, Scalar) or node.kind != "bool":
        refuse(node, f"`{key}` must be true or false, and this is {shown(node)}. Write one of them, without quotes.")
    return node.text.lower() == "true"


def _duration(node: Node, key: str) -> timedelta:
    text = text_of(node, key).text
    match = DURATION.fullmatch(text)
    if match is None:
        refuse(node, f"{shown(node)} is not a duration. Write a number and s, m, h, d or w, such as 30d.")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def _if(keys: dict[str, Node]) -> Condition | None:
    return _condition(keys["if"], "if", condition) if "if" in keys else None


def _condition(node: Node, key: str, made: Callable[[str], Condition]) -> Condition:
    scalar = text_of(node, key)
    try:
        return made(scalar.text)
    except NotACondition as fault:
        if scalar.begins is None:
            where = f"In line {fault.line}, column {fault.column} of this condition: "
            refuse(scalar, where + fault.sentence)
        refuse_at(fault.sentence, line=scalar.line, column=scalar.begins + fault.column - 1)
