"""Rules of deployments: what counts as seen, and when what runs has drifted from what was reported."""

from datetime import UTC, datetime, timedelta
from random import Random
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from record.deployments.rules import DeploymentFact, DriftKind, Drifts, RunningFact, Sight, drift, sighting, unit_of
from record.environments.rules import Run
from record.ids import EntryIndex, EnvironmentId, Fingerprint

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
GRACE = timedelta(minutes=15)
OLD, NEW = Fingerprint("a" * 64), Fingerprint("b" * 64)


def minutes(count: float) -> datetime:
    return NOON + timedelta(minutes=count)


def run(begin: float, end: float | None = None, fingerprint: Fingerprint = NEW) -> Run:
    until = None if end is None else minutes(end)
    return Run(EnvironmentId(UUID(int=1)), fingerprint, "app", minutes(begin), 4, until, None if end is None else 5)


def deployed(at: float, fingerprint: Fingerprint = NEW, *runs: Run) -> DeploymentFact:
    return DeploymentFact(EntryIndex(7), fingerprint, f"app-{fingerprint[0]}", "pay/app", minutes(at), runs)


def runs_now(since: float, fingerprint: Fingerprint = NEW, *, reported: float | None = None) -> RunningFact:
    first = None if reported is None else minutes(reported)
    units = frozenset({"pay/app", fingerprint})
    return RunningFact(fingerprint, f"app-{fingerprint[0]}", minutes(since), units, first)


def kinds(found: Drifts) -> list[DriftKind]:
    return [each.kind for each in found.drifts]


def test_a_deployment_is_seen_in_the_first_run_that_goes_on_after_it() -> None:
    seen = sighting(NOON, [run(-60, -30), run(5, 9), run(20)], grace=GRACE, now=minutes(60))

    assert (seen.sight, seen.at, seen.number, seen.holds_until) == (Sight.SEEN, minutes(5), 4, None)


def test_a_deployment_that_is_reported_when_it_is_done_is_seen_at_once() -> None:
    assert sighting(NOON, [run(-1)], grace=GRACE, now=NOON).at == NOON


def test_a_deployment_is_awaited_until_grace_ends_and_then_not_seen() -> None:
    awaited = sighting(NOON, [], grace=GRACE, now=minutes(14.9))

    assert (awaited.sight, awaited.holds_until) == (Sight.AWAITED, minutes(15))
    assert sighting(NOON, [], grace=GRACE, now=minutes(15)).sight is Sight.NOT_SEEN
    assert sighting(NOON, [run(90)], grace=GRACE, now=minutes(91)).sight is Sight.SEEN


def test_what_was_deployed_and_runs_does_not_drift() -> None:
    found = drift([runs_now(1, reported=0)], [deployed(0, NEW, run(1))], grace=GRACE, now=minutes(600))

    assert found == Drifts((), None)


def test_what_runs_and_was_never_reported_is_a_shadow_change_when_grace_ends() -> None:
    early = drift([runs_now(0)], [], grace=GRACE, now=minutes(14))
    late = drift([runs_now(0)], [], grace=GRACE, now=minutes(15))

    assert early == Drifts((), minutes(15))
    assert kinds(late) == [DriftKind.SHADOW_CHANGE]
    assert late.drifts[0].since == minutes(15)


def test_what_was_reported_and_never_ran_is_not_seen_when_grace_ends() -> None:
    assert drift([], [deployed(0)], grace=GRACE, now=minutes(10)) == Drifts((), minutes(15))
    assert kinds(drift([], [deployed(0)], grace=GRACE, now=minutes(15))) == [DriftKind.NOT_SEEN]


def test_the_version_before_may_run_until_grace_ends_and_then_drifts() -> None:
    old = runs_now(-600, OLD, reported=-600)

    assert drift([old], [deployed(0)], grace=GRACE, now=minutes(10)).drifts == ()
    assert kinds(drift([old], [deployed(0)], grace=GRACE, now=minutes(15))) == [
        DriftKind.NOT_SEEN,
        DriftKind.OTHER_VERSION,
    ]


def test_a_silent_roll_back_drifts() -> None:
    found = drift([runs_now(30, OLD, reported=-600)], [deployed(0, NEW, run(1, 30))], grace=GRACE, now=minutes(60))

    assert kinds(found) == [DriftKind.OTHER_VERSION]
    assert found.drifts[0].since == minutes(30)
    assert "app-a runs, but app-b was the last" in found.drifts[0].explanation


def test_two_versions_side_by_side_do_not_drift_while_the_last_one_runs() -> None:
    both = [runs_now(-600, OLD, reported=-600), runs_now(1, reported=0)]

    assert drift(both, [deployed(0, NEW, run(1))], grace=GRACE, now=minutes(600)).drifts == ()


def test_a_unit_is_a_flow_and_a_template_name_or_the_artifact_itself() -> None:
    assert unit_of("pay", "app", NEW) == "pay/app"
    assert unit_of(None, None, NEW) == NEW


@given(
    st.lists(st.tuples(st.integers(-100, 100), st.none() | st.integers(-100, 100)), max_size=5),
    st.integers(0, 300),
    st.randoms(),
)
def test_the_order_of_runs_never_matters_and_a_sighting_holds_as_long_as_it_says(
    spans: list[tuple[int, int | None]], now: int, random: Random
) -> None:
    runs = [run(begin, None if end is None else max(begin, end)) for begin, end in spans if begin <= now]
    shuffled = list(runs)
    random.shuffle(shuffled)
    seen = sighting(NOON, runs, grace=GRACE, now=minutes(now))

    assert sighting(NOON, shuffled, grace=GRACE, now=minutes(now)) == seen
    if seen.holds_until is not None:
        just_before = seen.holds_until - timedelta(microseconds=1)
        assert sighting(NOON, runs, grace=GRACE, now=just_before).sight is seen.sight
