"""Mutations: refusals as union members, idempotency keys, and what a request sees of its own write."""

import asyncio

import pytest

from api.graphql.errors import ANSWERS
from api.graphql.writes import fingerprint
from record import refusals
from record.access import service
from record.access.rules import Grant, Role
from tests.api.serving import Organization, Served
from tests.api.small_schema import AddPerson

ADD = """mutation ($input: AddPerson!) { addPerson(input: $input) {
  __typename ... on PersonAdded { index replayed entries } ... on Refusal { code message } } }"""


async def add(served: Served, acme: Organization, name: str, key: str | None = None) -> dict[str, object]:
    response = await served.ask(acme, ADD, variables={"input": {"name": name, "idempotencyKey": key}})
    answered: dict[str, object] = response.json()["data"]["addPerson"]
    return answered


def every_refusal() -> list[type[refusals.Refusal]]:
    found, waiting = [], [refusals.Refusal]
    while waiting:
        below = waiting.pop().__subclasses__()
        found += below
        waiting += below
    return sorted(set(found), key=lambda each: each.__name__)


def test_every_refusal_has_an_answer_of_its_name_and_members() -> None:
    assert set(ANSWERS) == set(every_refusal())
    for refused, answer in ANSWERS.items():
        assert answer.__name__ == refused.__name__


@pytest.mark.parametrize("kind", [each.__name__ for each in every_refusal()])
async def test_each_refusal_becomes_its_member_of_the_union(served: Served, acme: Organization, kind: str) -> None:
    response = await served.ask(
        acme,
        "mutation ($kind: String!) { refuse(kind: $kind) { __typename ... on Refusal { code message } } }",
        variables={"kind": kind},
    )

    assert response.json() == {
        "data": {
            "refuse": {
                "__typename": kind,
                "code": getattr(refusals, kind).code,
                "message": "No. Do something else.",
            }
        }
    }


async def test_what_is_read_after_a_write_sees_it(served: Served, acme: Organization) -> None:
    assert await add(served, acme, "bob") == {"__typename": "PersonAdded", "index": 3, "replayed": False, "entries": 4}


async def test_the_same_key_and_input_give_the_first_receipt_again(served: Served, acme: Organization) -> None:
    first = await add(served, acme, "bob", "key-1")
    again = await add(served, acme, "bob", "key-1")

    assert first["index"] == again["index"] == 3
    assert (first["replayed"], again["replayed"]) == (False, True)


async def test_the_same_key_for_another_input_is_refused(served: Served, acme: Organization) -> None:
    await add(served, acme, "bob", "key-1")

    other = await add(served, acme, "eve", "key-1")

    assert other["__typename"] == "IdempotencyConflict"


async def test_without_a_key_the_rules_decide_again(served: Served, acme: Organization) -> None:
    await add(served, acme, "bob")

    assert (await add(served, acme, "bob"))["__typename"] == "NameTaken"


async def test_the_same_request_many_times_at_once_is_recorded_once(served: Served, acme: Organization) -> None:
    answers = await asyncio.gather(*(add(served, acme, "bob", "key-1") for _ in range(8)))

    assert {answer["index"] for answer in answers} == {3}
    assert sorted(bool(answer["replayed"]) for answer in answers) == [False] + [True] * 7


@pytest.mark.parametrize("key", ["", "x" * 256])
async def test_a_key_that_is_none_is_refused(served: Served, acme: Organization, key: str) -> None:
    answered = await add(served, acme, "bob", key)

    assert answered["__typename"] == "InvalidInput"


async def test_access_that_changes_meanwhile_is_looked_at_again(served: Served, acme: Organization) -> None:
    await asyncio.gather(
        add(served, acme, "bob"),
        add(served, acme, "eve"),
        service.add_principal(served.record, acme.operator, name="kim", kind="person", grants=[Grant(Role.READER)]),
        add(served, acme, "joe"),
    )

    head = await served.record.ledger.head(acme.operator.org_id)
    assert head.size == 7


def test_an_input_has_one_fingerprint_however_it_was_written() -> None:
    assert fingerprint("addPerson", AddPerson(name="bob")) == fingerprint("addPerson", AddPerson(name="bob"))
    assert fingerprint("addPerson", AddPerson(name="bob")) != fingerprint("changePerson", AddPerson(name="bob"))
    assert fingerprint("addPerson", AddPerson(name="bob")) != fingerprint("addPerson", AddPerson(name="eve"))
