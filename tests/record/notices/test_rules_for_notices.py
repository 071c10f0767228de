"""Rules of notices: which events an entry makes, who is told, and how long a receiver is tried."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from record.ids import EntryIndex, NoticeId
from record.notices import rules
from record.notices.events import (
    ARTIFACTS_LISTED_MAX,
    EVENTS,
    Event,
    Trigger,
    events_of,
    kinds_for,
    narrowed,
)
from record.notices.expiries import Expiry, expiring
from record.notices.rules import Channel, tellings
from tests.record.notices.happenings import FINGERPRINT, NOON, ORG, PROD, entry, judgement, notice, snapshot

FLOWS = st.frozensets(st.sampled_from(["pay", "ship", "docs"]))


def told(kind: str, body: dict[str, Any], **more: Any) -> list[tuple[str, str]]:
    return [(event.type, event.title) for event in events_of(entry(kind, body, **more))]


def test_a_changed_verdict_is_told_with_its_reasons() -> None:
    (event,) = events_of(entry("judgement.recorded", judgement("NON_COMPLIANT", "COMPLIANT")))

    assert event.title == "prod is NON_COMPLIANT (was COMPLIANT)"
    assert event.lines == (("Reason", "app has no unit tests"),)
    assert (event.environment, event.entry_index, event.data["cause"]) == ("prod", 10, 8)


def test_a_first_verdict_is_told_unless_there_is_nothing_to_judge_by() -> None:
    assert told("judgement.recorded", judgement("COMPLIANT", None)) == [
        ("environment.verdict_changed", "prod is COMPLIANT")
    ]
    assert told("judgement.recorded", judgement("UNKNOWN", None)) == []


def test_a_judgement_of_a_trail_is_not_told() -> None:
    assert told("judgement.recorded", judgement("COMPLIANT", "INCOMPLETE") | {"subject": "trail"}) == []


def test_a_silence_is_one_event_however_often_the_environment_is_judged_in_it() -> None:
    since = {"stale": True, "stale_since": "2026-11-22T11:00:00.000000Z"}
    (first,) = events_of(entry("judgement.recorded", judgement("COMPLIANT", "COMPLIANT", **since), index=10))
    changed, second = events_of(entry("judgement.recorded", judgement("NON_COMPLIANT", "COMPLIANT", **since), index=11))

    assert (changed.type, first.type, second.type) == (
        "environment.verdict_changed",
        "environment.stale",
        "environment.stale",
    )
    assert first.key == second.key


def test_the_end_of_a_silence_is_no_event() -> None:
    assert told("judgement.recorded", judgement("COMPLIANT", "COMPLIANT")) == []


def test_artifacts_that_started_or_stopped_are_told_together() -> None:
    body = snapshot(("a", "started", ("pay",)), ("b", "stopped", ()), ("c", "started", ()), ("d", "kept", ()))

    assert told("snapshot.reported", body) == [
        ("artifact.started", "2 artifacts started in prod"),
        ("artifact.stopped", "b stopped in prod"),
    ]


def test_a_part_of_a_snapshot_is_told_as_the_snapshot_is() -> None:
    assert told("snapshot.part", snapshot(("a", "started", ()))) == [("artifact.started", "a started in prod")]


def test_of_very_many_artifacts_the_rest_is_counted() -> None:
    body = snapshot(*[(f"app-{number}", "started", ()) for number in range(ARTIFACTS_LISTED_MAX + 5)])
    (event,) = events_of(entry("snapshot.reported", body))

    data = event.to_json()["data"]

    assert (len(data["artifacts"]), data["artifacts_omitted"]) == (ARTIFACTS_LISTED_MAX, 5)


def test_a_trail_begins_once() -> None:
    body = {"flow": "pay", "name": "t1", "trail_id": "x", "version": 1, "description": ""}

    assert told("trail.begun", body) == [("trail.begun", "pay/t1 was begun")]
    assert told("trail.begun", body | {"version": 2}) == []


def test_an_attestation_says_what_it_found() -> None:
    body = {
        "flow": "pay",
        "trail": "t1",
        "trail_id": "x",
        "name": "unit-tests",
        "type": "junit",
        "subject": {"fingerprint": FINGERPRINT},
        "result": {"compliant": False, "explanation": "2 of 9 tests failed"},
    }
    (event,) = events_of(entry("attestation.recorded", body))

    assert event.title == "unit-tests on pay/t1 is not compliant"
    assert event.data["fingerprint"] == FINGERPRINT
    assert event.flows == ("pay",)


REQUEST = {
    "approval_id": "a",
    "environment": "prod",
    "fingerprint": FINGERPRINT,
    "name": "app",
    "description": "Hurry.",
}


def test_an_approval_is_told_when_it_is_requested_and_at_each_review() -> None:
    review = {name: REQUEST[name] for name in ("approval_id", "environment", "fingerprint", "name")}

    assert told("approval.requested", REQUEST | {"flow": "pay"}) == [
        ("approval.requested", "Approval of app for prod was requested")
    ]
    assert [
        told("approval.reviewed", review | {"act": act, "state": "x", "comment": ""})[0][1]
        for act in ("approve", "reject", "comment")
    ] == ["app was approved for prod", "app was rejected for prod", "app was commented on for prod"]


def test_an_approval_that_was_given_elsewhere_names_who_gave_it() -> None:
    body = REQUEST | {"act": "approve", "state": "APPROVED", "comment": "", "approved_by": "grace", "reported": True}
    (event,) = events_of(entry("approval.reviewed", body))

    assert event.data["by"] == "grace"
    assert ("By", "grace") in event.lines


@pytest.mark.parametrize("kind", ["approval.requested", "approval.reviewed"])
def test_an_approval_of_an_artifact_of_another_flow_or_of_none_is_left_out(kind: str) -> None:
    (of_pay,) = events_of(entry(kind, REQUEST | {"act": "approve", "flow": "pay"}))
    (of_ship,) = events_of(entry(kind, REQUEST | {"act": "approve", "flow": "ship"}))
    (of_none,) = events_of(entry(kind, REQUEST | {"act": "approve"}))

    assert narrowed(of_pay, {"pay"}, {"prod"}) == of_pay
    assert narrowed(of_pay, {"pay"}, {"staging"}) is None
    assert narrowed(of_ship, {"pay"}, None) is None
    assert narrowed(of_none, {"pay"}, None) is None
    assert narrowed(of_none, None, None) == of_none


def test_an_archive_says_where_to_find_it() -> None:
    body = {
        "archive_id": str(UUID(int=4)),
        "sha256": "ab",
        "size": 9,
        "files": 3,
        "checkpoint_size": 7,
        "key": "secret",
    }
    (event,) = events_of(entry("archive.completed", body))

    assert event.path == f"/archives/{UUID(int=4)}.zip"
    assert "key" not in event.data
    assert narrowed(event, {"pay"}, {"prod"}) == event  # an old entry does not say what it is about


def test_an_archive_is_about_the_flow_or_the_environment_that_was_asked_for() -> None:
    made = {"archive_id": str(UUID(int=4)), "sha256": "ab", "size": 9, "files": 3, "checkpoint_size": 7}

    def ready(**question: str) -> Event:
        (event,) = events_of(entry("archive.completed", made | {"question": question}))
        return event

    of_trail = ready(kind="trail", flow="ship", trail="t1")
    of_prod, of_all = ready(kind="environment", environment="prod"), ready(kind="organization")

    assert ("Trail", "t1") in of_trail.lines
    assert (narrowed(of_trail, {"pay"}, None), narrowed(of_trail, {"ship"}, {"prod"})) == (None, of_trail)
    assert (narrowed(of_prod, None, {"staging"}), narrowed(of_prod, {"pay"}, {"prod"})) == (None, of_prod)
    assert narrowed(of_all, {"pay"}, {"prod"}) == of_all


def test_kinds_that_nobody_is_told_about_make_no_event() -> None:
    assert events_of(entry("evidence.stored", {})) == []


def test_every_trigger_has_entries_or_time_behind_it() -> None:
    timed = {Trigger.KEY_EXPIRING, Trigger.WAIVER_EXPIRING}

    for trigger in Trigger:
        assert bool(kinds_for([trigger])) is (trigger not in timed), trigger
    assert set(kinds_for(list(Trigger))) == set(EVENTS) - {"notice.tested"}


# --- who is told


def started(*flows_of_artifacts: tuple[str, ...], index: int = 10) -> Any:
    body = snapshot(*[(f"app-{place}", "started", flows) for place, flows in enumerate(flows_of_artifacts)])
    (event,) = events_of(entry("snapshot.reported", body, index=index))
    return event


def test_a_notice_is_told_of_what_it_asked_for() -> None:
    asked, other = notice(Trigger.ARTIFACT_STARTED), notice(Trigger.ARTIFACT_STOPPED)

    assert len(tellings(ORG, [asked, other], [started(())])) == 1


def test_a_notice_is_told_nothing_of_what_was_before_it() -> None:
    asked = notice(Trigger.ARTIFACT_STARTED)

    assert tellings(ORG, [asked], [started((), index=5)]) == []
    assert tellings(ORG, [asked], [started((), index=6)]) != []


def test_a_disabled_notice_is_told_nothing() -> None:
    assert tellings(ORG, [notice(Trigger.ARTIFACT_STARTED, disabled=True)], [started(())]) == []


def test_a_narrowed_notice_is_told_of_its_environments() -> None:
    elsewhere = notice(Trigger.ARTIFACT_STARTED, environments=("staging",))
    here = notice(Trigger.ARTIFACT_STARTED, environments=("staging", "prod"))

    assert tellings(ORG, [elsewhere], [started(())]) == []
    assert len(tellings(ORG, [here], [started(())])) == 1


def test_of_several_artifacts_those_of_other_flows_are_left_out() -> None:
    left = narrowed(started(("pay",), ("ship",), ()), {"pay"}, None)

    assert left is not None
    assert [artifact["name"] for artifact in left.artifacts] == ["app-0"]
    assert left.title == "app-0 started in prod"
    assert narrowed(started(("ship",), ()), {"pay"}, None) is None


@given(FLOWS, st.lists(FLOWS, min_size=1, max_size=5))
def test_narrowing_keeps_what_is_asked_for_and_nothing_else(asked: frozenset[str], of: list[frozenset[str]]) -> None:
    left = narrowed(started(*[tuple(sorted(flows)) for flows in of]), asked, None)

    kept = [] if left is None else [artifact["name"] for artifact in left.artifacts]
    assert kept == [f"app-{place}" for place, flows in enumerate(of) if flows & asked]


def test_a_narrowing_does_not_concern_what_is_about_no_such_thing() -> None:
    expiry = Expiry(Trigger.KEY_EXPIRING, UUID(int=1), "ci", NOON + timedelta(hours=1), {})
    event = expiring(expiry, now=NOON)
    assert event is not None

    assert narrowed(event, {"pay"}, {"prod"}) == event


def test_each_mail_address_is_told_separately() -> None:
    mail = notice(Trigger.ARTIFACT_STARTED, channel=Channel.EMAIL, targets=("a@x.org", "b@x.org"))

    found = tellings(ORG, [mail], [started(())])

    assert [each.recipient for each in found] == ["a@x.org", "b@x.org"]
    assert len({each.delivery_id for each in found}) == 2


def test_a_sample_is_for_one_notice_whatever_it_asked_for() -> None:
    other = notice(notice_id=NoticeId(UUID(int=101)))
    body = {"notice_id": str(notice().notice_id), "name": "alerts"}

    found = tellings(ORG, [notice(Trigger.TRAIL_BEGUN), other], events_of(entry("notice.tested", body)))

    assert [(each.notice_id, each.event.type) for each in found] == [(notice().notice_id, "notice.sample")]


def test_the_same_event_for_the_same_receiver_is_the_same_delivery_for_ever() -> None:
    [first], [again] = (tellings(ORG, [notice(Trigger.ARTIFACT_STARTED)], [started(("pay",))]) for _ in range(2))
    [later] = tellings(ORG, [notice(Trigger.ARTIFACT_STARTED)], [started(("pay",), index=11)])

    assert first.delivery_id == again.delivery_id != later.delivery_id


# --- what time makes due


def warning(left: timedelta) -> str | None:
    expiry = Expiry(Trigger.KEY_EXPIRING, UUID(int=1), "ci of bob", NOON, {"principal": "bob"})
    event = expiring(expiry, now=NOON - left)
    return None if event is None else event.title


def test_an_expiry_is_told_a_week_before_and_a_day_before() -> None:
    assert warning(timedelta(days=7, seconds=1)) is None
    assert warning(timedelta(days=7)) == "The key ci of bob expires within 7 days"
    assert warning(timedelta(days=1, seconds=1)) == "The key ci of bob expires within 7 days"
    assert warning(timedelta(days=1)) == "The key ci of bob expires within a day"
    assert warning(timedelta()) is None


@given(st.integers(1, 7 * 86_400), st.integers(1, 7 * 86_400))
def test_a_warning_is_the_same_event_until_the_next_one_is_due(first: int, second: int) -> None:
    expiry = Expiry(Trigger.KEY_EXPIRING, UUID(int=1), "ci", NOON, {})
    one = expiring(expiry, now=NOON - timedelta(seconds=first))
    other = expiring(expiry, now=NOON - timedelta(seconds=second))

    assert one is not None
    assert other is not None
    assert (one == other) is ((first <= 86_400) == (second <= 86_400))


# --- how long a receiver is tried


def pauses(jitter: float) -> list[float]:
    return [rules.pause_seconds(n, first_seconds=5, jitter=jitter) for n in range(1, rules.ATTEMPTS_MAX)]


def test_attempts_go_on_for_about_a_day() -> None:
    assert pauses(0.5)[:4] == [5, 15, 45, 135]
    assert 18 * 3600 < sum(pauses(0.0)) < sum(pauses(0.5)) < sum(pauses(1.0)) < 32 * 3600


@given(st.integers(1, 10_000), st.floats(0, 1), st.none() | st.floats(0, 1e9))
def test_a_pause_is_never_longer_than_four_hours_and_a_quarter(
    attempts: int, jitter: float, asked: float | None
) -> None:
    pause = rules.pause_seconds(attempts, first_seconds=5, jitter=jitter, asked_seconds=asked)

    assert 0 < pause <= rules.PAUSE_SECONDS_MAX * 1.25


def test_a_receiver_may_ask_for_a_longer_pause_and_not_for_a_shorter_one() -> None:
    assert rules.pause_seconds(1, first_seconds=5, jitter=0.5, asked_seconds=120) == 120
    assert rules.pause_seconds(4, first_seconds=5, jitter=0.5, asked_seconds=1) == 135


def test_a_receiver_is_lost_after_three_days_of_failing() -> None:
    assert not rules.is_lost(None, now=NOON)
    assert not rules.is_lost(NOON - timedelta(days=2, hours=23), now=NOON)
    assert rules.is_lost(NOON - timedelta(days=3), now=NOON)


def test_the_last_secret_counts_beside_the_new_one_until_its_overlap_ends() -> None:
    rotated = notice(previous_secret_id=UUID(int=199), previous_secret_until=NOON)

    assert rotated.secrets(now=NOON - timedelta(seconds=1)) == (UUID(int=200), UUID(int=199))
    assert rotated.secrets(now=NOON) == (UUID(int=200),)


@pytest.mark.parametrize(("member", "value"), [("flows", ["pay"]), ("disabled", True), ("secret_id", str(PROD))])
def test_the_next_version_says_what_was_changed_and_all_that_was_not(member: str, value: object) -> None:
    now = notice(Trigger.TRAIL_BEGUN, environments=("prod",))

    body, unchanged = rules.body_of(now, {member: value}), rules.body_of(now, {})

    assert body == unchanged | {member: value}
    assert (body["version"], body["environments"]) == (2, ["prod"])
    assert rules.body_of(replace(now, entry_index=EntryIndex(9)), {}) == unchanged
