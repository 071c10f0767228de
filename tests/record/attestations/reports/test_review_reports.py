"""Pull requests, tickets and quality gates, as their reporters tell of them: what is compliant, what is not, what is refused."""

from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from record.attestations.reports.pull_requests import Thresholds, read_pull_request
from record.attestations.reports.sonar import read_sonar
from record.attestations.reports.tickets import read_tickets
from record.refusals import InvalidInput, Refusal

ADA, BOB, EVE = "Ada Lovelace <ada@example.com>", "bob", "Eve <eve@example.com>"
SHA: Final = "ab" * 20


def approved_by(*people: str) -> list[dict[str, str]]:
    return [{"name": person, "state": "approved"} for person in people]


def request(**changed: Any) -> dict[str, Any]:
    """A merged pull request of Ada's that Bob approved, except for what is `changed`."""
    return {
        "provider": "github",
        "state": "merged",
        "author": ADA,
        "reviewers": approved_by(BOB),
        "commits": [{"sha": SHA, "author": ADA}],
        **changed,
    }


def rewritten(*reviews: tuple[str, str]) -> dict[str, Any]:
    return request(reviewers=[{"name": name, "state": state} for name, state in reviews])


@pytest.mark.parametrize(
    "data",
    [
        request(),
        request(state="OPEN"),
        request(state="completed"),
        request(url="https://example.com/1", number=17, base="main", head="fix", labels=["kept"]),
        request(reviewers=approved_by("ada", BOB)),
        request(commits=[{"sha": SHA, "authors": [ADA, EVE]}]),
        rewritten((BOB, "CHANGES_REQUESTED"), (BOB, "APPROVED")),
        rewritten((BOB, "approved"), (BOB, "commented")),
        rewritten((BOB, "approved"), (EVE, "pending")),
    ],
)
def test_a_pull_request_that_somebody_else_approved_is_compliant(data: dict[str, Any]) -> None:
    result = read_pull_request(data)

    assert result.compliant, result.explanation
    assert "approved by bob" in result.explanation


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (request(state="closed"), "is closed, and merged or open is asked for"),
        (request(state="DECLINED"), "is closed"),
        (request(state="draft"), "is draft"),
        (request(reviewers=[]), "1 approval by somebody who is not an author is asked for and there is none"),
        (request(commits=[]), "names no commit"),
        (request(reviewers=approved_by(ADA)), "Ada Lovelace <ada@example.com> approved and is an author"),
        (request(reviewers=approved_by("ada")), "ada approved and is an author (Ada Lovelace"),
        (request(reviewers=approved_by("ADA@example.com")), "is an author"),
        (request(reviewers=approved_by("\uff41\uff44\uff41")), "is an author"),
        (request(reviewers=approved_by(BOB), commits=[{"sha": SHA, "authors": [ADA, BOB]}]), "bob approved and is"),
        (request(commits=[{"sha": SHA, "authors": [ADA], "author": "Bob <bob@example.com>"}]), "is an author (Bob"),
        (request(author=BOB), "bob approved and is an author"),
        (request(commits=[{"sha": SHA, "author": "B <17+bob@users.noreply.github.com>"}]), "is an author (B <17+bob"),
        (rewritten((BOB, "approved"), (BOB, "changes_requested")), "there is none"),
        (rewritten((BOB, "approved"), ("Bob <bob@example.com>", "dismissed")), "there is none"),
        (rewritten((BOB, "commented"), (EVE, "pending")), "there is none"),
    ],
)
def test_a_pull_request_that_nobody_else_approved_is_not(data: dict[str, Any], told: str) -> None:
    result = read_pull_request(data)

    assert not result.compliant
    assert told in result.explanation


def test_thresholds_ask_for_more_approvals_and_for_other_states() -> None:
    two = Thresholds(minimum_approvals=2)
    merged = Thresholds(accepted_states=("merged",))
    both_eve = approved_by("eve", EVE)

    assert read_pull_request(request(reviewers=approved_by(BOB, EVE)), thresholds=two).compliant
    assert "2 approvals by somebody who is not an author are asked for and there is 1" in (
        read_pull_request(request(reviewers=both_eve), thresholds=two).explanation
    )
    assert not read_pull_request(request(state="open"), thresholds=merged).compliant
    assert read_pull_request(request(state="closed"), thresholds=Thresholds(accepted_states=("closed",))).compliant


@pytest.mark.parametrize(
    "thresholds",
    [
        Thresholds(minimum_approvals=0),
        Thresholds(minimum_approvals=-1),
        Thresholds(minimum_approvals=101),
        Thresholds(accepted_states=()),
        Thresholds(accepted_states=("any",)),
    ],
)
def test_thresholds_that_ask_for_nothing_are_refused(thresholds: Thresholds) -> None:
    with pytest.raises(InvalidInput):
        read_pull_request(request(), thresholds=thresholds)


DEEP: Any = None
for _ in range(200):
    DEEP = [DEEP]


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        "merged",
        {},
        DEEP,
        request(state="blessed"),
        request(state=1),
        request(provider=""),
        request(author=" "),
        request(author="<>"),
        request(author="ada\u200b"),
        request(author="x" * 513),
        request(number=0),
        request(number=True),
        request(url="javascript:alert(1)"),
        request(reviewers=None),
        request(reviewers={"name": BOB}),
        request(reviewers=[{"name": BOB}]),
        request(reviewers=[{"name": BOB, "state": "blessed"}]),
        request(reviewers=[{"state": "approved"}]),
        request(reviewers=approved_by(BOB) * 201),
        request(commits=None),
        request(commits=[{}]),
        request(commits=[{"sha": SHA}]),
        request(commits=[{"sha": "main", "author": ADA}]),
        request(commits=[{"sha": SHA, "authors": []}]),
        request(commits=[{"sha": SHA, "authors": [""]}]),
        request(commits=[{"sha": SHA, "author": ADA}] * 1001),
    ],
    ids=lambda data: repr(data)[:60],
)
def test_a_pull_request_that_cannot_be_read_is_refused_with_a_sentence(data: Any) -> None:
    with pytest.raises(Refusal) as refused:
        read_pull_request(data)

    assert str(refused.value).endswith(".")


PEOPLE = st.sampled_from([ADA, BOB, EVE, "ada", "eve@example.com", "carol", "Bob <bob@example.com>"])


@given(
    authors=st.lists(PEOPLE, min_size=1, max_size=3),
    reviews=st.lists(st.tuples(PEOPLE, st.sampled_from(["approved", "commented", "changes_requested"])), max_size=5),
)
def test_no_approval_of_an_author_ever_decides(authors: list[str], reviews: list[tuple[str, str]]) -> None:
    """People here are recognised by what their names contain, which is another way than the rule's."""
    data = rewritten(*reviews) | {"author": authors[0], "commits": [{"sha": SHA, "authors": authors}]}
    who = {name: next(one for one in ("ada", "bob", "eve", "carol") if one in name.lower()) for name, _ in reviews}
    last = {who[name]: state for name, state in reviews if state != "commented"}
    others = [
        one for one, state in last.items() if state == "approved" and not any(one in name.lower() for name in authors)
    ]

    result = read_pull_request(data)

    assert result.compliant is bool(others)
    assert result.summary["approvals"] == len(others)


def tickets(*pairs: tuple[str, bool]) -> dict[str, Any]:
    return {"references": [{"reference": name, "exists": exists} for name, exists in pairs]}


@pytest.mark.parametrize(
    ("data", "compliant", "told"),
    [
        (tickets(("PAY-1", True)), True, "1 ticket, and all exist: PAY-1."),
        (tickets(("PAY-1", True), ("#2", True)), True, "2 tickets, and all exist"),
        (tickets(), False, "No ticket is referred to"),
        (tickets(("PAY-1", True), ("PAY-2", False)), False, "1 of 2 tickets does not exist: PAY-2."),
        (tickets(("PAY-1", False), ("PAY-1", True)), False, "1 of 1 ticket does not exist: PAY-1."),
    ],
)
def test_tickets_are_compliant_when_there_are_some_and_all_exist(
    data: dict[str, Any], compliant: bool, told: str
) -> None:
    result = read_tickets(data)

    assert (result.compliant, told in result.explanation) == (compliant, True), result.explanation


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        {},
        DEEP,
        {"references": "PAY-1"},
        {"references": ["PAY-1"]},
        {"references": [{"reference": "PAY-1"}]},
        {"references": [{"reference": "PAY-1", "exists": "true"}]},
        {"references": [{"reference": "PAY-1", "exists": 1}]},
        {"references": [{"exists": True}]},
        tickets((" ", True)),
        tickets(("PAY\u202e1", True)),
        tickets(("x" * 201, True)),
        tickets(*[("PAY-1", True)] * 501),
    ],
    ids=lambda data: repr(data)[:60],
)
def test_tickets_that_cannot_be_read_are_refused_with_a_sentence(data: Any) -> None:
    with pytest.raises(Refusal) as refused:
        read_tickets(data)

    assert str(refused.value).endswith(".")


def gate(status: str, **more: Any) -> dict[str, Any]:
    return {"qualityGate": {"status": status, "name": "Sonar way", **more}, "project": {"key": "pay"}}


FAILED: Final = {"status": "ERROR", "metricKey": "coverage", "actualValue": "71.2"}


@pytest.mark.parametrize(
    ("data", "compliant", "told"),
    [
        (gate("OK"), True, "The quality gate is OK."),
        ({**gate("OK"), "status": "SUCCESS"}, True, "is OK"),
        ({"projectStatus": {"status": "OK", "conditions": []}}, True, "is OK"),
        (gate("ERROR"), False, "The quality gate is ERROR, and OK is asked for."),
        (gate("ERROR", conditions=[FAILED, {"status": "OK"}]), False, "1 condition failed: coverage is 71.2."),
        (gate("WARN"), False, "is WARN"),
        ({"projectStatus": {"status": "NONE"}}, False, "no quality gate"),
        ({**gate("OK"), "status": "FAILED"}, False, "analysis did not succeed: it is FAILED"),
        ({"status": "CANCELLED"}, False, "CANCELLED"),
    ],
)
def test_a_quality_gate_is_compliant_when_it_is_ok(data: dict[str, Any], compliant: bool, told: str) -> None:
    result = read_sonar(data)

    assert (result.compliant, told in result.explanation) == (compliant, True), result.explanation


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        {},
        DEEP,
        "OK",
        {"status": "OK"},
        {"status": "SUCCESS"},
        {"qualityGate": "OK"},
        gate("PASSED"),
        {"qualityGate": {}},
        {**gate("OK"), "projectStatus": {"status": "OK"}},
        gate("OK", conditions=[{}]),
        gate("OK", conditions=[{"status": "OK"}] * 501),
        {**gate("OK"), "project": "pay"},
        {**gate("OK"), "revision": 7},
    ],
    ids=lambda data: repr(data)[:60],
)
def test_a_quality_gate_that_cannot_be_read_is_refused_with_a_sentence(data: Any) -> None:
    with pytest.raises(Refusal) as refused:
        read_sonar(data)

    assert str(refused.value).endswith(".")
