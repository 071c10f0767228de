"""What one question may ask for, and the shapes that attack tools send."""

from collections.abc import Callable

import pytest
from graphql import GraphQLError, get_introspection_query, parse

from api.graphql.limits import Limits, check_shape
from record.settings import Settings
from tests.api.serving import Organization, Served, serving

LIMITS = Limits(tokens=2_000, depth=16, aliases=30, cost=20_000, page_size=20)


def nested(levels: int) -> str:
    return "{ things { nodes " + "{ part " * levels + "{ name }" + " }" * levels + " } }"


TOO_MUCH = {
    "more aliases than one needs": "{" + " ".join(f"a{n}: __typename" for n in range(101)) + "}",
    "aliases multiplied by fragments": "query { a: things { ...A } b: things { ...A } c: things { ...A } } "
    "fragment A on Page { " + " ".join(f"t{n}: total" for n in range(15)) + " }",
    "one field five hundred times": "{" + "__typename " * 500 + "}",
    "directives on one field": "{ __typename " + "@aa" * 10 + " }",
    "directives on many fields": "{"
    + " ".join(f"__typename @include(if: true) @skip(if: {n})" for n in ["false"] * 20)
    + "}",
    "fields nested too deep": nested(20),
    "more tokens than a question has": "{" + "viewer " * 3_000 + "}",
    "brackets without end": "{" + "a{" * 1_500,
    "lists without end": "{ echo(json: " + "[" * 1_500 + ") }",
    "a chain of fragments": "{ ...F0 } " + " ".join(f"fragment F{n} on Query {{ ...F{n + 1} }}" for n in range(200)),
    "a page that is too large": "{ things(first: 1000) { nodes { things(first: 100) { name } } } }",
    "pages in pages": "{ things { nodes { things { things { things { things { name } } } } } } }",
    "lists of unknown length in lists": "{ uncounted { things { things { things { things { name } } } } } }",
}


@pytest.mark.parametrize("query", TOO_MUCH.values(), ids=TOO_MUCH.keys())
async def test_too_much_is_refused_with_few_words(served: Served, acme: Organization, query: str) -> None:
    response = await served.ask(acme, query)

    assert response.status_code == 200
    assert "data" not in response.json()
    assert 1 <= len(response.json()["errors"]) <= 4
    assert len(response.content) < 2_000


async def test_a_page_size_in_a_variable_counts(served: Served, acme: Organization) -> None:
    query = "query ($n: Int = 5) { things(first: $n) { nodes { things(first: $n) { name } } } }"

    small = await served.ask(acme, query)
    large = await served.ask(acme, query, variables={"n": 1_000})

    assert "data" in small.json()
    (error,) = large.json()["errors"]
    assert error["extensions"]["code"] == "TOO_LARGE"
    assert "20000 is the most" in error["message"]


async def test_introspection_as_tools_ask_for_it_is_within_the_limits(served: Served, acme: Organization) -> None:
    response = await served.ask(acme, get_introspection_query(input_value_deprecation=True))

    assert response.json()["data"]["__schema"]["queryType"] == {"name": "Query", "kind": "OBJECT"}


async def test_introspection_in_circles_is_refused(served: Served, acme: Organization) -> None:
    circles = "{ __schema { types { fields { type { fields { type { fields { type { fields { type { name } } } } } } } } } } }"

    response = await served.ask(acme, circles)

    assert "data" not in response.json()


async def test_documents_are_kept_up_to_a_number(make_settings: Callable[..., Settings]) -> None:
    async with serving(make_settings(graphql_cached_documents=3)) as served:
        acme = await served.organization()
        for number in range(10):
            await served.ask(acme, f"{{ a{number}: viewer }}")

        assert len(served.app.state.view.asking.documents) == 3


def test_a_document_whose_fragments_double_at_each_step_is_measured_in_no_time() -> None:
    steps = 60
    fragments = [
        f"fragment F{n} on Thing {{ a: part {{ ...F{n + 1} }} b: part {{ ...F{n + 1} }} }}" for n in range(steps)
    ]
    document = parse(
        "{ things { nodes { ...F0 } } } " + " ".join(fragments) + f" fragment F{steps} on Thing {{ name }}"
    )

    with pytest.raises(GraphQLError):
        check_shape(document, LIMITS)


def test_a_fragment_that_spreads_itself_is_left_to_validation() -> None:
    check_shape(parse("{ ...A } fragment A on Query { ...B } fragment B on Query { ...A viewer }"), LIMITS)
