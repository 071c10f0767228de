"""JUnit files: what turns them red, what is refused, and that nothing missing looks green."""

import json
from collections.abc import Callable
from xml.sax.saxutils import quoteattr

import pytest
from hypothesis import given
from hypothesis import strategies as st

from record.attestations.reports.junit import read_junit
from record.attestations.reports.result import SUMMARY_BYTES_MAX
from record.refusals import MalformedReport

NAMES = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff"), max_size=8
)
PASSED = st.builds(lambda name: f"<testcase name={quoteattr(name)} time='0.5'/>", NAMES)
SKIPPED = st.builds(lambda name: f"<testcase name={quoteattr(name)}><skipped/></testcase>", NAMES)
TREES = st.recursive(
    PASSED | SKIPPED,
    lambda inner: st.builds(
        lambda name, children: f"<testsuite name={quoteattr(name)}>{''.join(children)}</testsuite>",
        NAMES,
        st.lists(inner, max_size=4),
    ),
    max_leaves=12,
)
FAULTS = st.sampled_from(
    [
        "<testcase name='x'><failure/></testcase>",
        "<testcase name='x'><error>broken</error></testcase>",
        "<testcase name='x'><skipped/><failure message='m'/></testcase>",
        "<testcase name='x' status='failed'/>",
        "<testcase name='x'><properties><failure/></properties></testcase>",
        "<testsuite name='x' failures='1'/>",
        "<testsuite name='x' errors='2' tests='2'/>",
        "<error/>",
    ]
)


@pytest.mark.parametrize(
    ("name", "line", "word"),
    [
        ("junit_entity_bomb.xml", 1, "DOCTYPE"),
        ("junit_external_entity.xml", 1, "DOCTYPE"),
        ("junit_remote_doctype.xml", 1, "DOCTYPE"),
        ("junit_nested_too_deep.xml", 1, "deeper than 50"),
        ("junit_raw_escape_character.xml", 2, "control characters"),
        ("junit_cut_off.xml", 2, "not well-formed"),
    ],
)
def test_a_hostile_or_broken_file_is_refused_with_its_place(
    asset: Callable[[str], bytes], name: str, line: int, word: str
) -> None:
    with pytest.raises(MalformedReport, match=word) as refusal:
        read_junit([asset(name)])

    assert refusal.value.line == line
    assert refusal.value.column is not None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"plain text",
        b"<?xml version='1.0' encoding='klingon'?><testsuite/>",
        b"<testsuite/><testsuite/>",
        b"\xff\xfe\x00",
    ],
)
def test_what_is_not_xml_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedReport):
        read_junit([data])


def test_a_refusal_says_which_of_several_files_is_meant(asset: Callable[[str], bytes]) -> None:
    with pytest.raises(MalformedReport, match="File 2 of 2"):
        read_junit([b"<testsuite/>", asset("junit_cut_off.xml")])


def test_no_files_at_all_are_refused() -> None:
    with pytest.raises(MalformedReport, match="no JUnit file"):
        read_junit([])


def test_a_suite_that_claims_failures_and_lists_no_cases_is_not_green(asset: Callable[[str], bytes]) -> None:
    result = read_junit([asset("junit_claims_failures_without_cases.xml")])

    assert not result.compliant
    assert result.summary["claimed_failures_without_cases"] == 2
    assert result.explanation.startswith("The report claims 2 failures in suites that list no test cases.")


def test_cases_decide_where_totals_lie_and_the_summary_says_so(asset: Callable[[str], bytes]) -> None:
    result = read_junit([asset("junit_totals_hide_a_failure.xml")])

    assert not result.compliant
    assert result.explanation == "1 of 1 test failed: pkg::t."
    assert result.summary["disagreement_list"] == [
        {
            "suite": "s",
            "claimed": {"tests": 9, "failures": 0},
            "counted": {"tests": 1, "failures": 1, "errors": 0, "skipped": 0},
        }
    ]


def test_totals_that_exaggerate_do_not_turn_passed_cases_red() -> None:
    result = read_junit([b"<testsuite tests='5' failures='3'><testcase name='t'/></testsuite>"])

    assert result.compliant
    assert result.summary["disagreements"] == 1
    assert "differ" in result.explanation


def test_an_error_outside_of_cases_is_an_error(asset: Callable[[str], bytes]) -> None:
    result = read_junit([asset("junit_error_outside_of_cases.xml")])

    assert not result.compliant
    assert result.summary["failed"] == [{"name": "suite s", "message": "set-up"}]


def test_a_report_without_tests_is_not_compliant(asset: Callable[[str], bytes]) -> None:
    result = read_junit([asset("junit_no_tests.xml")])

    assert not result.compliant
    assert result.explanation == "The report has no tests. Nothing was tested."


def test_a_report_whose_tests_were_all_skipped_says_that_nothing_ran(asset: Callable[[str], bytes]) -> None:
    result = read_junit([asset("junit_all_skipped.xml")])

    assert result.compliant
    assert (result.summary["tests"], result.summary["passed"]) == (1, 0)
    assert result.explanation == "Nothing failed, but nothing ran either: 1 of 1 test skipped."


def test_a_test_that_passed_when_repeated_is_flaky_and_passed() -> None:
    result = read_junit([b"<testsuite><testcase name='t'><flakyFailure message='m'/></testcase></testsuite>"])

    assert result.compliant
    assert result.summary["flaky"] == 1


def test_several_files_are_one_report() -> None:
    good = b"<testsuite><testcase name='a'/></testsuite>"
    bad = b"<testsuite><testcase classname='m' name='b'><failure/></testcase></testsuite>"

    result = read_junit([good, bad])

    assert not result.compliant
    assert result.explanation == "1 of 2 tests failed: m::b."


def test_invisible_characters_of_a_report_are_made_visible(asset: Callable[[str], bytes]) -> None:
    result = read_junit([asset("junit_line_turned_around.xml")])

    assert result.summary["failed"] == [{"name": "a\\u{202e}b", "message": "c\\u{2028}d"}]


@pytest.mark.parametrize(
    ("written", "milliseconds"),
    [
        ("0.048", 48),
        ("1,234.5", 1234500),
        ("", 0),
        ("NaN", 0),
        ("inf", 0),
        ("1e999999", 0),
        ("-1", 0),
        ("soon", 0),
        ("2e-3", 2),
    ],
)
def test_durations_are_whole_milliseconds_however_they_are_written(written: str, milliseconds: int) -> None:
    result = read_junit([f"<testsuite><testcase name='t' time='{written}'/></testsuite>".encode()])

    assert result.summary["milliseconds"] == milliseconds


def test_a_summary_stays_within_its_limit_whatever_the_report_holds() -> None:
    wide = "\U0001f600" * 300
    case = f"<testcase name='{wide}'><failure message='{wide}'/></testcase>"

    result = read_junit([f"<testsuite name='{wide}'>{case * 100}</testsuite>".encode()])

    assert len(json.dumps(result.summary, ensure_ascii=False).encode()) <= SUMMARY_BYTES_MAX
    assert result.summary["failures"] == 100
    assert result.summary["truncated"] is True


@given(st.lists(TREES, max_size=5), FAULTS, st.data())
def test_adding_a_fault_always_leaves_a_red_report(trees: list[str], fault: str, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(trees)))

    before = read_junit([f"<testsuites>{''.join(trees)}</testsuites>".encode()])
    after = read_junit([f"<testsuites>{''.join([*trees[:place], fault, *trees[place:]])}</testsuites>".encode()])

    assert before.compliant == (before.summary["tests"] != 0)
    assert not after.compliant


@pytest.mark.parametrize(
    ("name", "compliant", "explanation"),
    [
        ("pytest-report.xml", True, "564 tests passed, 6 skipped."),
        ("delta-timestamp.xml", True, "5 tests passed."),
        ("junit-passing.xml", False, "1 of 9 tests failed: Tests.Authentication::testCase9."),
        ("surefire-ancient.xml", True, "Nothing failed, but nothing ran either: 7 of 7 tests skipped."),
    ],
)
def test_real_reports_are_read(corpus: Callable[[str], bytes], name: str, compliant: bool, explanation: str) -> None:
    result = read_junit([corpus(f"junit/{name}")])

    assert result.compliant is compliant
    assert result.explanation == explanation


def test_a_real_file_of_another_format_is_refused(corpus: Callable[[str], bytes]) -> None:
    with pytest.raises(MalformedReport, match="testsuites2") as refusal:
        read_junit([corpus("junit/invalid.xml")])

    assert refusal.value.line == 2
