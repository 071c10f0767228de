"""Templates are read strictly, keep their lines, and mean what the published schema says."""

import contextlib
import json
import time
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from record.flows.templates import (
    SCHEMA_FILE,
    STARTER_SDLC,
    TYPES,
    Template,
    Wanted,
    WantedArtifact,
    from_json,
    missing_required_types,
    parse,
    to_json,
)
from record.refusals import InvalidInput, TooLarge
from tests.record.documents import TEXTS, accepts, sometimes

FULL = """\
version: 1
trail:
  attestations:
    - {name: pull-request, type: pull_request}
  artifacts:
    - name: backend
      attestations:
        - name: unit-tests
          type: junit
        - {name: security-scan, type: "*"}
    - name: docs
"""
SCHEMA = jsonschema_rs.validator_for(json.loads(SCHEMA_FILE.read_text()))


def test_a_template_keeps_what_it_asks_for_and_the_line_which_asks() -> None:
    assert parse(FULL) == Template(
        trail=(Wanted("pull-request", "pull_request", 4),),
        artifacts=(
            WantedArtifact("backend", (Wanted("unit-tests", "junit", 8), Wanted("security-scan", "*", 10)), 6),
            WantedArtifact("docs", (), 11),
        ),
    )


@pytest.mark.parametrize(
    "text", ["version: 1", "version: 1\ntrail: {}", "version: 1\ntrail: {attestations: [], artifacts: []}"]
)
def test_a_template_may_ask_for_nothing(text: str) -> None:
    assert parse(text) == Template()


def test_a_template_may_be_written_as_json() -> None:
    text = '{"version": 1, "trail": {"attestations": [{"name": "review", "type": "custom:four-eyes.v2"}]}}'

    assert parse(text).trail == (Wanted("review", "custom:four-eyes.v2", 1),)


@pytest.mark.parametrize("kind", [*TYPES, "*", "custom:coverage-metrics"])
def test_every_type_may_be_asked_for(kind: str) -> None:
    (wanted,) = parse(f"version: 1\ntrail: {{attestations: [{{name: a, type: '{kind}'}}]}}").trail

    assert wanted.type == kind


def test_a_template_survives_being_stored() -> None:
    stored = json.loads(json.dumps(to_json(parse(FULL))))

    assert from_json(stored) == parse(FULL)


def test_the_stored_form_is_smaller_than_the_text() -> None:
    assert len(json.dumps(to_json(parse(FULL)), separators=(",", ":"))) < len(FULL)


def test_the_starter_asks_for_tests_scan_review_and_build() -> None:
    template = parse(STARTER_SDLC)
    asked = {wanted.name: wanted.type for wanted in (*template.trail, *template.artifacts[0].attestations)}

    assert asked == {"review": "pull_request", "build": "generic", "tests": "junit", "security-scan": "*"}


def test_types_that_the_organization_requires_are_looked_for_on_the_trail_and_on_artifacts() -> None:
    template = parse(FULL)

    assert missing_required_types(template, ["pull_request", "junit"]) == ()
    assert missing_required_types(template, ["snyk", "junit", "sbom"]) == ("snyk", "sbom")


def test_an_attestation_of_any_type_stands_for_no_required_type() -> None:
    assert missing_required_types(parse("version: 1\ntrail: {attestations: [{name: a, type: '*'}]}"), ["junit"]) == (
        "junit",
    )


TRAIL = "version: 1\ntrail:\n  "
ONE = TRAIL + "attestations:\n    - "


@pytest.mark.parametrize(
    ("text", "line", "column", "said"),
    [
        ("", 1, 1, "is empty"),
        ("# nothing yet\n", 1, 1, "is empty"),
        ("just words", 1, 1, "must be a mapping"),
        ("- version: 1", 1, 1, "this is a list"),
        ("trail: {}", 1, 1, "needs the key `version`"),
        ("version: 2", 1, 10, "`2` is not a version"),
        ("version: '1'", 1, 10, "Write `version: 1`"),
        ("version:", 1, 9, "an empty value is not a version"),
        ("version: 1\ntrial: {}", 2, 1, "`trial` is not a key of a template. Known keys: version, trail."),
        (TRAIL + "artefacts: []", 3, 3, "Known keys: attestations, artifacts."),
        (ONE + "{name: a, type: junit, optional: true}", 4, 30, "Known keys: name, type."),
        (TRAIL + "artifacts:\n    - {name: a, type: junit}", 4, 17, "Known keys: name, attestations."),
        ("version: 1\nversion: 1", 2, 1, "`version` is there twice"),
        ("version: 1\ntrail:\n", 3, 1, "must be a mapping, and this is an empty value"),
        (TRAIL + "attestations: {a: junit}", 3, 17, "must be a list"),
        (ONE + "unit-tests", 4, 7, "An attestation must be a mapping"),
        (ONE + "{name: a}", 4, 7, "needs the key `type`"),
        (ONE + "{type: junit}", 4, 7, "needs the key `name`"),
        (ONE + "{name: 12, type: junit}", 4, 14, "Put it in quotes"),
        (ONE + "{name: true, type: junit}", 4, 14, "reads as bool"),
        (ONE + "{name: , type: junit}", 4, 13, "`name` is empty"),
        (ONE + "{name: [a], type: junit}", 4, 14, "this is a list"),
        (ONE + "{name: '', type: junit}", 4, 14, "not a valid attestation name"),
        (ONE + "{name: unit tests, type: junit}", 4, 14, "matches ^[A-Za-z0-9_-]{1,255}$"),
        (TRAIL + "artifacts: [{name: a.b}]", 3, 22, "not a valid artifact name"),
        (ONE + "{name: a, type: junits}", 4, 23, "Use one of: generic, junit"),
        (ONE + "{name: a, type: override}", 4, 23, "not an attestation type"),
        (ONE + "{name: a, type: 'custom:'}", 4, 23, "custom:NAME"),
        (ONE + "{name: a, type: *}", 4, 24, "Put '*' in quotes"),
        (ONE + "{name: a, type: junit}\n    - {name: a, type: snyk}", 5, 7, "asks for `a` twice, first in line 4"),
        (TRAIL + "artifacts: [{name: a}, {name: a}]", 3, 26, "asks for `a` twice"),
        (ONE + "&x {name: a, type: junit}\n    - *x", 4, 7, "Anchors (&) and aliases (*) are not accepted"),
        ("version: 1\ntrail: *x", 2, 8, "Anchors (&) and aliases (*) are not accepted"),
        ("version: !!int 1", 1, 10, "Tags (!) are not accepted"),
        ("version: 1\ntrail: !!python/object:os.system {}", 2, 8, "Tags (!) are not accepted"),
        ("version: 1\n<<: {trail: {}}", 2, 1, "`<<` is not a key"),
        ("version: 1\n? [a]\n: 1", 2, 3, "a list is not a key"),
        ("version: 1\n---\nversion: 1", 2, 1, "second document"),
        ("version: 1\n\ttrail: {}", 2, 1, "This is not YAML"),
        ("version: 1\ntrail: [", 2, 9, "This is not YAML"),
        ("version: 1\ntrail: 'a\x01'", 2, 10, "control character"),
        ("version: 1\ntrail: \0", 2, 8, "control character"),
        ("%YAML 9.9\n---\nversion: 1", 1, 1, "This is not YAML"),
    ],
)
def test_what_is_wrong_is_refused_with_its_place(text: str, line: int, column: int, said: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse(text)

    assert (refused.value.line, refused.value.column) == (line, column)
    assert said in refused.value.message


@pytest.mark.parametrize("text", ["[" * 65_000, "{" * 60_000 + "a", "- " * 30_000, "? " * 30_000, "a: {" * 16_000])
def test_a_deep_nest_is_refused_at_once(text: str) -> None:
    began = time.perf_counter()

    with pytest.raises(InvalidInput, match="nested deeper"):
        parse(text)

    assert time.perf_counter() - began < 1


def test_more_than_64_kib_are_refused_unread() -> None:
    with pytest.raises(TooLarge, match="Keep it to 65536"):
        parse("version: 1\n" + "#" * 65_536)


def test_half_a_character_is_refused() -> None:
    with pytest.raises(InvalidInput, match="lone surrogate"):
        parse("version: 1\n# \ud800")


NAMES: st.SearchStrategy[Any] = st.sampled_from(
    ["a", "b-c", "D_1", "x" * 255, "", "a b", "a.b", "ünit", "x" * 256, "a\n", 7, None, True, [], "12"]
)
KINDS: st.SearchStrategy[Any] = st.sampled_from(
    [
        *TYPES,
        "*",
        "custom:a",
        "custom:A.b~c",
        "custom:",
        "custom:-a",
        "custom:" + "a" * 129,
        "override",
        "",
        1,
        None,
        {},
    ]
)


def _unique(items: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Lists in which no name stands twice: the one thing that the schema cannot ask for."""
    return st.lists(
        items, max_size=3, unique_by=lambda item: str(item.get("name")) if isinstance(item, dict) else str(item)
    )


ATTESTATIONS: st.SearchStrategy[Any] = st.one_of(
    _unique(sometimes({"name": NAMES, "type": KINDS})), st.sampled_from([None, {}, "a"])
)
ARTIFACTS = _unique(sometimes({"name": NAMES, "attestations": ATTESTATIONS}))
DOCUMENTS = sometimes(
    {
        "version": st.sampled_from([1, 1, 1, 1, 2, "1", None, True]),
        "trail": sometimes({"attestations": ATTESTATIONS, "artifacts": ARTIFACTS}),
    }
)


@settings(max_examples=300, deadline=None)
@given(DOCUMENTS)
def test_the_parser_accepts_what_the_published_schema_accepts_and_no_more(document: Any) -> None:
    assert accepts(parse, document) == SCHEMA.is_valid(document)


def test_the_schema_knows_every_type_that_the_parser_knows() -> None:
    schema = json.loads(SCHEMA_FILE.read_text())

    assert schema["$defs"]["type"]["anyOf"][0]["enum"] == [*TYPES, "*"]


@settings(max_examples=300, deadline=None)
@given(TEXTS)
def test_no_text_makes_the_parser_fail_otherwise_than_by_refusing(text: str) -> None:
    with contextlib.suppress(InvalidInput):
        parse("version: 1\ntrail: " + text)
