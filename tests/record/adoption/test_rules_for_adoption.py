"""Periods and shares, whatever the window."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from record.adoption.rules import Bucket, Counted, Dimension, Figures, assembled, periods_of, truncated
from record.controls.rules import Window
from record.refusals import InvalidInput

INSTANTS = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
NOVEMBER = Window(datetime(2026, 11, 5, 12, tzinfo=UTC), datetime(2026, 12, 2, tzinfo=UTC))


@given(INSTANTS, st.timedeltas(timedelta(microseconds=1), timedelta(days=300)), st.sampled_from(Bucket))
def test_periods_are_the_window_without_gap_or_overlap(since: datetime, length: timedelta, bucket: Bucket) -> None:
    window = Window(since, since + length)

    periods = periods_of(window, bucket)

    assert (periods[0].since, periods[-1].until) == (window.since, window.until)
    assert all(one.until == other.since for one, other in pairwise(periods))
    assert all(period.since < period.until for period in periods)
    assert len({truncated(period.since, bucket) for period in periods}) == len(periods)


def test_weeks_begin_on_monday_and_months_on_the_first() -> None:
    weeks = periods_of(NOVEMBER, Bucket.WEEK)
    months = periods_of(NOVEMBER, Bucket.MONTH)

    assert weeks[1].since == datetime(2026, 11, 9, tzinfo=UTC)
    assert [period.since for period in months] == [NOVEMBER.since, datetime(2026, 12, 1, tzinfo=UTC)]


def test_a_window_with_too_many_periods_is_refused() -> None:
    with pytest.raises(InvalidInput, match="more than 400 periods of a day"):
        periods_of(Window(NOVEMBER.since, NOVEMBER.since + timedelta(days=500)), Bucket.DAY)


def test_a_share_of_nothing_is_unknown() -> None:
    assert Figures().reported_share is None
    assert Figures(runs=4, runs_reported=1).reported_share == 0.25
    assert Figures(artifacts=2, evidence_files=5).evidence_per_artifact == 2.5


def test_figures_from_several_questions_come_together_by_place_and_period() -> None:
    periods = periods_of(NOVEMBER, Bucket.MONTH)
    begin = truncated(NOVEMBER.since, Bucket.MONTH)
    counted = [
        Counted(Dimension.ALL, "", None, {"runs": 3, "runs_reported": 2}),
        Counted(Dimension.ALL, "", None, {"deployments": 2}),
        Counted(Dimension.FLOW, "delivery", begin, {"artifacts": 1}),
    ]

    found = assembled(counted, periods, Bucket.MONTH)

    assert (found.everything.whole.runs, found.everything.whole.deployments) == (3, 2)
    assert [(period.since, figures.artifacts) for period, figures in found.flows[0].periods] == [
        (periods[0].since, 1), (periods[1].since, 0),
    ]  # fmt: skip
    assert found.environments == ()


def test_nothing_at_all_is_noughts() -> None:
    assert assembled([], periods_of(NOVEMBER, Bucket.DAY), Bucket.DAY).everything.whole == Figures()
