"""Reads: a verdict with its reasons, a page of fifty trails, and the same question again; against the same bytes from a table."""

import random
from typing import Final

from benchmarks import content, questions
from benchmarks.load import Load, http_request
from benchmarks.rig import Rig
from benchmarks.turns import Contender, Options, Outcome, compare, in_turns
from record.record import Record

ENTRIES: Final = 13_000
SAMPLES: Final = 300
VERDICT_OF_FLOOR: Final = 0.15
PAGE_OF_FLOOR: Final = 0.04
PINNED_OF_CONSTANT: Final = 0.30
NOW_OF_CONSTANT: Final = 0.12


def verdict_bodies(deliveries: int, samples: int = SAMPLES) -> list[bytes]:
    """Questions about artifacts all over the ledger."""
    chosen = random.Random(7).sample(range(deliveries), min(samples, deliveries))
    return [questions.ask_bytes(questions.VERDICT, {"fingerprint": content.fingerprint(number)}) for number in chosen]


async def page_bodies(
    record: Record, owner: content.Organization, query: str = questions.PAGE, samples: int = SAMPLES
) -> list[bytes]:
    """Questions about pages all over the flows: each full, each from another place on."""
    async with record.database.connection(owner.caller.org_id) as connection:
        rows = await connection.fetch(
            "SELECT flow, entry_index, row_number() OVER (PARTITION BY flow ORDER BY entry_index) AS place "
            "FROM record.trails WHERE org_id = $1",
            owner.caller.org_id,
        )
    full = [row for row in rows if row["place"] > 51]
    chosen = random.Random(7).sample(full, min(samples, len(full)))
    return [
        questions.ask_bytes(query, {"flow": row["flow"], "after": questions.cursor(row["entry_index"])})
        for row in chosen
    ]


async def measure(rig: Rig, options: Options) -> Outcome:
    """All cases, on one filled house."""
    house = rig.house("reads")
    forgetful = rig.api(house, "api-reads", answer_cache_bytes="0")
    remembering = rig.api(house, "api-kept")
    async with house.record() as record:
        owner = await content.organization(record, "acme")
        deliveries = await content.load(record, owner, entries=ENTRIES)
        size = (await record.ledger.head(owner.caller.org_id)).size
        pages = await page_bodies(record, owner)
        pages_with_reasons = await page_bodies(record, owner, questions.PAGE_WITH_REASONS)
    rig.analyze(house)
    outcome = Outcome([], {})
    for case, bodies, rows, at_least in (
        ("verdict with reasons", verdict_bodies(deliveries), 1, VERDICT_OF_FLOOR),
        ("page of 50 trails", pages, 50, PAGE_OF_FLOOR),
        ("page of 50, with reasons", pages_with_reasons, 50, None),
    ):
        against_rows(rig, forgetful.port, case, bodies, owner, rows, at_least, options, outcome)
    _again(rig, remembering.port, deliveries, size, owner, options, outcome)
    return outcome


def against_rows(
    rig: Rig,
    port: int,
    case: str,
    bodies: list[bytes],
    owner: content.Organization,
    rows: int,
    at_least: float | None,
    options: Options,
    outcome: Outcome,
) -> None:
    """Every question to the API, which keeps no answers, and to the floor, which has them in `rows` rows each."""
    bare = []
    for number, body in enumerate(bodies):
        answer, _ = questions.asked(port, body, owner.headers)
        key = f"{case}-{number}".replace(" ", "-").replace(",", "")
        rig.floor.prepare_rows(key, answer.decode(), rows)
        bare.append(http_request(f"/read/{key}", body, owner.headers))
    whole = [questions.graphql(body, owner.headers) for body in bodies]
    rounds = in_turns(
        rig.load,
        [
            Contender("muniment", port, Load([whole], b'"status"')),
            Contender("floor", rig.floor.port, Load([bare], b'"status"')),
        ],
        options,
    )
    outcome.figures.extend(compare(case, rounds, "muniment", "floor", at_least=at_least))
    outcome.medians[case] = rounds.summary()


def _again(
    rig: Rig, port: int, deliveries: int, size: int, owner: content.Organization, options: Options, outcome: Outcome
) -> None:
    """One question over and over: at a size that it names, as of now, and with the tag of the answer that one has."""
    print_of_it = content.fingerprint(deliveries // 2)
    now = questions.ask_bytes(questions.VERDICT, {"fingerprint": print_of_it})
    pinned = questions.ask_bytes(questions.VERDICT, {"fingerprint": print_of_it, "size": size})
    answer, headers = questions.asked(port, pinned, owner.headers)
    rig.floor.prepare("/answers/again", answer)
    same = {**owner.headers, "if-none-match": headers["etag"]}
    rounds = in_turns(
        rig.load,
        [
            Contender("pinned", port, Load([[questions.graphql(pinned, owner.headers)]], b'"status"')),
            Contender("as of now", port, Load([[questions.graphql(now, owner.headers)]], b'"status"')),
            Contender("not modified", port, Load([[questions.graphql(pinned, same)]], b"", status=304)),
            Contender(
                "constant",
                rig.floor.port,
                Load([[http_request("/constant/again", pinned, owner.headers)]], b'"status"'),
            ),
        ],
        options,
    )
    case = "the same question again"
    outcome.figures.extend(compare(case, rounds, "pinned", "constant", at_least=PINNED_OF_CONSTANT))
    outcome.figures.extend(compare(case, rounds, "as of now", "constant", at_least=NOW_OF_CONSTANT))
    outcome.figures.extend(compare(case, rounds, "not modified", "constant"))
    outcome.medians[case] = rounds.summary()
