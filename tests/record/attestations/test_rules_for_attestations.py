"""What one attestation says, what an override replaces and for how long."""

from datetime import UTC, datetime, timedelta

import pytest

from record.attestations.rules import AttestationFact, answering, find, holds_until, judge_attestation, matches
from record.flows.templates import TYPES, Wanted
from record.ids import EntryIndex
from record.verdicts import Status, Verdict

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
TESTS = Wanted("unit-tests", "junit", 7)


def attested(index: int, *, compliant: bool, name: str = "unit-tests", kind: str = "junit") -> AttestationFact:
    said = "12 tests, none failed." if compliant else "12 tests, 2 failed."
    return AttestationFact(EntryIndex(index), name, kind, compliant, said)


def overridden(
    index: int, *, compliant: bool, until: datetime | None = None, name: str = "unit-tests"
) -> AttestationFact:
    return AttestationFact(
        EntryIndex(index),
        f"override-{index}",
        "override",
        compliant,
        "Known flake, see OPS-12.",
        overrides=name,
        expires_at=until,
    )


def status(*facts: AttestationFact, now: datetime = NOON) -> Status:
    (finding,) = find((TESTS,), facts, now=now)
    return finding.status


def by_itself(attestation: AttestationFact, *facts: AttestationFact, now: datetime = NOON) -> Verdict:
    return judge_attestation(attestation, subject="trail 1234", same_subject=(attestation, *facts), now=now)


def test_the_latest_of_a_name_decides_wherever_it_stands_in_the_list() -> None:
    assert status(attested(2, compliant=True), attested(1, compliant=False)) is Status.COMPLIANT
    assert status(attested(1, compliant=True), attested(2, compliant=False)) is Status.NON_COMPLIANT


def test_what_nobody_attested_is_missing() -> None:
    assert status() is Status.INCOMPLETE


def test_an_attestation_of_another_type_is_wrong_and_not_missing() -> None:
    assert status(attested(1, compliant=True, kind="generic")) is Status.NON_COMPLIANT


@pytest.mark.parametrize("kind", [*TYPES, "custom:coverage"])
def test_any_type_takes_every_type_and_every_type_takes_itself(kind: str) -> None:
    assert matches("*", kind)
    assert matches(kind, kind)


def test_custom_types_are_told_apart_by_name() -> None:
    assert not matches("custom:coverage", "custom:metrics")


@pytest.mark.parametrize("asked", ["jira", "ticket"])
@pytest.mark.parametrize("attested", ["jira", "ticket"])
def test_jira_and_ticket_answer_each_other(asked: str, attested: str) -> None:
    assert matches(asked, attested)
    assert answering(asked) == frozenset({"jira", "ticket"})
    assert not matches(asked, "generic")


def test_a_decision_may_be_given_as_generic_but_not_the_other_way_round() -> None:
    assert matches("decision", "generic")
    assert not matches("generic", "decision")


def test_an_override_replaces_a_bad_verdict() -> None:
    assert status(attested(1, compliant=False), overridden(2, compliant=True)) is Status.COMPLIANT


def test_an_override_replaces_a_good_verdict() -> None:
    assert status(attested(1, compliant=True), overridden(2, compliant=False)) is Status.NON_COMPLIANT


def test_an_override_counts_until_the_instant_it_expires() -> None:
    facts = (attested(1, compliant=False), overridden(2, compliant=True, until=NOON))

    assert status(*facts, now=NOON - timedelta(microseconds=1)) is Status.COMPLIANT
    assert status(*facts, now=NOON) is Status.NON_COMPLIANT


def test_an_override_stands_when_the_attestation_is_made_again() -> None:
    facts = (attested(1, compliant=False), overridden(2, compliant=True), attested(3, compliant=False))

    assert status(*facts) is Status.COMPLIANT


def test_a_newer_override_takes_the_older_ones_place() -> None:
    facts = (attested(1, compliant=False), overridden(2, compliant=True), overridden(3, compliant=False))

    assert status(*facts) is Status.NON_COMPLIANT


def test_when_the_newest_override_has_expired_the_attestation_speaks_for_itself() -> None:
    facts = (attested(1, compliant=False), overridden(2, compliant=True), overridden(3, compliant=True, until=NOON))

    assert status(*facts) is Status.NON_COMPLIANT


def test_an_override_of_what_was_never_attested_replaces_nothing() -> None:
    assert status(overridden(1, compliant=True)) is Status.INCOMPLETE


def test_an_override_does_not_change_the_type() -> None:
    assert status(attested(1, compliant=False), overridden(2, compliant=True)) is Status.COMPLIANT
    assert status(attested(1, compliant=False, kind="generic"), overridden(2, compliant=True)) is Status.NON_COMPLIANT


def test_what_nobody_asked_for_comes_after_what_was_asked_for_as_the_ledger_has_it() -> None:
    facts = (attested(9, compliant=True, name="c"), attested(4, compliant=False, name="d"), attested(5, compliant=True))

    found = find((TESTS,), facts, now=NOON)

    assert [(finding.fact.name, finding.status) for finding in found if finding.fact] == [
        ("unit-tests", Status.COMPLIANT),
        ("d", Status.NON_COMPLIANT),
        ("c", Status.COMPLIANT),
    ]


def test_a_verdict_holds_until_the_override_that_makes_it_expires() -> None:
    facts = (attested(1, compliant=False), overridden(2, compliant=True, until=NOON + HOUR))

    assert holds_until(find((TESTS,), facts, now=NOON)) == NOON + HOUR


@pytest.mark.parametrize(
    "facts",
    [
        (attested(1, compliant=True), overridden(2, compliant=True, until=NOON + HOUR)),
        (attested(1, compliant=False), overridden(2, compliant=True)),
        (attested(1, compliant=False), overridden(2, compliant=True, until=NOON - HOUR)),
        (attested(1, compliant=False, kind="snyk"), overridden(2, compliant=True, until=NOON + HOUR)),
        (
            attested(1, compliant=False),
            overridden(2, compliant=True, until=NOON + HOUR),
            attested(3, compliant=False, name="lint"),
        ),
    ],
)
def test_a_verdict_holds_for_ever_when_no_expiry_changes_it(facts: tuple[AttestationFact, ...]) -> None:
    assert holds_until(find((TESTS,), facts, now=NOON)) is None


def test_overrides_that_expire_together_are_weighed_together() -> None:
    facts = (
        attested(1, compliant=False),
        overridden(2, compliant=True, until=NOON + HOUR),
        attested(3, compliant=True, name="lint"),
        overridden(4, compliant=False, until=NOON + HOUR, name="lint"),
    )

    assert holds_until(find((TESTS,), facts, now=NOON)) is None


def test_a_thousand_overrides_are_weighed_in_no_time() -> None:
    facts = [attested(index, compliant=True, name=f"n{index}") for index in range(1000)]
    facts += [
        overridden(1000 + index, compliant=False, until=NOON + HOUR * (index + 1), name=f"n{index}")
        for index in range(1000)
    ]

    assert holds_until(find((), facts, now=NOON)) == NOON + HOUR * 1000


def test_an_attestation_says_who_judged_it_how() -> None:
    (reason,) = by_itself(attested(4, compliant=False)).reasons

    assert reason.outcome is Status.NON_COMPLIANT
    assert reason.rule == "by its type: unit-tests (junit)"
    assert (reason.subject, reason.explanation, reason.entry_index) == ("trail 1234", "12 tests, 2 failed.", 4)
    assert reason.remedy == "Attest unit-tests on trail 1234 again, with a compliant result."


def test_an_overridden_attestation_shows_both_verdicts() -> None:
    override = overridden(5, compliant=True, until=NOON + HOUR)

    verdict = by_itself(attested(4, compliant=False), override)

    (reason,) = verdict.reasons
    assert (verdict.status, verdict.holds_until) == (Status.COMPLIANT, NOON + HOUR)
    assert reason.explanation == "Overridden as compliant until 2026-11-22T13:00:00.000000Z: Known flake, see OPS-12."
    assert reason.entry_index == 5
    assert [(below.outcome, below.entry_index) for below in reason.because] == [(Status.NON_COMPLIANT, 4)]


def test_an_attestation_that_no_longer_decides_keeps_its_own_verdict() -> None:
    later, override = attested(6, compliant=True), overridden(7, compliant=True)

    assert by_itself(attested(4, compliant=False), later, override).status is Status.NON_COMPLIANT


def test_an_override_is_itself_the_verdict_that_it_gives() -> None:
    override = overridden(5, compliant=False)

    verdict = by_itself(override, attested(4, compliant=True))

    assert verdict.status is Status.NON_COMPLIANT
    assert verdict.reasons[0].remedy == "Override unit-tests on trail 1234 anew, or let this override expire."
