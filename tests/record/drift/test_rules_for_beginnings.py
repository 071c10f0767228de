"""Rules of when drift began and ended: a table of runs and deployments, in minutes after noon."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from record.drift.rules import Candidate, Deployed, Started, beginnings
from record.ids import EntryIndex, EnvironmentId, Fingerprint

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
OLD, NEW = Fingerprint("a" * 64), Fingerprint("b" * 64)


def minutes(count: float | None) -> Any:
    return None if count is None else NOON + timedelta(minutes=count)


def candidate(*, of_deployment: bool, run: Started | None, meant: Deployed | None, **known: float | None) -> Candidate:
    """What began at noon; its grace period ends a quarter past."""
    ran = bool(known.pop("ran", 0))
    by = known.pop("replaced_by_run", 0)
    return Candidate(
        EnvironmentId(UUID(int=1)),
        of_deployment,
        NOON,
        EntryIndex(7),
        3,
        minutes(15),
        run=run,
        meant=meant,
        ran=ran,
        replaced_by=OLD if by else NEW,
        **{name: minutes(count) for name, count in known.items()},
    )


def told(one: Candidate, now: float = 600) -> list[tuple[str, str | None, datetime | None]]:
    return [
        (each.kind.value, each.ending and each.ending.value, each.ended_at)
        for each in beginnings(one, now=minutes(now))
    ]


RUN = [
    ({}, [("SHADOW_CHANGE", None, None)]),
    ({"reported_at": -60}, []),
    ({"reported_at": 15}, []),
    ({"reported_at": 16}, [("SHADOW_CHANGE", "REPORTED", 16)]),
    ({"stopped_at": 15}, []),
    ({"stopped_at": 20}, [("SHADOW_CHANGE", "STOPPED", 20)]),
    ({"stopped_at": 20, "reported_at": 18}, [("SHADOW_CHANGE", "REPORTED", 18)]),
    ({"reported_at": -60, "meant": True}, [("OTHER_VERSION", None, None)]),
    ({"reported_at": -60, "meant": True, "ran": 1}, []),
    ({"reported_at": -60, "meant": True, "seen_at": 20}, [("OTHER_VERSION", "SEEN", 20)]),
    ({"reported_at": -60, "meant": True, "stopped_at": 9}, []),
    ({"reported_at": -60, "meant": True, "replaced_at": 30}, [("OTHER_VERSION", "REPLACED", 30)]),
    ({"reported_at": -60, "meant": True, "replaced_at": 30, "replaced_by_run": 1}, [("OTHER_VERSION", "REPORTED", 30)]),
]


@pytest.mark.parametrize(("known", "expected"), RUN)
def test_what_a_run_begins(known: dict[str, Any], expected: list[tuple[str, str | None, float | None]]) -> None:
    known = dict(known)
    stopped = minutes(known.pop("stopped_at", None))
    meant = Deployed(EntryIndex(5), NEW, "app-new") if known.pop("meant", False) else None
    one = candidate(of_deployment=False, run=Started(OLD, "app-old", 4, stopped), meant=meant, **known)

    assert told(one) == [(kind, ending, minutes(at)) for kind, ending, at in expected]


DEPLOYMENT = [
    ({}, [("NOT_SEEN", None, None)]),
    ({"ran": 1}, []),
    ({"seen_at": 15}, []),
    ({"seen_at": 40}, [("NOT_SEEN", "SEEN", 40)]),
    ({"replaced_at": 10}, []),
    ({"replaced_at": 40}, [("NOT_SEEN", "REPLACED", 40)]),
    ({"meant_at": 120, "replaced_at": 40}, []),
    ({"meant_at": 120}, [("NOT_SEEN", None, None)]),
    ({"run": True}, [("NOT_SEEN", None, None), ("OTHER_VERSION", None, None)]),
    ({"run": True, "seen_at": 40}, [("NOT_SEEN", "SEEN", 40), ("OTHER_VERSION", "SEEN", 40)]),
    ({"run": True, "stopped_at": 40}, [("NOT_SEEN", None, None), ("OTHER_VERSION", "STOPPED", 40)]),
]


@pytest.mark.parametrize(("known", "expected"), DEPLOYMENT)
def test_what_a_deployment_begins(known: dict[str, Any], expected: list[tuple[str, str | None, float | None]]) -> None:
    known = {"meant_at": 0, **known}
    stopped = minutes(known.pop("stopped_at", None))
    run = Started(OLD, "app-old", 4, stopped) if known.pop("run", False) else None
    one = candidate(of_deployment=True, run=run, meant=Deployed(EntryIndex(7), NEW, "app-new"), **known)

    assert told(one) == [(kind, ending, minutes(at)) for kind, ending, at in expected]


def test_nothing_begins_before_grace_ends() -> None:
    one = candidate(of_deployment=False, run=Started(OLD, "app-old", 4), meant=None)

    assert told(one, now=14.9) == []
    (event,) = beginnings(one, now=minutes(15))
    assert event.place == (minutes(15), 7, 3)
    assert event.explanation == "app-old ran, and within 15 minutes nobody reported that it was deployed here."
