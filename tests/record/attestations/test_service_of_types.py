"""Types of an organization's own: defined, defined again, and judging data by the version of their time."""

from dataclasses import replace
from typing import Any

import pytest

from record.access.rules import Grant, Role
from record.attestations import queries
from record.attestations.service import attest, types
from record.attestations.service.attest import About
from record.attestations.service.types import DefineType
from record.ledger.entries import Receipt
from record.refusals import InvalidInput, NotAllowed, NotFound, Refusal
from tests.record.organizations import Organization


@pytest.fixture
async def ready(acme: Organization) -> Organization:
    """A trail."""
    await acme.flow(acme.operator)
    await acme.trail(acme.operator)
    return acme


async def custom(ready: Organization, name: str, data: Any) -> Receipt:
    about = About("delivery", "t1", "tests")
    return await attest.custom(ready.record, ready.operator, about, type_name=name, data=data)


def result(receipt: Receipt) -> tuple[bool, str]:
    return receipt.body["result"]["compliant"], receipt.body["result"]["explanation"]


COVERAGE = DefineType(
    "coverage",
    json_schema={"type": "object", "properties": {"percent": {"type": "number"}}, "required": ["percent"]},
    rules=[".percent >= 80"],
)


async def define(ready: Organization, wish: DefineType = COVERAGE) -> Receipt:
    return await types.define(ready.record, ready.operator, wish)


async def test_a_custom_type_judges_by_schema_and_rules(ready: Organization) -> None:
    await define(ready)

    given: list[Any] = [{"percent": 81}, {"percent": 79}, {}, []]
    outcomes = [result(await custom(ready, "coverage", data)) for data in given]

    assert [compliant for compliant, _ in outcomes] == [True, False, False, False]
    assert "rule 1" in outcomes[1][1]
    assert "schema" in outcomes[2][1]


async def test_a_type_defined_again_judges_what_comes_after(ready: Organization) -> None:
    await define(ready)
    first = await custom(ready, "coverage", {"percent": 70})
    await define(ready, replace(COVERAGE, rules=[".percent >= 60"]))

    second = await custom(ready, "coverage", {"percent": 70})

    assert [(each.body["type"], each.body["type_version"], result(each)[0]) for each in (first, second)] == [
        ("custom:coverage", 1, False),
        ("custom:coverage", 2, True),
    ]
    async with ready.record.database.connection(ready.org_id) as connection:
        then = await queries.custom_type(connection, await ready.moment(first.index), "coverage")
        one = await queries.custom_type(connection, await ready.moment(), "coverage", version=1)
        newest = await queries.custom_types(connection, await ready.moment())
    assert then == one
    assert [(kind.version, kind.rules) for kind in newest] == [(2, (".percent >= 60",))]


@pytest.mark.parametrize(
    "wish",
    [
        replace(COVERAGE, name=""),
        replace(COVERAGE, name="a b"),
        replace(COVERAGE, name="a\x00"),
        replace(COVERAGE, description="x" * 4001),
        replace(COVERAGE, json_schema={"type": "nothing"}),
        replace(COVERAGE, json_schema={"$ref": "https://elsewhere.example/schema"}),
        replace(COVERAGE, json_schema=[]),
        replace(COVERAGE, rules=[".percent >="]),
        replace(COVERAGE, rules=["input"] * 1000),
        DefineType("anything"),
    ],
    ids=lambda wish: repr(wish)[:60],
)
async def test_a_type_that_could_not_judge_is_not_defined(ready: Organization, wish: DefineType) -> None:
    size = await ready.size()

    with pytest.raises(Refusal):
        await define(ready, wish)

    assert await ready.size() == size


DEEP: Any = None
for _ in range(200):
    DEEP = [DEEP]


@pytest.mark.parametrize(
    "data",
    [
        {"percent": float("nan")},
        {"percent": float("inf")},
        {"percent": 2**53},
        {"x": "\ud83d"},
        {"x": "a\x00b"},
        DEEP,
        {"x": "y" * 20_000},
    ],
    ids=["NaN", "infinity", "2^53", "half a character", "NUL", "deep", "large"],
)
async def test_data_that_cannot_be_recorded_is_refused(ready: Organization, data: Any) -> None:
    await define(ready, DefineType("anything", rules=["true"]))
    size = await ready.size()

    with pytest.raises(Refusal):
        await custom(ready, "anything", data)

    assert await ready.size() == size


async def test_an_unknown_type_is_refused(ready: Organization) -> None:
    with pytest.raises(NotFound, match="no attestation type called coverage"):
        await custom(ready, "coverage", {})
    with pytest.raises(InvalidInput):
        await custom(ready, "a b", {})


async def test_a_narrowed_writer_defines_no_types_for_everybody(ready: Organization) -> None:
    await ready.hire("will", Grant(Role.WRITER, frozenset({"delivery"})))
    await ready.hire("rea", Role.READER)

    for name in ("will", "rea"):
        with pytest.raises(NotAllowed):
            await types.define(ready.record, await ready.caller(name), COVERAGE)
