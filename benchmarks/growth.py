"""Growth: the same writes and reads on a ledger of 10,000 entries and on a large one, in turns.

Each ledger has a database of its own, because in one database the small one would sit in the large one's indexes. They are filled
through the append's bulk path, and how long that takes is a figure too.
"""

import time
from typing import Final

from benchmarks import content, questions, reads, writes
from benchmarks.load import Load
from benchmarks.rig import Rig
from benchmarks.turns import Contender, Figure, Options, Outcome, in_turns, per_second

SMALL: Final = 10_000
COST_AT_MOST: Final = 1.3
MILLION_SECONDS_MAX: Final = 240.0


async def measure(rig: Rig, options: Options) -> Outcome:
    """Each case on both ledgers."""
    outcome = Outcome([], {})
    loads: dict[str, dict[str, Load]] = {}
    ports = {}
    for name, entries in (("small", SMALL), ("large", options.entries)):
        house = rig.house(name)
        async with house.record() as record:
            owner = await content.organization(record, "acme")
            began = time.monotonic()
            deliveries = await content.load(record, owner, entries=entries)
            seconds = time.monotonic() - began
            pages = await reads.page_bodies(record, owner)
        if name == "large":
            million = seconds * 1_000_000 / options.entries
            what = f"seconds for 1,000,000 entries (took {seconds:.0f} for {options.entries:,})"
            outcome.figures.append(Figure("bulk load", what, million, at_most=MILLION_SECONDS_MAX))
        rig.analyze(house)
        ports[name] = rig.api(house, f"api-{name}", answer_cache_bytes="0").port
        verdicts = reads.verdict_bodies(deliveries)
        loads[name] = {
            "reportArtifact": Load([writes.report_requests(owner)], b'"leafHash"'),
            "attestGeneric": Load([writes.attest_requests(owner)], b'"leafHash"'),
            "verdict": Load([[questions.graphql(body, owner.headers) for body in verdicts]], b'"status"'),
            "page of 50": Load([[questions.graphql(body, owner.headers) for body in pages]], b'"status"'),
        }
    for case in loads["small"]:
        contenders = [Contender(name, ports[name], loads[name][case]) for name in ("small", "large")]
        rounds = in_turns(rig.load, contenders, options)
        outcome.figures.append(
            Figure(
                case,
                f"cost at {options.entries:,} by at {SMALL:,}",
                rounds.ratio("small", "large", per_second),
                at_most=COST_AT_MOST,
                spread=rounds.spread("small", "large", per_second),
            )
        )
        outcome.medians[case] = rounds.summary()
    return outcome
