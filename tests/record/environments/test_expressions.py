"""Snapshot expressions: what each form means, and what is no expression."""

from datetime import UTC, datetime

import pytest

from record.environments.expressions import Expression, number_asked, parse
from record.refusals import InvalidInput, NotFound

NOW = datetime(2026, 3, 31, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("prod", Expression("prod")),
        ("prod#4", Expression("prod", number=4)),
        ("prod~2", Expression("prod", back=2)),
        ("prod@{now}", Expression("prod", instant=NOW)),
        ("prod@{2026-03-01T12:00:00Z}", Expression("prod", instant=datetime(2026, 3, 1, 12, tzinfo=UTC))),
        ("prod@{2026-03-01T12:00:00+02:00}", Expression("prod", instant=datetime(2026, 3, 1, 10, tzinfo=UTC))),
        ("prod@{2023-10-02T12:00:00}", Expression("prod", instant=datetime(2023, 10, 2, 12, tzinfo=UTC))),
        ("prod@{30.minutes.ago}", Expression("prod", instant=datetime(2026, 3, 31, 11, 30, tzinfo=UTC))),
        ("prod@{2.hours.ago}", Expression("prod", instant=datetime(2026, 3, 31, 10, tzinfo=UTC))),
        ("prod@{2.days.ago}", Expression("prod", instant=datetime(2026, 3, 29, 12, tzinfo=UTC))),
        ("prod@{1.week.ago}", Expression("prod", instant=datetime(2026, 3, 24, 12, tzinfo=UTC))),
        ("prod@{1.month.ago}", Expression("prod", instant=datetime(2026, 2, 28, 12, tzinfo=UTC))),
        ("prod@{3.months.ago}", Expression("prod", instant=datetime(2025, 12, 31, 12, tzinfo=UTC))),
    ],
)
def test_each_form_means_one_thing(text: str, meant: Expression) -> None:
    assert parse(text, now=NOW) == meant


@pytest.mark.parametrize(
    "text",
    [
        *("", "#1", "~1", "prod#", "prod#-1", "prod#1~1", "prod~x", "prod@2026-01-01", "prod@{}", "prod@{soon}"),
        *("prod@{2.years.ago}", "prod@{99999.months.ago}", "prod@{99999.weeks.ago}x", "prod@{2026-04-01T00:00:00Z}"),
        *("pröd", "-prod", "prod#٣", "a b"),
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse(text, now=NOW)


def test_within_an_environment_its_name_may_be_left_out_and_no_other_may_stand_there() -> None:
    assert parse("#4", now=NOW, environment="prod") == Expression("prod", number=4)
    assert parse("", now=NOW, environment="prod") == Expression("prod")
    assert parse("prod~1", now=NOW, environment="prod") == Expression("prod", back=1)
    with pytest.raises(InvalidInput, match="another environment than prod"):
        parse("staging~1", now=NOW, environment="prod")


def test_numbers_are_counted_from_one_and_back_from_the_newest() -> None:
    assert number_asked(Expression("prod"), 7) == 7
    assert number_asked(Expression("prod", back=6), 7) == 1
    assert number_asked(Expression("prod", number=3), 7) == 3


@pytest.mark.parametrize("expression", [Expression("prod", number=0), Expression("prod", number=8)])
def test_numbers_that_are_not_there_are_refused_with_those_that_are(expression: Expression) -> None:
    with pytest.raises(NotFound, match="prod has snapshots 1 to 7"):
        number_asked(expression, 7)


def test_counting_back_beyond_the_first_is_refused() -> None:
    with pytest.raises(NotFound, match="no snapshot prod~7"):
        number_asked(Expression("prod", back=7), 7)
    with pytest.raises(NotFound, match="prod has no snapshot"):
        number_asked(Expression("prod"), 0)
