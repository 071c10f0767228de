"""What no reader can agree on is refused at the edge with a sentence, and nothing is recorded."""

import json
from typing import Any

import httpx
import pytest

from tests.api.graphql.house import House

CREATE = """mutation ($input: CreateFlowInput!) { createFlow(input: $input) {
  __typename ... on FlowRecorded { receipt { index } } ... on Refusal { code message } } }"""
BEGIN = """mutation ($input: BeginTrailInput!) { beginTrail(input: $input) {
  __typename ... on TrailBegun { receipt { index } trail { userData } } ... on Refusal { code message } } }"""


def refusal_in(response: httpx.Response) -> str:
    """The sentence of the error, or of the refusal in the result."""
    said: dict[str, Any] = response.json()
    if "errors" in said:
        assert "INTERNAL" not in response.text
        message: str = said["errors"][0]["message"]
        return message
    (result,) = said["data"].values()
    assert "code" in result, result
    return str(result["message"])


async def post(house: House, body: bytes) -> httpx.Response:
    headers = {**house.ada.headers, "content-type": "application/json"}
    return await house.served.client.post("/graphql", content=body, headers=headers)


def body_with(value: str) -> bytes:
    """A request whose `userData` holds these very bytes."""
    query = json.dumps(BEGIN)
    return f'{{"query":{query},"variables":{{"input":{{"flow":"delivery","name":"x","userData":{{"v":{value}}}}}}}}}'.encode()


@pytest.mark.parametrize(
    ("value", "word"),
    [
        ("NaN", "NaN"),
        ("Infinity", "Infinity"),
        ("-Infinity", "Infinity"),
        ("1e999", ""),
        ("9007199254740992", "9007199254740992"),
        ("-9007199254740992", "9007199254740992"),
        ("1" + "0" * 400, ""),
        ('{"a":1,"a":2}', "a"),
        ('"\\u0000"', "NUL"),
        ('"\\ud800"', "surrogate"),
        ('"\\udc00\\ud800"', "surrogate"),
        ('{"\\u0000":1}', "NUL"),
        ("[" * 100 + "]" * 100, ""),
        ("01", ""),
        ("'x'", ""),
        ("1,", ""),
    ],
)
async def test_json_that_two_readers_could_read_differently_is_refused(house: House, value: str, word: str) -> None:
    await house.delivery()

    async with house.nothing_recorded():
        response = await post(house, body_with(value))

    assert word.lower() in refusal_in(response).lower()


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff\xfe{}", b"[]", b"null", b'"x"', b'{"query":1}', b'{"query":""}', b"{}x"]
)
async def test_a_body_that_is_no_question_is_refused(house: House, body: bytes) -> None:
    async with house.nothing_recorded():
        response = await post(house, body)

    assert response.status_code == 400
    assert refusal_in(response)


async def test_the_largest_numbers_are_kept_exactly(house: House) -> None:
    await house.delivery()

    largest = await post(house, body_with("[9007199254740991, -9007199254740991, 0.1, 1e23, -1e308, 5e-324]"))

    assert largest.json()["data"]["beginTrail"]["trail"]["userData"]["v"] == [
        2**53 - 1,
        1 - 2**53,
        0.1,
        1e23,
        -1e308,
        5e-324,
    ]


async def test_names_given_twice_anywhere_are_refused(house: House) -> None:
    async with house.nothing_recorded():
        response = await post(house, b'{"query":"{viewer{principal}}","query":"{viewer{organization}}"}')

    assert response.status_code == 400
    assert "twice" in refusal_in(response) or "query" in refusal_in(response)


@pytest.mark.parametrize("name", ["\\u0000", "a\\u0000b", "\\ud800", "\\udfff", "\\u{0}", "\\u{d800}"])
async def test_texts_written_into_a_document_are_as_strict(house: House, name: str) -> None:
    async with house.nothing_recorded():
        for query in (
            f'mutation {{ createFlow(input: {{name: "{name}"}}) {{ __typename ... on Refusal {{ code message }} }} }}',
            f'{{ record {{ flow(name: "{name}") {{ name }} search(query: "{name}") {{ __typename }} }} }}',
        ):
            assert refusal_in(await house.ada.raw(query))


@pytest.mark.parametrize("literal", ["9007199254740993", "1" + "0" * 30, "1e999", '"\\u0000"', "{a: 1, a: 2}"])
async def test_json_written_into_a_document_is_as_strict(house: House, literal: str) -> None:
    await house.delivery()

    async with house.nothing_recorded():
        response = await house.ada.raw(
            f'mutation {{ beginTrail(input: {{flow: "delivery", name: "x", userData: {{v: {literal}}}}}) '
            "{ __typename ... on Refusal { code message } } }"
        )

    assert refusal_in(response)


async def test_a_body_beyond_the_limit_is_not_read(house: House) -> None:
    limit = house.served.record.settings.graphql_body_bytes_max

    async with house.nothing_recorded():
        response = await house.ada.raw(CREATE, input={"name": "x", "description": "d" * limit})

    assert response.status_code == 413
    assert response.json()["errors"][0]["extensions"]["code"] == "TOO_LARGE"


async def test_an_entry_beyond_the_limit_is_refused(house: House) -> None:
    await house.delivery()

    async with house.nothing_recorded():
        refused = await house.ada.do(
            "beginTrail", flow="delivery", name="x", userData={str(n): "x" * 100 for n in range(700)}
        )

    assert refused["code"] in ("TOO_LARGE", "INVALID_INPUT")
    assert "bytes" in refused["message"] or "characters" in refused["message"]


@pytest.mark.parametrize(
    ("source", "line", "column"),
    [
        ("version: 1\ntrails: {}\n", 2, 1),
        ("version: 1\ntrail:\n  artifacts:\n    - name: app\n      attestation: []\n", 5, 7),
        ("version: 1\ntrail:\n  attestations:\n    - {name: a, type: nonsense}\n", 4, 23),
        ("version: 2\n", 1, 10),
        ("a: &x [*x]\n", 1, 4),
        ("version: 1\nversion: 1\n", 2, 1),
        ("{", 1, 2),
    ],
)
async def test_a_template_fault_has_a_place(house: House, source: str, line: int, column: int) -> None:
    await house.delivery()

    async with house.nothing_recorded():
        refusals = [
            await house.ada.do("createFlow", name="x", template=source),
            await house.ada.do("changeFlow", name="delivery", template=source),
            await house.ada.do("beginTrail", flow="delivery", name="x", template=source),
        ]

    for refused in refusals:
        assert (refused["__typename"], refused["line"], refused["column"]) == ("InvalidInput", line, column), refused


async def test_faults_of_the_question_say_what_they_are(house: House) -> None:
    unknown = await house.ada.refused("{ record { nothing } }")
    missing = await house.ada.refused("{ record { flow { name } } }")
    wrong = await house.ada.refused("query ($n: String!) { record { flow(name: $n) { name } } }", n=5)

    assert "nothing" in unknown["message"]
    assert "name" in missing["message"]
    assert "5" in wrong["message"]
