"""Answers from memory: the same bytes for the same question at the same size, never to anybody else, never after a revocation."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from api.graphql.answers import Answers, answer_of
from record.access import service
from record.access.rules import Grant, Role
from record.ids import LedgerSize, PrincipalId
from record.settings import Settings
from tests.api.serving import MovableClock, Organization, Served, serving

NOW = datetime(2026, 11, 22, tzinfo=UTC)


async def add_person(served: Served, organization: Organization, name: str) -> None:
    await service.add_principal(
        served.record, organization.operator, name=name, kind="person", grants=[Grant(Role.READER)]
    )


async def another_key(served: Served, organization: Organization, *grants: Grant, days: int = 90) -> tuple[str, Any]:
    name = f"someone-{len(grants)}-{days}"
    added = await service.add_principal(
        served.record, organization.operator, name=name, kind="person", grants=list(grants) or [Grant(Role.READER)]
    )
    issued = await service.issue_key(
        served.record,
        organization.operator,
        principal_id=PrincipalId(added.body["principal_id"]),
        description="another",
        expires_in_days=days,
    )
    assert issued.token is not None
    return issued.token, issued.receipt.body["key_id"]


async def test_the_same_question_gives_the_same_bytes_until_something_is_recorded(
    served: Served, acme: Organization
) -> None:
    first = await served.ask(acme, "{ record { size } chance }")
    again = await served.ask(acme, "{ record { size } chance }")
    await add_person(served, acme, "bob")
    later = await served.ask(acme, "{ record { size } chance }")

    assert first.content == again.content
    assert first.headers["etag"] == again.headers["etag"]
    assert first.headers["cache-control"] == "private, no-cache"
    assert first.headers["muniment-ledger-size"] == "3"
    assert later.content != first.content
    assert later.json()["data"]["record"]["size"] == 4


async def test_a_question_about_a_size_keeps_its_answer_when_more_is_recorded(
    served: Served, acme: Organization
) -> None:
    query = "{ record(size: 2) { entries } again: record(size: 3) { entries } }"

    first = await served.ask(acme, query)
    await add_person(served, acme, "bob")
    hits = served.app.state.view.answers.hits
    again = await served.ask(acme, query)

    assert again.content == first.content
    assert again.headers["muniment-ledger-size"] == "3"
    assert served.app.state.view.answers.hits == hits + 1


@pytest.mark.parametrize(
    "query",
    ["{ record(size: 2) { entries } chance }", "{ record(size: 2) { entries } now: record { entries } }", "{ chance }"],
)
async def test_one_field_as_of_now_ends_the_whole_answer(served: Served, acme: Organization, query: str) -> None:
    first = await served.ask(acme, query)
    await add_person(served, acme, "bob")
    hits = served.app.state.view.answers.hits
    await served.ask(acme, query)

    assert first.headers["muniment-ledger-size"] == "3"
    assert served.app.state.view.answers.hits == hits


async def test_who_has_the_answer_is_told_so_without_a_body(served: Served, acme: Organization) -> None:
    first = await served.ask(acme, "{ chance }")
    etag = first.headers["etag"]

    same = await served.ask(acme, "{ chance }", headers={"if-none-match": f'"other", {etag}'})
    other = await served.ask(acme, "{ chance }", headers={"if-none-match": '"other"'})

    assert (same.status_code, same.content) == (304, b"")
    assert same.headers["etag"] == etag
    assert (other.status_code, other.content) == (200, first.content)


async def test_an_answer_that_is_made_anew_may_be_the_one_that_is_held(served: Served, acme: Organization) -> None:
    first = await served.ask(acme, "{ viewer }")
    await add_person(served, acme, "bob")

    again = await served.ask(acme, "{ viewer }", headers={"if-none-match": first.headers["etag"]})

    assert again.status_code == 304


async def test_each_media_type_has_its_own_answer(served: Served, acme: Organization) -> None:
    old = await served.ask(acme, "{ viewer }", headers={"accept": "application/json"})
    new = await served.ask(acme, "{ viewer }", headers={"accept": "application/graphql-response+json"})

    assert old.headers["etag"] != new.headers["etag"]
    assert new.headers["content-type"] == "application/graphql-response+json; charset=utf-8"


async def test_a_revoked_key_gets_nothing_though_the_answer_is_kept(served: Served, acme: Organization) -> None:
    token, key_id = await another_key(served, acme)
    someone = Organization(acme.operator, token)
    assert (await served.ask(someone, "{ record(size: 2) { entries } }")).status_code == 200
    assert (await served.ask(someone, "{ record(size: 2) { entries } }")).status_code == 200

    await service.revoke_key(served.record, acme.operator, key_id=key_id, reason="lost")
    refused = await served.ask(someone, "{ record(size: 2) { entries } }")

    assert refused.status_code == 401
    assert "data" not in refused.json()


async def test_a_key_that_expires_gets_nothing_though_nothing_was_recorded(
    make_settings: Callable[..., Settings],
) -> None:
    clock = MovableClock()
    async with serving(make_settings(), clock=clock) as served:
        acme = await served.organization()
        token, _ = await another_key(served, acme, days=1)
        someone = Organization(acme.operator, token)
        before = await served.ask(someone, "{ chance }")
        clock.moved = timedelta(days=1, minutes=1)
        after = await served.ask(someone, "{ chance }")
        other = await served.ask(acme, "{ viewer }")

    assert (before.status_code, after.status_code, other.status_code) == (200, 401, 200)


async def test_another_organization_never_sees_an_answer(served: Served, acme: Organization) -> None:
    globex = await served.organization("globex")

    first = await served.ask(acme, "{ chance record(size: 2) { entries } }")
    other = await served.ask(globex, "{ chance record(size: 2) { entries } }")

    assert first.json()["data"]["chance"] != other.json()["data"]["chance"]


async def test_another_principal_of_the_same_organization_gets_its_own_answer(
    served: Served, acme: Organization
) -> None:
    token, _ = await another_key(served, acme, Grant(Role.ADMIN))

    await served.ask(acme, "{ viewer }")
    other = await served.ask(Organization(acme.operator, token), "{ viewer }")

    assert other.json()["data"]["viewer"] != "ada"


async def test_facts_from_outside_the_record_are_not_kept(served: Served, acme: Organization) -> None:
    first = await served.ask(acme, "{ chanceOutside }")
    again = await served.ask(acme, "{ chanceOutside }")

    assert first.content != again.content
    assert first.headers["cache-control"] == "no-store"


async def test_an_answer_holds_until_the_first_expiry_in_it(make_settings: Callable[..., Settings]) -> None:
    clock = MovableClock()
    query = "{ a: chanceFor(seconds: 3600) b: chanceFor(seconds: 600) }"
    async with serving(make_settings(), clock=clock) as served:
        acme = await served.organization()
        first = await served.ask(acme, query)
        clock.moved = timedelta(seconds=590)
        before = await served.ask(acme, query)
        clock.moved = timedelta(seconds=610)
        after = await served.ask(acme, query)

    assert before.content == first.content
    assert after.content != first.content


async def test_errors_and_writes_are_not_kept(served: Served, acme: Organization) -> None:
    await served.ask(acme, "{ missing }")
    await served.ask(acme, "{ nothing }")
    await served.ask(acme, "mutation { wait(seconds: 0) }")

    assert len(served.app.state.view.answers) == 0


async def test_an_answer_from_memory_costs_one_statement_in_all(served: Served, acme: Organization) -> None:
    query = "{ record { entries } }"
    await served.ask(acme, query)
    sent = await _logged(served, acme)

    await served.ask(acme, query)

    assert len(sent) == 1
    assert "FROM ops.ledgers" in sent[0]


async def test_a_known_key_costs_no_statement_of_its_own(served: Served, acme: Organization) -> None:
    await served.ask(acme, "{ viewer }")
    sent = await _logged(served, acme)

    await served.ask(acme, "{ a: viewer }")

    assert len(sent) == 1


async def _logged(served: Served, organization: Organization) -> list[str]:
    """What is sent to PostgreSQL from here on, when connections of both kinds are there already."""
    async with served.record.database.connection(organization.operator.org_id):
        await served.ask(organization, "{ warm: viewer }")
    sent: list[str] = []
    for idle in served.record.database._idle.values():
        for connection in idle:
            connection.add_query_logger(lambda logged: sent.append(logged.query))
    return sent


async def test_no_memory_keeps_no_answers(make_settings: Callable[..., Settings]) -> None:
    async with serving(make_settings(answer_cache_bytes=0)) as served:
        acme = await served.organization()
        first = await served.ask(acme, "{ chance }")
        again = await served.ask(acme, "{ chance }")

    assert first.content != again.content


def test_memory_is_bounded_and_the_least_used_goes_first() -> None:
    answers = Answers(100_000)
    answer = answer_of(b"x" * 9_400, media_type="application/json", size=1, holds_until=None)
    for number in range(10):
        answers.keep(b"sight", LedgerSize(1), str(number).encode(), answer)
    assert answers.find(b"sight", LedgerSize(1), b"0", now=NOW) is answer

    answers.keep(b"sight", LedgerSize(1), b"10", answer)

    assert len(answers) == 10
    assert answers.bytes_held <= 100_000
    assert answers.find(b"sight", LedgerSize(1), b"0", now=NOW) is answer
    assert answers.find(b"sight", LedgerSize(1), b"1", now=NOW) is None


def test_an_answer_that_would_push_out_many_is_not_kept() -> None:
    answers = Answers(100_000)

    answers.keep(b"s", None, b"q", answer_of(b"x" * 50_000, media_type="application/json", size=1, holds_until=None))

    assert len(answers) == 0
    assert answers.bytes_held == 0
