"""One question over HTTP: what is served, what is refused before anything is executed, and how errors look."""

from collections.abc import Callable
from typing import Any

import pytest

from record.settings import Settings
from tests.api.serving import Organization, Served, serving

BAD_BODIES: list[tuple[str, bytes]] = [
    ("a name given twice", b'{"query":"{viewer}","query":"{chance}"}'),
    ("NaN", b'{"query":"{viewer}","variables":{"x":NaN}}'),
    ("an infinity", b'{"query":"{viewer}","variables":{"x":Infinity}}'),
    ("a number that overflows", b'{"query":"{viewer}","variables":{"x":1e999}}'),
    ("an integer beyond 2^53-1", b'{"query":"{viewer}","variables":{"x":9007199254740992}}'),
    ("an integer below -(2^53-1)", b'{"query":"{viewer}","variables":{"x":-9007199254740992}}'),
    ("half of a surrogate pair", b'{"query":"{viewer}","variables":{"x":"\\ud800"}}'),
    ("NUL", b'{"query":"{viewer}","variables":{"x":"\\u0000"}}'),
    ("bytes that are not UTF-8", b'{"query":"{viewer}","variables":{"x":"\xff"}}'),
    ("a text that ends too early", b'{"query":"{viewer}"'),
    ("nesting without end", b'{"query":"{viewer}","variables":' + b'{"a":' * 500 + b"1" + b"}" * 501),
    ("no object", b'"{viewer}"'),
    ("no query", b"{}"),
    ("an empty query", b'{"query":""}'),
    ("a query that is no text", b'{"query":{"a":1}}'),
    ("variables that are no object", b'{"query":"{viewer}","variables":[1]}'),
    ("an operation name that is no text", b'{"query":"{viewer}","operationName":7}'),
    ("extensions that are no object", b'{"query":"{viewer}","extensions":"x"}'),
    ("a batch", b'[{"query":"{viewer}"},{"query":"{viewer}"}]'),
]


async def post(served: Served, acme: Organization, content: bytes, **headers: str) -> Any:
    said = {"content-type": "application/json", **acme.headers, **{k.replace("_", "-"): v for k, v in headers.items()}}
    return await served.client.post("/graphql", content=content, headers=said)


async def test_a_question_is_answered(served: Served, acme: Organization) -> None:
    response = await served.ask(acme, "{ viewer }")

    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json; charset=utf-8"
    assert response.json() == {"data": {"viewer": "ada"}}


@pytest.mark.parametrize(("what", "body"), BAD_BODIES, ids=[what for what, _ in BAD_BODIES])
async def test_bad_json_is_refused_with_a_sentence(served: Served, acme: Organization, what: str, body: bytes) -> None:
    response = await post(served, acme, body)

    assert response.status_code == 400
    (error,) = response.json()["errors"]
    assert error["extensions"]["code"] == "INVALID_INPUT"
    assert error["message"].endswith(".")
    assert "data" not in response.json()


async def test_a_nul_that_is_written_into_the_document_is_refused(served: Served, acme: Organization) -> None:
    response = await served.ask(acme, '{ echo(text: "a\\u0000b") }')

    assert "NUL" in response.json()["errors"][0]["message"]
    assert "data" not in response.json()


async def test_without_a_key_nothing_is_answered(served: Served) -> None:
    response = await served.ask(None, "{ viewer }")

    assert response.status_code == 401
    assert response.headers["www-authenticate"] == 'Bearer realm="muniment"'
    assert response.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"


@pytest.mark.parametrize(
    "authorization", ["Bearer", "Bearer  x", "Basic YTpi", "Bearer mun_short", "Bearer mun_" + "0" * 71, "Bearer \xe9"]
)
async def test_what_is_no_key_of_ours_is_refused(served: Served, authorization: str) -> None:
    headers = [(b"authorization", authorization.encode("latin-1")), (b"content-type", b"application/json")]
    response = await served.client.post("/graphql", content=b'{"query":"{viewer}"}', headers=headers)

    assert response.status_code == 401


async def test_a_body_over_the_limit_is_refused_while_it_comes(make_settings: Callable[..., Settings]) -> None:
    async with serving(make_settings(graphql_body_bytes_max=2_000, snapshot_body_bytes_max=2_000)) as served:
        acme = await served.organization()

        async def endless() -> Any:
            for _ in range(100):
                yield b" " * 1000

        announced = await post(served, acme, b" " * 3_000)
        streamed = await served.client.post(
            "/graphql", content=endless(), headers={**acme.headers, "content-type": "application/json"}
        )

    assert announced.status_code == streamed.status_code == 413
    assert streamed.json()["errors"][0]["extensions"]["code"] == "TOO_LARGE"


@pytest.mark.parametrize(
    "content_type",
    [
        "application/x-www-form-urlencoded",
        "text/plain",
        "multipart/form-data; boundary=x",
        "application/json; charset=latin-1",
    ],
)
async def test_only_json_in_utf8_is_read(served: Served, acme: Organization, content_type: str) -> None:
    response = await post(served, acme, b'{"query":"{viewer}"}', content_type=content_type)

    assert response.status_code == 415


async def test_nothing_is_answered_to_get(served: Served, acme: Organization) -> None:
    for query in ("{viewer}", "mutation{wait(seconds:0)}"):
        response = await served.client.get("/graphql", params={"query": query}, headers=acme.headers)

        assert response.status_code == 405
        assert response.headers["allow"] == "POST"


async def test_what_accepts_nothing_that_is_served_is_told_so(served: Served, acme: Organization) -> None:
    response = await post(served, acme, b'{"query":"{viewer}"}', accept="image/png")

    assert response.status_code == 406


async def test_faults_of_ours_are_masked_and_findable(served: Served, acme: Organization, caplog: Any) -> None:
    response = await served.ask(acme, "{ broken }", headers={"x-request-id": "find-me-here"})

    assert "swordfish" not in response.text
    assert response.json()["data"] is None
    (error,) = response.json()["errors"]
    assert error["extensions"] == {"code": "INTERNAL", "correlationId": "find-me-here"}
    assert error["path"] == ["broken"]


async def test_a_refusal_in_a_query_is_an_error_with_its_code(served: Served, acme: Organization) -> None:
    response = await served.ask(acme, "{ missing }")

    (error,) = response.json()["errors"]
    assert error["message"] == "There is no such thing. Look elsewhere."
    assert error["extensions"] == {"code": "NOT_FOUND"}


async def test_suggestions_are_made_unless_the_schema_is_hidden(make_settings: Callable[..., Settings]) -> None:
    async with serving(make_settings()) as served:
        open_answer = await served.ask(await served.organization("open"), "{ viewr }")
    async with serving(make_settings(graphql_introspection=False)) as served:
        hidden = await served.organization("hidden")
        hidden_answer = await served.ask(hidden, "{ viewr }")
        introspection = await served.ask(hidden, "{ __schema { types { name } } }")

    assert "Did you mean 'viewer'" in open_answer.text
    assert "Did you mean" not in hidden_answer.text
    assert "data" not in introspection.json()


async def test_an_operation_that_takes_too_long_is_stopped(make_settings: Callable[..., Settings]) -> None:
    async with serving(make_settings(graphql_timeout_seconds=0.2)) as served:
        acme = await served.organization()

        query = await served.ask(acme, "{ slow(seconds: 30) }")
        mutation = await served.ask(acme, "mutation { wait(seconds: 30) }")

    assert query.status_code == mutation.status_code == 503
    assert "longer than 0.2 seconds" in query.json()["errors"][0]["message"]
    assert "idempotency key" in mutation.json()["errors"][0]["message"]


async def test_one_of_several_operations_must_be_named(served: Served, acme: Organization) -> None:
    document = "query A { viewer } query B { missing }"

    unnamed = await served.ask(acme, document)
    named = await served.ask(acme, document, operationName="A")
    unknown = await served.ask(acme, document, operationName="C")

    assert unnamed.status_code == unknown.status_code == 400
    assert named.json() == {"data": {"viewer": "ada"}}


async def test_faults_of_the_question_have_the_status_that_the_media_type_wants(
    served: Served, acme: Organization
) -> None:
    for query in ("{", "{ nothing }", "query ($x: Int!) { things(first: $x) { total } }"):
        old = await served.ask(acme, query, headers={"accept": "application/json"})
        new = await served.ask(acme, query, headers={"accept": "application/graphql-response+json"})

        assert (old.status_code, new.status_code) == (200, 400)
        assert "data" not in old.json()
        assert "data" not in new.json()
        assert new.headers["content-type"] == "application/graphql-response+json; charset=utf-8"


@pytest.mark.parametrize(
    ("argument", "answer"),
    [
        ('at: "2026-11-22T08:30:00Z"', "2026-11-22T08:30:00+00:00"),
        ('at: "2026-11-22T08:30:00.1234567+02:00"', "2026-11-22T08:30:00.123456+02:00"),
        ('fingerprint: "sha256:' + "a" * 64 + '"', "a" * 64),
        ('digest: "' + "b" * 64 + '"', "b" * 64),
        ("index: 9007199254740991", 9007199254740991),
        ("json: {a: [1, 2.5, null, true]}", {"a": [1, 2.5, None, True]}),
    ],
)
async def test_scalars_are_read(served: Served, acme: Organization, argument: str, answer: Any) -> None:
    response = await served.ask(acme, f"{{ echo({argument}) }}")

    assert response.json() == {"data": {"echo": [answer]}}


@pytest.mark.parametrize(
    "argument",
    [
        'at: "2026-11-22T08:30:00"',
        'at: "2026-02-30T08:30:00Z"',
        'at: "0001-01-01T00:00:00+05:00"',
        "at: 5",
        'fingerprint: "' + "A" * 64 + '"',
        'digest: "abc"',
        "index: -1",
        "index: 9007199254740992",
        'index: "1"',
        "json: 9007199254740992",
        "json: 1e999",
        'json: "\\ud800"',
    ],
)
async def test_scalars_refuse_what_they_are_not(served: Served, acme: Organization, argument: str) -> None:
    response = await served.ask(acme, f"{{ echo({argument}) }}")

    assert "data" not in response.json()
    assert "Something went wrong" not in response.text


async def test_the_ide_is_a_page_of_its_own_when_it_is_enabled(make_settings: Callable[..., Settings]) -> None:
    page = {"accept": "text/html,*/*"}
    async with serving(make_settings(graphql_ide=True)) as served:
        shown = await served.client.get("/graphql", headers=page)
    async with serving(make_settings()) as served:
        hidden = await served.client.get("/graphql", headers=page)

    assert shown.status_code == 200
    policy = shown.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http://" not in shown.text
    assert "https://" not in shown.text
    assert hidden.status_code == 405
