"""Conditions: what they mean, where they are undecided, and where they are wrong."""

import contextlib
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from record.policies.expressions import NotACondition, condition, condition_on_findings, known_of

FACTS = known_of(
    flow="saver-ci",
    tags={"tier": "product", "risk-level": "high", "team/x": "platform"},
    artifact="acme/saver:7",
    fingerprint="ab" * 32,
)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ('flow.name == "saver-ci"', True),
        ("flow.name == 'saver-ci'", True),
        ('flow.name != "saver-ci"', False),
        ('flow.tags.risk-level == "high"', True),
        ('flow.tags["risk-level"] == "high"', True),
        ('flow.tags["team/x"] == "platform"', True),
        ('"high" == flow.tags.risk-level', True),
        ('flow.tags.tier in ["product", "infra"]', True),
        ('flow.tags.tier not in ["product", "infra"]', False),
        ("flow.tags.tier in []", False),
        ("exists(flow.tags.tier)", True),
        ("exists(flow.tags.nothing)", False),
        ("not exists(flow.tags.nothing)", True),
        ('matches(artifact.name, "^acme/")', True),
        ('matches(artifact.name, "saver")', True),
        (r'matches(artifact.name, "saver:\d$")', True),
        ('matches(artifact.name, "^saver")', False),
        ('${{ flow.name == "saver-ci" }}', True),
        ('${{flow.name=="other"}}', False),
        ('flow.name == "a" or flow.name == "saver-ci" and exists(flow.name)', True),
        ('(flow.name == "saver-ci" or flow.name == "a") and flow.name == "a"', False),
        ('not flow.name == "a" and not not flow.name == "saver-ci"', True),
        ("true", True),
        ("false or true", True),
        ("1 < 2 and 2 <= 2 and 3 > -1 and 1.5 >= 1.5", True),
        ('flow.name\n  == "saver-ci"', True),
        ('flow.tags.tier < "zebra"', True),
        ('artifact.fingerprint == "' + "ab" * 32 + '"', True),
    ],
)
def test_a_condition_means_what_it_says(text: str, answer: bool) -> None:
    assert condition(text).test(FACTS) is answer


@pytest.mark.parametrize(
    "text",
    [
        'flow.tags.env == "x"',
        'flow.tags.env != "x"',
        'not flow.tags.env == "x"',
        'flow.tags.env in ["x"]',
        'flow.tags.env not in ["x"]',
        "flow.tags.env not in []",
        'matches(flow.tags.env, "x")',
        'flow.tags.env == "x" or flow.name == "a"',
        'flow.tags.env == "x" and flow.name == "saver-ci"',
        "flow.tags.tier == 1",
        "flow.tags.tier != 1",
        "flow.tags.tier < 1",
        'flow.tags.tier in ["infra", 1]',
        "flow.tags.env == flow.tags.other",
    ],
)
def test_comparing_what_is_absent_or_of_another_kind_is_neither_true_nor_false(text: str) -> None:
    assert condition(text).test(FACTS) is None


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ('exists(flow.tags.env) and flow.tags.env != "x"', False),
        ('flow.tags.env != "x" and flow.name == "a"', False),
        ('flow.tags.env == "x" or flow.name == "saver-ci"', True),
        ('flow.tags.tier in ["product", 1]', True),
    ],
)
def test_what_decides_by_itself_decides_beside_something_absent(text: str, answer: bool) -> None:
    assert condition(text).test(FACTS) is answer


def test_an_undecided_condition_says_what_is_absent() -> None:
    asked = condition('exists(flow.tags.a) or flow.tags.env != "x" or flow.tags.other == flow.name')

    assert asked.undecided_because(FACTS) == "there is no flow.tags.env and no flow.tags.other"
    assert condition("flow.tags.tier < 1").undecided_because(FACTS) == "it compares a text with a number"


@pytest.mark.parametrize(
    ("text", "line", "column", "said"),
    [
        ("", 1, 1, "ends too early"),
        ("flow.name ==", 1, 13, "ends too early. Expected here: a name, a number, a text in quotes."),
        ("flow.name", 1, 10, "ends too early"),
        ('flow.name = "a"', 1, 11, "has '=' where"),
        ('flow.name == "a', 1, 14, "has '\"' where"),
        ('flow.name == "a" flow.name', 1, 18, "`flow.name` where it cannot stand"),
        ('flow.nme == "a"', 1, 1, "`flow.nme` is not known here. Known: flow.name"),
        ('artifact["name"] == "a"', 1, 1, "is not known here"),
        ("flow.tags == 1", 1, 1, "is not known here"),
        ('flow.name == "a"\n and tier == "b"', 2, 6, "`tier` is not known"),
        ("exists(1)", 1, 8, "Expected here: a name."),
        ("matches(flow.name, flow.name)", 1, 20, "Expected here: a text in quotes."),
        ('matches(flow.name, "(")', 1, 20, "not a pattern that RE2 reads: missing"),
        (r'matches(flow.name, "(a)\1")', 1, 20, "not a pattern"),
        ('matches(flow.name, "((a{1000}){1000}){1000}")', 1, 20, "not a pattern"),
        ("flow.name in [flow.name]", 1, 15, "cannot stand"),
        ("${{ flow.name == 1", 1, 1, "is not closed"),
        ("${{ flow.nme == 1 }}", 1, 5, "not known"),
        ("(" * 40 + "true" + ")" * 39, 1, 84, "ends too early"),
        ("true\x00", 1, 1, "cannot be seen"),
        ("true" + " " * 1000, 1, 1, "Use at most 1000"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(text: str, line: int, column: int, said: str) -> None:
    with pytest.raises(NotACondition) as told:
        condition(text)

    assert said in told.value.sentence
    assert (told.value.line, told.value.column) == (line, column)


def test_a_pattern_takes_linear_time() -> None:
    asked = condition('matches(artifact.name, "^(a+)+$")')
    began = time.perf_counter()

    assert asked.test({"artifact.name": "a" * 50_000 + "!"}) is False
    assert time.perf_counter() - began < 1


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("critical == 0", True),
        ("critical == 0 and high <= 2", False),
        ("high in [3, 4] or medium > 100", True),
        ("unheard_of == 0", None),
        ("not unheard_of > 0", None),
        ("exists(unheard_of)", False),
    ],
)
def test_findings_are_counted(text: str, answer: bool | None) -> None:
    assert condition_on_findings(text).test({"critical": 0, "high": 3, "medium": 2}) is answer


@pytest.mark.parametrize("text", ["flow.name == 1", 'critical == "0"', 'matches(critical, "0")', "a.b == 1"])
def test_conditions_on_findings_know_counts_only(text: str) -> None:
    with pytest.raises(NotACondition):
        condition_on_findings(text)


def test_the_longest_chain_of_negations_is_answered() -> None:
    assert condition("not " * 248 + "true").test(FACTS) is True
    assert condition("(" * 490 + "true" + ")" * 490).test(FACTS) is True


@settings(max_examples=400, deadline=None)
@given(
    st.text("flow.namtgs[]()\"'=!<>andortis 01,\\${}\n-", max_size=80)
    | st.lists(
        st.sampled_from(
            [*"()[],", "==", "<", "and", "or", "not", "in", "exists", "matches", "flow.name", '"a"', "1", "true"]
        ),
        max_size=14,
    ).map(" ".join)
)
def test_no_text_makes_it_fail_otherwise_than_by_saying_where(text: str) -> None:
    with contextlib.suppress(NotACondition):
        assert condition(text).test(FACTS) in (True, False, None)
