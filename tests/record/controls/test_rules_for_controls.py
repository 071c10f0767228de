"""Whether a change had what a control asks for, one sentence at a time."""

from dataclasses import replace

import pytest

from record.controls.mappings import ApprovalRequired, AttestationRequired, PolicyRequired, Requirement
from record.controls.rules import Finding, entries_of, in_scope, tally
from record.ids import EntryIndex, LedgerSize
from record.policies.facts import ArtifactFacts
from record.trails.facts import ArtifactFact
from record.verdicts import Status
from tests.record.controls.material import DEPLOYED, NOW, THEN, court, deployment, shadow
from tests.record.policies.material import DAY, HOUR, NOON, SAVER, approval, artifact, attested, member, policy, waiver

TESTS = AttestationRequired("unit-tests", "junit")
JUNIT = AttestationRequired(None, "junit")


def both(facts: ArtifactFacts | None, *asked: Requirement, known: int | None = None) -> tuple[bool, bool]:
    """Whether all was there when it was deployed, and now."""
    sitting, change = court(facts), deployment(known=known)
    return sitting.find(change, asked, THEN).met, sitting.find(change, asked, NOW).met


def now(facts: ArtifactFacts | None, *asked: Requirement) -> Finding:
    return court(facts).find(deployment(), asked, NOW)


def test_an_attestation_that_was_there_when_it_was_deployed_counts_then_and_now() -> None:
    assert both(artifact(member(attested(2, "unit-tests"))), TESTS) == (True, True)


def test_an_attestation_that_came_after_the_deployment_counts_now_and_did_not_then() -> None:
    assert both(artifact(member(attested(50, "unit-tests"))), TESTS, known=40) == (False, True)


def test_a_failed_attestation_that_came_later_counts_against_it_now_and_did_not_then() -> None:
    facts = artifact(member(attested(2, "unit-tests"), attested(50, "unit-tests", compliant=False)))

    assert both(facts, TESTS, known=40) == (True, False)


def test_an_artifact_that_was_reported_after_its_deployment_was_known_nowhere_then() -> None:
    facts = artifact(member(attested(2, "unit-tests"), index=50))

    assert both(facts, TESTS, known=40) == (False, True)


def test_an_artifact_that_was_reported_again_later_was_known_by_its_first_report_then() -> None:
    once = member(attested(2, "unit-tests"), index=1)
    again = ArtifactFact(EntryIndex(50), SAVER, "saver", "abcdef0123", "acme/saver:7")
    trail = once.trail._replace(artifacts=(*once.trail.artifacts, again))

    assert both(artifact(once._replace(trail=trail, artifact=again)), TESTS, known=40) == (True, True)


def test_an_artifact_that_no_flow_knows_has_no_evidence_and_is_told_what_to_do() -> None:
    found = now(None, TESTS)

    assert not found.met
    assert found.reasons[0].outcome is Status.INCOMPLETE
    assert "was not reported in any flow" in found.reasons[0].explanation
    assert "reportArtifact" in (found.reasons[0].remedy or "")


def test_a_trail_that_does_not_have_it_takes_nothing_away() -> None:
    here, elsewhere = member(attested(2, "unit-tests")), member(trail="2", flow="notes", index=3)

    assert both(artifact(here, elsewhere), TESTS) == (True, True)


def test_a_good_attestation_hides_no_bad_one() -> None:
    good = member(attested(2, "unit-tests"))
    bad = member(attested(4, "unit-tests", compliant=False), trail="2", index=3)
    found = now(artifact(good, bad), TESTS)

    assert not found.met
    assert found.reasons[0].entry_index == 4
    assert [each.outcome for each in found.reasons[0].because] == [Status.COMPLIANT, Status.NON_COMPLIANT]


def test_only_the_flows_that_are_named_are_asked() -> None:
    good = member(attested(2, "unit-tests"))
    bad = member(attested(4, "unit-tests", compliant=False), flow="nightly", trail="2", index=3)
    facts = artifact(good, bad)

    assert now(facts, replace(TESTS, flows=("saver-ci",))).met
    assert not now(facts, replace(TESTS, flows=("nightly",))).met
    assert not now(facts, replace(TESTS, flows=("release",))).met


def test_the_wrong_type_under_the_right_name_is_not_the_evidence() -> None:
    assert not now(artifact(member(attested(2, "unit-tests", "generic"))), TESTS).met


def test_asked_for_by_type_any_name_will_do() -> None:
    assert now(artifact(member(attested(2, "whatever"))), JUNIT).met


def test_an_override_counts_while_it_is_live() -> None:
    overridden = attested(2, "unit-tests", compliant=False)
    ended = attested(3, "o", "override", overrides="unit-tests", until=NOON - HOUR / 2)

    assert both(artifact(member(overridden, ended)), TESTS) == (True, False)


def test_a_finding_says_until_when_it_holds() -> None:
    facts = (
        attested(2, "unit-tests", compliant=False),
        attested(3, "o", "override", overrides="unit-tests", until=NOON + DAY),
    )

    assert now(artifact(member(*facts)), TESTS).holds_until == NOON + DAY


def test_every_requirement_has_to_be_met() -> None:
    facts = artifact(member(attested(2, "unit-tests")))

    assert now(facts, TESTS, JUNIT).met
    assert not now(facts, TESTS, ApprovalRequired()).met


def test_an_approval_for_the_environment_counts() -> None:
    facts = artifact(member(), approvals=[approval(5, "ada")])

    assert both(facts, ApprovalRequired()) == (True, True)
    assert not now(facts, ApprovalRequired(2)).met


def test_an_approval_that_was_given_after_the_deployment_was_not_there_then() -> None:
    facts = artifact(member(), approvals=[approval(5, "ada", "eve")])

    assert both(facts, ApprovalRequired(), known=6) == (False, True)


def test_an_approval_for_another_environment_is_none() -> None:
    assert not now(artifact(member(), approvals=[approval(5, "ada", environment="staging")]), ApprovalRequired()).met


def test_a_policy_has_to_be_satisfied() -> None:
    asked = policy("attestations: [{name: unit-tests, type: junit}]")
    sitting = court(artifact(member(attested(50, "unit-tests"))), asked)

    then = sitting.find(deployment(known=40), [PolicyRequired("production")], THEN)
    found = sitting.find(deployment(known=40), [PolicyRequired("production")], NOW)

    assert (then.met, found.met) == (False, True)
    assert then.reasons[0].rule == "policy production v3"
    assert then.reasons[0].because


def test_a_policy_of_which_no_rule_applies_is_no_evidence() -> None:
    asked = policy("trail-compliance: {required: true}")

    found = court(artifact(), asked).find(deployment(), [PolicyRequired("production")], NOW)

    assert (found.met, found.reasons[0].outcome) == (False, Status.UNKNOWN)


def test_a_policy_that_is_not_there_is_no_evidence() -> None:
    assert not now(artifact(member()), PolicyRequired("production")).met


def test_a_waiver_counts_from_when_it_was_accepted() -> None:
    asked = policy("attestations: [{name: unit-tests, type: junit}]")
    sitting = court(artifact(member(), waivers=[waiver(50)]), asked)
    change = deployment(known=40)

    assert not sitting.find(change, [PolicyRequired("production")], THEN).met
    assert sitting.find(change, [PolicyRequired("production")], NOW).met


@pytest.mark.parametrize("basis", [THEN, NOW])
def test_a_shadow_change_is_an_exception_whatever_is_known_of_the_artifact(basis: object) -> None:
    found = court(artifact(member(attested(2, "unit-tests")))).find(shadow(), [TESTS], basis)  # type: ignore[arg-type]

    assert not found.met
    assert found.reasons[0].outcome is Status.NON_COMPLIANT
    assert "nobody reported" in found.reasons[0].explanation


def test_nothing_required_is_never_met() -> None:
    assert not now(artifact(member(attested(2, "unit-tests")))).met


def test_a_control_of_some_environments_is_not_asked_of_the_others() -> None:
    assert in_scope(deployment(), None)
    assert in_scope(deployment(), ["prod"])
    assert not in_scope(deployment(where="staging"), ["prod"])


def test_a_finding_names_every_entry_that_it_rests_on() -> None:
    good = member(attested(2, "unit-tests"))
    bad = member(attested(4, "unit-tests", compliant=False), trail="2", index=3)
    change = deployment(known=LedgerSize(90))
    found = court(artifact(good, bad)).find(change, [TESTS], NOW)

    assert entries_of(change, found, EntryIndex(7)) == (2, 4, 7, 100)


def test_a_tally_counts_each_change_once() -> None:
    counted = tally([(True, True), (False, True), (False, False)])

    assert (counted.population, counted.met_when_deployed, counted.met_now) == (3, 1, 2)
    assert (counted.exceptions(THEN), counted.exceptions(NOW)) == (2, 1)


def test_overrides_of_then_are_asked_at_the_instant_of_the_deployment() -> None:
    later = attested(3, "o", "override", overrides="unit-tests", until=DEPLOYED)

    assert both(artifact(member(attested(2, "unit-tests", compliant=False), later)), TESTS) == (False, False)
