"""Policies are read strictly, in both languages, keep their lines, and mean what the published schema says."""

import contextlib
import json
from datetime import timedelta
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from record.flows.templates import TYPES
from record.policies.documents import SCHEMA_FILE, parse
from record.policies.forms import AnyOf, Approved, Attested, DeployedTo, Policy, Provenance, TrailCompliance, worded
from record.refusals import InvalidInput
from tests.record.documents import TEXTS, accepts, sometimes

FULL = """\
version: 1
flows: {tags: {tier: product}}
artifacts:
  provenance: {required: true, exceptions: [{if: 'matches(artifact.name, "^datadog:")'}]}
  trail-compliance: {required: true}
  attestations:
    - {name: unit-tests, type: junit, max-age: 30d}
    - {type: trivy, where: "critical == 0", if: 'flow.tags.risk-level == "high"'}
    - any-of: [{type: snyk}, {type: sarif}]
  approvals: {min: 1, not-author: true, max-age: 14d}
  deployed-to: {environment: staging, for: 24h}
"""
FOREIGN = """\
_schema: https://docs.kosli.com/schemas/policy/v1
artifacts:
  provenance:
    required: true
    exceptions:
      - if: ${{ matches(artifact.name, "^datadog:.*") }}
  trail-compliance:
    required: true
  attestations:
    - name: unit-tests
      type: junit
      if: ${{ flow.tags.risk-level == "high" }}
    - type: pull_request
      name: "*"
      must_be_compliant: false
"""
SCHEMA = jsonschema_rs.validator_for(json.loads(SCHEMA_FILE.read_text()))


def read(text: str) -> Policy:
    return parse(text, name="production", version=3)


def test_a_policy_keeps_its_rules_and_the_lines_which_ask() -> None:
    policy = read(FULL)
    provenance, trails, tests, trivy, either, approvals, deployed = policy.rules

    assert policy.scope is not None
    assert policy.scope.tags == (("tier", "product"),)
    assert isinstance(provenance, Provenance)
    assert [exception.text for exception in provenance.exceptions] == ['matches(artifact.name, "^datadog:")']
    assert trails == TrailCompliance(5)
    assert tests == Attested(7, "unit-tests", "junit", max_age=timedelta(days=30))
    assert isinstance(trivy, Attested)
    assert trivy.where is not None
    assert trivy.where.text == "critical == 0"
    assert either == AnyOf(9, (Attested(9, None, "snyk"), Attested(9, None, "sarif")))
    assert approvals == Approved(10, 1, not_author=True, max_age=timedelta(days=14))
    assert deployed == DeployedTo(11, "staging", timedelta(hours=24))
    assert policy.labels[2] == "policy production v3, line 7: unit-tests (junit)"
    assert policy.counted_types == {"trivy"}


def test_rules_have_names_that_survive_a_new_version() -> None:
    assert read(FULL).rule_keys == (
        "provenance",
        "trail-compliance",
        "attestation:unit-tests:junit",
        "attestation:*:trivy",
        "any-of:*:snyk|*:sarif",
        "approvals",
        "deployed-to:staging",
    )


def test_the_incumbents_documents_are_read_into_the_same_form() -> None:
    provenance, trails, tests, reviews = read(FOREIGN).rules

    assert isinstance(provenance, Provenance)
    assert len(provenance.exceptions) == 1
    assert trails == TrailCompliance(8)
    assert isinstance(tests, Attested)
    assert tests.applies is not None
    assert reviews == Attested(13, None, "pull_request", must_be_compliant=False)


@pytest.mark.parametrize(
    "url", ["https://kosli.com/schemas/policy/environment/v1", "https://x/schemas/environment-policy/v1"]
)
def test_the_incumbents_older_addresses_are_known_too(url: str) -> None:
    assert read(f"_schema: {url}").rules == ()


@pytest.mark.parametrize(
    "text",
    [
        "version: 1",
        "version: 1\nartifacts: {}",
        "version: 1\nartifacts: {provenance: {required: false}, attestations: []}",
    ],
)
def test_a_policy_may_ask_for_nothing(text: str) -> None:
    assert read(text).rules == ()


RULES = "version: 1\nartifacts:\n  "
ONE = RULES + "attestations:\n    - "


@pytest.mark.parametrize(
    ("text", "line", "column", "said"),
    [
        ("", 1, 1, "The policy is empty"),
        ("version: 2", 1, 10, "not a version of the policy language"),
        ("version: 1\nartefacts: {}", 2, 1, "Known keys: version, flows, artifacts."),
        ("version: 1\n_schema: https://docs.kosli.com/schemas/policy/v1", 1, 1, "`version` is not a key"),
        ("_schema: https://docs.kosli.com/schemas/policy/v2", 1, 10, "names no policy language"),
        ("_schema: https://docs.kosli.com/schemas/policy/v1\nflows: [a]", 2, 1, "`flows` is not a key"),
        (RULES + "provenence: {required: true}", 3, 3, "Known keys: provenance, trail-compliance"),
        (RULES + "provenance: true", 3, 15, "must be a mapping"),
        (RULES + "provenance: {required: yes}", 3, 26, "must be true or false"),
        (RULES + "provenance: {required: 'true'}", 3, 26, "without quotes"),
        (RULES + "provenance: {exceptions: [{if: flow.nme == 1}]}", 3, 34, "`flow.nme` is not known here"),
        (RULES + "provenance: {exceptions: [{if: 'flow.name = 1'}]}", 3, 45, "has '=' where nothing can begin so"),
        (
            RULES + "provenance:\n    exceptions:\n    - if: |\n        true and\n        nothing",
            5,
            11,
            "In line 2, column 1",
        ),
        (ONE + "{type: junits}", 4, 14, "not an attestation type"),
        (ONE + "{type: '*'}", 4, 7, "asks for no attestation in particular"),
        (ONE + "{max-age: 1d}", 4, 7, "asks for no attestation in particular"),
        (ONE + "{type: junit, max-age: 30}", 4, 30, "reads as int"),
        (ONE + "{type: junit, max-age: 30 days}", 4, 30, "not a duration"),
        (ONE + "{type: junit, max-age: 0d}", 4, 30, "not a duration"),
        (ONE + "{type: trivy, where: 'flow.name == 0'}", 4, 29, "`flow.name` is not a count"),
        (ONE + "{type: junit, must_be_compliant: true}", 4, 21, "Known keys: name, type, max-age, where, if."),
        (ONE + "any-of: []", 4, 15, "can never be met"),
        (ONE + "any-of: [{any-of: [{type: snyk}]}]", 4, 27, "nested deeper than any policy"),
        (RULES + "approvals: {}", 3, 14, "needs the key `min`"),
        (RULES + "approvals: {min: 0}", 3, 20, "whole number from 1"),
        (RULES + "approvals: {min: 21}", 3, 20, "at most 20"),
        (RULES + "deployed-to: {environment: a b}", 3, 30, "not the name of an environment"),
        ("version: 1\nflows: []", 2, 8, "covers no flow at all"),
        ("version: 1\nflows: {}", 2, 8, "`flows` says nothing"),
        ("version: 1\nflows: {tags: {a: 1}}", 2, 19, "Put it in quotes"),
        ("version: 1\nflows: {tags: {a: b, a: c}}", 2, 22, "`a` is there twice"),
        ("version: 1\nflows: [a b]", 2, 9, "not the name of a flow"),
        (FOREIGN + "      for_control: SDLC-1", 16, 7, "`for_control` is not judged here"),
        (FOREIGN + "    - name: a", 16, 7, "needs the key `type`"),
    ],
)
def test_what_is_wrong_is_refused_with_its_place(text: str, line: int, column: int, said: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read(text)

    assert said in refused.value.message
    assert (refused.value.line, refused.value.column) == (line, column)
    assert refused.value.field == "policy"


@pytest.mark.parametrize(
    ("duration", "words"),
    [
        (timedelta(days=30), "30 days"),
        (timedelta(hours=24), "24 hours"),
        (timedelta(hours=1), "1 hour"),
        (timedelta(minutes=90), "90 minutes"),
        (timedelta(seconds=45), "45 seconds"),
    ],
)
def test_durations_are_said_in_whole_numbers(duration: timedelta, words: str) -> None:
    assert worded(duration) == words


def _lists(items: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(st.lists(items, max_size=3), st.sampled_from([None, {}, "a"]))


TRUTH: st.SearchStrategy[Any] = st.sampled_from([True, False, True, "true", None, 1])
CONDITION: st.SearchStrategy[Any] = st.sampled_from(
    ['flow.name == "a"', "true", "${{ exists(flow.tags.a) }}", 7, None, []]
)
WHERE: st.SearchStrategy[Any] = st.sampled_from(["critical == 0", 7, None, {}])
DURATION: st.SearchStrategy[Any] = st.sampled_from(
    ["30d", "1s", "99999w", "0d", "100000d", "30", 30, "d", "1 d", None, "1d\n"]
)
NAME: st.SearchStrategy[Any] = st.sampled_from(["unit-tests", "*", "a b", "", 7, None, "x" * 256])
KIND: st.SearchStrategy[Any] = st.sampled_from([*TYPES, "*", "custom:a", "custom:", "override", 1, None])
REQUIRED = sometimes({"required": TRUTH, "exceptions": _lists(sometimes({"if": CONDITION}))})
ATTESTED = sometimes({"name": NAME, "type": KIND, "max-age": DURATION, "where": WHERE, "if": CONDITION})
OURS = sometimes(
    {
        "version": st.sampled_from([1, 1, 1, 1, 2, "1", None]),
        "flows": st.one_of(
            _lists(st.sampled_from(["a", "b.c", "a b", 1])),
            sometimes({"tags": st.sampled_from([{"a": "b"}, {}, {"a": 1}, None]), "if": CONDITION}),
        ),
        "artifacts": sometimes(
            {
                "provenance": REQUIRED,
                "trail-compliance": REQUIRED,
                "attestations": _lists(st.one_of(ATTESTED, sometimes({"any-of": _lists(ATTESTED), "if": CONDITION}))),
                "approvals": sometimes(
                    {"min": st.sampled_from([1, 20, 21, 0, "1", None]), "not-author": TRUTH, "max-age": DURATION}
                ),
                "deployed-to": sometimes(
                    {"environment": st.sampled_from(["staging", "a b", "", 1, None]), "for": DURATION}
                ),
            }
        ),
    }
)
THEIRS = sometimes(
    {
        "_schema": st.sampled_from(["https://docs.kosli.com/schemas/policy/v1"] * 3 + ["https://a/policy/v2", 1, None]),
        "artifacts": sometimes(
            {
                "provenance": REQUIRED,
                "attestations": _lists(
                    sometimes({"name": NAME, "type": KIND, "if": CONDITION, "must_be_compliant": TRUTH})
                ),
            }
        ),
    }
)


@settings(max_examples=500, deadline=None)
@given(st.one_of(OURS, THEIRS))
def test_the_parser_accepts_what_the_published_schema_accepts_and_no_more(document: Any) -> None:
    assert accepts(read, document) == SCHEMA.is_valid(document)


def test_the_schema_knows_every_type_that_the_parser_knows() -> None:
    schema = json.loads(SCHEMA_FILE.read_text())

    assert schema["$defs"]["type"]["anyOf"][0]["enum"] == [*TYPES, "*"]


@settings(max_examples=200, deadline=None)
@given(TEXTS)
def test_no_text_makes_the_parser_fail_otherwise_than_by_refusing(text: str) -> None:
    with contextlib.suppress(InvalidInput):
        read("version: 1\nartifacts: " + text)
