"""Verdicts of policies, one sentence of the domain at a time; those on attestations are in a file of their own."""

import pytest

from record.flows.templates import parse as template
from record.policies.expressions import NotACondition, condition
from record.policies.rules import judge, judge_environment
from record.verdicts import Status
from tests.record.policies.material import (
    DAY,
    HOUR,
    NOON,
    approval,
    artifact,
    attested,
    member,
    policy,
    run,
    status,
    verdict,
    waiver,
)

GREEN, RED, MISSING, UNKNOWN = Status.COMPLIANT, Status.NON_COMPLIANT, Status.INCOMPLETE, Status.UNKNOWN
PROVENANCE = policy("provenance: {required: true}")
JUNIT = policy("attestations: [{type: junit}]")
TRAILS = policy("trail-compliance: {required: true}")


# --- provenance


def test_an_artifact_that_a_flow_knows_has_provenance() -> None:
    assert status(PROVENANCE, artifact(member())) is GREEN


def test_an_artifact_that_no_flow_knows_is_missing_provenance_and_is_told_what_to_do() -> None:
    judged = verdict(PROVENANCE, artifact())

    assert judged.status is MISSING
    assert judged.reasons[0].rule == "policy production v3, line 2: provenance"
    assert judged.reasons[0].remedy == "Report it with reportArtifact into the trail that built it."


def test_an_exception_waives_provenance() -> None:
    asked = policy("""provenance: {required: true, exceptions: [{if: 'matches(artifact.name, "^datadog:")'}]}""")

    assert status(asked, artifact(name="datadog:7")) is GREEN
    assert status(asked, artifact(name="acme/datadog:7")) is MISSING


def test_an_exception_that_compares_something_absent_waives_nothing_and_says_so() -> None:
    asked = policy("""provenance: {required: true, exceptions: [{if: 'flow.tags.env != "prod"'}]}""")
    judged = verdict(asked, artifact())

    assert judged.status is MISSING
    assert "cannot be decided (there is no flow.tags.env), so it waives nothing" in judged.reasons[0].explanation


# --- trails


def test_an_artifact_must_be_compliant_in_every_trail() -> None:
    good = member(attested(2, "a"), trail="1")
    bad = member(attested(4, "a", compliant=False), trail="2", index=3)

    assert status(TRAILS, artifact(good)) is GREEN
    assert status(TRAILS, artifact(good, bad)) is RED


def test_a_trail_in_which_nothing_was_attested_is_missing_and_not_green() -> None:
    assert status(TRAILS, artifact(member())) is MISSING


def test_what_the_trails_template_asks_for_counts() -> None:
    asks = template("version: 1\ntrail: {attestations: [{name: review, type: pull_request}]}")

    assert status(TRAILS, artifact(member(attested(2, "a"), template=asks))) is MISSING


def test_an_excepted_trail_does_not_redden_the_rule() -> None:
    asked = policy("""trail-compliance: {required: true, exceptions: [{if: 'flow.name == "scan"'}]}""")
    scan = member(attested(2, "a", compliant=False), flow="scan")
    good = member(attested(4, "a"), index=3)

    assert status(asked, artifact(scan, good)) is GREEN


def test_a_trail_holds_until_an_override_in_it_expires() -> None:
    ends = NOON + HOUR
    facts = (attested(2, "a", compliant=False), attested(3, "o", "override", overrides="a", until=ends))
    judged = verdict(TRAILS, artifact(member(*facts)))

    assert (judged.status, judged.holds_until) == (GREEN, ends)


# --- scope


def test_a_policy_does_not_look_at_flows_outside_its_scope() -> None:
    scan = member(attested(2, "a", compliant=False), flow="scan")
    good = member(attested(4, "a"), tags={"tier": "product"}, index=3)

    for flows in ("[saver-ci]", "{tags: {tier: product}}", """{if: 'flow.name != "scan"'}"""):
        assert status(policy("attestations: [{type: junit}]", flows=flows), artifact(scan, good)) is GREEN


def test_an_artifact_known_outside_the_scope_only_is_missing_provenance() -> None:
    asked = policy("provenance: {required: true}", flows="{tags: {tier: product}}")

    assert status(asked, artifact(member())) is MISSING


def test_a_scope_that_cannot_be_decided_covers() -> None:
    asked = policy("attestations: [{type: junit}]", flows="""{if: 'flow.tags.tier == "product"'}""")

    assert status(asked, artifact(member())) is MISSING


# --- approvals


APPROVED = policy("approvals: {min: 2, not-author: true, max-age: 14d}")


def test_enough_people_approve_until_the_first_of_them_is_too_long_ago() -> None:
    request = approval(5, "ada", "cyd")
    judged = verdict(APPROVED, artifact(member(), approvals=[request]))

    assert (judged.status, judged.holds_until) == (GREEN, NOON - HOUR + 14 * DAY)
    assert judged.reasons[0].explanation.startswith("Approved by ada, cyd.")


@pytest.mark.parametrize(
    "request_",
    [
        approval(5),
        approval(5, "ada"),
        approval(5, "ada", "ada"),
        approval(5, "ada", "bob"),
        approval(5, "ada", "eve"),
        approval(5, "ada", "eve@acme.com"),
        approval(5, "ada", "cyd", authors=()),
        approval(5, "ada", "cyd", at=NOON - 14 * DAY),
        approval(5, "ada", "cyd", expires_at=NOON),
        approval(5, "ada", "cyd", environment="staging"),
        approval(5, "ada", "cyd", state="WITHDRAWN"),
        approval(5, "ada", "cyd", state="whatever"),
    ],
)
def test_what_does_not_count_is_missing(request_: object) -> None:
    assert status(APPROVED, artifact(member(), approvals=[request_])) is MISSING  # type: ignore[list-item]


def test_approvals_of_two_requests_are_not_added_up() -> None:
    assert status(APPROVED, artifact(member(), approvals=[approval(5, "ada"), approval(8, "cyd")])) is MISSING


def test_a_rejection_is_wrong_until_a_newer_request() -> None:
    rejected = approval(9, state="REJECTED")

    assert status(APPROVED, artifact(member(), approvals=[approval(5, "ada", "cyd"), rejected])) is RED
    assert status(APPROVED, artifact(member(), approvals=[rejected, approval(12, "ada", "cyd")])) is GREEN


def test_an_approval_ends_with_its_request() -> None:
    judged = verdict(APPROVED, artifact(member(), approvals=[approval(5, "ada", "cyd", expires_at=NOON + HOUR)]))

    assert judged.holds_until == NOON + HOUR


# --- deployed before


PROVEN = policy("deployed-to: {environment: staging, for: 24h}")


def test_an_artifact_that_ran_long_enough_elsewhere_is_proven_for_good() -> None:
    judged = verdict(PROVEN, artifact(member(), runs=[run("staging", NOON - 2 * DAY, NOON - DAY)]))

    assert (judged.status, judged.holds_until) == (GREEN, None)


def test_an_artifact_that_still_runs_elsewhere_will_be_proven_at_a_known_instant() -> None:
    judged = verdict(PROVEN, artifact(member(), runs=[run("staging", NOON - 23 * HOUR)]))

    assert (judged.status, judged.holds_until) == (MISSING, NOON + HOUR)


def test_runs_with_a_break_between_are_not_added_up() -> None:
    runs = [run("staging", NOON - 40 * HOUR, NOON - 20 * HOUR), run("staging", NOON - 19 * HOUR, NOON - HOUR)]

    assert status(PROVEN, artifact(member(), runs=runs)) is MISSING
    assert status(PROVEN, artifact(member(), runs=[run("other", NOON - 9 * DAY)])) is MISSING


# --- waivers


def test_a_waiver_accepts_an_artifact_until_the_very_instant_of_its_expiry() -> None:
    bad = member(attested(2, "a", compliant=False))
    facts = artifact(bad, waivers=[waiver(5)])
    judged = verdict(JUNIT, facts)

    assert (judged.status, judged.holds_until) == (GREEN, NOON + DAY)
    assert judged.reasons[0].explanation.startswith("Waived until 2026-11-23T12:00:00.000000Z, accepted by ada:")
    assert judged.reasons[0].because[0].outcome is RED
    assert status(JUNIT, facts, now=NOON + DAY) is RED


def test_a_waiver_of_a_rule_accepts_that_rule_only() -> None:
    asked = policy("provenance: {required: true}, attestations: [{type: junit}]")

    assert status(asked, artifact(waivers=[waiver(5, rule="provenance")])) is GREEN
    assert status(asked, artifact(member(), waivers=[waiver(5, rule="provenance")])) is MISSING
    assert status(asked, artifact(member(), waivers=[waiver(5, rule="attestation:*:junit")])) is GREEN
    assert status(asked, artifact(member(), waivers=[waiver(5, rule="production/attestation:*:junit")])) is GREEN
    assert status(asked, artifact(member(), waivers=[waiver(5, rule="other/attestation:*:junit")])) is MISSING


@pytest.mark.parametrize(
    "given",
    [
        waiver(5, environment="staging"),
        waiver(5, fingerprint="f" * 64),
        waiver(5, until=NOON),
        waiver(5, fingerprint=None),
    ],
)
def test_a_waiver_of_something_else_accepts_nothing(given: object) -> None:
    assert status(JUNIT, artifact(member(), waivers=[given])) is MISSING  # type: ignore[list-item]


def test_a_verdict_holds_past_what_a_waiver_covers() -> None:
    asked = policy("attestations: [{type: junit, max-age: 30d}]")
    judged = verdict(asked, artifact(member(attested(2, "a")), ages={2: 30 * DAY - HOUR}, waivers=[waiver(5)]))

    assert judged.holds_until == NOON + DAY


# --- environments


def test_an_environment_is_as_good_as_the_worst_that_runs_there() -> None:
    good, bad = artifact(member(attested(2, "a"))), artifact(member(attested(2, "a", compliant=False)), name="bad")
    judged = judge_environment([JUNIT, PROVENANCE], [good, bad], environment="prod", now=NOON)

    assert judged.verdict.status is RED
    assert [each.course.status for each in judged.running] == [GREEN, RED]
    assert [reason.subject for reason in judged.verdict.reasons] == [
        "artifact acme/saver:7 0123456789ab…",
        "artifact bad 0123456789ab…",
    ]


def test_a_policy_with_nothing_to_say_stands_aside() -> None:
    elsewhere = policy("attestations: [{type: snyk}]", flows="[other]", name="other")
    facts = artifact(member(attested(2, "a")))

    assert judge_environment([elsewhere, JUNIT], [facts], environment="prod", now=NOON).verdict.status is GREEN
    assert judge_environment([elsewhere], [facts], environment="prod", now=NOON).verdict.status is UNKNOWN


def test_without_policies_or_with_nothing_running_an_environment_is_unknown() -> None:
    assert judge_environment([], [artifact()], environment="prod", now=NOON).verdict.status is UNKNOWN
    assert judge_environment([JUNIT], [], environment="prod", now=NOON).verdict.status is UNKNOWN


def test_without_an_environment_nothing_is_approved_or_waived() -> None:
    facts = artifact(member(), approvals=[approval(5, "ada", "cyd")], waivers=[waiver(9)])

    assert judge(APPROVED, facts, environment=None, now=NOON).status is MISSING


def test_conditions_of_policies_are_conditions() -> None:
    with pytest.raises(NotACondition):
        condition("flow.name")
