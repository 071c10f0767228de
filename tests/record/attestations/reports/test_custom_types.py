"""Custom types: which schemas and rules may be registered, and when data is compliant."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from record.attestations.reports.custom import check_type, read_custom
from record.attestations.reports.jq_rules import FORBIDDEN
from record.refusals import InvalidInput, MalformedReport

COVERAGE: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "required": ["covered", "total"],
    "properties": {"covered": {"type": "integer", "minimum": 0}, "total": {"type": "integer", "minimum": 1}},
}
RULES = [".covered <= .total", ".covered * 100 / .total >= 80"]


def test_data_that_matches_and_fulfils_every_rule_is_compliant() -> None:
    result = read_custom({"covered": 9, "total": 10}, schema=COVERAGE, rules=RULES)

    assert result.compliant
    assert result.explanation == "The data matches its schema and 2 rules held."


def test_data_outside_of_the_schema_is_not_compliant_and_the_place_is_named() -> None:
    result = read_custom({"covered": "9", "total": 10}, schema=COVERAGE, rules=RULES[:1])

    assert not result.compliant
    assert result.summary["schema_error_list"] == [{"at": "/covered", "message": '"9" is not of type "integer"'}]


def test_a_rule_that_does_not_hold_is_named() -> None:
    result = read_custom({"covered": 1, "total": 10}, schema=COVERAGE, rules=RULES)

    assert not result.compliant
    assert result.explanation == ("1 of 2 rules did not hold: rule 2 (.covered * 100 / .total >= 80) said false.")


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (".a.b", "error: Cannot index number"),
        ("empty", "no output"),
        ("true, true", "several outputs"),
        ("1", "something other than true or false"),
        ('"true"', "something other than true or false"),
        ("null", "something other than true or false"),
        ('error("no")', "error: no"),
        ("error(null)", "error"),
    ],
)
def test_only_one_true_is_a_yes(rule: str, said: str) -> None:
    result = read_custom({"a": 1}, schema=None, rules=["true", rule])

    assert not result.compliant
    assert f"rule 2 ({rule}) said {said}" in result.explanation


def test_a_type_of_only_a_schema_or_only_rules_is_enough() -> None:
    check_type(COVERAGE, [])
    check_type(None, RULES)

    assert read_custom({"covered": 1, "total": 1}, schema=COVERAGE, rules=[]).compliant
    assert read_custom({"covered": 1, "total": 1}, schema=None, rules=RULES).compliant


def test_a_type_that_would_accept_anything_is_refused() -> None:
    with pytest.raises(InvalidInput, match="neither a schema nor a rule"):
        check_type(None, [])


@pytest.mark.parametrize(
    ("schema", "field"),
    [
        ({"type": "text"}, "schema/type"),
        ({"properties": {"a": {"minimum": "1"}}}, "schema/properties/a/minimum"),
        ({"pattern": "("}, "schema/pattern"),
        ({"$schema": "http://127.0.0.1:9/draft"}, "schema/$schema"),
        ({"properties": {"a": {"$id": "x", "$schema": "http://127.0.0.1:9/draft"}}}, "schema/properties/a/$schema"),
        ({"$ref": "http://127.0.0.1:9/schema"}, "schema"),
        ({"$ref": "file:///etc/hostname"}, "schema"),
        ({"$ref": "other.json"}, "schema"),
        ({"$ref": "#/definitions/none"}, "schema"),
        (["object"], "schema"),
        ("object", "schema"),
        ({"description": "x" * 300_000}, "schema"),
    ],
)
def test_a_schema_that_cannot_judge_is_refused_by_pointer(schema: Any, field: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        check_type(schema, [])

    assert refusal.value.field == field


@pytest.mark.parametrize(
    ("rule", "line", "column"),
    [(".a |", 1, 4), ("1 +\n  foo", 2, 3), ("$x", 1, 1), (".a\n| env", 2, 3), ('"x\\($ENV.PATH)"', 1, 5), (" ", 1, 1)],
)
def test_a_rule_that_is_not_jq_or_reaches_out_is_refused_with_its_place(rule: str, line: int, column: int) -> None:
    with pytest.raises(InvalidInput) as refusal:
        check_type(None, ["true", rule])

    assert (refusal.value.field, refusal.value.line, refusal.value.column) == ("rules[1]", line, column)


@pytest.mark.parametrize("name", FORBIDDEN)
@pytest.mark.parametrize(
    "around",
    [
        "{}",
        "({})",
        "[{}]",
        '{{"a": {}}}',
        '{{"a\\({})": 1}}',
        '"\\({})"',
        '@json "x\\("y\\({})")"',
        "#c\n{}",
        "try {} catch .",
        ".[{}:1]",
    ],
)
def test_a_forbidden_name_is_found_wherever_it_stands(name: str, around: str) -> None:
    with pytest.raises(InvalidInput, match=name.replace("$", r"\$")):
        check_type(None, [around.format(name)])


@pytest.mark.parametrize(
    "rule", ["{a: if 1, env then 2 else 3 end}", "{a: 1, (env|tostring): 2}", ". as {a: $x} | env"]
)
def test_a_forbidden_name_is_not_taken_for_a_key(rule: str) -> None:
    with pytest.raises(InvalidInput, match="environment"):
        check_type(None, [rule])


@pytest.mark.parametrize(
    "rule",
    [".env", ".now.input", "{env: 1}", "{a: 1, now}", '"env"', '."$ENV"', '.["input"]', "# env\ntrue", ".a | .halt"],
)
def test_fields_of_the_data_may_have_any_name(rule: str) -> None:
    check_type(None, [rule])


def test_too_many_rules_are_refused() -> None:
    with pytest.raises(InvalidInput, match="65 rules"):
        check_type(None, ["true"] * 65)


def test_data_nested_too_deep_is_refused() -> None:
    data: Any = 1
    for _ in range(200):
        data = [data]

    with pytest.raises(MalformedReport, match="nested deeper"):
        read_custom(data, schema=None, rules=["true"])


def test_a_pattern_that_backtracks_without_end_is_given_up() -> None:
    schema: dict[str, Any] = {"type": "string", "pattern": "^(?=a)((a+)+)+$(?!b)\\1"}

    result = read_custom("a" * 60 + "!", schema=schema, rules=[])

    assert not result.compliant


@pytest.mark.parametrize(
    "name", ["metrics-coverage", "metrics-test", "provenance-facts", "sbom-facts", "test-facts", "coverage-facts"]
)
def test_real_schemas_of_an_organization_can_be_registered(corpus: Callable[[str], bytes], name: str) -> None:
    check_type(json.loads(corpus(f"cyber-dojo/attestation-types/{name}.schema.json")), [])


@pytest.mark.parametrize(
    ("schema", "example", "rule"),
    [
        ("metrics-coverage", "web-coverage-metrics", ".test.branches.missed <= 8"),
        ("metrics-test", "web-test-metrics", ".failure_count == 0 and .error_count == 0"),
        ("test-facts", "web-test-metrics", ".total_time < 60"),
    ],
)
def test_real_examples_are_judged(corpus: Callable[[str], bytes], schema: str, example: str, rule: str) -> None:
    folder = "cyber-dojo/attestation-types"
    known = json.loads(corpus(f"{folder}/{schema}.schema.json"))
    data = json.loads(corpus(f"{folder}/{example}.example.json"))

    assert read_custom(data, schema=known, rules=[rule]).compliant
    assert not read_custom(data, schema=known, rules=[rule, "false"]).compliant
