"""Verdicts on artifacts and trails, one sentence of the domain at a time."""

from datetime import UTC, datetime, timedelta

import pytest

from record.artifacts.rules import judge_artifact
from record.attestations.rules import AttestationFact
from record.flows.templates import parse
from record.ids import EntryIndex
from record.trails.facts import ArtifactFact, TrailFacts
from record.trails.rules import judge_trail
from record.verdicts import Reason, Status, Verdict

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
COMMIT = "abcdef0123456789"
TEMPLATE = parse("""\
version: 1
trail:
  attestations:
    - {name: pull-request, type: pull_request}
  artifacts:
    - name: backend
      attestations:
        - {name: unit-tests, type: junit}
        - {name: security-scan, type: "*"}
""")
BACKEND, REBUILD = "0123456789abcdef" * 4, "fedcba9876543210" * 4


def attested(
    index: int,
    name: str,
    kind: str = "generic",
    *,
    compliant: bool = True,
    on: str | None = None,
    ahead: tuple[str, str] | None = None,
    overrides: str | None = None,
    until: datetime | None = None,
) -> AttestationFact:
    template_name, commit = ahead or (None, None)
    said = "As it should be." if compliant else "Not as it should be."
    return AttestationFact(EntryIndex(index), name, kind, compliant, said, on, template_name, commit, overrides, until)


def reported(
    index: int, fingerprint: str = BACKEND, name: str = "backend", commit: str | None = COMMIT
) -> ArtifactFact:
    return ArtifactFact(EntryIndex(index), fingerprint, name, commit, f"registry/{name}")


def trail(*facts: AttestationFact | ArtifactFact, template: bool = True) -> TrailFacts:
    return TrailFacts(
        "1234",
        TEMPLATE if template else None,
        3 if template else None,
        tuple(fact for fact in facts if isinstance(fact, AttestationFact)),
        tuple(fact for fact in facts if isinstance(fact, ArtifactFact)),
    )


def verdict(*facts: AttestationFact | ArtifactFact, template: bool = True, now: datetime = NOON) -> Verdict:
    return judge_trail(trail(*facts, template=template), now=now)


def of_artifact(*facts: AttestationFact | ArtifactFact, template: bool = True) -> Verdict:
    """The verdict on the first artifact among the facts."""
    about = trail(*facts, template=template)
    return judge_artifact(about, about.artifacts[0], now=NOON)


REVIEW = attested(1, "pull-request", "pull_request")
BUILD = reported(2)
TESTS = attested(3, "unit-tests", "junit", on=BACKEND)
SCAN = attested(4, "security-scan", "snyk", on=BACKEND)
GOOD = (REVIEW, BUILD, TESTS, SCAN)


def test_a_trail_with_everything_its_template_asks_for_is_compliant() -> None:
    assert verdict(*GOOD).status is Status.COMPLIANT
    assert of_artifact(*GOOD).status is Status.COMPLIANT


@pytest.mark.parametrize("lost", GOOD)
def test_a_trail_that_lacks_anything_asked_for_is_incomplete(lost: AttestationFact | ArtifactFact) -> None:
    assert verdict(*[fact for fact in GOOD if fact is not lost]).status is Status.INCOMPLETE


def test_an_artifact_needs_what_is_asked_of_its_trail_too() -> None:
    assert of_artifact(BUILD, TESTS, SCAN).status is Status.INCOMPLETE
    rejected = attested(5, "pull-request", "pull_request", compliant=False)
    assert of_artifact(*GOOD, rejected).status is Status.NON_COMPLIANT


def test_wrong_beats_missing() -> None:
    assert (
        verdict(attested(9, "unit-tests", "junit", compliant=False, on=BACKEND), BUILD).status is Status.NON_COMPLIANT
    )


def test_something_extra_that_is_wrong_spoils_an_artifact_and_its_trail() -> None:
    lint = attested(5, "lint", compliant=False, on=BACKEND)

    assert of_artifact(*GOOD, lint).status is Status.NON_COMPLIANT
    assert verdict(*GOOD, lint).status is Status.NON_COMPLIANT


def test_something_extra_that_is_right_changes_nothing() -> None:
    assert verdict(*GOOD, attested(5, "lint", on=BACKEND), attested(6, "ticket")).status is Status.COMPLIANT


def test_something_extra_and_wrong_on_the_trail_is_the_trails_affair() -> None:
    ticket = attested(5, "ticket", compliant=False)

    assert verdict(*GOOD, ticket).status is Status.NON_COMPLIANT
    assert of_artifact(*GOOD, ticket).status is Status.COMPLIANT


def test_the_wrong_type_does_not_satisfy_the_template() -> None:
    assert verdict(REVIEW, BUILD, attested(3, "unit-tests", "generic", on=BACKEND), SCAN).status is Status.NON_COMPLIANT


def test_without_a_template_nothing_may_be_wrong() -> None:
    assert verdict(attested(1, "user-identity"), template=False).status is Status.COMPLIANT
    assert verdict(attested(1, "user-identity", compliant=False), template=False).status is Status.NON_COMPLIANT


def test_a_trail_of_which_nothing_is_known_is_unknown() -> None:
    assert verdict(template=False).status is Status.UNKNOWN
    assert judge_trail(TrailFacts("1234", parse("version: 1"), 1, (), ()), now=NOON).status is Status.UNKNOWN


def test_an_artifact_about_which_nothing_was_attested_is_unknown_and_so_is_its_trail() -> None:
    assert of_artifact(BUILD, template=False).status is Status.UNKNOWN
    assert verdict(BUILD, template=False).status is Status.UNKNOWN
    assert verdict(BUILD, attested(3, "ticket"), template=False).status is Status.UNKNOWN


def test_an_artifact_that_is_asked_for_but_of_which_nothing_is_asked_is_unknown_until_something_is_attested() -> None:
    template = parse("version: 1\ntrail: {artifacts: [{name: backend}]}")

    assert judge_trail(TrailFacts("1234", template, 1, (), (BUILD,)), now=NOON).status is Status.UNKNOWN
    assert judge_trail(TrailFacts("1234", template, 1, (TESTS,), (BUILD,)), now=NOON).status is Status.COMPLIANT


def test_an_artifact_that_the_template_does_not_know_is_judged_by_its_trail_and_by_what_is_on_it() -> None:
    worker = reported(7, REBUILD, "worker")

    assert of_artifact(worker, REVIEW).status is Status.COMPLIANT
    assert of_artifact(worker).status is Status.INCOMPLETE
    assert of_artifact(worker, REVIEW, attested(8, "lint", compliant=False, on=REBUILD)).status is Status.NON_COMPLIANT
    assert verdict(*GOOD, worker, attested(8, "lint", compliant=False, on=REBUILD)).status is Status.NON_COMPLIANT


def test_the_latest_artifact_of_a_template_name_counts_for_the_trail() -> None:
    rebuild = reported(7, REBUILD)
    passed = (attested(8, "unit-tests", "junit", on=REBUILD), attested(9, "security-scan", on=REBUILD))
    failed = attested(6, "unit-tests", "junit", compliant=False, on=BACKEND)

    assert verdict(*GOOD, rebuild).status is Status.INCOMPLETE
    assert verdict(*GOOD, failed, rebuild, *passed).status is Status.COMPLIANT
    assert of_artifact(*GOOD, failed, rebuild, *passed).status is Status.NON_COMPLIANT


@pytest.mark.parametrize("commit", [COMMIT, COMMIT[:7], COMMIT + "aa"])
@pytest.mark.parametrize("index", [0, 9])
def test_an_attestation_ahead_of_its_artifact_binds_in_either_order(index: int, commit: str) -> None:
    ahead = attested(index, "unit-tests", "junit", ahead=("backend", commit))

    assert verdict(REVIEW, BUILD, SCAN, ahead).status is Status.COMPLIANT


@pytest.mark.parametrize("ahead", [("backend", "1" * 40), ("backend", COMMIT[:6]), ("frontend", COMMIT)])
def test_an_attestation_ahead_of_another_artifact_does_not_bind(ahead: tuple[str, str]) -> None:
    assert of_artifact(REVIEW, BUILD, SCAN, attested(9, "unit-tests", "junit", ahead=ahead)).status is Status.INCOMPLETE


def test_an_artifact_without_a_commit_is_bound_by_fingerprint_only() -> None:
    ahead = attested(9, "unit-tests", "junit", ahead=("backend", COMMIT))

    assert of_artifact(REVIEW, reported(2, commit=None), SCAN, ahead).status is Status.INCOMPLETE


def test_an_attestation_ahead_binds_to_every_artifact_of_that_name_and_commit() -> None:
    ahead = attested(0, "unit-tests", "junit", compliant=False, ahead=("backend", COMMIT))
    facts = trail(ahead, BUILD, reported(7, REBUILD))

    assert {judge_artifact(facts, artifact, now=NOON).status for artifact in facts.artifacts} == {Status.NON_COMPLIANT}


def test_a_failed_check_is_not_shaken_off_by_reporting_the_artifact_for_another_commit() -> None:
    failed = attested(0, "lint", compliant=False, ahead=("backend", COMMIT))

    assert verdict(*GOOD, failed, reported(9, commit="1" * 40)).status is Status.NON_COMPLIANT


def test_the_later_of_two_decides_though_one_came_by_fingerprint_and_one_ahead() -> None:
    failed = attested(5, "unit-tests", "junit", compliant=False, ahead=("backend", COMMIT))

    assert verdict(*GOOD, failed).status is Status.NON_COMPLIANT
    assert verdict(*GOOD, failed, attested(6, "unit-tests", "junit", on=BACKEND)).status is Status.COMPLIANT


def test_a_check_that_failed_ahead_of_the_build_is_not_hidden_by_the_builds_absence() -> None:
    failed = attested(2, "unit-tests", "junit", compliant=False, ahead=("backend", COMMIT))

    assert verdict(REVIEW, failed).status is Status.NON_COMPLIANT
    assert verdict(REVIEW, failed, template=False).status is Status.NON_COMPLIANT
    assert [reason.entry_index for reason in verdict(REVIEW, failed).reasons] == [1, None]


def test_a_check_that_passed_ahead_of_the_build_leaves_the_build_missing() -> None:
    passed = attested(2, "unit-tests", "junit", ahead=("backend", COMMIT))

    assert verdict(REVIEW, passed).status is Status.INCOMPLETE


def test_a_check_that_failed_for_a_newer_commit_counts_until_a_newer_artifact_comes() -> None:
    failed = attested(5, "unit-tests", "junit", compliant=False, ahead=("backend", "1" * 40))
    rebuild = (
        reported(6, REBUILD, commit="2" * 40),
        attested(7, "unit-tests", "junit", on=REBUILD),
        attested(8, "security-scan", "snyk", on=REBUILD),
    )

    assert verdict(*GOOD, failed).status is Status.NON_COMPLIANT
    assert verdict(*GOOD, failed, *rebuild).status is Status.COMPLIANT


def test_what_is_attested_of_a_fingerprint_that_the_trail_does_not_know_can_only_hurt() -> None:
    assert verdict(*GOOD, attested(5, "lint", on=REBUILD)).status is Status.COMPLIANT
    assert verdict(*GOOD, attested(5, "lint", compliant=False, on=REBUILD)).status is Status.NON_COMPLIANT


def test_an_override_concerns_its_own_subject_only() -> None:
    failed = attested(5, "unit-tests", "junit", compliant=False, on=BACKEND)
    on_trail = attested(6, "ok", "override", overrides="unit-tests")
    on_artifact = attested(7, "ok", "override", on=BACKEND, overrides="unit-tests")

    assert verdict(*GOOD, failed, on_trail).status is Status.NON_COMPLIANT
    assert verdict(*GOOD, failed, on_artifact).status is Status.COMPLIANT


def test_a_trail_holds_until_the_override_that_makes_it_compliant_expires() -> None:
    failed = attested(5, "unit-tests", "junit", compliant=False, on=BACKEND)
    pardon = attested(6, "ok", "override", on=BACKEND, overrides="unit-tests", until=NOON + HOUR)

    assert verdict(*GOOD, failed, pardon).holds_until == NOON + HOUR
    assert of_artifact(*GOOD, failed, pardon).holds_until == NOON + HOUR
    assert verdict(*GOOD, failed, pardon, now=NOON + HOUR) == verdict(*GOOD, failed, now=NOON + HOUR)
    assert verdict(*GOOD, failed, pardon, attested(7, "x", compliant=False)).holds_until is None


def test_an_artifact_holds_until_the_override_on_its_trail_expires() -> None:
    pardon = attested(6, "ok", "override", compliant=False, overrides="pull-request", until=NOON + HOUR)

    assert of_artifact(*GOOD, pardon).holds_until == NOON + HOUR
    assert verdict(*GOOD, pardon).holds_until == NOON + HOUR
    assert verdict(REVIEW, BUILD, pardon).holds_until == NOON + HOUR


def _by_rule(found: Verdict) -> dict[str, Reason]:
    def walk(reason: Reason) -> list[Reason]:
        return [reason, *[below for child in reason.because for below in walk(child)]]

    return {reason.rule: reason for top in found.reasons for reason in walk(top)}


def test_reasons_name_the_rule_the_subject_the_evidence_and_the_remedy() -> None:
    failed = attested(8, "unit-tests", "junit", compliant=False, on=BACKEND)
    found = _by_rule(verdict(REVIEW, BUILD, failed, attested(9, "lint", "sarif", on=BACKEND)))

    assert found["template v3, line 8: unit-tests (junit)"] == Reason(
        "template v3, line 8: unit-tests (junit)",
        "artifact backend 0123456789ab…",
        Status.NON_COMPLIANT,
        "Not as it should be.",
        "Attest unit-tests on artifact backend 0123456789ab… again, with a compliant result.",
        EntryIndex(8),
    )
    assert found["template v3, line 9: security-scan (any type)"] == Reason(
        "template v3, line 9: security-scan (any type)",
        "artifact backend 0123456789ab…",
        Status.INCOMPLETE,
        "Nobody has attested security-scan.",
        "Attest security-scan (any type) on artifact backend 0123456789ab….",
    )
    assert found["template v3, nothing else may be wrong: lint (sarif)"].outcome is Status.COMPLIANT
    artifact = found["template v3, line 6: artifact backend"]
    assert artifact.explanation == "Not compliant: unit-tests. Missing: security-scan."
    assert (artifact.outcome, artifact.entry_index, len(artifact.because)) == (Status.NON_COMPLIANT, 2, 4)


def test_an_artifact_that_nobody_reported_is_named_with_what_is_asked_of_it() -> None:
    (review, backend) = verdict(REVIEW).reasons

    assert review.outcome is Status.COMPLIANT
    assert (backend.outcome, backend.explanation) == (
        Status.INCOMPLETE,
        "No artifact was reported as backend.",
    )
    assert backend.remedy == "Report an artifact as backend in trail 1234."
    assert [below.subject for below in backend.because] == ["artifact backend, still to be reported"] * 2


def test_an_unknown_trail_says_what_to_do() -> None:
    (reason,) = verdict(template=False).reasons

    assert reason.rule == "no template asks anything of it"
    assert reason.remedy is not None
