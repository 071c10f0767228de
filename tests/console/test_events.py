"""The events of an environment as one list: the newest first, and no further back than all of them are known."""

from typing import Any

from api.console.events import events_of
from api.console.timeline import timeline_of


def at(minute: int) -> str:
    return f"2026-11-22T10:{minute:02}:00Z"


def list_of(*nodes: dict[str, Any], more: bool = False) -> dict[str, Any]:
    return {"nodes": list(nodes), "pageInfo": {"hasNextPage": more}}


def started(minute: int, name: str = "app") -> dict[str, Any]:
    about = {"fingerprint": "a" * 64, "name": name, "environmentName": "prod"}
    return {"kind": "STARTED", "at": at(minute), "snapshotNumber": 3, "entryIndex": 30, **about}


def drifted(minute: int, ended: int | None = None, ending: str | None = None) -> dict[str, Any]:
    return {
        **{
            "kind": "SHADOW_CHANGE",
            "fingerprint": "b" * 64,
            "name": "redis",
            "environmentName": "prod",
            "at": at(minute),
        },
        **{"explanation": "redis ran unreported.", "snapshotNumber": 2, "deploymentIndex": None},
        **{"endedAt": None if ended is None else at(ended), "ending": ending},
    }


def judged(minute: int, status: str, *reasons: str) -> dict[str, Any]:
    return {"instant": at(minute), "status": status, "staleSince": None, "entryIndex": 31, "reasons": list(reasons)}


def test_what_started_what_drifted_and_what_was_judged_stand_in_one_order() -> None:
    found = events_of(
        "prod",
        list_of(started(5)),
        list_of(drifted(3, 8, "REPORTED")),
        list_of(judged(4, "NON_COMPLIANT", "a test failed")),
    )

    assert [(line.at[14:16], line.what) for line in found.lines] == [
        ("08", "Drift ended"),
        ("05", "Started"),
        ("04", "Became not compliant"),
        ("03", "Drift: shadow change"),
    ]
    assert found.lines[0].said == "Its deployment was reported late."
    assert found.lines[2].said == "a test failed"
    assert not found.more


def test_the_list_ends_where_the_first_of_its_parts_ends() -> None:
    found = events_of("prod", list_of(started(9), started(6), more=True), list_of(drifted(2), drifted(7)), list_of())

    assert [line.at[14:16] for line in found.lines] == ["09", "07", "06"]
    assert found.more


def test_a_part_of_which_nothing_was_read_yet_hides_nothing() -> None:
    found = events_of("prod", list_of(started(9)), list_of(more=True), list_of())

    assert [line.what for line in found.lines] == ["Started"]
    assert found.more


def test_a_drift_that_lasts_reaches_to_the_end_of_the_strip_and_one_that_ended_does_not() -> None:
    line = timeline_of(at(30), [], [], drift=[drifted(10), drifted(10, 20, "STOPPED")])

    assert line is not None
    lasting, ended = line.drift
    assert lasting.x == ended.x
    assert lasting.width > 1.9 * ended.width
    assert ended.said.endswith("until 2026-11-22 10:20:00 UTC")
