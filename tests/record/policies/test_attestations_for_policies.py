"""Verdicts of policies on attestations: which one answers, how old it may be, what it must say, and of a choice."""

from dataclasses import replace

import pytest

from record.policies.forms import Attested
from record.verdicts import Reason, Status
from tests.record.policies.material import (
    DAY,
    HOUR,
    NOON,
    SAVER,
    artifact,
    attested,
    member,
    policy,
    status,
    verdict,
)

GREEN, RED, MISSING, UNKNOWN = Status.COMPLIANT, Status.NON_COMPLIANT, Status.INCOMPLETE, Status.UNKNOWN
TESTS = policy("attestations: [{name: unit-tests, type: junit}]")
JUNIT = policy("attestations: [{type: junit}]")


@pytest.mark.parametrize("on", [SAVER, None])
def test_an_attestation_on_the_artifact_or_on_its_trail_answers(on: str | None) -> None:
    assert status(TESTS, artifact(member(attested(2, "unit-tests", on=on)))) is GREEN


def test_an_attestation_that_nobody_made_is_missing() -> None:
    judged = verdict(TESTS, artifact(member()))

    assert judged.status is MISSING
    assert judged.reasons[0] == Reason(
        "policy production v3, line 2: unit-tests (junit)",
        "artifact acme/saver:7 0123456789ab…, trail saver-ci/1234",
        MISSING,
        "Nobody has attested unit-tests (junit) in trail saver-ci/1234.",
        "Attest unit-tests (junit) on artifact saver 0123456789ab… in trail saver-ci/1234, or on the trail.",
    )


def test_the_latest_of_a_name_decides() -> None:
    assert status(TESTS, artifact(member(attested(2, "unit-tests"), attested(3, "unit-tests", compliant=False)))) is RED
    assert (
        status(TESTS, artifact(member(attested(3, "unit-tests"), attested(2, "unit-tests", compliant=False)))) is GREEN
    )


def test_the_wrong_type_under_the_right_name_is_wrong_and_not_missing() -> None:
    assert status(TESTS, artifact(member(attested(2, "unit-tests", "generic")))) is RED


def test_asked_for_by_type_one_bad_attestation_is_not_hidden_by_a_good_one() -> None:
    assert status(JUNIT, artifact(member(attested(2, "a", compliant=False), attested(3, "b")))) is RED


def test_asked_for_by_type_another_word_for_it_answers_too() -> None:
    asked = policy("attestations: [{type: ticket}]")
    good, bad = attested(2, "PAY-1", "ticket"), attested(3, "PAY-2", "jira", compliant=False)

    assert status(asked, artifact(member(good))) is GREEN
    assert status(asked, artifact(member(good, bad))) is RED


def test_asked_for_by_type_another_type_under_the_same_name_hides_nothing() -> None:
    facts = (attested(2, "a", compliant=False), attested(3, "a", "generic"), attested(4, "b"))

    assert status(JUNIT, artifact(member(*facts))) is RED


def test_an_attestation_must_be_there_in_every_trail() -> None:
    assert status(TESTS, artifact(member(attested(2, "unit-tests")), member(trail="2", index=3))) is MISSING


def test_an_attestation_that_is_too_old_is_missing_from_that_very_instant() -> None:
    asked = policy("attestations: [{name: unit-tests, type: junit, max-age: 30d}]")
    facts = artifact(member(attested(2, "unit-tests")), ages={2: 30 * DAY - HOUR})
    judged = verdict(asked, facts)

    assert (judged.status, judged.holds_until) == (GREEN, NOON + HOUR)
    assert status(asked, facts, now=NOON + HOUR) is MISSING


def test_an_attestation_of_unknown_age_is_too_old() -> None:
    asked = policy("attestations: [{type: junit, max-age: 30d}]")

    assert status(asked, replace(artifact(member(attested(2, "a"))), attested_at={})) is MISSING


def test_an_old_and_bad_attestation_is_wrong() -> None:
    asked = policy("attestations: [{type: junit, max-age: 30d}]")

    assert status(asked, artifact(member(attested(2, "a", compliant=False)), ages={2: 40 * DAY})) is RED


def test_an_override_replaces_the_verdict_until_it_expires_and_makes_nothing_younger() -> None:
    asked = policy("attestations: [{type: junit, max-age: 30d}]")
    facts = (attested(2, "a", compliant=False), attested(3, "o", "override", overrides="a", until=NOON + 9 * DAY))

    judged = verdict(asked, artifact(member(*facts), ages={2: 25 * DAY}))
    assert (judged.status, judged.holds_until) == (GREEN, NOON + 5 * DAY)
    assert status(asked, artifact(member(*facts), ages={2: 31 * DAY})) is MISSING
    assert status(asked, artifact(member(*facts)), now=NOON + 9 * DAY) is RED


def test_an_override_that_was_made_ahead_accepts_nothing() -> None:
    facts = (attested(2, "o", "override", overrides="a"), attested(3, "a", compliant=False))

    assert status(JUNIT, artifact(member(*facts))) is RED


SCAN = policy('attestations: [{type: trivy, where: "critical == 0 and high <= 2"}]')


@pytest.mark.parametrize(
    ("counts", "expected", "said"),
    [
        ({"critical": 0, "high": 2}, GREEN, "As it should be."),
        ({"critical": 0, "high": 3}, RED, "is not true of scan: critical is 0, high is 3."),
        ({"critical": 0}, RED, "cannot be decided for scan: there is no high in its summary."),
        ({}, RED, "there is no critical and no high in its summary."),
    ],
)
def test_findings_are_counted_and_absent_counts_satisfy_nothing(
    counts: dict[str, int], expected: Status, said: str
) -> None:
    judged = verdict(SCAN, artifact(member(attested(2, "scan", "trivy")), counts={2: counts}))

    assert judged.status is expected
    assert said in judged.reasons[0].explanation


def test_what_an_attestation_itself_says_counts_beside_its_findings() -> None:
    bad = member(attested(2, "scan", "trivy", compliant=False))

    assert status(SCAN, artifact(bad, counts={2: {"critical": 0, "high": 0}})) is RED


RISKY = policy("""attestations: [{type: trivy, if: 'flow.tags.risk-level == "high"'}]""")


def test_a_rule_whose_condition_is_false_does_not_apply_and_an_ignored_rule_decides_nothing() -> None:
    judged = verdict(RISKY, artifact(member(tags={"risk-level": "low"})))

    assert judged.status is UNKNOWN
    assert judged.reasons[0].explanation.startswith("Ignored. It applies in none of the trails")


def test_a_rule_whose_condition_cannot_be_decided_applies_and_says_so() -> None:
    judged = verdict(RISKY, artifact(member()))

    assert judged.status is MISSING
    assert "cannot be decided (there is no flow.tags.risk-level), so the rule applies" in judged.reasons[0].explanation


def test_a_rule_holds_when_it_applies_somewhere_and_fails_nowhere() -> None:
    low, high = (
        member(tags={"risk-level": "low"}),
        member(attested(3, "s", "trivy"), tags={"risk-level": "high"}, index=2),
    )

    assert status(RISKY, artifact(low, high)) is GREEN


EITHER = policy("attestations: [{any-of: [{type: snyk}, {type: sarif}]}]")


def test_of_a_choice_one_will_do() -> None:
    assert status(EITHER, artifact(member(attested(2, "s", "sarif")))) is GREEN
    assert (
        status(EITHER, artifact(member(attested(2, "s", "sarif"), attested(3, "t", "snyk", compliant=False)))) is GREEN
    )


def test_of_a_choice_wrong_beats_missing() -> None:
    assert status(EITHER, artifact(member())) is MISSING
    assert status(EITHER, artifact(member(attested(3, "t", "snyk", compliant=False)))) is RED


def test_an_attestation_that_need_not_be_compliant_must_only_be_there() -> None:
    (rule,) = JUNIT.rules
    assert isinstance(rule, Attested)
    asked = replace(JUNIT, rules=(replace(rule, must_be_compliant=False),))

    assert status(asked, artifact(member(attested(2, "a", compliant=False)))) is GREEN
    assert status(asked, artifact(member())) is MISSING
